//! What an exchange of schemas would break.

use millrace_gateway::Schema;
use millrace_gateway::reload::compare;

use crate::protos::compiled;

const BEFORE: &str = r#"
    message Request { string id = 1; oneof choice { string a = 2; string b = 3; } }
    message Item {
      string name = 1; int32 count = 2; Kind kind = 3; repeated string tags = 4; map<string, Part> parts = 5;
      google.protobuf.Timestamp made = 6; string shown_name = 7;
    }
    message Part { string label = 1; Part inner = 2; }
    enum Kind { NONE = 0; BIG = 1; SMALL = 2; }
    service Shop {
      rpc Get(Request) returns (Item) { option (google.api.http) = { get: "/v1/items/{id}" }; }
      rpc Put(Request) returns (Item) { option (google.api.http) = { post: "/v1/items" body: "*" }; }
      rpc Plain(Request) returns (Item);
    }"#;

fn schema(body: &str) -> Schema {
    let source = format!(
        "syntax = \"proto3\"; package shop.v1; import \"google/api/annotations.proto\";
        import \"google/protobuf/timestamp.proto\"; import \"google/protobuf/duration.proto\"; {body}"
    );
    Schema::builder()
        .descriptors(&compiled(&[("shop.proto", &source)]))
        .build()
        .unwrap()
}

/// The changes when one text in the schema becomes another.
fn changes(replaced: &[(&str, &str)]) -> Vec<String> {
    let mut after = BEFORE.to_owned();
    for (old, new) in replaced {
        assert!(after.contains(old), "{old}");
        after = after.replace(old, new);
    }
    compare(&schema(BEFORE), &schema(&after))
        .iter()
        .map(ToString::to_string)
        .collect()
}

#[test]
fn every_break_has_a_sentence() {
    for (old, new, expected) in [
        ("int32 count = 2;", "", "the field `count` of shop.v1.Item is gone"),
        (
            "int32 count = 2;",
            "int32 count = 20;",
            "the field `count` of shop.v1.Item has another number: 20, it was 2",
        ),
        (
            "int32 count = 2;",
            "int32 total = 2;",
            "the field `count` of shop.v1.Item has another name: total, it was count",
        ),
        (
            "int32 count = 2;",
            "int64 count = 2;",
            "the field `count` of shop.v1.Item has another type: int64, it was int32",
        ),
        (
            "int32 count = 2;",
            "repeated int32 count = 2;",
            "the field `count` of shop.v1.Item has another label: repeated, it was singular",
        ),
        (
            "string shown_name = 7;",
            "string shown_name = 7 [json_name = \"label\"];",
            "the field `shown_name` of shop.v1.Item has another JSON name: label, it was shownName",
        ),
        (
            "google.protobuf.Timestamp made",
            "google.protobuf.Duration made",
            "the field `made` of shop.v1.Item has another type: google.protobuf.Duration, it was google.protobuf.Timestamp",
        ),
        (
            "map<string, Part> parts",
            "map<string, string> parts",
            "the field `value` of shop.v1.Item.PartsEntry has another type: string, it was shop.v1.Part",
        ),
        // Below a map, and in a message that holds itself.
        ("string label = 1;", "", "the field `label` of shop.v1.Part is gone"),
        (
            "string id = 1; oneof choice {",
            "oneof choice { string id = 1;",
            "the field `id` of shop.v1.Request has another oneof: `choice`, it was none",
        ),
        ("SMALL = 2;", "", "the value SMALL of shop.v1.Kind is gone"),
        (
            "SMALL = 2;",
            "LITTLE = 2;",
            "the value SMALL of shop.v1.Kind is now LITTLE",
        ),
        (
            "SMALL = 2;",
            "SMALL = 3;",
            "the value SMALL of shop.v1.Kind has another number: 3, it was 2",
        ),
        (
            "rpc Plain(Request) returns (Item);",
            "",
            "the RPC shop.v1.Shop/Plain is gone",
        ),
        (
            "rpc Plain(Request) returns (Item);",
            "rpc Plain(Request) returns (stream Item);",
            "the RPC shop.v1.Shop/Plain is now a server stream, it was unary",
        ),
        (
            "get: \"/v1/items/{id}\"",
            "get: \"/v2/items/{id}\"",
            "the route GET /v1/items/{id} is gone",
        ),
        (
            "body: \"*\"",
            "",
            "the route POST /v1/items has another body: none, it was the whole message",
        ),
        (
            "body: \"*\"",
            "body: \"*\" response_body: \"name\"",
            "the route POST /v1/items has another response body: the field `name`, it was the whole message",
        ),
    ] {
        let changes = changes(&[(old, new)]);
        assert_eq!(changes[0], format!("breaking: {expected}"), "{changes:?}");
        assert!(
            changes[1..].iter().all(|change| !change.starts_with("breaking")),
            "{changes:?}"
        );
    }
    let swapped = changes(&[
        ("rpc Get(Request)", "rpc Other(Request)"),
        (
            "rpc Plain(Request) returns (Item);",
            "rpc Plain(Request) returns (Item); rpc Get(Request) returns (Item);",
        ),
    ]);
    assert_eq!(
        swapped,
        [
            "breaking: the route GET /v1/items/{id} now calls shop.v1.Shop/Other, it called shop.v1.Shop/Get",
            "the RPC shop.v1.Shop/Other is new"
        ]
    );
}

#[test]
fn what_breaks_nobody_is_told_too() {
    for (old, new, expected) in [
        (
            "int32 count = 2;",
            "int32 count = 2; bool sold = 9;",
            "the field `sold` of shop.v1.Item is new",
        ),
        (
            "SMALL = 2;",
            "SMALL = 2; TINY = 3;",
            "the value TINY of shop.v1.Kind is new",
        ),
        (
            "rpc Plain(Request) returns (Item);",
            "rpc Plain(Request) returns (Item); rpc More(Item) returns (Item);",
            "the RPC shop.v1.Shop/More is new",
        ),
        (
            "get: \"/v1/items/{id}\"",
            "get: \"/v1/items/{id}\" additional_bindings { get: \"/v1/x/{id}\" }",
            "the route GET /v1/x/{id} is new",
        ),
    ] {
        assert_eq!(changes(&[(old, new)]), [expected]);
    }
    // Nothing that a caller sees: another name of a variable, a type in another place.
    assert_eq!(
        changes(&[("get: \"/v1/items/{id}\"", "get: \"/v1/items/{a}\"")]),
        Vec::<String>::new()
    );
    assert_eq!(changes(&[("Part", "Piece")]), Vec::<String>::new());
    assert_eq!(changes(&[]), Vec::<String>::new());
}
