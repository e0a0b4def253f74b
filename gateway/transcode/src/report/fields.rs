//! Fields that an RPC's routes leave out: of requests by what binds them, of answers by `response_body`.

use prost_reflect::{FieldDescriptor, Kind, MessageDescriptor};

use crate::bind::path_text;
use crate::codec::known;
use crate::method::Method;
use crate::query;
use crate::rule::{Body, FIELD_PATH_MAX, Route};

/// Fields of the request that no route sets.
pub(super) fn unbound(method: &Method, routes: &[&Route]) -> Vec<String> {
    let mut walk = Walk {
        routes,
        path: Vec::new(),
        found: Vec::new(),
    };
    walk.message(&method.input());
    walk.found
}

/// Fields of the answer that no route shows.
pub(super) fn unseen(method: &Method, routes: &[&Route]) -> Vec<String> {
    let shown: Option<Vec<_>> = routes.iter().map(|route| route.response_body.as_ref()).collect();
    // A route without `response_body` shows all.
    let Some(shown) = shown else { return Vec::new() };
    let output = method.output();
    let unseen = output.fields().filter(|field| !shown.contains(&field));
    unseen.map(|field| field.name().to_owned()).collect()
}

struct Walk<'r> {
    routes: &'r [&'r Route],
    /// From the request to the field at hand.
    path: Vec<FieldDescriptor>,
    found: Vec<String>,
}

impl Walk<'_> {
    /// Whether no field of the message is set by anything.
    fn message(&mut self, message: &MessageDescriptor) -> bool {
        let mut none = true;
        for field in message.fields() {
            self.path.push(field);
            none &= self.field(message);
            self.path.pop();
        }
        none
    }

    /// Whether the field at hand is set by nothing, nor is anything in it. Then it is found, instead of what is in it.
    fn field(&mut self, parent: &MessageDescriptor) -> bool {
        let Some(field) = self.path.last() else { return false };
        if self.routes.iter().any(|route| sets(route, &self.path)) {
            return false;
        }
        let before = self.found.len();
        if let Some(inner) = plain(field) {
            let is_open = self.path.iter().any(|above| *above.parent_message() == inner) || inner == *parent;
            // A message in itself says nothing new one level down.
            let is_set = if is_open && self.path.len() > 1 || self.path.len() == FIELD_PATH_MAX {
                self.routes.iter().any(|route| !is_excluded(route, &self.path))
            } else {
                !self.message(&inner)
            };
            if is_set {
                return false;
            }
        }
        self.found.truncate(before);
        self.found.push(path_text(&self.path));
        true
    }
}

/// The message that a field holds once, if it is an object of fields.
fn plain(field: &FieldDescriptor) -> Option<MessageDescriptor> {
    match field.kind() {
        Kind::Message(inner) if field.is_list() || field.is_map() || known::is_known(inner.full_name()) => None,
        Kind::Message(inner) => Some(inner),
        _ => None,
    }
}

/// Whether a route can set a field, by itself or as a part of something larger.
fn sets(route: &Route, path: &[FieldDescriptor]) -> bool {
    let is_body = match (&route.body, path.first()) {
        (Body::Whole, _) => true,
        (Body::Field(body), Some(first)) => body == first,
        _ => false,
    };
    let is_only = |field: Option<&FieldDescriptor>| field.is_some_and(|field| path == std::slice::from_ref(field));
    let is_header = is_only(route.rpc.idempotency_key_field()) || is_only(route.rpc.sse_last_event_id_field());
    let is_captured = route.captures.iter().any(|captured| captured == path);
    is_body || is_header || is_captured || is_only(route.mask_field.as_ref()) || takes_query(route, path)
}

/// Whether a parameter can set the field: what is beside the body, has a text form and is not excluded by the path.
fn takes_query(route: &Route, path: &[FieldDescriptor]) -> bool {
    path.last().is_some_and(query::has_text) && !is_excluded(route, path)
}

/// Whether the path binds another member of a oneof that the field is in.
fn is_excluded(route: &Route, path: &[FieldDescriptor]) -> bool {
    route.captures.iter().any(|captured| {
        let mut pairs = path.iter().zip(captured);
        let apart = pairs.find(|(field, captured)| field != captured);
        apart.is_some_and(|(field, captured)| {
            field.containing_oneof().is_some() && field.containing_oneof() == captured.containing_oneof()
        })
    })
}
