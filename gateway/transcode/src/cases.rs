//! The transcoding cases by their ids: sections A (templates), B (matching), C (queries), D (bodies), E (masks) and G
//! (answers), as far as they need no HTTP. Over HTTP the gateway's own tests drive them.

mod bodies;
mod matching;
mod queries;
mod templates;

use crate::fixture::bound;
use crate::schema::Schema;

/// Binds each request; an expectation that is no object is a part of the refusal.
fn check(schema: &Schema, cases: &[(&str, &str, &str, &str)]) {
    for (id, request, body, expected) in cases {
        let (method, target) = request.split_once(' ').unwrap();
        match bound(schema, method, target, body) {
            Ok(message) => assert_eq!(message, *expected, "{id}: {request} {body}"),
            Err(refusal) if !expected.starts_with('{') => assert!(refusal.contains(expected), "{id}: {refusal}"),
            Err(refusal) => panic!("{id}: {request} {body}: {refusal}"),
        }
    }
}
