//! What the fuzz targets share: the neutral shapes, loaded once, under rules that use every part of the grammar.

use std::path::Path;
use std::sync::OnceLock;

use millrace_transcode::{HttpRule, Options, Schema};
use prost_reflect::MessageDescriptor;
use protox::file::{ChainFileResolver, GoogleFileResolver, IncludeFileResolver};

const HERE: &str = env!("CARGO_MANIFEST_DIR");

/// Routes that differ in every way in which templates can: literals, captures of one and many segments, verbs.
const ROUTES: [&str; 12] = [
    "GET /a/{x}",
    "GET /a/{x}:verb",
    "GET /a/{x=p/*/q/*}/c",
    "GET /a/{x=**}",
    "GET /a/**/z",
    "POST /a/b",
    "DELETE /{x}/{y=**}/end",
    "GET /b/{x=*}/{y=**}:do",
    "GET /b/c:verb:sub",
    "* /any/{id}",
    "GET /%7E/{name=n/*}",
    "GET /{a=*}/{b=*}:cd",
];

/// The shapes as an encoded `FileDescriptorSet`.
///
/// # Panics
/// The committed protos do not compile.
pub fn descriptors() -> &'static [u8] {
    static BYTES: OnceLock<Vec<u8>> = OnceLock::new();
    BYTES.get_or_init(|| {
        let mut resolver = ChainFileResolver::new();
        for root in ["../transcode/src/fixture", "../../proto"] {
            resolver.add(IncludeFileResolver::new(Path::new(HERE).join(root)));
        }
        resolver.add(GoogleFileResolver::new());
        let mut compiler = protox::Compiler::with_file_resolver(resolver);
        compiler.include_imports(true);
        compiler.open_file("shapes.proto").expect("the shapes compile");
        compiler.encode_file_descriptor_set()
    })
}

/// The schema of the shapes.
///
/// # Panics
/// The rules here are wrong.
pub fn schema() -> &'static Schema {
    static SCHEMA: OnceLock<Schema> = OnceLock::new();
    SCHEMA.get_or_init(|| {
        let mut all = rule("shapes.v1.Routes.R0", ROUTES[0], "");
        all.additional = ROUTES[1..].iter().map(|path| rule("", path, "")).collect();
        let options = Options {
            rules: vec![
                all,
                rule("shapes.v1.Shapes.Sink", "GET /sink", ""),
                rule("shapes.v1.Shapes.PutBook", "POST /shelves/{shelf}/books", "book"),
                rule("shapes.v1.Shapes.PatchBook", "PATCH /shelves/{shelf}/books", "book"),
            ],
            ..Options::default()
        };
        let builder = Schema::builder().descriptors(descriptors()).options(options);
        builder.build().expect("the rules fit the shapes")
    })
}

/// The message with something of every kind.
///
/// # Panics
/// The shapes have none.
pub fn sink() -> &'static MessageDescriptor {
    static SINK: OnceLock<MessageDescriptor> = OnceLock::new();
    SINK.get_or_init(|| {
        let sink = schema().pool().get_message_by_name("shapes.v1.SinkMessage");
        sink.expect("the shapes have a SinkMessage")
    })
}

fn rule(selector: &str, path: &str, body: &str) -> HttpRule {
    let (method, path) = path.split_once(' ').unwrap_or(("GET", path));
    HttpRule {
        selector: selector.to_owned(),
        method: method.to_owned(),
        path: path.to_owned(),
        body: body.to_owned(),
        ..HttpRule::default()
    }
}
