//! What an operation answers: its success, and the failures that a caller can expect.

use serde_json::{Map, Value, json};

use crate::openapi::access::Access;
use crate::openapi::path::Path;
use crate::openapi::schema::Schemas;
use crate::rule::Route;
use crate::schema::Schema;

/// A failure that has a response of its own.
struct Failure {
    /// Of the response, in `components`.
    name: &'static str,
    /// By HTTP.
    status: u16,
    /// By gRPC: number and name.
    code: i32,
    code_name: &'static str,
    /// What happened.
    description: &'static str,
}

const INVALID: Failure = Failure {
    name: "Invalid",
    status: 400,
    code: 3,
    code_name: "INVALID_ARGUMENT",
    description: "A parameter or field is wrong; the violations name it.",
};
const UNAUTHENTICATED: Failure = Failure {
    name: "Unauthenticated",
    status: 401,
    code: 16,
    code_name: "UNAUTHENTICATED",
    description: "No credential was sent, or it is not valid.",
};
const PERMISSION_DENIED: Failure = Failure {
    name: "PermissionDenied",
    status: 403,
    code: 7,
    code_name: "PERMISSION_DENIED",
    description: "The credential does not allow the call.",
};
const NOT_FOUND: Failure = Failure {
    name: "NotFound",
    status: 404,
    code: 5,
    code_name: "NOT_FOUND",
    description: "What the path names does not exist.",
};
const OTHER: Failure = Failure {
    name: "Error",
    status: 500,
    code: 13,
    code_name: "INTERNAL",
    description: "Any other failure. The code says which kind, `ErrorInfo` in the details says why.",
};

/// The responses of all failures, for `components`. Their bodies are `google.rpc.Status`, or a problem document for
/// those who accept one.
pub(super) fn failures(schema: &Schema) -> Value {
    let all = [INVALID, UNAUTHENTICATED, PERMISSION_DENIED, NOT_FOUND, OTHER];
    let responses = all.into_iter().map(|failure| {
        let Failure {
            name,
            status,
            code,
            code_name,
            description,
        } = failure;
        // A reason that is called as the code shows what stands in the details.
        let reason = schema.reasons().find(|(_, reason, _)| *reason == code_name);
        let details: Vec<Value> = reason
            .iter()
            .map(|(domain, reason, _)| {
                json!({"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": reason, "domain": domain})
            })
            .collect();
        let message = reason.map_or(description, |(_, _, info)| info.doc.as_str());
        let error = json!({"code": code, "message": message, "details": details});
        let problem = json!({
            "type": "about:blank", "title": description, "status": status, "detail": message, "code": code_name,
        });
        let content = json!({
            "application/json": {"schema": {"$ref": "#/components/schemas/Error"}, "example": error},
            "application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}, "example": problem},
        });
        (name.to_owned(), json!({"description": description, "content": content}))
    });
    Value::Object(responses.collect())
}

/// The responses of one operation by status.
pub(super) fn responses(route: &Route, path: &Path, access: Access, schemas: &mut Schemas<'_>) -> Value {
    let mut expected = vec![INVALID];
    if access.needs_key() {
        expected.push(UNAUTHENTICATED);
    }
    if access == Access::Operator {
        expected.push(PERMISSION_DENIED);
    }
    if !path.parameters.is_empty() {
        expected.push(NOT_FOUND);
    }
    let reference = |name: &str| json!({"$ref": format!("#/components/responses/{name}")});
    let mut responses: Map<String, Value> = Map::new();
    responses.insert(route.rpc.success_code().to_string(), success(route, schemas));
    for status in route.rpc.statuses_by_field() {
        responses
            .entry(status.to_string())
            .or_insert_with(|| by_field(route, schemas));
    }
    for Failure { name, status, .. } in expected {
        responses.insert(status.to_string(), reference(name));
    }
    responses.insert("default".to_owned(), reference(OTHER.name));
    Value::Object(responses)
}

/// A status that stands for a value in the answer.
fn by_field(route: &Route, schemas: &mut Schemas<'_>) -> Value {
    let mut response = success(route, schemas);
    response["description"] = json!("The answer has a value for which this status is set.");
    response
}

fn success(route: &Route, schemas: &mut Schemas<'_>) -> Value {
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
    Value::Object(success)
}
