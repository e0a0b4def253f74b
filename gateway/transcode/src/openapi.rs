//! The OpenAPI 3.1 document of a schema's routes: what is bound is described, nothing else, and always in one order:
//! that in which the schema declares services, RPCs, bindings and fields. Components are sorted by name.
//!
//! Paths are written with one parameter per wildcard (`/v1/users/{user}/orders`), since OpenAPI has none that holds a
//! `/`. Descriptions are the comments of the proto files.

mod access;
mod comment;
mod operation;
mod parameter;
mod path;
mod response;
mod schema;

use std::collections::{BTreeMap, BTreeSet};

use prost_reflect::DynamicMessage;
use serde_json::{Map, Value, json};

use crate::openapi::comment::Comments;
use crate::openapi::operation::operation;
use crate::openapi::path::{Resources, path_of};
use crate::openapi::response::failures;
use crate::openapi::schema::Schemas;
use crate::rule::Route;
use crate::schema::Schema;

/// Methods that a path item of OpenAPI has and a rule for any method stands for.
const ANY_METHODS: [&str; 5] = ["delete", "get", "patch", "post", "put"];
/// All methods that a path item can hold.
const METHODS: [&str; 8] = ["delete", "get", "head", "options", "patch", "post", "put", "trace"];

/// What the document says about the API as a whole.
#[derive(Debug, Clone, Default)]
pub struct Info {
    /// `info.title`.
    pub title: String,
    /// `info.version`.
    pub version: String,
    /// `info.description`, in CommonMark; may be empty.
    pub description: String,
    /// Base URLs; none leaves `servers` out, which means the document's own origin.
    pub servers: Vec<String>,
    /// What the bearer token is. Every operation then asks for one, but those that anybody may call.
    pub bearer: Option<String>,
    /// A header that takes the same token.
    pub key_header: Option<String>,
    /// The boolean settings that methods name by `open_by`, as they are.
    pub switches: BTreeMap<String, bool>,
}

pub(crate) fn document(schema: &Schema, info: &Info) -> Value {
    let comments = Comments::of(schema.pool());
    let mut schemas = Schemas::new(&comments);
    let paths = paths(schema, info, &mut schemas);
    let mut about = Map::from_iter([
        ("title".to_owned(), json!(info.title)),
        ("version".to_owned(), json!(info.version)),
    ]);
    describe(&mut about, Some(info.description.as_str()));
    let mut components = Map::from_iter([
        ("schemas".to_owned(), schemas.finish(schema)),
        ("responses".to_owned(), failures(schema)),
    ]);
    if let Some(schemes) = access::schemes(info) {
        components.insert("securitySchemes".to_owned(), schemes);
    }
    let mut document = Map::from_iter([
        ("openapi".to_owned(), json!("3.1.0")),
        ("info".to_owned(), Value::Object(about)),
    ]);
    if !info.servers.is_empty() {
        let servers = info.servers.iter().map(|url| json!({"url": url}));
        document.insert("servers".to_owned(), servers.collect());
    }
    document.extend([
        ("tags".to_owned(), tags(schema, &comments)),
        ("paths".to_owned(), Value::Object(paths)),
        ("components".to_owned(), Value::Object(components)),
    ]);
    Value::Object(document)
}

/// The operations by path and method.
fn paths(schema: &Schema, info: &Info, schemas: &mut Schemas<'_>) -> Map<String, Value> {
    let resources = Resources::of(schema.pool());
    let mut paths: Map<String, Value> = Map::new();
    let mut operation_ids = BTreeSet::new();
    let mut declared: Vec<&Route> = schema.routes().collect();
    declared.sort_by_key(|route| route.declared_at);
    for route in declared {
        let path = path_of(route, &resources);
        let item = paths
            .entry(path.text.clone())
            .or_insert_with(|| Value::Object(Map::new()));
        let Value::Object(item) = item else { continue };
        let method = route.http_method.to_ascii_lowercase();
        let methods = if method == "*" {
            ANY_METHODS.to_vec()
        } else {
            vec![method.as_str()]
        };
        for method in methods.into_iter().filter(|method| METHODS.contains(method)) {
            if item.contains_key(method) {
                continue;
            }
            let id = operation_id(route, &mut operation_ids);
            let operation = operation(id, route, &path, schemas, info);
            item.insert(method.to_owned(), Value::Object(operation));
        }
    }
    // A path that holds nothing OpenAPI can say (PROPFIND) is not one of its paths.
    paths.retain(|_, item| item.as_object().is_some_and(|item| !item.is_empty()));
    paths
}

/// One tag for each service that has routes.
fn tags(schema: &Schema, comments: &Comments) -> Value {
    let routed: BTreeSet<String> = schema
        .routes()
        .map(|route| route.rpc.descriptor().parent_service().full_name().to_owned())
        .collect();
    let services = schema.pool().services();
    let services = services.filter(|service| routed.contains(service.full_name()));
    let tags = services.map(|service| {
        let mut tag = Map::from_iter([("name".to_owned(), json!(service.name()))]);
        describe(&mut tag, comments.get(&service.parent_file(), service.path()));
        Value::Object(tag)
    });
    tags.collect()
}

/// `OrderingService_GetOrder`, with a number where one RPC has several operations.
fn operation_id(route: &Route, taken: &mut BTreeSet<String>) -> String {
    let rpc = route.rpc.descriptor();
    let plain = format!("{}_{}", rpc.parent_service().name(), rpc.name());
    let numbered = (2..).map(|number| format!("{plain}_{number}"));
    let free = std::iter::once(plain.clone())
        .chain(numbered)
        .find(|id| !taken.contains(id))
        .unwrap_or(plain);
    taken.insert(free.clone());
    free
}

fn describe(object: &mut Map<String, Value>, text: Option<&str>) {
    if let Some(text) = text.filter(|text| !text.is_empty()) {
        object.insert("description".to_owned(), json!(text));
    }
}

/// Whether the options of a method or a field say that nobody should use it any more.
fn is_deprecated(options: &DynamicMessage) -> bool {
    let value = options.get_field_by_name("deprecated");
    value.is_some_and(|value| value.as_bool() == Some(true))
}

#[cfg(test)]
mod tests;
