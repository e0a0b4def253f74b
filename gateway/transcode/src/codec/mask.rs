//! The field mask of a PATCH, from the members of its body (AIP-134).
//!
//! A path stops at a scalar, a repeated field, a map, a well-known type and at an empty object. A null member is named
//! too: the caller asks for the field to be cleared. Fields that the path binds are no changes.

use prost_reflect::{FieldDescriptor, MessageDescriptor, Value};

use crate::codec::json::{Json, Member, Node};
use crate::codec::{Claim, known};

/// The mask for a body that is `resource`; `None` if the body is no object or the mask field no mask.
pub(crate) fn of_body(
    mask_field: &FieldDescriptor,
    resource: &FieldDescriptor,
    body: &Node<'_>,
    claims: &[Claim],
) -> Option<Value> {
    let Json::Object(members) = &body.value else {
        return None;
    };
    let (kind, mask_kind) = (resource.kind(), mask_field.kind());
    let mut paths = Vec::new();
    collect(
        kind.as_message()?,
        members,
        &mut vec![resource.name().to_owned()],
        claims,
        &mut paths,
    );
    paths.sort();
    let paths = Value::List(paths.into_iter().map(Value::String).collect());
    known::make(mask_kind.as_message()?, [(known::PATHS, paths)])
        .ok()
        .map(Value::Message)
}

/// `at` is the path from the request message, so that it can be compared with claims; the mask leaves its head out.
fn collect(
    kind: &MessageDescriptor,
    members: &[Member<'_>],
    at: &mut Vec<String>,
    claims: &[Claim],
    paths: &mut Vec<String>,
) {
    for Member { key, node, .. } in members {
        let found = kind.get_field_by_json_name(key).or_else(|| kind.get_field_by_name(key));
        let Some(field) = found else { continue };
        at.push(field.name().to_owned());
        let inner = field.kind();
        let inner = inner
            .as_message()
            .filter(|inner| !field.is_list() && !field.is_map() && !known::is_known(inner.full_name()));
        match (inner, &node.value) {
            (Some(inner), Json::Object(members)) if !members.is_empty() => collect(inner, members, at, claims, paths),
            _ if claims
                .iter()
                .any(|claim| claim.path.iter().map(FieldDescriptor::name).eq(at.iter())) => {}
            _ => paths.push(at[1..].join(".")),
        }
        at.pop();
    }
}
