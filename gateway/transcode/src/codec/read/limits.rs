//! What bounds a body, and what it is told: depth, long numbers, long names, required fields, message sets.

use crate::codec::wire::DEPTH_MAX;
use crate::echo::{ECHO_CHARS_MAX, MESSAGE_BYTES_MAX};
use crate::fixture::{self, bound, check_bodies as check, load, rule};
use crate::schema::Schema;

fn sink() -> Schema {
    load(vec![
        rule("Shapes.Sink", "POST /sink", "*"),
        rule("Shapes.PutBook", "POST /books/{shelf}", "book"),
    ])
    .unwrap()
}

/// What is taken decodes, which [`bound`] shows; one level more is refused, with its field.
#[test]
fn messages_are_counted_as_the_wire_has_them() {
    let schema = sink();
    let lists = |levels: usize| "[".repeat(levels) + &"]".repeat(levels);
    let objects = |levels: usize| r#"{"a":"#.repeat(levels - 1) + "{}" + &"}".repeat(levels - 1);
    let messages = |levels: usize| r#"{"nested":"#.repeat(levels) + "{}" + &"}".repeat(levels);
    let url = |name: &str| format!(r#""@type":"a/{name}""#);
    let anys = |levels: usize| {
        let open = format!(r#"{{{},"any":"#, url("shapes.v1.SinkMessage"));
        open.repeat(levels) + "{}" + &"}".repeat(levels)
    };
    for (field, value, levels_max, path) in [
        // A value and a list each.
        ("va", &lists as &dyn Fn(usize) -> String, 50, "va[0][0]"),
        // A list, then a value and a list each.
        ("lv", &lists, 50, "lv[0][0]"),
        // A struct, then an entry, a value and a struct each.
        ("st", &objects, 34, "st[\"a\"][\"a\"]"),
        // An `Any` and what it holds each, and the empty one at the end.
        ("any", &anys, 49, "any.any.any"),
    ] {
        let body = |levels: usize| format!(r#"{{"{field}":{}}}"#, value(levels));
        let taken = bound(&schema, "POST", "/sink", &body(levels_max));
        assert!(taken.is_ok(), "{field}: {taken:?}");
        let refused = bound(&schema, "POST", "/sink", &body(levels_max + 1)).unwrap_err();
        let said = format!("nested deeper than {DEPTH_MAX} messages");
        assert!(
            refused.starts_with(path) && refused.contains(&said),
            "{field}: {refused}"
        );
    }
    // JSON has a bound of its own, on its brackets.
    assert!(bound(&schema, "POST", "/sink", &messages(99)).is_ok());
    let refused = bound(&schema, "POST", "/sink", &messages(100)).unwrap_err();
    assert!(
        refused.starts_with("nested.nested") && refused.contains("deeper than 100 levels"),
        "{refused}"
    );
}

#[test]
fn a_value_in_a_query_is_as_deep_as_its_field() {
    let schema = load(vec![rule("Shapes.Sink", "GET /sink", "")]).unwrap();
    let ask = |fields: usize, levels: usize| {
        let value = "[".repeat(levels) + &"]".repeat(levels);
        bound(
            &schema,
            "GET",
            &format!("/sink?{}va={value}", "nested.".repeat(fields)),
            "",
        )
    };
    assert!(ask(0, 50).is_ok());
    assert!(ask(0, 51).unwrap_err().contains("nested deeper than 100 messages"));
    assert!(ask(40, 30).is_ok());
    assert!(ask(40, 31).unwrap_err().contains("nested deeper than 100 messages"));
}

#[test]
fn numbers_of_any_length_are_read_exactly() {
    let digits = |count: usize| "3".repeat(count);
    let halfway = "1.00000000000000011102230246251565404236316680908203125";
    for (text, expected) in [
        (format!("0.{}", digits(2_000)), "0.3333333333333333"),
        (format!("{}.5e-1000", digits(1_000)), "0.3333333333333333"),
        // Just above the middle between two numbers, by a digit that stands far behind.
        (format!("{halfway}{}1", "0".repeat(1_000)), "1.0000000000000002"),
        (format!("{halfway}{}", "0".repeat(1_000)), "1"),
    ] {
        check(&[
            (&format!(r#"{{"f64":{text}}}"#), &format!(r#"{{"f64":{expected}}}"#)),
            (&format!(r#"{{"f64":"{text}"}}"#), &format!(r#"{{"f64":{expected}}}"#)),
        ]);
    }
    let one = format!("1.{}", "0".repeat(1_000));
    check(&[
        (&format!(r#"{{"f32":0.{}}}"#, digits(1_000)), r#"{"f32":0.33333334}"#),
        (&format!(r#"{{"i32":{one}}}"#), r#"{"i32":1}"#),
        (&format!(r#"{{"i32":{}}}"#, digits(1_000)), "i32: "),
        (&format!(r#"{{"f64":{}}}"#, digits(1_000)), "f64: "),
    ]);
}

#[test]
fn what_a_caller_wrote_is_repeated_in_part() {
    let schema = sink();
    let long = "\u{1f600}é".repeat(5_000);
    let cut: String = long.chars().take(ECHO_CHARS_MAX).chain(['…']).collect();
    for body in [
        format!(r#"{{"{long}":1}}"#),
        format!(r#"{{"mSm":{{"{long}":{{"id":[]}}}}}}"#),
        format!(r#"{{"mSs":{{"{long}":"","{long}":""}}}}"#),
        format!(r#"{{"st":{{"{long}":{{"{long}":1,"{long}":2}}}}}}"#),
        format!(r#"{{"mI32s":{{"{long}":""}}}}"#),
        format!(r#"{{"mBs":{{"{long}":""}}}}"#),
        format!(r#"{{"k":"{long}"}}"#),
        format!(r#"{{"i64":"{long}"}}"#),
        format!(r#"{{"f64":"{long}"}}"#),
        format!(r#"{{"fm":"{long}"}}"#),
        format!(r#"{{"any":{{"@type":"{long}"}}}}"#),
    ] {
        let refused = bound(&schema, "POST", "/sink", &body).unwrap_err();
        assert!(refused.contains(&cut) || refused.contains('…'), "{refused}");
        assert!(refused.len() <= MESSAGE_BYTES_MAX, "{} bytes", refused.len());
    }
    for target in [
        format!("/books/7?{long}=1"),
        format!("/books/7?book.{long}=1"),
        format!("/books/7?request_id={long}&request_id=2"),
        format!("/books/7?a=%{long}"),
    ] {
        let refused = bound(&schema, "POST", &target, "").unwrap_err();
        assert!(refused.len() <= 1_500, "{} bytes: {refused}", refused.len());
    }
}

#[test]
fn all_missing_fields_have_their_paths() {
    let source = r#"
        syntax = "proto2"; package two; import "google/api/annotations.proto"; import "google/protobuf/any.proto";
        service S { rpc Go(M) returns (M) {
          option (google.api.http) = {post: "/go" body: "*" additional_bindings {post: "/go/{a}" body: "sub"}
                                      additional_bindings {get: "/go/{sub.x}"}};
        } }
        message M {
          required string a = 1; optional Sub sub = 2; repeated Sub list = 3; map<int32, Sub> map = 4;
          optional group G = 5 { required bool g = 1; } optional google.protobuf.Any any = 6; optional Free free = 7;
        }
        message Sub { required string x = 1; required string y = 2; }
        message Free { optional string z = 1; optional google.protobuf.Any any = 2; }
    "#;
    let schema = Schema::builder().descriptors(&fixture::source(source)).build().unwrap();
    for (request, body, expected) in [
        ("POST /go", "{}", "a"),
        ("POST /go", r#"{"a":null}"#, "a"),
        (
            "POST /go",
            r#"{"sub":{"y":""},"list":[{"x":"","y":""},{}],"map":{"7":{"x":""}},"g":{}}"#,
            "a, sub.x, list[1].x, list[1].y, map[\"7\"].y, g.g",
        ),
        ("POST /go", r#"{"a":"","any":{"@type":"a/two.Sub","x":""}}"#, "any.y"),
        (
            "POST /go",
            r#"{"a":"","free":{"any":{"@type":"a/google.protobuf.Any","value":{"@type":"a/two.Sub"}}}}"#,
            "free.any.value.x, free.any.value.y",
        ),
        // What the path gives is there, and what nothing gives is not.
        ("POST /go/7", r#"{"x":""}"#, "sub.y"),
        ("GET /go/7", "", "a, sub.y"),
        ("GET /go/7?a=1", "", "sub.y"),
    ] {
        let (method, target) = request.split_once(' ').unwrap();
        let refused = bound(&schema, method, target, body).unwrap_err();
        assert_eq!(
            refused,
            format!("required fields are missing: {expected}"),
            "{request} {body}"
        );
    }
    for (request, body) in [
        ("POST /go", r#"{"a":"","free":{"any":{"@type":"a/two.Free"}}}"#),
        ("GET /go/7?a=1&sub.y=2", ""),
    ] {
        let (method, target) = request.split_once(' ').unwrap();
        assert!(bound(&schema, method, target, body).is_ok(), "{request} {body}");
    }
    let many = format!(r#"{{"a":"","list":[{}{{}}]}}"#, "{},".repeat(99));
    let refused = bound(&schema, "POST", "/go", &many).unwrap_err();
    assert!(refused.ends_with("list[49].y (and 100 more)"), "{refused}");
}

#[test]
fn message_sets() {
    let source = r#"
        syntax = "proto2"; package two; import "google/api/annotations.proto"; import "google/protobuf/any.proto";
        service S { rpc Go(M) returns (M) { option (google.api.http) = {post: "/go" body: "*"}; } }
        message M { optional Set set = 1; optional google.protobuf.Any any = 2; }
        message Set { option message_set_wire_format = true; extensions 4 to max; }
        message Extra { extend Set { optional Extra extra = 1000; optional Must must = 1001; } optional int32 i = 1; }
        message Must { required int32 i = 1; }
    "#;
    let schema = Schema::builder().descriptors(&fixture::source(source)).build().unwrap();
    let extra = r#"{"set":{"[two.Extra.extra]":{"i":5}}}"#;
    let in_any = r#"{"any":{"@type":"a/two.Set","[two.Extra.extra]":{"i":5}}}"#;
    for body in [extra, in_any, r#"{"set":{}}"#] {
        assert_eq!(bound(&schema, "POST", "/go", body), Ok(body.to_owned()));
    }
    let matched = schema.find("POST", "/go").unwrap();
    let wire = matched.bind(None, extra.as_bytes(), &Default::default()).unwrap();
    assert_eq!(&wire[..], b"\x0a\x09\x0b\x10\xe8\x07\x1a\x02\x08\x05\x0c");
    let refused = bound(&schema, "POST", "/go", r#"{"set":{"[two.Extra.must]":{}}}"#).unwrap_err();
    assert_eq!(refused, "required fields are missing: set.[two.Extra.must].i");
    // An item and a field of the same number are one message, in whichever order; a broken item is none.
    for (wire, expected) in [
        (
            &b"\x0a\x0e\xc2\x3e\x02\x08\x04\x0b\x10\xe8\x07\x1a\x02\x08\x05\x0c"[..],
            Some(extra),
        ),
        (b"\x0a\x04\x0b\x10\xe8\x07", None),
    ] {
        let mut out = Vec::new();
        let written = matched
            .render(wire, &mut out)
            .ok()
            .map(|()| String::from_utf8(out).unwrap());
        assert_eq!(written.as_deref(), expected);
    }
}
