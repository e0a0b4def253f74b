//! Compiles every `.proto` below `millrace/` with protox: no `protoc` is needed, and a new file needs no edit here.
#![expect(
    clippy::disallowed_methods,
    reason = "cargo passes a build script its settings in the environment"
)]

use std::error::Error;
use std::path::{Path, PathBuf};
use std::{env, fs};

use protox::prost_reflect::{DescriptorPool, FieldDescriptor};

fn main() -> Result<(), Box<dyn Error>> {
    let root = PathBuf::from(env::var("CARGO_MANIFEST_DIR")?);
    let out = PathBuf::from(env::var("OUT_DIR")?);
    let mut files = Vec::new();
    collect(&root.join("millrace"), &mut files)?;
    files.sort();

    let mut compiler = protox::Compiler::new([&root])?;
    // Comments travel with the descriptors, so that `grpcurl describe` shows them.
    compiler.include_imports(true).include_source_info(true);
    compiler.open_files(&files)?;
    // Clients decode error details by reflection only if their types are in the set.
    compiler.open_files([
        root.join("google/rpc/error_details.proto"),
        root.join("google/rpc/status.proto"),
    ])?;

    // These bytes keep every option; the generator below goes through prost-types, which loses extensions.
    fs::write(out.join("descriptors.binpb"), compiler.encode_file_descriptor_set())?;
    // Messages with a field marked `debug_redact` write their `Debug` in `src/redact.rs`; one that forgets to has none.
    let secret = secret_messages(&compiler.descriptor_pool());
    tonic_prost_build::configure()
        .build_transport(false)
        .skip_debug(secret)
        .include_file("all.rs")
        .compile_fds(compiler.file_descriptor_set())?;

    for folder in ["millrace", "google"] {
        println!("cargo:rerun-if-changed={}", root.join(folder).display());
    }
    Ok(())
}

/// Full names of the messages with a field that must not be printed.
fn secret_messages(pool: &DescriptorPool) -> Vec<String> {
    let is_secret = |field: FieldDescriptor| {
        let declared = field.options();
        let redact = declared.get_field_by_name("debug_redact");
        redact.and_then(|value| value.as_bool()).unwrap_or_default()
    };
    pool.all_messages()
        .filter(|message| message.fields().any(is_secret))
        .map(|message| format!(".{}", message.full_name()))
        .collect()
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) -> Result<(), Box<dyn Error>> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            collect(&path, files)?;
        } else if path.extension().is_some_and(|extension| extension == "proto") {
            files.push(path);
        }
    }
    Ok(())
}
