//! The shortest way to a request message: the path binds texts and integers at the top of it, the query and the headers
//! nothing, and the body at most another field. That is most requests. What the path says then goes to the wire as it
//! is, where [`Bound`](super::Bound) makes a message of it first, and claims that a body is held to.

use bytes::Bytes;
use prost_reflect::{FieldDescriptor, Kind, Value};

use super::{BindError, HeaderFields, path_text, whole};
use crate::codec::Target;
use crate::codec::wire::{self, Tag, WireType};
use crate::matched::Matched;
use crate::query;
use crate::rule::Body;

/// A variable of a path that is a field at the top of the request, and in no oneof.
#[derive(Debug)]
pub(crate) struct PlainCapture {
    /// Which of the template's variables.
    index: usize,
    tag: Tag,
    kind: Kind,
    /// Without presence: the default value is no value.
    implicit: bool,
}

impl PlainCapture {
    /// Bytes that the field takes: of a text just so many, for a buffer that is full needs no second one to be shared.
    fn room(&self, text: &str) -> usize {
        self.tag.len()
            + match self.kind {
                Kind::String => wire::varint_len(text.len() as u64) + text.len(),
                _ => wire::varint_len(u64::MAX),
            }
    }
}

/// The variables of a template in the order of their fields, if all of them are plain. None is there twice.
pub(crate) fn plain(captures: &[Vec<FieldDescriptor>]) -> Option<Box<[PlainCapture]>> {
    let mut order: Vec<_> = captures.iter().enumerate().collect();
    order.sort_by_key(|(_, fields)| fields.first().map(FieldDescriptor::number));
    let plain = order.into_iter().map(|(index, fields)| {
        let [field] = fields.as_slice() else { return None };
        let wire_type = match field.kind() {
            Kind::String => WireType::Length,
            Kind::Int32 | Kind::Int64 | Kind::Uint32 | Kind::Uint64 => WireType::Varint,
            _ => return None,
        };
        field.containing_oneof().is_none().then(|| PlainCapture {
            index,
            tag: Tag::new(field.number(), wire_type),
            kind: field.kind(),
            implicit: !field.supports_presence(),
        })
    });
    plain.collect()
}

/// Binds a request, `None` if it takes more than this.
pub(super) fn bind(
    matched: &Matched<'_>,
    query: Option<&str>,
    body: &[u8],
    headers: &HeaderFields<'_>,
) -> Option<Result<Bytes, BindError>> {
    let route = matched.route;
    let captures = route.plain.as_deref()?;
    let is_keyed = headers.idempotency_key.is_some() && route.rpc.idempotency_key_field().is_some();
    let resumes = headers.last_event_id.is_some() && route.rpc.sse_last_event_id_field().is_some();
    if is_keyed || resumes || query.is_some_and(|query| !query.is_empty()) {
        return None;
    }
    let field = match &route.body {
        _ if body.is_empty() => None,
        // The body may not contradict what the path says of its own field.
        Body::Field(field) if route.captures.iter().all(|fields| fields.first() != Some(field)) => Some(field),
        _ => return None,
    };
    Some(bound(matched, captures).and_then(|wire| match field {
        None => whole(matched.schema.codec(), &route.rpc, wire),
        Some(field) => {
            let target = Target {
                message: &route.rpc.input(),
                field: Some(field),
                bound: &wire,
                claims: &[],
                mask_field: route.mask_field.as_ref(),
            };
            let codec = matched.schema.codec();
            Ok(codec.read(route.settings().read, route.rpc.input_id(codec), &target, body)?)
        }
    }))
}

/// What the path says, on the wire.
fn bound(matched: &Matched<'_>, captures: &[PlainCapture]) -> Result<Vec<u8>, BindError> {
    let text = |capture: &PlainCapture| matched.values.get(capture.index).map_or("", |value| &**value);
    let room = captures.iter().map(|capture| capture.room(text(capture))).sum();
    let mut out = Vec::with_capacity(room);
    for capture in captures {
        let text = text(capture);
        if capture.kind == Kind::String {
            if !(capture.implicit && text.is_empty()) {
                capture.tag.put(&mut out);
                wire::put_bytes(&mut out, text.as_bytes());
            }
            continue;
        }
        let value = query::value(matched.schema.codec(), &capture.kind, text, false, 1).map_err(|description| {
            let fields = matched.route.captures.get(capture.index);
            BindError::field(path_text(fields.map_or(&[], Vec::as_slice)), description)
        })?;
        let number = match value {
            Value::I32(number) => i64::from(number) as u64,
            Value::I64(number) => number as u64,
            Value::U32(number) => u64::from(number),
            Value::U64(number) => number,
            _ => continue,
        };
        if !(capture.implicit && number == 0) {
            capture.tag.put(&mut out);
            wire::put_varint(&mut out, number);
        }
    }
    Ok(out)
}
