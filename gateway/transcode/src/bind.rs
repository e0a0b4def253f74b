//! Path, query, headers and body into one request message.
//!
//! Each field has one source. What the path binds cannot be changed by query or body (a proxy in front may have checked
//! the path); an equal value in the body is fine. Everything unknown is refused, with the field's path and the setting
//! that relaxes it.

use std::borrow::Cow;

use bytes::Bytes;
use prost::Message;
use prost_reflect::{DynamicMessage, FieldDescriptor, Kind, MessageDescriptor, Value};

use crate::codec::{Claim, Codec, Target};
use crate::matched::Matched;
use crate::method::Method;
use crate::query::{self, Parameter};
use crate::rule::Body;
use crate::settings::RouteSettings;

mod error;
mod plain;

pub use error::{BindError, BindReason, INVALID_ARGUMENT};
pub(crate) use plain::{PlainCapture, plain};

/// Values of headers that have a field of the request, where the method declares one.
#[derive(Debug, Clone, Copy, Default)]
pub struct HeaderFields<'h> {
    /// `Idempotency-Key`.
    pub idempotency_key: Option<&'h str>,
    /// `Last-Event-ID`.
    pub last_event_id: Option<&'h str>,
}

/// The setting that lets the path win.
const PATH_BOUND: &str = "path.bound = \"strip\"";
/// The setting that drops a body which no rule binds.
const BODY_UNBOUND: &str = "body.unbound = \"ignore\"";

/// [`Claim::source`] of what the path binds.
pub(crate) const PATH: &str = "path";
/// [`Claim::source`] of what the query binds.
pub(crate) const QUERY: &str = "query";

/// What path, query and headers have bound so far.
pub(crate) struct Bound<'s> {
    codec: &'s Codec,
    settings: &'s RouteSettings,
    pub(crate) message: DynamicMessage,
    pub(crate) claims: Vec<Claim>,
}

pub(crate) fn bind(
    matched: &Matched<'_>,
    query: Option<&str>,
    body: &[u8],
    headers: &HeaderFields<'_>,
) -> Result<Bytes, BindError> {
    match plain::bind(matched, query, body, headers) {
        Some(bound) => bound,
        None => Bound::new(matched).request(matched, query, body, headers),
    }
}

/// A request of which all is bound, unless it lacks a required field.
fn whole(codec: &Codec, rpc: &Method, wire: Vec<u8>) -> Result<Bytes, BindError> {
    match rpc.input_id(codec).and_then(|id| codec.missing(id, &wire)) {
        Some((message, paths)) => Err(BindError::missing(message, paths)),
        None => Ok(wire.into()),
    }
}

impl<'s> Bound<'s> {
    pub(crate) fn new(matched: &Matched<'s>) -> Self {
        Self {
            codec: matched.schema.codec(),
            settings: matched.route.settings(),
            message: DynamicMessage::new(matched.route.rpc.input()),
            claims: Vec::new(),
        }
    }

    /// Binds everything and returns the message. What stands here afterwards is what path, query and headers have
    /// bound, also when something is refused; on the wire that is the end of the message, and the start is the body's.
    pub(crate) fn request(
        &mut self,
        matched: &Matched<'_>,
        query: Option<&str>,
        body: &[u8],
        headers: &HeaderFields<'_>,
    ) -> Result<Bytes, BindError> {
        self.outside(matched, query, headers)?;
        let route = matched.route;
        let field = match &route.body {
            _ if body.is_empty() => return self.without_body(&route.rpc),
            Body::None if self.settings.body_unbound_ignored => return self.without_body(&route.rpc),
            Body::None => {
                return Err(BindError::whole("body: this method takes no body").relaxed_by(BODY_UNBOUND));
            }
            Body::Whole => None,
            Body::Field(field) => Some(field),
        };
        let target = Target {
            message: &route.rpc.input(),
            field,
            bound: &self.message.encode_to_vec(),
            claims: &self.claims,
            mask_field: route.mask_field.as_ref().filter(|mask| !self.message.has_field(mask)),
        };
        let id = route.rpc.input_id(self.codec);
        Ok(self.codec.read(self.settings.read, id, &target, body)?)
    }

    /// The message of what is bound outside the body.
    fn without_body(&self, rpc: &Method) -> Result<Bytes, BindError> {
        whole(self.codec, rpc, self.message.encode_to_vec())
    }

    /// Binds everything but the body.
    pub(crate) fn outside(
        &mut self,
        matched: &Matched<'_>,
        query: Option<&str>,
        headers: &HeaderFields<'_>,
    ) -> Result<(), BindError> {
        let route = matched.route;
        for (fields, value) in route.captures.iter().zip(matched.values.iter()) {
            self.singular(fields, value, PATH)?;
            if let Some(other) = matched.alias.as_ref().and_then(|alias| alias.resolve(value)) {
                self.stands_for(other);
            }
        }
        query::bind(self, route, self.settings, query.unwrap_or_default())?;
        self.headers(&route.rpc, headers)
    }

    /// One value from the text of a path, query or header; `depth` is how many messages are around it.
    fn value(&self, kind: &Kind, text: &str, depth: usize) -> Result<Value, String> {
        query::value(self.codec, kind, text, self.settings.read.enums_any_case, depth)
    }

    fn claim(&mut self, path: &[FieldDescriptor], value: Option<Value>, source: &'static str) {
        self.claims.push(Claim {
            path: path.to_vec(),
            value,
            stands_for: None,
            source,
            wins: source == PATH && self.settings.path_bound_stripped,
        });
    }

    /// Binds a field that holds one value.
    pub(crate) fn singular(
        &mut self,
        fields: &[FieldDescriptor],
        text: &str,
        source: &'static str,
    ) -> Result<(), BindError> {
        let Some((last, above)) = fields.split_last() else {
            return Ok(());
        };
        let value = self
            .value(&last.kind(), text, fields.len())
            .map_err(|description| BindError::field(path_text(fields), description))?;
        let message = self.descend(above, fields)?;
        check_oneof(message, last, fields)?;
        message.set_field(last, value.clone());
        self.claim(fields, Some(value), source);
        Ok(())
    }

    /// Says what the last value that was bound stands for. The value stays: who may use the alias, and for what, is not
    /// for this crate to know.
    fn stands_for(&mut self, other: String) {
        if let Some(claim) = self.claims.last_mut()
            && matches!(claim.value, Some(Value::String(_)))
        {
            claim.stands_for = Some(Value::String(other));
        }
    }

    /// Binds a parameter of the query.
    pub(crate) fn parameter(&mut self, parameter: &Parameter<'_>, text: &str) -> Result<(), BindError> {
        let fields = &parameter.fields;
        let Some((last, above)) = fields.split_last() else {
            return Ok(());
        };
        let refuse = |description: &str| Err(BindError::field(path_text(fields), description));
        if self.settings.path_bound_stripped && self.is_of_path(fields) {
            return Ok(());
        }
        if let Some(claim) = self.claims.iter().find(|claim| claim.path == *fields) {
            match claim.source {
                PATH => {
                    let refusal = BindError::field(path_text(fields), "bound by the path; the query cannot set it");
                    return Err(refusal.relaxed_by(PATH_BOUND));
                }
                _ if last.is_list() || last.is_map() => {}
                _ => return refuse("given twice"),
            }
        }
        if !last.is_list() && !last.is_map() {
            return self.singular(fields, text, QUERY);
        }
        let invalid = |description: String| BindError::field(path_text(fields), description);
        let key = match &parameter.key {
            Some(key) => Some(query::key(last, key).map_err(invalid)?),
            None => None,
        };
        // An entry of a map is a message too.
        let depth = fields.len() + usize::from(key.is_some());
        let value = self.value(&query::element_kind(last), text, depth).map_err(invalid)?;
        let message = self.descend(above, fields)?;
        let slot = message.get_field_mut(last);
        match key {
            Some(key) => {
                let replaced = slot.as_map_mut().and_then(|map| map.insert(key, value));
                if replaced.is_some() {
                    return refuse("key given twice");
                }
            }
            None => slot.as_list_mut().into_iter().for_each(|list| list.push(value.clone())),
        }
        if !parameter.beside_body && !self.claims.iter().any(|claim| claim.path == *fields) {
            self.claim(fields, None, QUERY);
        }
        Ok(())
    }

    /// Whether the path binds this field or another member of a oneof that it is in.
    fn is_of_path(&self, fields: &[FieldDescriptor]) -> bool {
        let mut of_path = self.claims.iter().filter(|claim| claim.source == PATH);
        of_path.any(|claim| {
            let differs = fields.iter().zip(&claim.path).find(|(field, claimed)| field != claimed);
            match differs {
                Some((field, claimed)) => {
                    field.containing_oneof().is_some() && field.containing_oneof() == claimed.containing_oneof()
                }
                None => claim.path.len() == fields.len(),
            }
        })
    }

    fn headers(&mut self, rpc: &Method, headers: &HeaderFields<'_>) -> Result<(), BindError> {
        if let (Some(field), Some(text)) = (rpc.idempotency_key_field(), headers.idempotency_key) {
            let fields = std::slice::from_ref(field);
            match self.claims.iter().position(|claim| claim.path == fields) {
                Some(at) if self.claims[at].value == self.value(&field.kind(), text, 1).ok() => {}
                Some(at) => {
                    let description = format!("Idempotency-Key contradicts the {}", self.claims[at].source);
                    return Err(BindError::field(field.name(), description));
                }
                None => self
                    .singular(fields, text, "header Idempotency-Key")
                    .map_err(|error| error.of_header("Idempotency-Key"))?,
            }
        }
        if let (Some(field), Some(text)) = (rpc.sse_last_event_id_field(), headers.last_event_id) {
            let fields = std::slice::from_ref(field);
            // A reconnecting EventSource repeats its first URL: the header is the newer of the two.
            self.claims.retain(|claim| claim.path != fields || claim.source == PATH);
            if !self.claims.iter().any(|claim| claim.path == fields) {
                self.message.clear_field(field);
                self.singular(fields, text, "header Last-Event-ID")
                    .map_err(|error| error.of_header("Last-Event-ID"))?;
            }
        }
        Ok(())
    }

    /// The message that holds the last of `fields`.
    fn descend(
        &mut self,
        above: &[FieldDescriptor],
        fields: &[FieldDescriptor],
    ) -> Result<&mut DynamicMessage, BindError> {
        let mut message = &mut self.message;
        for field in above {
            check_oneof(message, field, fields)?;
            message = message
                .get_field_mut(field)
                .as_message_mut()
                .ok_or_else(|| BindError::field(path_text(fields), "not a message"))?;
        }
        Ok(message)
    }
}

fn check_oneof(message: &DynamicMessage, field: &FieldDescriptor, fields: &[FieldDescriptor]) -> Result<(), BindError> {
    let Some(oneof) = field.containing_oneof() else {
        return Ok(());
    };
    match oneof.fields().find(|other| other != field && message.has_field(other)) {
        Some(other) => {
            let text = format!("excluded by `{}` (oneof `{}`)", other.name(), oneof.name());
            Err(BindError::field(path_text(fields), text))
        }
        None => Ok(()),
    }
}

pub(crate) fn path_text(fields: &[FieldDescriptor]) -> String {
    fields.iter().map(FieldDescriptor::name).collect::<Vec<_>>().join(".")
}

/// Names of a message's fields, for suggestions.
pub(crate) fn field_names(message: &MessageDescriptor) -> Vec<Cow<'static, str>> {
    message
        .fields()
        .map(|field| Cow::Owned(field.name().to_owned()))
        .collect()
}

#[cfg(test)]
mod tests;
