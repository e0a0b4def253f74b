//! Loading: descriptor bytes and options in, a checked [`Schema`] out, or the RPC whose rule is wrong.

mod error;
mod selectors;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use prost_reflect::{DescriptorPool, Kind, MessageDescriptor};

use crate::codec::Codec;
use crate::edition::{self, Beyond};
use crate::method::Method;
use crate::options::Marks;
use crate::reason::Reasons;
use crate::route::{InsertError, Router};
use crate::rule::{self, Route};
use crate::schema::Schema;
use crate::settings::Options;
pub use error::LoadError;
use selectors::{RulesBeside, rule_of};

/// Collects what a [`Schema`] is built from.
#[derive(Debug, Default)]
pub struct SchemaBuilder {
    descriptors: Vec<Vec<u8>>,
    options: Options,
}

impl SchemaBuilder {
    /// Adds an encoded `FileDescriptorSet`. The same file twice is fine.
    #[must_use]
    pub fn descriptors(mut self, bytes: &[u8]) -> Self {
        self.descriptors.push(bytes.to_vec());
        self
    }

    /// Sets how strict the schema is.
    #[must_use]
    pub fn options(mut self, options: Options) -> Self {
        self.options = options;
        self
    }

    /// Sets [`Options::json_bytes_max`], unless the options have set it.
    #[must_use]
    pub fn json_bytes_max(mut self, bytes: usize) -> Self {
        self.options.json_bytes_max.get_or_insert(bytes);
        self
    }

    /// Loads everything and checks every rule.
    ///
    /// # Errors
    /// The first rule or descriptor that is wrong.
    pub fn build(self) -> Result<Schema, LoadError> {
        let mut pool = DescriptorPool::new();
        let mut beyond = Beyond::default();
        for bytes in &self.descriptors {
            add(&mut pool, edition::lowered(bytes, &mut beyond).as_ref())?;
        }
        map_entries(&pool)?;
        let (methods, mut routes) = methods(&pool, &self.options)?;
        for (index, route) in routes.iter_mut().enumerate() {
            route.declared_at = index;
        }
        routes.sort_by(|a, b| (&a.path, &a.http_method).cmp(&(&b.path, &b.http_method)));
        let router = router(&routes, self.options.path_empty_segments)?;
        let strips_slash = methods.iter().any(|method| method.settings().trailing_slash_stripped);
        Ok(Schema {
            reasons: Reasons::load(&pool),
            methods: methods
                .into_iter()
                .map(|method| (method.full_name().to_owned(), method))
                .collect(),
            routes,
            router,
            strips_slash,
            codec: Codec::new(&pool, &beyond, self.options.read(), self.options.write()),
            options: self.options,
            pool,
        })
    }
}

/// Adds a `FileDescriptorSet`. prost-reflect panics at some of those that lie, while it words its error; they come from
/// upstreams by reflection, so that ends here. The pool is then not used again.
fn add(pool: &mut DescriptorPool, files: &[u8]) -> Result<(), LoadError> {
    let added = catch_unwind(AssertUnwindSafe(|| pool.decode_file_descriptor_set(files)));
    added
        .map_err(|_| LoadError::Inconsistent)?
        .map_err(LoadError::Descriptors)
}

/// That every map has a key and a value: prost-reflect takes it for granted, and panics where it is asked for them.
fn map_entries(pool: &DescriptorPool) -> Result<(), LoadError> {
    let mut entries = pool.all_messages().filter(MessageDescriptor::is_map_entry);
    match entries.find(|entry| !is_entry(entry)) {
        Some(entry) => Err(LoadError::MapEntry {
            message: entry.full_name().to_owned(),
        }),
        None => Ok(()),
    }
}

fn is_entry(entry: &MessageDescriptor) -> bool {
    let is_key = |kind: &Kind| {
        !matches!(
            kind,
            Kind::Float | Kind::Double | Kind::Bytes | Kind::Enum(_) | Kind::Message(_)
        )
    };
    let key = entry
        .get_field(1)
        .is_some_and(|key| !key.is_list() && is_key(&key.kind()));
    key && entry
        .get_field(2)
        .is_some_and(|value| !value.is_list() && !value.is_map())
}

/// Every RPC with its settings, and the routes of them all. RPCs that no override selects share their settings.
fn methods(pool: &DescriptorPool, options: &Options) -> Result<(Vec<Arc<Method>>, Vec<Route>), LoadError> {
    let descriptors: Vec<_> = pool
        .services()
        .flat_map(|service| service.methods().collect::<Vec<_>>())
        .collect();
    selectors::check(&descriptors, options)?;
    let (common, marks) = (Arc::new(options.settings()), Marks::of(pool));
    let beside = RulesBeside::new(&options.rules);
    let (mut methods, mut routes) = (Vec::with_capacity(descriptors.len()), Vec::new());
    for descriptor in descriptors {
        let mut settings = Arc::clone(&common);
        for (selector, changed) in &options.overrides {
            if rule::selects(selector, descriptor.full_name()) {
                Arc::make_mut(&mut settings).change(changed);
            }
        }
        let (rpc, declared) = (descriptor.full_name().to_owned(), descriptor.options());
        let method = Method::new(descriptor, &declared, &marks, settings);
        let method = method.map_err(|problem| LoadError::StatusByField { rpc, problem })?;
        let method = Arc::new(method);
        if let Some(rule) = rule_of(&beside, &method, &declared) {
            routes.extend(rule.routes(&method)?);
        }
        methods.push(method);
    }
    Ok((methods, routes))
}

fn router(routes: &[Route], empty_segments: bool) -> Result<Router, LoadError> {
    let mut router = Router::new(empty_segments);
    for (index, route) in routes.iter().enumerate() {
        let second = || route.rpc.full_name().to_owned();
        match router.insert(&route.http_method, &route.template, index) {
            Ok(()) => {}
            Err(InsertError::TooManyMethods) => return Err(LoadError::TooManyMethods { rpc: second() }),
            Err(InsertError::Duplicate(first)) => {
                return Err(LoadError::Duplicate {
                    method: route.http_method.clone(),
                    path: route.path.clone(),
                    first: routes[first].rpc.full_name().to_owned(),
                    second: second(),
                });
            }
        }
    }
    Ok(router)
}

#[cfg(test)]
mod tests {
    use prost::Message;
    use prost_reflect::prost_types::field_descriptor_proto::{Label, Type};
    use prost_reflect::prost_types::{DescriptorProto, FileDescriptorSet};

    use super::*;
    use crate::HttpRule;
    use crate::fixture::{self, load, rule};

    fn refused(rules: Vec<HttpRule>) -> String {
        let error = load(rules).unwrap_err();
        let source = std::error::Error::source(&error)
            .map(|source| format!(": {source}"))
            .unwrap_or_default();
        error.to_string() + &source
    }

    #[test]
    fn wrong_rules_name_the_rpc() {
        for (rpc, path, body, expected) in [
            (
                "Routes.R0",
                "GET /a/{",
                "",
                "shapes.v1.Routes/R0: path `/a/{` does not parse: path template at byte 4: variable is not closed",
            ),
            (
                "Routes.R0",
                "GET /{list}",
                "",
                "shapes.v1.Routes/R0: path variable `list` is not a field that a path can hold",
            ),
            ("Routes.R0", "GET /{map}", "", "path variable `map` is not a field"),
            ("Routes.R0", "GET /{sub}", "", "path variable `sub` is not a field"),
            ("Routes.R0", "GET /{x.y}", "", "path variable `x.y` is not a field"),
            (
                "Routes.R0",
                "GET /{time.seconds}",
                "",
                "path variable `time.seconds` is not a field",
            ),
            (
                "Routes.R0",
                "GET /{nope}",
                "",
                "path variable names the unknown field `nope` of shapes.v1.Captures",
            ),
            (
                "Routes.R0",
                "GET /{sub.nope}",
                "",
                "path variable names the unknown field `nope`",
            ),
            ("Routes.R0", "POST /a", "nope", "body names the unknown field `nope`"),
            ("Routes.R0", "POST /a", "sub.x", "body names the unknown field `sub.x`"),
            (
                "Routes.R0",
                " /a",
                "",
                "shapes.v1.Routes/R0: the http rule has no valid method",
            ),
            ("Routes.R0", "G?T /a", "", "no valid method"),
            (
                "Routes.R9",
                "GET /a",
                "",
                "the rule with selector `shapes.v1.Routes.R9` selects no RPC; did you mean `shapes.v1.Routes.R0`?",
            ),
        ] {
            let refusal = refused(vec![rule(rpc, path, body)]);
            assert!(refusal.contains(expected), "{path}: {refusal}");
        }
        let mut outer = rule("Routes.R0", "GET /a", "");
        outer.response_body = "nope".to_owned();
        assert!(refused(vec![outer.clone()]).contains("response_body names the unknown field `nope`"));
        outer.response_body.clear();
        outer.additional = vec![rule("Routes.R0", "GET /b", "")];
        outer.additional[0].additional = vec![rule("Routes.R0", "GET /c", "")];
        assert!(refused(vec![outer]).contains("shapes.v1.Routes/R0: additional_bindings cannot be nested"));
        assert!(Schema::builder().descriptors(b"\xff\xff").build().is_err());
    }

    #[test]
    fn maps_that_are_none_are_refused() {
        type Change = fn(&mut DescriptorProto);
        let changes: [Change; 4] = [
            |entry| entry.field[1].number = Some(3),
            |entry| entry.field[0].number = Some(3),
            |entry| entry.field[0].set_type(Type::Double),
            |entry| entry.field[1].set_label(Label::Repeated),
        ];
        let bytes = fixture::source("syntax = \"proto3\"; package p; message M { map<int64, string> some = 1; }");
        for (index, change) in changes.into_iter().enumerate() {
            let mut set = FileDescriptorSet::decode(bytes.as_slice()).unwrap();
            let file = set.file.iter_mut().find(|file| file.package() == "p").unwrap();
            change(&mut file.message_type[0].nested_type[0]);
            let error = Schema::builder().descriptors(&set.encode_to_vec()).build().unwrap_err();
            assert!(
                matches!(error, LoadError::MapEntry { ref message } if message == "p.M.SomeEntry"),
                "{index}: {error}"
            );
        }
    }

    #[test]
    fn rules_beside_the_schema() {
        let all = rule("Routes.*", "POST /all/{x}", "*");
        assert!(refused(vec![all]).contains("is bound twice"));
        let mut only = rule("Library.*", "POST /library", "*");
        only.selector = "shapes.v1.Library.Internal".to_owned();
        let schema = load(vec![only]).unwrap();
        let bound: Vec<_> = schema
            .routes()
            .map(|route| format!("{} {}", route.http_method(), route.path()))
            .collect();
        assert_eq!(
            bound,
            [
                "POST /library",
                "POST /v1/namedShelves",
                "GET /v1/shelves/{shelf}",
                "GET /v1/shelves:watch",
                "GET /v1/theShelf",
                "GET /v1/{name=namedShelves/*}",
            ]
        );
    }

    #[test]
    fn every_rpc_is_known_by_name() {
        // The same file twice is the same file.
        let schema = Schema::builder()
            .descriptors(fixture::shapes())
            .descriptors(fixture::shapes())
            .build()
            .unwrap();
        let method = schema.method("shapes.v1.Library/CreateShelf").unwrap();
        assert_eq!(method.grpc_path(), "/shapes.v1.Library/CreateShelf");
        assert_eq!((method.success_code(), method.server_streaming()), (201, false));
        assert_eq!(method.idempotency_key_field().unwrap().name(), "request_id");
        let watch = schema.method("shapes.v1.Library/WatchShelves").unwrap();
        assert!(watch.server_streaming() && !watch.client_streaming());
        assert_eq!(watch.sse_id_field().unwrap().name(), "number");
        assert_eq!(watch.sse_last_event_id_field().unwrap().name(), "after");
        assert!(schema.method("shapes.v1.Library/Internal").is_some());
        assert!(schema.method("shapes.v1.Library.Internal").is_none());
        // Not annotated: no route.
        assert!(schema.find("POST", "/shapes.v1.Library/Internal").is_err());
        let both = ["/v1/shelves/7", "/v1/theShelf"].map(|path| schema.find("GET", path).unwrap().method().full_name());
        assert_eq!(both, ["shapes.v1.Library/GetShelf"; 2]);
    }
}
