//! Compiles the health checking protocol, which is the platform's own service, and gathers the descriptors that every
//! server shows: health and the details of errors.

use std::error::Error;
use std::path::PathBuf;
use std::{env, fs};

#[expect(
    clippy::disallowed_methods,
    reason = "this is how cargo tells a build script its folders"
)]
fn main() -> Result<(), Box<dyn Error>> {
    let root = PathBuf::from(env::var("CARGO_MANIFEST_DIR")?).join("../../proto");
    let out = PathBuf::from(env::var("OUT_DIR")?);
    let health = root.join("grpc/health/v1/health.proto");
    // Clients decode error details by reflection only if their types are in the set.
    let details = [
        root.join("google/rpc/error_details.proto"),
        root.join("google/rpc/status.proto"),
    ];

    let mut compiler = protox::Compiler::new([&root])?;
    compiler.include_imports(true).include_source_info(true);
    compiler.open_file(&health)?;
    tonic_prost_build::configure()
        .build_transport(false)
        .compile_fds(compiler.file_descriptor_set())?;

    compiler.open_files(&details)?;
    fs::write(out.join("builtin.binpb"), compiler.encode_file_descriptor_set())?;

    for file in details.iter().chain([&health]) {
        println!("cargo:rerun-if-changed={}", file.display());
    }
    Ok(())
}
