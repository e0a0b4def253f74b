//! Compiles the order service of `benches/peers`, and writes its descriptors.
#![expect(
    clippy::disallowed_methods,
    reason = "cargo passes a build script its settings in the environment"
)]

use std::error::Error;
use std::path::PathBuf;
use std::{env, fs};

fn main() -> Result<(), Box<dyn Error>> {
    let root = PathBuf::from(env::var("CARGO_MANIFEST_DIR")?);
    let protos = root.join("../peers/proto");
    println!("cargo:rerun-if-changed={}", protos.display());
    let mut compiler = protox::Compiler::new([protos, root.join("../../proto")])?;
    compiler
        .include_imports(true)
        .open_files(["peers/orders/v1/orders.proto"])?;
    let out = PathBuf::from(env::var("OUT_DIR")?);
    fs::write(out.join("orders.binpb"), compiler.encode_file_descriptor_set())?;
    tonic_prost_build::configure()
        .build_client(false)
        .build_transport(false)
        .compile_fds(compiler.file_descriptor_set())?;
    Ok(())
}
