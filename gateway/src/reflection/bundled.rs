//! Google's own files that servers import and often do not have: `google/protobuf`, and what is vendored of
//! `google/api` and `google/rpc`. Compiled once into `google.binpb`; a test says when it is stale and how to write it
//! anew.

use std::collections::BTreeSet;

use super::descriptor::File;
use super::wire::{self, fields_of};

const FILES: &[u8] = include_bytes!("google.binpb");

/// The file of the error details, after what it imports.
const ERROR_DETAILS: [&str; 2] = ["google/protobuf/duration.proto", "google/rpc/error_details.proto"];

/// The descriptor of a file, if it is one of them.
pub(super) fn file(name: &str) -> Option<&'static [u8]> {
    let mut files = fields_of(FILES, 1).filter_map(|file| file.ok()?.bytes().ok());
    files.find(|file| {
        let found = fields_of(file, 1).last();
        found.is_some_and(|found| found.is_ok_and(|found| found.bytes() == Ok(name.as_bytes())))
    })
}

/// A set with google.rpc's error details for a schema that lacks them, imports first; empty if it has them, or its own
/// idea of what they need. Hardly any server declares them, because they travel in an `Any` that nobody imports.
pub(crate) fn error_details(sets: &[Vec<u8>]) -> Vec<u8> {
    let (mut names, mut types) = (BTreeSet::new(), BTreeSet::new());
    for set in sets {
        for file in fields_of(set, 1).filter_map(|file| File::read(file.ok()?.bytes().ok()?).ok()) {
            file.types(|name| {
                types.insert(name.to_owned());
            });
            names.insert(file.name);
        }
    }
    let mut added = Vec::new();
    for name in ERROR_DETAILS.into_iter().filter(|name| !names.contains(*name)) {
        let Some(bytes) = file(name) else { continue };
        let mut is_new = true;
        if let Ok(file) = File::read(bytes) {
            file.types(|name| is_new &= !types.contains(name));
        }
        if !is_new {
            return Vec::new();
        }
        wire::put_bytes(&mut added, 1, bytes);
    }
    added
}

/// All of them.
pub(super) fn files() -> impl Iterator<Item = File> {
    fields_of(FILES, 1).filter_map(|file| File::read(file.ok()?.bytes().ok()?).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    const NAMES: [&str; 19] = [
        "google/api/annotations.proto",
        "google/api/field_behavior.proto",
        "google/api/http.proto",
        "google/api/httpbody.proto",
        "google/api/resource.proto",
        "google/protobuf/any.proto",
        "google/protobuf/api.proto",
        "google/protobuf/descriptor.proto",
        "google/protobuf/duration.proto",
        "google/protobuf/empty.proto",
        "google/protobuf/field_mask.proto",
        "google/protobuf/source_context.proto",
        "google/protobuf/struct.proto",
        "google/protobuf/timestamp.proto",
        "google/protobuf/type.proto",
        "google/protobuf/wrappers.proto",
        "google/rpc/code.proto",
        "google/rpc/error_details.proto",
        "google/rpc/status.proto",
    ];

    fn compiled() -> Vec<u8> {
        let mut compiler = protox::Compiler::new([concat!(env!("CARGO_MANIFEST_DIR"), "/../proto")]).unwrap();
        compiler.include_imports(true).open_files(NAMES).unwrap();
        compiler.encode_file_descriptor_set()
    }

    #[test]
    fn error_details_are_added_where_they_lack() {
        let added = error_details(&[]);
        assert_eq!(fields_of(&added, 1).count(), 2);
        assert!(error_details(std::slice::from_ref(&added)).is_empty());
        // Under another name, as grpc-js has it.
        let duration = File::read(file(ERROR_DETAILS[0]).unwrap()).unwrap();
        let mut set = Vec::new();
        wire::put_bytes(&mut set, 1, &duration.renamed(|_| Some("google_protobuf.proto")));
        assert!(error_details(&[set]).is_empty());
    }

    #[test]
    fn the_bundle_is_fresh_and_whole() {
        assert!(
            compiled() == FILES,
            "stale: cargo test -p millrace-gateway write_the_bundle -- --ignored"
        );
        for name in NAMES {
            assert!(file(name).is_some(), "{name}");
        }
        assert!(file("google/api/client.proto").is_none());
    }

    #[test]
    #[ignore = "writes src/reflection/google.binpb"]
    fn write_the_bundle() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/src/reflection/google.binpb");
        std::fs::write(path, compiled()).unwrap();
    }
}
