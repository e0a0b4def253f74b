//! The parameters of an operation: from path, query and headers.

use prost_reflect::{FieldDescriptor, Kind};
use serde_json::{Map, Value, json};

use crate::codec::known;
use crate::openapi::comment::Comments;
use crate::openapi::describe;
use crate::openapi::path::{Parameter, Path};
use crate::openapi::schema::Schemas;
use crate::rule::{Body, Route};

/// Nesting of query parameters that is described; deeper ones bind all the same.
const QUERY_DEPTH_MAX: usize = 3;

/// All of them, in this order.
pub(super) fn parameters(route: &Route, path: &Path, schemas: &mut Schemas<'_>) -> Vec<Value> {
    let in_path = path.parameters.iter();
    let mut parameters: Vec<Value> = in_path.map(|parameter| path_parameter(parameter, schemas)).collect();
    query_parameters(route, schemas, &mut parameters);
    header_parameters(route, schemas.comments, &mut parameters);
    parameters
}

fn path_parameter(parameter: &Parameter, schemas: &mut Schemas<'_>) -> Value {
    let comments = schemas.comments;
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
fn query_parameters(route: &Route, schemas: &mut Schemas<'_>, parameters: &mut Vec<Value>) {
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
            schemas
                .comments
                .get(&field.parent_message().parent_file(), field.path()),
        );
        parameters.push(Value::Object(object));
    }
}

fn header_parameters(route: &Route, comments: &Comments, parameters: &mut Vec<Value>) {
    let mut header = |name: &str, field: &FieldDescriptor, note: &str| {
        let comment = comments.get(&field.parent_message().parent_file(), field.path());
        let description = format!("Fills `{}`{note}. {}", field.name(), comment.unwrap_or_default());
        let schema = json!({"type": "string"});
        parameters.push(json!({"name": name, "in": "header", "schema": schema, "description": description.trim_end()}));
    };
    if let Some(field) = route.rpc.idempotency_key_field() {
        header("Idempotency-Key", field, "");
    }
    if let Some(field) = route.rpc.sse_last_event_id_field()
        && route.rpc.server_streaming()
    {
        header("Last-Event-ID", field, "; sent by a reconnecting EventSource");
    }
}
