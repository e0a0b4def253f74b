//! Generates the order's types once more, with pbjson's serde beside them, and the descriptors of both.

use std::path::PathBuf;

use prost::Message;

#[expect(clippy::disallowed_methods, reason = "cargo tells a build script its folders so")]
fn main() -> Result<(), Box<dyn std::error::Error>> {
    let root = PathBuf::from(std::env::var("CARGO_MANIFEST_DIR")?).join("../../proto");
    println!("cargo:rerun-if-changed={}", root.display());
    let out = PathBuf::from(std::env::var("OUT_DIR")?);

    let mut compiler = protox::Compiler::new([&root])?;
    compiler
        .include_imports(true)
        .open_file("millrace/ordering/v1/ordering.proto")?;
    let bytes = compiler.encode_file_descriptor_set();
    std::fs::write(out.join("descriptors.binpb"), &bytes)?;

    let mut prost = prost_build::Config::new();
    prost
        .compile_well_known_types()
        .extern_path(".google.protobuf", "::pbjson_types");
    prost.compile_fds(Message::decode(
        compiler.file_descriptor_set().encode_to_vec().as_slice(),
    )?)?;
    pbjson_build::Builder::new()
        .register_descriptors(&bytes)?
        .build(&[".millrace"])?;
    Ok(())
}
