//! The body of a client's stream, message by message. It owns what it needs of the route, as a `Renderer` does, so that
//! it can go with the request's body for as long as the stream lasts.
//!
//! What path, query and headers bind is in every message, not in the first alone: each message then says itself what it
//! belongs to, and none can contradict the path that a proxy in front may have checked.

use std::sync::Arc;

use bytes::Bytes;
use prost::Message;
use prost_reflect::{FieldDescriptor, MessageDescriptor};

use crate::bind::{BindError, Bound};
use crate::codec::{Claim, JsonError, Position, ReadOptions, Target};
use crate::rule::{Body, Route};
use crate::schema::Schema;

/// Makes the request messages of one call whose client streams.
#[derive(Debug)]
pub struct Binder {
    schema: Arc<Schema>,
    input: MessageDescriptor,
    /// The field that an element of the body is; `None` if it is the whole message.
    field: Option<FieldDescriptor>,
    mask_field: Option<FieldDescriptor>,
    /// What is bound outside the body, on the wire.
    bound: Vec<u8>,
    claims: Vec<Claim>,
    read: ReadOptions,
}

impl Binder {
    pub(crate) fn new(schema: Arc<Schema>, route: &Route, bound: &Bound<'_>) -> Self {
        let mask_field = route.mask_field.as_ref().filter(|mask| !bound.message.has_field(mask));
        Self {
            schema,
            input: route.rpc.input(),
            field: match &route.body {
                Body::Field(field) => Some(field.clone()),
                Body::Whole | Body::None => None,
            },
            mask_field: mask_field.cloned(),
            bound: bound.message.encode_to_vec(),
            claims: bound.claims.clone(),
            read: route.settings().read,
        }
    }

    /// Makes a message, on the wire and without a frame, of one element of the body: its number from 0, and where in
    /// the body it begins.
    ///
    /// # Errors
    /// The first thing in the element that is wrong, with its number, its field and its place in the whole body.
    pub fn bind(&self, json: &[u8], number: u64, start: Position) -> Result<Bytes, BindError> {
        let target = Target {
            message: &self.input,
            field: self.field.as_ref(),
            bound: &self.bound,
            claims: &self.claims,
            mask_field: self.mask_field.as_ref(),
        };
        let wire = self.schema.codec().json_to_wire_with(self.read, &target, json);
        wire.map_err(|error| {
            let position = error.position.counted_from(start);
            BindError::from(JsonError { position, ..error }).of_element(number)
        })
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::bind::HeaderFields;
    use crate::fixture::{load, rule};

    fn binder(schema: &Arc<Schema>, target: &str) -> Binder {
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let matched = schema.find("POST", path).unwrap();
        matched
            .binder(schema.clone(), Some(query), &HeaderFields::default())
            .unwrap()
    }

    #[test]
    fn each_message_has_what_the_path_and_the_query_bind() {
        let rules = vec![rule("Shapes.PutBook", "POST /shelves/{shelf}/books", "book")];
        let schema = Arc::new(load(rules).unwrap());
        let binder = binder(&schema, "/shelves/7/books?request_id=r");
        let start = Position {
            line: 1,
            column: 2,
            offset: 1,
        };
        for number in 0..2 {
            let wire = binder.bind(br#"{"title":"T"}"#, number, start).unwrap();
            let input = schema.find("POST", "/shelves/7/books").unwrap().method().input();
            let message = prost_reflect::DynamicMessage::decode(input, wire).unwrap();
            let set: Vec<_> = message.fields().map(|(field, _)| field.name().to_owned()).collect();
            assert_eq!(set, ["shelf", "book", "request_id"]);
        }
    }

    #[test]
    fn a_wrong_element_says_where_it_stands_in_the_whole_body() {
        let rules = vec![rule("Shapes.PutBook", "POST /shelves/{shelf}/books", "book")];
        let schema = Arc::new(load(rules).unwrap());
        let binder = binder(&schema, "/shelves/7/books");
        let start = Position {
            line: 3,
            column: 5,
            offset: 40,
        };
        for (json, message, violation) in [
            (
                r#"{"title":1}"#,
                "element 2: book.title: expected a string, found a number at line 3, column 14 (byte 49)",
                "[2].book.title",
            ),
            (
                "{\n\"title\":1}",
                "element 2: book.title: expected a string, found a number at line 4, column 9 (byte 50)",
                "[2].book.title",
            ),
        ] {
            let error = binder.bind(json.as_bytes(), 2, start).unwrap_err();
            assert_eq!(error.message, message);
            assert_eq!(error.violations[0].0, violation);
            assert_eq!(error.position.unwrap().line, if json.contains('\n') { 4 } else { 3 });
        }
        let error = binder.bind(b"{\"title\":", 2, start).unwrap_err();
        assert!(
            error.message.starts_with("element 2: body: expected"),
            "{}",
            error.message
        );
        assert!(error.violations.is_empty());
    }
}
