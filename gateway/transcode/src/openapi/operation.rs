//! One operation: what it is for, what it takes, who may call, what it answers.

use serde_json::{Map, Value, json};

use crate::openapi::access::{Access, security};
use crate::openapi::comment::summary;
use crate::openapi::parameter::parameters;
use crate::openapi::path::Path;
use crate::openapi::response::responses;
use crate::openapi::schema::Schemas;
use crate::openapi::{Info, describe, is_deprecated};
use crate::rule::{Body, Route};

/// Describes one operation.
pub(super) fn operation(
    id: String,
    route: &Route,
    path: &Path,
    schemas: &mut Schemas<'_>,
    info: &Info,
) -> Map<String, Value> {
    let rpc = route.rpc.descriptor();
    let comment = schemas.comments.get(&rpc.parent_file(), rpc.path());
    let mut operation = Map::from_iter([
        ("tags".to_owned(), json!([rpc.parent_service().name()])),
        ("operationId".to_owned(), json!(id)),
    ]);
    if let Some(comment) = comment {
        operation.insert("summary".to_owned(), json!(summary(comment)));
    }
    let access = Access::of(&route.rpc, info);
    let text: Vec<&str> = comment.into_iter().chain(access.note()).collect();
    describe(&mut operation, Some(&text.join("\n\n")));
    if is_deprecated(&rpc.options()) {
        operation.insert("deprecated".to_owned(), json!(true));
    }
    let parameters = parameters(route, path, schemas);
    if !parameters.is_empty() {
        operation.insert("parameters".to_owned(), Value::Array(parameters));
    }
    if let Some(body) = request_body(route, schemas) {
        operation.insert("requestBody".to_owned(), body);
    }
    operation.insert("responses".to_owned(), responses(route, path, access, schemas));
    if let Some(security) = security(access, info) {
        operation.insert("security".to_owned(), security);
    }
    operation
}

/// What is sent. A PATCH says what changes, so none of it is required, though a whole resource would need it.
fn request_body(route: &Route, schemas: &mut Schemas<'_>) -> Option<Value> {
    let (schema, is_whole) = match (&route.body, route.http_method.as_str()) {
        (Body::None, _) => return None,
        (Body::Whole, _) => (schemas.message(&route.rpc.input()), true),
        (Body::Field(field), "PATCH") => (schemas.changes(field), false),
        (Body::Field(field), _) => (schemas.field(field), false),
    };
    // Without a body a whole request is an empty message, and a field is absent.
    Some(json!({"required": !is_whole, "content": {"application/json": {"schema": schema}}}))
}
