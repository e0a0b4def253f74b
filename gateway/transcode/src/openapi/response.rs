//! What an operation answers: its success, and the failures that a caller can expect.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use crate::openapi::access::Access;
use crate::openapi::path::Path;
use crate::openapi::schema::Schemas;
use crate::rule::Route;
use crate::schema::Schema;

/// The schema of a failure's body.
const ERROR: &str = "#/components/schemas/Error";
/// The schema of the same as a problem document.
const PROBLEM: &str = "#/components/schemas/Problem";

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
            "application/json": {"schema": {"$ref": ERROR}, "example": error},
            "application/problem+json": {"schema": {"$ref": PROBLEM}, "example": problem},
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
    let mut by_status: BTreeMap<u16, Value> = expected
        .iter()
        .map(|failure| (failure.status, reference(failure.name)))
        .collect();
    by_status.insert(route.rpc.success_code(), success(route, schemas));
    for status in statuses_by_field(route) {
        let failure = expected.iter().find(|failure| failure.status == status);
        by_status.insert(status, by_field(route, failure, schemas));
    }
    let mut responses: Map<String, Value> = by_status
        .into_iter()
        .map(|(status, response)| (status.to_string(), response))
        .collect();
    responses.insert("default".to_owned(), reference(OTHER.name));
    Value::Object(responses)
}

/// The statuses that the setting `status_by_field` gives to answers, beside that of a success. The status of a stream
/// is sent before any of its messages is known.
fn statuses_by_field(route: &Route) -> impl Iterator<Item = u16> {
    let rpc = &route.rpc;
    let statuses = rpc.statuses_by_field();
    statuses.filter(|status| !rpc.server_streaming() && *status != rpc.success_code())
}

/// A status that stands for a value in the answer; where a failure has it too, either may come.
fn by_field(route: &Route, failure: Option<&Failure>, schemas: &mut Schemas<'_>) -> Value {
    const ABOUT: &str = "The answer has a value for which this status is set.";
    let answer = answer(route, schemas);
    let Some(failure) = failure else {
        return json!({"description": ABOUT, "content": {"application/json": {"schema": answer}}});
    };
    let either = json!({"anyOf": [answer, {"$ref": ERROR}]});
    json!({
        "description": format!("{ABOUT} Or it is a failure: {}", failure.description),
        "content": {
            "application/json": {"schema": either},
            "application/problem+json": {"schema": {"$ref": PROBLEM}},
        },
    })
}

/// One message of the answer, or the field of it that is sent.
fn answer(route: &Route, schemas: &mut Schemas<'_>) -> Value {
    match &route.response_body {
        Some(field) => schemas.field(field),
        None => schemas.message(&route.rpc.output()),
    }
}

fn success(route: &Route, schemas: &mut Schemas<'_>) -> Value {
    let rpc = &route.rpc;
    let message = answer(route, schemas);
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

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use crate::fixture::{load_with, rule};
    use crate::openapi::Info;
    use crate::settings::{FieldStatus, Options, RouteOptions};

    /// The responses of an RPC under `path`, the setting being `status_by_field`.
    fn responses(rpc: &str, path: &str, statuses: &[&str]) -> Value {
        let statuses = statuses.iter().map(|text| FieldStatus::parse(text).unwrap());
        let by_field = RouteOptions {
            status_by_field: Some(statuses.collect()),
            ..RouteOptions::default()
        };
        let options = Options {
            rules: vec![rule(rpc, &format!("GET {path}"), "")],
            overrides: vec![(format!("shapes.v1.{rpc}"), by_field)],
            ..Options::default()
        };
        let document = load_with(options).unwrap().openapi(&Info::default());
        document["paths"][path]["get"]["responses"].clone()
    }

    fn statuses(responses: &Value) -> Vec<&String> {
        responses.as_object().unwrap().keys().collect()
    }

    #[test]
    fn a_status_by_field_stands_beside_the_failure_of_the_same_status() {
        let found = responses("Shapes.Sink", "/sink/{s}", &["s=gone:404", "b=true:202", "i32=1:503"]);
        assert_eq!(statuses(&found), ["200", "202", "400", "404", "503", "default"]);
        let answer = json!({"$ref": "#/components/schemas/shapes.v1.SinkMessage"});
        for status in ["200", "202", "503"] {
            assert_eq!(
                found[status]["content"],
                json!({"application/json": {"schema": answer}}),
                "{status}"
            );
        }
        assert_eq!(
            found["404"]["content"],
            json!({
                "application/json": {"schema": {"anyOf": [answer, {"$ref": "#/components/schemas/Error"}]}},
                "application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}},
            })
        );
        let about = found["404"]["description"].as_str().unwrap();
        assert!(about.ends_with("What the path names does not exist."), "{about}");
        assert_eq!(found["400"], json!({"$ref": "#/components/responses/Invalid"}));
    }

    #[test]
    fn a_stream_has_no_status_by_field() {
        let found = responses("Shapes.Watch", "/watch", &["number=7:503"]);
        assert_eq!(statuses(&found), ["200", "400", "default"]);
    }
}
