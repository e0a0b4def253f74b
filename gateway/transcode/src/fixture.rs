//! The shapes that this crate's tests run on: `fixture/shapes.proto` and all of `proto/`, compiled in memory.

use std::path::Path;
use std::sync::OnceLock;

use prost_reflect::MessageDescriptor;
use protox::file::{ChainFileResolver, File, FileResolver, GoogleFileResolver, IncludeFileResolver};

use crate::bind::HeaderFields;
use crate::codec::WriteOptions;
use crate::load::LoadError;
use crate::rule::HttpRule;
use crate::schema::Schema;
use crate::settings::Options;

const PROTO_ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../proto");

struct Source(&'static str, String);

impl FileResolver for Source {
    fn open_file(&self, name: &str) -> Result<File, protox::Error> {
        if name == self.0 {
            File::from_source(name, &self.1)
        } else {
            Err(protox::Error::file_not_found(name))
        }
    }
}

fn compile(name: &'static str, source: &str) -> Vec<u8> {
    let mut resolver = ChainFileResolver::new();
    resolver.add(Source(name, source.to_owned()));
    resolver.add(IncludeFileResolver::new(Path::new(PROTO_ROOT).to_owned()));
    resolver.add(GoogleFileResolver::new());
    let mut compiler = protox::Compiler::with_file_resolver(resolver);
    compiler.include_imports(true).include_source_info(true);
    compiler.open_file(name).unwrap();
    compiler.encode_file_descriptor_set()
}

/// The shapes, as an encoded `FileDescriptorSet`.
pub(crate) fn shapes() -> &'static [u8] {
    static BYTES: OnceLock<Vec<u8>> = OnceLock::new();
    BYTES.get_or_init(|| compile("shapes.proto", include_str!("fixture/shapes.proto")))
}

/// The platform's own API.
pub(crate) fn millrace() -> &'static [u8] {
    static BYTES: OnceLock<Vec<u8>> = OnceLock::new();
    let source = "syntax = \"proto3\"; import \"millrace/catalog/v1/catalog.proto\";
        import \"millrace/identity/v1/identity.proto\"; import \"millrace/ordering/v1/ordering.proto\";
        import \"millrace/api/v1/reason.proto\"; import \"google/rpc/error_details.proto\";";
    BYTES.get_or_init(|| compile("all.proto", source))
}

/// A proto2 file of its own.
pub(crate) fn source(text: &str) -> Vec<u8> {
    compile("test.proto", text)
}

/// A rule for `shapes.v1.{rpc}`; `path` is `METHOD /template`.
pub(crate) fn rule(rpc: &str, path: &str, body: &str) -> HttpRule {
    let (method, path) = path.split_once(' ').unwrap();
    HttpRule {
        selector: format!("shapes.v1.{rpc}"),
        method: method.to_owned(),
        path: path.to_owned(),
        body: body.to_owned(),
        ..HttpRule::default()
    }
}

/// The shapes with these rules.
pub(crate) fn load(rules: Vec<HttpRule>) -> Result<Schema, LoadError> {
    load_with(Options {
        rules,
        ..Options::default()
    })
}

pub(crate) fn load_with(options: Options) -> Result<Schema, LoadError> {
    Schema::builder().descriptors(shapes()).options(options).build()
}

/// `R0` gets the first path, `R1` the second, and so on.
pub(crate) fn routes(paths: &[&str]) -> Result<Schema, LoadError> {
    load(
        paths
            .iter()
            .enumerate()
            .map(|(at, path)| rule(&format!("Routes.R{at}"), path, ""))
            .collect(),
    )
}

pub(crate) fn message(schema: &Schema, name: &str) -> MessageDescriptor {
    schema.pool().get_message_by_name(&format!("shapes.v1.{name}")).unwrap()
}

/// Binds a request and shows the message as JSON without defaults, or the refusal.
pub(crate) fn bound(schema: &Schema, method: &str, target: &str, body: &str) -> Result<String, String> {
    bound_with(schema, method, target, body, &HeaderFields::default())
}

pub(crate) fn bound_with(
    schema: &Schema,
    method: &str,
    target: &str,
    body: &str,
    headers: &HeaderFields<'_>,
) -> Result<String, String> {
    let (path, query) = match target.split_once('?') {
        Some((path, query)) => (path, Some(query)),
        None => (target, None),
    };
    let matched = schema.find(method, path).unwrap();
    let wire = matched
        .bind(query, body.as_bytes(), headers)
        .map_err(|error| error.to_string())?;
    Ok(shown(schema, &matched.method().input(), &wire))
}

/// A message as JSON without defaults.
pub(crate) fn shown(schema: &Schema, kind: &MessageDescriptor, wire: &[u8]) -> String {
    let options = WriteOptions {
        defaults_omitted: true,
        ..WriteOptions::default()
    };
    let mut out = Vec::new();
    let codec = schema.codec();
    codec.wire_to_json_with(options, kind, None, wire, &mut out).unwrap();
    String::from_utf8(out).unwrap()
}

/// Reads bodies into a sink; an expectation that is no object is a part of the refusal.
pub(crate) fn check_bodies(cases: &[(&str, &str)]) {
    let schema = load(vec![rule("Shapes.Sink", "POST /sink", "*")]).unwrap();
    for (body, expected) in cases {
        match bound(&schema, "POST", "/sink", body) {
            Ok(message) => assert_eq!(message, *expected, "{body}"),
            Err(refusal) if !expected.starts_with('{') => assert!(refusal.contains(expected), "{body}: {refusal}"),
            Err(refusal) => panic!("{body}: {refusal}"),
        }
    }
}
