//! The fields of a message with where each comes from.

use prost::Message;
use prost_reflect::{DynamicMessage, FieldDescriptor, Kind, MessageDescriptor, Value};

use crate::bind::{Bound, QUERY, path_text};
use crate::codec::{WriteOptions, known};
use crate::matched::Matched;
use crate::schema::Schema;

/// A field of a request message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BoundField {
    /// From the request downwards: `shelf.theme`.
    pub path: String,
    /// `path`, `query`, `body`, `header Idempotency-Key`, `header Last-Event-ID`, or what fills the mask of a PATCH.
    pub source: String,
    /// In ProtoJSON.
    pub value: String,
}

/// The source of a mask that nobody sent.
const MASK: &str = "names in the body";

/// All fields of a message that was bound.
pub(super) fn of(matched: &Matched<'_>, bound: &Bound<'_>, wire: &[u8]) -> Vec<BoundField> {
    let mut fields = before_body(matched, bound);
    // The message is what the body says, and after it what was bound before the body.
    let of_body = wire.len().saturating_sub(bound.message.encoded_len());
    let Some(body) = decoded(&matched.method().input(), &wire[..of_body]) else {
        return fields;
    };
    let mask = matched.route.mask_field.as_ref();
    each(&body, &mut Vec::new(), &mut |path, parent, field| {
        let is_mask = path.len() == 1 && path.first() == mask;
        let source = if is_mask { MASK } else { "body" };
        let path = path_text(path);
        // The body may repeat what is bound elsewhere.
        if !fields.iter().any(|known| known.path == path && known.source != QUERY) {
            fields.push(BoundField {
                path,
                source: source.to_owned(),
                value: shown(matched.schema, parent, field),
            });
        }
    });
    fields
}

/// The fields of path, query and headers, in the order in which they were bound; then those that share a repeated field
/// with the body.
pub(super) fn before_body(matched: &Matched<'_>, bound: &Bound<'_>) -> Vec<BoundField> {
    let mut fields = Vec::new();
    for claim in &bound.claims {
        let Some((last, above)) = claim.path.split_last() else {
            continue;
        };
        if let Some(parent) = below(&bound.message, above) {
            fields.push(BoundField {
                path: path_text(&claim.path),
                source: claim.source.to_owned(),
                value: shown(matched.schema, &parent, last),
            });
        }
    }
    each(&bound.message, &mut Vec::new(), &mut |path, parent, field| {
        let path_text = path_text(path);
        if !bound.claims.iter().any(|claim| claim.path == path) {
            fields.push(BoundField {
                path: path_text,
                source: QUERY.to_owned(),
                value: shown(matched.schema, parent, field),
            });
        }
    });
    fields
}

/// A message from its bytes.
pub(super) fn decoded(kind: &MessageDescriptor, wire: &[u8]) -> Option<DynamicMessage> {
    DynamicMessage::decode(kind.clone(), wire).ok()
}

/// The message that holds the fields after `above`.
fn below(message: &DynamicMessage, above: &[FieldDescriptor]) -> Option<DynamicMessage> {
    let mut message = message.clone();
    for field in above {
        let inner = message.get_field(field).as_message().cloned();
        message = inner?;
    }
    Some(message)
}

/// Every field that is set: those of plain messages one by one, all others whole.
fn each(
    message: &DynamicMessage,
    path: &mut Vec<FieldDescriptor>,
    found: &mut dyn FnMut(&[FieldDescriptor], &DynamicMessage, &FieldDescriptor),
) {
    for (field, value) in message.fields() {
        path.push(field.clone());
        match (value, field.kind()) {
            (Value::Message(inner), Kind::Message(kind))
                if inner.fields().next().is_some() && !known::is_known(kind.full_name()) =>
            {
                each(inner, path, found);
            }
            _ => found(path, message, &field),
        }
        path.pop();
    }
}

/// The field's value as JSON.
fn shown(schema: &Schema, parent: &DynamicMessage, field: &FieldDescriptor) -> String {
    let mut json = Vec::new();
    let wire = parent.encode_to_vec();
    let options = WriteOptions {
        defaults_omitted: true,
        ..WriteOptions::default()
    };
    let (codec, kind) = (schema.codec(), field.parent_message());
    let written = codec.wire_to_json_with(options, kind, Some(field), &wire, &mut json);
    match written {
        Ok(()) => String::from_utf8(json).unwrap_or_default(),
        Err(_) => parent.get_field(field).to_string(),
    }
}
