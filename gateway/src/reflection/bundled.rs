//! Google's own files that servers import and often do not have: `google/protobuf`, and what is vendored of
//! `google/api` and `google/rpc`. Compiled once into `google.binpb`; a test says when it is stale and how to write it
//! anew.

use super::wire::fields_of;

const FILES: &[u8] = include_bytes!("google.binpb");

/// The descriptor of a file, if it is one of them.
pub(super) fn file(name: &str) -> Option<&'static [u8]> {
    let mut files = fields_of(FILES, 1).filter_map(|file| file.ok()?.bytes().ok());
    files.find(|file| {
        let found = fields_of(file, 1).last();
        found.is_some_and(|found| found.is_ok_and(|found| found.bytes() == Ok(name.as_bytes())))
    })
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
