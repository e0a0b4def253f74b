//! The shapes of the cases, compiled once: as bytes for the gateway, as a pool for what the upstream reads and writes.

use std::sync::OnceLock;

use prost_reflect::{DescriptorPool, DynamicMessage, MessageDescriptor, MethodDescriptor};

/// The encoded `FileDescriptorSet`.
pub(crate) fn descriptors() -> &'static [u8] {
    static BYTES: OnceLock<Vec<u8>> = OnceLock::new();
    BYTES.get_or_init(|| {
        let here = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/cases");
        let protos = concat!(env!("CARGO_MANIFEST_DIR"), "/../proto");
        let mut compiler = protox::Compiler::new([here, protos]).unwrap();
        compiler.include_imports(true);
        let files = [
            "shapes.proto",
            "health.proto",
            "google/rpc/error_details.proto",
            "google/rpc/status.proto",
        ];
        compiler.open_files(files).unwrap();
        compiler.encode_file_descriptor_set()
    })
}

fn pool() -> &'static DescriptorPool {
    static POOL: OnceLock<DescriptorPool> = OnceLock::new();
    POOL.get_or_init(|| DescriptorPool::decode(descriptors()).unwrap())
}

/// The RPC of a gRPC path, `/package.Service/Method`.
pub(crate) fn rpc(path: &str) -> Option<MethodDescriptor> {
    let (service, method) = path.strip_prefix('/')?.split_once('/')?;
    let service = pool().get_service_by_name(service)?;
    service.methods().find(|known| known.name() == method)
}

/// The full name of an RPC that the cases call by its short one.
pub(crate) fn full_name(short: &str) -> String {
    let mut methods = pool()
        .services()
        .flat_map(|service| service.methods().collect::<Vec<_>>());
    let found = methods.find(|method| method.name() == short);
    found
        .unwrap_or_else(|| panic!("no RPC `{short}`"))
        .full_name()
        .to_owned()
}

/// A message by its full name.
pub(crate) fn message(full_name: &str) -> MessageDescriptor {
    pool().get_message_by_name(full_name).unwrap()
}

/// A message from its text form.
pub(crate) fn parse(kind: MessageDescriptor, text: &str) -> DynamicMessage {
    DynamicMessage::parse_text_format(kind, text).unwrap_or_else(|error| panic!("`{text}`: {error:?}"))
}
