//! Compiles the order service, and writes two descriptor sets: the service alone, and ten services.
#![expect(
    clippy::disallowed_methods,
    reason = "cargo passes a build script its settings in the environment"
)]

use std::error::Error;
use std::path::{Path, PathBuf};
use std::{env, fs};

const SERVICE: &str = "peers/orders/v1/orders.proto";

fn main() -> Result<(), Box<dyn Error>> {
    let root = PathBuf::from(env::var("CARGO_MANIFEST_DIR")?);
    let out = PathBuf::from(env::var("OUT_DIR")?);
    let protos = root.join("proto");
    let google = root.join("../../proto");
    let made = out.join("made");
    fs::create_dir_all(&made)?;
    println!("cargo:rerun-if-changed={}", protos.display());

    let text = fs::read_to_string(protos.join(SERVICE))?;
    let mut services = Vec::new();
    for number in 2..=10 {
        let file = format!("service{number}.proto");
        // The same messages and routes under other names.
        let renamed = text
            .replace("peers.orders.v1", &format!("peers.orders{number}.v1"))
            .replace("\"/v1/", &format!("\"/s{number}/"));
        fs::write(made.join(&file), renamed)?;
        services.push(file);
    }

    let folders = [protos.as_path(), google.as_path(), made.as_path()];
    let service = compile(&folders, &[SERVICE])?;
    fs::write(out.join("orders.binpb"), service.encode_file_descriptor_set())?;
    tonic_prost_build::configure()
        .build_client(false)
        .build_transport(false)
        .compile_fds(service.file_descriptor_set())?;
    let ten: Vec<_> = [SERVICE]
        .into_iter()
        .chain(services.iter().map(String::as_str))
        .collect();
    fs::write(
        out.join("ten.binpb"),
        compile(&folders, &ten)?.encode_file_descriptor_set(),
    )?;
    Ok(())
}

fn compile(folders: &[&Path], files: &[&str]) -> Result<protox::Compiler, protox::Error> {
    let mut compiler = protox::Compiler::new(folders)?;
    compiler.include_imports(true).open_files(files)?;
    Ok(compiler)
}
