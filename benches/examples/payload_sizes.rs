//! Prints how large an order is on the wire: `cargo run -p millrace-benches --example payload_sizes`.
//!
//! JSON as the REST door sends it (ProtoJSON, no spaces) against the bare protobuf message, raw and by gzip.

use std::error::Error;
use std::io::Write;

use flate2::Compression;
use flate2::write::GzEncoder;
use millrace_benches::corpus::SAMPLES;
use millrace_proto::ordering::v1 as proto;
use prost::Message;

fn main() -> Result<(), Box<dyn Error>> {
    println!("| lines | JSON bytes | protobuf bytes | ratio | JSON gzip | protobuf gzip | ratio |");
    println!("|--:|--:|--:|--:|--:|--:|--:|");
    for sample in SAMPLES {
        let order = sample.order()?;
        let json = serde_json::to_vec(&order)?;
        let protobuf = proto::Order::try_from(&order)?.encode_to_vec();
        let (json_gzip, protobuf_gzip) = (gzip(&json)?, gzip(&protobuf)?);
        println!(
            "| {} | {} | {} | {:.2} | {json_gzip} | {protobuf_gzip} | {:.2} |",
            sample.lines,
            json.len(),
            protobuf.len(),
            json.len() as f64 / protobuf.len() as f64,
            json_gzip as f64 / protobuf_gzip as f64,
        );
    }
    Ok(())
}

/// Bytes after gzip at its usual level, 6.
fn gzip(bytes: &[u8]) -> std::io::Result<usize> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(bytes)?;
    Ok(encoder.finish()?.len())
}
