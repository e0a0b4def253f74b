//! The contract of Millrace: messages, servers and clients generated from the `.proto` files of this folder, and
//! their descriptors as bytes. It knows nothing else of the platform.

mod redact;

/// Every file under `millrace/`, with its imports, comments and options, as an encoded
/// `google.protobuf.FileDescriptorSet`.
///
/// Pass it on as bytes: a round trip through `prost-types` drops options such as `google.api.http`.
pub const FILE_DESCRIPTOR_SET: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/descriptors.binpb"));

#[expect(missing_docs, clippy::all, clippy::pedantic, reason = "generated code")]
#[allow(rustdoc::all, reason = "Google's comments are not written for rustdoc")]
mod generated {
    include!(concat!(env!("OUT_DIR"), "/all.rs"));
}

pub use generated::millrace::{api, catalog, identity, ordering, r#type};
pub use generated::{google, millrace};
