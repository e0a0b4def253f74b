//! The OpenAPI 3.1 document of a schema's routes: what is bound is described, nothing else, and always in one order.
//!
//! Paths are written with one parameter per wildcard (`/v1/users/{user}/orders`), since OpenAPI has none that holds a `/`.
//! Descriptions are the comments of the proto files.

mod comment;
mod path;
mod schema;

use std::collections::BTreeSet;

use prost_reflect::{FieldDescriptor, Kind};
use serde_json::{Map, Value, json};

use crate::codec::known;
use crate::openapi::comment::{Comments, summary};
use crate::openapi::path::{Parameter, Path, Resources, path_of};
use crate::openapi::schema::Schemas;
use crate::options;
use crate::rule::{Body, Route};
use crate::schema::Schema;

/// Nesting of query parameters that is described; deeper ones bind all the same.
const QUERY_DEPTH_MAX: usize = 3;

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
    /// What the bearer token is. Every operation then asks for one, but those whose policy is PUBLIC.
    pub bearer: Option<String>,
}

pub(crate) fn document(schema: &Schema, info: &Info) -> Value {
    let comments = Comments::of(schema.pool());
    let mut schemas = Schemas::new(&comments);
    let resources = Resources::of(schema.pool());
    let mut paths: Map<String, Value> = Map::new();
    let mut tags = BTreeSet::new();
    let mut operation_ids = BTreeSet::new();
    for route in schema.routes() {
        let path = path_of(route, &resources);
        let item = paths
            .entry(path.text.clone())
            .or_insert_with(|| Value::Object(Map::new()));
        let Value::Object(item) = item else { continue };
        tags.insert(route.rpc.descriptor().parent_service().full_name().to_owned());
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
            let mut operation = operation(route, &path, &comments, &mut schemas, info);
            operation.insert("operationId".to_owned(), json!(operation_id(route, &mut operation_ids)));
            item.insert(method.to_owned(), Value::Object(operation));
        }
    }
    // A path that holds nothing OpenAPI can say (PROPFIND) is not one of its paths.
    paths.retain(|_, item| item.as_object().is_some_and(|item| !item.is_empty()));

    let tags = tags
        .iter()
        .filter_map(|name| schema.pool().get_service_by_name(name))
        .map(|service| {
            let mut tag = Map::from_iter([("name".to_owned(), json!(service.name()))]);
            describe(&mut tag, comments.get(&service.parent_file(), service.path()));
            Value::Object(tag)
        });
    let mut about = Map::from_iter([
        ("title".to_owned(), json!(info.title)),
        ("version".to_owned(), json!(info.version)),
    ]);
    describe(&mut about, Some(info.description.as_str()));

    let mut components = Map::from_iter([
        ("schemas".to_owned(), schemas.finish(schema)),
        ("responses".to_owned(), json!({"Error": error_response()})),
    ]);
    let mut document = Map::from_iter([
        ("openapi".to_owned(), json!("3.1.0")),
        ("info".to_owned(), Value::Object(about)),
        ("tags".to_owned(), tags.collect()),
        ("paths".to_owned(), Value::Object(paths)),
    ]);
    if let Some(bearer) = &info.bearer {
        let scheme = json!({"bearer": {"type": "http", "scheme": "bearer", "description": bearer}});
        components.insert("securitySchemes".to_owned(), scheme);
        document.insert("security".to_owned(), json!([{"bearer": []}]));
    }
    if !info.servers.is_empty() {
        document.insert(
            "servers".to_owned(),
            info.servers.iter().map(|url| json!({"url": url})).collect(),
        );
    }
    document.insert("components".to_owned(), Value::Object(components));
    Value::Object(document)
}

fn error_response() -> Value {
    json!({
        "description": "A failure. The code says which kind, `ErrorInfo` in the details says why.",
        "content": {
            "application/json": {"schema": {"$ref": "#/components/schemas/Error"}},
            "application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}},
        },
    })
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

fn operation(
    route: &Route,
    path: &Path,
    comments: &Comments,
    schemas: &mut Schemas<'_>,
    info: &Info,
) -> Map<String, Value> {
    let rpc = route.rpc.descriptor();
    let comment = comments.get(&rpc.parent_file(), rpc.path());
    let mut operation = Map::from_iter([("tags".to_owned(), json!([rpc.parent_service().name()]))]);
    if let Some(comment) = comment {
        operation.insert("summary".to_owned(), json!(summary(comment)));
    }
    describe(&mut operation, comment);
    if rpc
        .options()
        .get_field_by_name("deprecated")
        .is_some_and(|value| value.as_bool() == Some(true))
    {
        operation.insert("deprecated".to_owned(), json!(true));
    }
    let in_path = path
        .parameters
        .iter()
        .map(|parameter| path_parameter(parameter, comments, schemas));
    let mut parameters: Vec<Value> = in_path.collect();
    query_parameters(route, comments, schemas, &mut parameters);
    header_parameters(route, &mut parameters);
    if !parameters.is_empty() {
        operation.insert("parameters".to_owned(), Value::Array(parameters));
    }
    let body = match &route.body {
        Body::None => None,
        Body::Whole => Some((schemas.message(&rpc.input()), true)),
        Body::Field(field) => Some((schemas.field(field), false)),
    };
    if let Some((schema, is_whole)) = body {
        // Without a body a whole request is an empty message, and a field is absent.
        let content = json!({"application/json": {"schema": schema}});
        operation.insert(
            "requestBody".to_owned(),
            json!({"required": !is_whole, "content": content}),
        );
    }
    operation.insert("responses".to_owned(), responses(route, schemas));
    let policy = options::get(rpc.parent_pool(), &rpc.options(), "millrace.api.v1.policy")
        .and_then(|value| value.as_enum_number())
        .and_then(|number| {
            let policies = rpc.parent_pool().get_enum_by_name("millrace.api.v1.Policy")?;
            Some(policies.get_value(number)?.name().to_owned())
        });
    if info.bearer.is_some() && policy.as_deref() == Some("POLICY_PUBLIC") {
        operation.insert("security".to_owned(), json!([]));
    }
    operation
}

fn describe(object: &mut Map<String, Value>, text: Option<&str>) {
    if let Some(text) = text.filter(|text| !text.is_empty()) {
        object.insert("description".to_owned(), json!(text));
    }
}

fn path_parameter(parameter: &Parameter, comments: &Comments, schemas: &mut Schemas<'_>) -> Value {
    let comment = |field: &FieldDescriptor| comments.get(&field.parent_message().parent_file(), field.path());
    let (schema, description) = match &parameter.field {
        Some(field) if parameter.is_part => {
            let text = comment(field).unwrap_or_default();
            (
                json!({"type": "string"}),
                format!("Part of `{}`. {text}", field.name()).trim_end().to_owned(),
            )
        }
        Some(field) => (schemas.bare_field(field), comment(field).unwrap_or_default().to_owned()),
        None => (json!({"type": "string"}), String::new()),
    };
    let mut object = Map::from_iter([
        ("name".to_owned(), json!(parameter.name)),
        ("in".to_owned(), json!("path")),
        ("required".to_owned(), json!(true)),
        ("schema".to_owned(), schema),
    ]);
    describe(&mut object, Some(&description));
    Value::Object(object)
}

/// One parameter for each field that neither path nor body binds.
fn query_parameters(route: &Route, comments: &Comments, schemas: &mut Schemas<'_>, parameters: &mut Vec<Value>) {
    if route.body == Body::Whole {
        return;
    }
    let mut pending: Vec<Vec<FieldDescriptor>> = route.rpc.input().fields().map(|field| vec![field]).collect();
    pending.reverse();
    while let Some(fields) = pending.pop() {
        let Some(field) = fields.last() else { continue };
        let bound_elsewhere = route.captures.contains(&fields)
            || matches!(&route.body, Body::Field(body) if fields.first() == Some(body))
            || route.rpc.idempotency_key_field() == Some(field);
        if bound_elsewhere {
            continue;
        }
        let value_kind = crate::query::element_kind(field);
        if let Kind::Message(inner) = &value_kind
            && !known::is_known(inner.full_name())
        {
            let reachable = !field.is_list() && !field.is_map() && fields.len() < QUERY_DEPTH_MAX;
            if reachable {
                let deeper: Vec<_> = inner
                    .fields()
                    .map(|field| [fields.clone(), vec![field]].concat())
                    .collect();
                pending.extend(deeper.into_iter().rev());
            }
            continue;
        }
        if matches!(&value_kind, Kind::Message(inner) if matches!(inner.full_name(), known::ANY | known::EMPTY)) {
            continue;
        }
        let name = fields
            .iter()
            .map(FieldDescriptor::json_name)
            .collect::<Vec<_>>()
            .join(".");
        let mut object = Map::from_iter([
            ("name".to_owned(), json!(name)),
            ("in".to_owned(), json!("query")),
            ("schema".to_owned(), schemas.bare_field(field)),
        ]);
        if field.is_map() {
            object.insert("style".to_owned(), json!("deepObject"));
        }
        describe(
            &mut object,
            comments.get(&field.parent_message().parent_file(), field.path()),
        );
        parameters.push(Value::Object(object));
    }
}

fn header_parameters(route: &Route, parameters: &mut Vec<Value>) {
    let header = |name: &str, description: String| {
        let schema = json!({"type": "string"});
        json!({"name": name, "in": "header", "description": description, "schema": schema})
    };
    if let Some(field) = route.rpc.idempotency_key_field() {
        parameters.push(header("Idempotency-Key", format!("Fills `{}`.", field.name())));
    }
    if let Some(field) = route.rpc.sse_last_event_id_field()
        && route.rpc.server_streaming()
    {
        parameters.push(header(
            "Last-Event-ID",
            format!("Fills `{}`; sent by a reconnecting EventSource.", field.name()),
        ));
    }
}

fn responses(route: &Route, schemas: &mut Schemas<'_>) -> Value {
    let rpc = &route.rpc;
    let message = match &route.response_body {
        Some(field) => schemas.field(field),
        None => schemas.message(&rpc.output()),
    };
    let mut success = Map::from_iter([("description".to_owned(), json!("Success."))]);
    if rpc.server_streaming() {
        success.insert(
            "description".to_owned(),
            json!("A stream of messages, in the form that `Accept` asks for."),
        );
        let content = json!({
            "application/json": {"schema": {"type": "array", "items": message}},
            "application/x-ndjson": {"schema": message},
            "text/event-stream": {"schema": {"type": "string", "contentMediaType": "application/json", "contentSchema": message}},
        });
        success.insert("content".to_owned(), content);
    } else if rpc.success_code() != 204 {
        success.insert("content".to_owned(), json!({"application/json": {"schema": message}}));
    }
    if rpc.success_code() == 201 {
        let location =
            json!({"Location": {"description": "The path of what was created.", "schema": {"type": "string"}}});
        success.insert("headers".to_owned(), location);
    }
    Value::Object(Map::from_iter([
        (rpc.success_code().to_string(), Value::Object(success)),
        ("default".to_owned(), json!({"$ref": "#/components/responses/Error"})),
    ]))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::{self, load, rule};

    fn info() -> Info {
        Info {
            title: "T".to_owned(),
            version: "1".to_owned(),
            bearer: Some("A key.".to_owned()),
            ..Info::default()
        }
    }

    /// Every `$ref` of the document.
    fn references(value: &Value, found: &mut BTreeSet<String>) {
        match value {
            Value::Object(object) => {
                for (key, value) in object {
                    match (key.as_str(), value.as_str()) {
                        ("$ref", Some(target)) => drop(found.insert(target.to_owned())),
                        _ => references(value, found),
                    }
                }
            }
            Value::Array(values) => values.iter().for_each(|value| references(value, found)),
            _ => {}
        }
    }

    #[test]
    fn the_platform_is_described_whole() {
        let schema = Schema::builder().descriptors(fixture::millrace()).build().unwrap();
        let document = schema.openapi(&info());
        assert_eq!(document, schema.openapi(&info()));
        assert_eq!(document["openapi"], "3.1.0");
        let operations = document["paths"]
            .as_object()
            .unwrap()
            .values()
            .map(|item| item.as_object().unwrap().len());
        assert_eq!(operations.sum::<usize>(), schema.routes().count());

        let mut found = BTreeSet::new();
        references(&document, &mut found);
        assert!(found.len() > 10);
        for reference in found {
            assert!(
                document.pointer(&reference[1..]).is_some_and(Value::is_object),
                "{reference}"
            );
        }
        let create = &document["paths"]["/v1/users/{user}/orders"]["post"];
        assert_eq!(create["operationId"], "OrderingService_CreateOrder");
        assert_eq!(create["summary"], "Places an order at the catalog's present prices");
        assert!(create["responses"]["201"]["headers"]["Location"].is_object());
        assert_eq!(create["responses"]["default"]["$ref"], "#/components/responses/Error");
        let parameters: Vec<_> = create["parameters"]
            .as_array()
            .unwrap()
            .iter()
            .map(|parameter| parameter["name"].as_str().unwrap())
            .collect();
        assert_eq!(parameters, ["user", "Idempotency-Key"]);
        let watch = &document["paths"]["/v1/users/{user}/orders:watch"]["get"];
        let content: Vec<_> = watch["responses"]["200"]["content"]
            .as_object()
            .unwrap()
            .keys()
            .collect();
        assert_eq!(
            content,
            ["application/json", "application/x-ndjson", "text/event-stream"]
        );
        let order = &document["components"]["schemas"]["millrace.ordering.v1.Order"];
        assert_eq!(order["properties"]["createTime"]["format"], "date-time");
        assert_eq!(order["properties"]["createTime"]["readOnly"], true);
        assert_eq!(order["required"], json!(["lines"]));
        assert_eq!(order["description"], "What one user ordered.");
        // Public methods ask for no key.
        assert_eq!(
            document["paths"]["/v1/products/{product}"]["get"]["security"],
            json!([])
        );
        assert!(create["security"].is_null());
        let catalogue = document["components"]["schemas"]["Error"]["description"]
            .as_str()
            .unwrap();
        assert!(catalogue.contains("`millrace/IDEMPOTENCY_KEY_REUSED`: The request id was used before"));
    }

    /// The same in one order, whatever map serde_json is built with.
    fn sorted(value: &Value) -> Value {
        match value {
            Value::Object(object) => {
                let members: std::collections::BTreeMap<_, _> = object.iter().collect();
                members
                    .into_iter()
                    .map(|(key, value)| (key.clone(), sorted(value)))
                    .collect()
            }
            Value::Array(values) => values.iter().map(sorted).collect(),
            other => other.clone(),
        }
    }

    #[test]
    fn the_library_as_a_document() {
        let document = load(vec![]).unwrap().openapi(&info());
        insta::assert_snapshot!(serde_json::to_string_pretty(&sorted(&document)).unwrap());
    }

    #[test]
    fn any_method_is_five_and_foreign_ones_are_none() {
        let schema = load(vec![
            rule("Routes.R0", "* /any", ""),
            rule("Routes.R1", "PROPFIND /dav", ""),
        ])
        .unwrap();
        let document = schema.openapi(&info());
        let methods: Vec<_> = document["paths"]["/any"].as_object().unwrap().keys().collect();
        assert_eq!(methods, ["delete", "get", "patch", "post", "put"]);
        assert!(document["paths"]["/dav"].is_null());
        assert_eq!(document["paths"]["/any"]["get"]["operationId"], "Routes_R0_2");
    }

    #[test]
    fn queries_and_bodies() {
        let schema = load(vec![
            rule("Shapes.PutBook", "PUT /v1/shelves/{shelf}/books", "book"),
            rule("Shapes.Sink", "GET /sink", ""),
        ])
        .unwrap();
        let document = schema.openapi(&info());
        let names = |pointer: &str| -> Vec<String> {
            let parameters = document.pointer(pointer).unwrap().as_array().unwrap();
            parameters
                .iter()
                .map(|parameter| parameter["name"].as_str().unwrap().to_owned())
                .collect()
        };
        assert_eq!(
            names("/paths/~1v1~1shelves~1{shelf}~1books/put/parameters"),
            ["shelf", "requestId"]
        );
        let put = &document["paths"]["/v1/shelves/{shelf}/books"]["put"];
        assert_eq!(
            put["requestBody"]["content"]["application/json"]["schema"]["$ref"],
            "#/components/schemas/shapes.v1.Book"
        );
        let sink = names("/paths/~1sink/get/parameters");
        for (name, expected) in [
            ("s", true),
            ("rS", true),
            ("mSs", true),
            ("ts", true),
            ("nested.s", true),
            ("any", false),
            ("rM", false),
            ("nested.nested.nested.s", false),
        ] {
            assert_eq!(sink.iter().any(|found| found == name), expected, "{name}");
        }
    }
}
