//! Descriptors for tests: compiled from source, or put together by hand where no compiler would write them.

use prost_reflect::DescriptorPool;
use protox::file::{ChainFileResolver, File, FileResolver, GoogleFileResolver, IncludeFileResolver};

const PROTO_ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../proto");

struct Sources(Vec<(String, String)>);

impl FileResolver for Sources {
    fn open_file(&self, name: &str) -> Result<File, protox::Error> {
        let source = self.0.iter().find(|(known, _)| known == name);
        match source {
            Some((_, source)) => File::from_source(name, source),
            None => Err(protox::Error::file_not_found(name)),
        }
    }
}

/// Compiles files (name, source); what they import of `proto/` and of Google's is found.
pub(crate) fn compiled(sources: &[(&str, &str)]) -> Vec<u8> {
    let mut resolver = ChainFileResolver::new();
    resolver.add(Sources(
        sources
            .iter()
            .map(|(name, source)| ((*name).to_owned(), (*source).to_owned()))
            .collect(),
    ));
    resolver.add(IncludeFileResolver::new(PROTO_ROOT.into()));
    resolver.add(GoogleFileResolver::new());
    let mut compiler = protox::Compiler::with_file_resolver(resolver);
    compiler.include_imports(true).include_source_info(true);
    compiler.open_files(sources.iter().map(|(name, _)| name)).unwrap();
    compiler.encode_file_descriptor_set()
}

/// A shop with HTTP rules.
pub(crate) const SHOP: (&str, &str) = (
    "shop/v1/shop.proto",
    r#"syntax = "proto3"; package shop.v1;
    import "google/api/annotations.proto";
    import "google/protobuf/timestamp.proto";
    // Sells things.
    service Shop {
      rpc GetItem(GetItemRequest) returns (Item) { option (google.api.http) = { get: "/v1/items/{id}" }; }
      rpc WatchItems(GetItemRequest) returns (stream Item);
    }
    message GetItemRequest { string id = 1; }
    message Item { string id = 1; google.protobuf.Timestamp made = 2; }"#,
);

/// The files of a set: name and bytes.
pub(crate) fn files(set: &[u8]) -> Vec<(String, Vec<u8>)> {
    let mut rest = set;
    let mut files = Vec::new();
    while let Some((&tag, after)) = rest.split_first() {
        assert_eq!(tag, 0x0a, "a set holds files only");
        rest = after;
        let length = varint(&mut rest);
        let (file, after) = rest.split_at(length);
        rest = after;
        let mut name = &file[1..];
        let length = varint(&mut name);
        files.push((String::from_utf8(name[..length].to_vec()).unwrap(), file.to_vec()));
    }
    files
}

/// The file of that name.
pub(crate) fn file_of(set: &[u8], name: &str) -> Vec<u8> {
    files(set).into_iter().find(|(known, _)| known == name).unwrap().1
}

pub(crate) fn varint(bytes: &mut &[u8]) -> usize {
    let (mut value, mut shift) = (0, 0);
    while let Some((&byte, rest)) = bytes.split_first() {
        *bytes = rest;
        value |= usize::from(byte & 0x7f) << shift;
        shift += 7;
        if byte < 0x80 {
            break;
        }
    }
    value
}

/// Appends a field that has a length.
pub(crate) fn put(out: &mut Vec<u8>, number: u8, bytes: &[u8]) {
    out.push(number << 3 | 2);
    let mut length = bytes.len();
    while length >= 0x80 {
        out.push((length & 0x7f) as u8 | 0x80);
        length >>= 7;
    }
    out.push(length as u8);
    out.extend_from_slice(bytes);
}

/// A file with imports and nothing else, or a service without methods.
pub(crate) fn bare(name: &str, imports: &[&str], service: Option<&str>) -> Vec<u8> {
    let mut file = Vec::new();
    put(&mut file, 1, name.as_bytes());
    for import in imports {
        put(&mut file, 3, import.as_bytes());
    }
    if let Some(service) = service {
        let mut descriptor = Vec::new();
        put(&mut descriptor, 1, service.as_bytes());
        put(&mut file, 6, &descriptor);
    }
    put(&mut file, 12, b"proto3");
    file
}

/// Loads a set as the gateway does.
pub(crate) fn pool(set: &[u8]) -> DescriptorPool {
    DescriptorPool::decode(set).unwrap()
}
