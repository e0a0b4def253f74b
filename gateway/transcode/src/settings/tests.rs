//! Options one by one, for the whole schema and for some of its RPCs.

use std::time::Duration;

use prost_reflect::DynamicMessage;
use prost_reflect::prost::Message as _;

use super::*;
use crate::fixture::{bound, load_with, rule};
use crate::load::LoadError;
use crate::schema::Schema;

fn with(rules: Vec<HttpRule>, options: Options) -> Schema {
    load_with(Options { rules, ..options }).unwrap()
}

fn overriding(rules: Vec<HttpRule>, overrides: Vec<(&str, RouteOptions)>) -> Result<Schema, LoadError> {
    let overrides = overrides
        .into_iter()
        .map(|(selector, options)| (selector.to_owned(), options))
        .collect();
    load_with(Options {
        rules,
        overrides,
        ..Options::default()
    })
}

fn rendered(schema: &Schema, path: &str, wire: &[u8]) -> Result<String, String> {
    let mut out = Vec::new();
    let matched = schema.find("GET", path).unwrap();
    matched.render(wire, &mut out).map_err(|error| error.to_string())?;
    Ok(String::from_utf8(out).unwrap())
}

/// What a stranger's request binds, or the refusal.
fn check(schema: &Schema, cases: &[(&str, &str, &str)]) {
    for (request, body, expected) in cases {
        let (method, target) = request.split_once(' ').unwrap();
        match bound(schema, method, target, body) {
            Ok(message) => assert_eq!(message, *expected, "{request} {body}"),
            Err(refusal) if !expected.starts_with('{') => assert!(refusal.contains(expected), "{request}: {refusal}"),
            Err(refusal) => panic!("{request} {body}: {refusal}"),
        }
    }
}

#[test]
fn overrides_change_what_they_select() {
    let rules = vec![
        rule("Shapes.Sink", "POST /sink", "*"),
        rule("Shapes.PutBook", "PUT /books", "book"),
        rule("Library.GetShelf", "GET /shelves/{shelf}", ""),
    ];
    let lax = RouteOptions {
        json_unknown_ignored: Some(true),
        query_unknown_ignored: Some(true),
        success_code: Some(202),
        ..RouteOptions::default()
    };
    let strict_again = RouteOptions {
        json_unknown_ignored: Some(false),
        ..RouteOptions::default()
    };
    let limited = RouteOptions {
        deadline_max: Some(Duration::from_secs(3)),
        body_bytes_max: Some(100),
        success_code: Some(204),
        ..RouteOptions::default()
    };
    let schema = overriding(
        rules,
        vec![
            ("shapes.v1.Shapes.*", lax),
            ("shapes.v1.Shapes.PutBook", strict_again),
            ("shapes.v1.Library.CreateShelf", limited),
        ],
    )
    .unwrap();
    check(
        &schema,
        &[
            ("POST /sink?nope=1", r#"{"nope":1,"s":"a"}"#, r#"{"s":"a"}"#),
            ("PUT /books?nope=1", r#"{"title":"a"}"#, r#"{"book":{"title":"a"}}"#),
            ("PUT /books", r#"{"nope":1}"#, "has no field"),
            ("GET /shelves/1?nope=1", "", "unknown query parameter"),
        ],
    );
    let settings = |rpc: &str| schema.method(&format!("shapes.v1.{rpc}")).unwrap();
    assert_eq!(settings("Shapes/Sink").success_code(), 202);
    assert_eq!(settings("Library/GetShelf").success_code(), 200);
    let create = settings("Library/CreateShelf");
    // The schema declares 201.
    assert_eq!(create.success_code(), 204);
    let limits = (create.settings().deadline_max, create.settings().body_bytes_max);
    assert_eq!(limits, (Some(Duration::from_secs(3)), Some(100)));
    assert_eq!(settings("Shapes/Sink").settings().body_bytes_max, None);
}

#[test]
fn a_wrong_override_is_refused() {
    let of = |selector, options| overriding(vec![], vec![(selector, options)]).unwrap_err().to_string();
    assert_eq!(
        of("shapes.v1.Nobody.*", RouteOptions::default()),
        "the options with selector `shapes.v1.Nobody.*` select no RPC"
    );
    let failing = RouteOptions {
        success_code: Some(404),
        ..RouteOptions::default()
    };
    assert_eq!(
        of("*", failing),
        "the options with selector `*`: success code 404 is not between 200 and 299"
    );
    let statuses = |text: &str| RouteOptions {
        status_by_field: FieldStatus::parse(text).map(|status| vec![status]),
        ..RouteOptions::default()
    };
    for (setting, problem) in [
        ("nobody=1:503", "shapes.v1.SinkMessage has no field `nobody`"),
        ("i32=one:503", "`i32` of shapes.v1.SinkMessage cannot be `one`"),
        ("b=yes:503", "`b` of shapes.v1.SinkMessage cannot be `yes`"),
    ] {
        let expected = format!("shapes.v1.Shapes.Sink: status_by_field `{setting}`: {problem}");
        assert_eq!(of("shapes.v1.Shapes.Sink", statuses(setting)), expected);
    }
}

#[test]
fn a_value_in_an_answer_has_a_status() {
    let statuses = ["b=true:202", "i32=-7:409", "s=gone:410", "s=:404"].map(|text| FieldStatus::parse(text).unwrap());
    let options = RouteOptions {
        status_by_field: Some(statuses.to_vec()),
        success_code: Some(203),
        ..RouteOptions::default()
    };
    let schema = overriding(vec![], vec![("shapes.v1.Shapes.Sink", options)]).unwrap();
    let sink = schema.method("shapes.v1.Shapes/Sink").unwrap();
    for (text, status) in [
        ("b: true s: 'gone'", 202),
        ("s: 'gone'", 410),
        ("s: 'here'", 203),
        ("s: 'here' i32: -7", 409),
        ("", 404),
    ] {
        let message = DynamicMessage::parse_text_format(sink.output(), text).unwrap();
        assert_eq!(sink.status_of(&message.encode_to_vec()), status, "{text}");
    }
    assert_eq!(
        sink.status_of(&[0x0a, 0x7f]),
        203,
        "what is no message is the writer's to refuse"
    );
}

/// G04, and G03's option.
#[test]
fn answers_are_written_by_route() {
    let rules = vec![
        rule("Shapes.Sink", "GET /sink", ""),
        rule("Library.GetShelf", "GET /shelf", ""),
    ];
    let options = RouteOptions {
        json_defaults_omitted: Some(true),
        json_enums_as_numbers: Some(true),
        json_proto_names: Some(true),
        json_int64_as_number: Some(true),
        json_unknown_any_refused: Some(true),
        json_pretty: Some(true),
        ..RouteOptions::default()
    };
    let schema = overriding(rules, vec![("shapes.v1.Shapes.Sink", options)]).unwrap();
    // i64 = 5, k = HORROR, r_s = ["a"].
    let wire = b"\x10\x05\x50\x01\x5a\x01a";
    let expected = "{\n  \"i64\": 5,\n  \"k\": 1,\n  \"r_s\": [\n    \"a\"\n  ]\n}";
    assert_eq!(rendered(&schema, "/sink", wire).as_deref(), Ok(expected));
    // An Any of a type that nobody knows (G33).
    let unknown = b"\xf2\x01\x05\x0a\x03a/b";
    let refusal = rendered(&schema, "/sink", unknown).unwrap_err();
    assert!(refusal.contains("google.protobuf.Any"), "{refusal}");
    assert_eq!(
        rendered(&schema, "/shelf", b"\x08\x05\x18\x01").as_deref(),
        Ok(r#"{"id":"5","theme":"","kind":"HORROR"}"#)
    );
    // In a stream a line is a frame.
    let schema = std::sync::Arc::new(schema);
    let renderer = schema.find("GET", "/sink").unwrap().renderer(schema.clone());
    let mut out = Vec::new();
    renderer.render(wire, &mut out).unwrap();
    assert_eq!(String::from_utf8(out).unwrap(), r#"{"i64":5,"k":1,"r_s":["a"]}"#);
}

/// C13, D28.
#[test]
fn enums_in_any_case() {
    let rules = vec![
        rule("Shapes.Sink", "POST /sink", "*"),
        rule("Shapes.PutBook", "GET /books", ""),
    ];
    let cases = [
        ("POST /sink?k=children", "{}", r#"{"k":"CHILDREN"}"#),
        (
            "POST /sink?r_k=Horror&r_k=0",
            "{}",
            r#"{"rK":["HORROR","KIND_UNSPECIFIED"]}"#,
        ),
        ("POST /sink", r#"{"k":"Horror"}"#, r#"{"k":"HORROR"}"#),
        ("POST /sink", r#"{"k":"horrors"}"#, "is not a value of shapes.v1.Kind"),
    ];
    let schema = with(
        rules,
        Options {
            json_enums_any_case: true,
            query_with_body: true,
            ..Options::default()
        },
    );
    check(&schema, &cases);
}

/// B12, B13, B15, B16: which escapes a value keeps.
#[test]
fn path_decoding() {
    let reserved = "%21%23%24%26%27%28%29%2A%2B%2C%2f%3A%3B%3D%3F%40%5B%5D";
    let decoded = "!#$&'()*+,/:;=?@[]";
    let but_slash = decoded.replace('/', "%2f");
    for (decoding, expected) in [
        (PathDecoding::Slash, but_slash.as_str()),
        (PathDecoding::Reserved, reserved),
        (PathDecoding::All, decoded),
    ] {
        let schema = with(
            vec![rule("Routes.R0", "GET /a/{x=*}/{y=**}/c", "")],
            Options {
                path_decoding: decoding,
                ..Options::default()
            },
        );
        let path = format!("/a/{reserved}/%41{reserved}%7E/c");
        let matched = schema.find("GET", &path).unwrap();
        let values: Vec<_> = matched.captures().map(|(_, value)| value.to_owned()).collect();
        assert_eq!(values, [decoded.to_owned(), format!("A{expected}~")], "{decoding:?}");
    }
    let names = ["slash", "reserved", "all", "none"].map(PathDecoding::from_name);
    let modes = [PathDecoding::Slash, PathDecoding::Reserved, PathDecoding::All].map(Some);
    assert_eq!((&names[..3], names[3]), (&modes[..], None));
}

/// B40, and the strictness that no peer shares.
#[test]
fn slashes() {
    let rules = || {
        vec![
            rule("Routes.R0", "GET /foo", ""),
            rule("Routes.R1", "GET /bar/{id}", ""),
        ]
    };
    let strip = RouteOptions {
        trailing_slash_stripped: Some(true),
        ..RouteOptions::default()
    };
    let schema = overriding(rules(), vec![("shapes.v1.Routes.R0", strip)]).unwrap();
    assert!(schema.find("GET", "/foo/").is_ok());
    let methods = ["/foo/", "/bar/7/"].map(|path| schema.methods_at(path));
    assert_eq!(methods, [Some("GET, HEAD".to_owned()), None]);
    for (method, path) in [("GET", "/bar/7/"), ("GET", "/bar/"), ("DELETE", "/foo/")] {
        assert!(schema.find(method, path).is_err(), "{path}");
    }
    let schema = with(
        rules(),
        Options {
            path_empty_segments: true,
            ..Options::default()
        },
    );
    check(&schema, &[("GET /bar/", "", "{}"), ("GET /bar/7", "", r#"{"id":"7"}"#)]);
    assert!(schema.find("GET", "/foo/").is_err());
}

/// 2.5 of the semantics: the path wins in silence.
#[test]
fn what_the_path_binds_is_stripped() {
    let rules = vec![
        rule("Library.GetShelf", "GET /shelves/{shelf}", ""),
        rule("Shapes.PatchBook", "PATCH /shelves/{shelf}/books/{book.id}", "book"),
        rule("Shapes.Sink", "POST /sink/{o_s}", "*"),
        rule("Routes.R0", "POST /at/{time}", "*"),
    ];
    let options = Options {
        path_bound_stripped: true,
        query_with_body: true,
        ..Options::default()
    };
    let schema = with(rules, options);
    check(
        &schema,
        &[
            ("GET /shelves/100?shelf=9999", "", r#"{"shelf":"100"}"#),
            (
                "PATCH /shelves/1/books/7?shelf=2",
                r#"{"id":9,"title":"x"}"#,
                r#"{"shelf":"1","book":{"id":"7","title":"x"},"updateMask":"title"}"#,
            ),
            (
                "POST /sink/x?o_b=true&oS=y",
                r#"{"o_b":true,"i32":1}"#,
                r#"{"i32":1,"oS":"x"}"#,
            ),
            (
                "POST /sink/x?o_m.s=y",
                r#"{"o_m":{"s":"y"},"o_s":"z"}"#,
                r#"{"oS":"x"}"#,
            ),
            (
                "POST /at/2020-01-01T00:00:00.5Z",
                r#"{"time":"2021-01-01T00:00:00Z","x":"y"}"#,
                r#"{"x":"y","time":"2020-01-01T00:00:00.500Z"}"#,
            ),
            // What is wrong is refused all the same.
            ("POST /sink/x", r#"{"o_b":1}"#, "expected true or false"),
        ],
    );
}

/// C07, C09.
#[test]
fn a_query_fills_the_body_s_field() {
    let rules = vec![rule("Shapes.PutBook", "PUT /shelves/{shelf}/books", "book")];
    let schema = with(
        rules.clone(),
        Options {
            query_in_body_field: true,
            ..Options::default()
        },
    );
    check(
        &schema,
        &[
            (
                "PUT /shelves/1/books?book.title=War%20%26%20Peace",
                r#"{"author":"L"}"#,
                r#"{"shelf":"1","book":{"author":"L","title":"War & Peace"}}"#,
            ),
            (
                "PUT /shelves/1/books?book.quotes=a&book.quotes=b",
                r#"{"quotes":["c"]}"#,
                r#"{"shelf":"1","book":{"quotes":["c","a","b"]}}"#,
            ),
            (
                "PUT /shelves/1/books?book.title=x",
                r#"{"title":"y"}"#,
                "book.title: contradicts the value that the query binds",
            ),
            (
                "PUT /shelves/1/books?book.m_ss[a]=x",
                r#"{"m_ss":{"a":"y"}}"#,
                "book.m_ss: contradicts",
            ),
            (
                "PUT /shelves/1/books?book.title=x",
                "",
                r#"{"shelf":"1","book":{"title":"x"}}"#,
            ),
        ],
    );
    let schema = with(
        rules,
        Options {
            query_body_bound_ignored: true,
            ..Options::default()
        },
    );
    let target = "PUT /shelves/1/books?book.title=x&request_id=r";
    check(&schema, &[(target, "{}", r#"{"shelf":"1","book":{},"requestId":"r"}"#)]);
}

/// C39.
#[test]
fn a_plus_may_be_a_plus() {
    let options = Options {
        query_plus_literal: true,
        ..Options::default()
    };
    let schema = with(vec![rule("Shapes.Sink", "GET /sink", "")], options);
    check(&schema, &[("GET /sink?s=a+b%2B%20", "", r#"{"s":"a+b+ "}"#)]);
}

#[test]
fn refusals_name_the_setting() {
    let rules = vec![
        rule("Library.GetShelf", "GET /shelves/{shelf}", ""),
        rule("Shapes.PutBook", "PUT /books/{book.id}", "book"),
        rule("Shapes.Sink", "POST /sink", "*"),
    ];
    let schema = with(rules, Options::default());
    for (request, body, setting) in [
        (
            "GET /shelves/1?x=1",
            "",
            Some("query.ignore or query.unknown = \"ignore\""),
        ),
        ("GET /shelves/1?shelf=2", "", Some("path.bound = \"strip\"")),
        ("GET /shelves/1", "{}", Some("body.unbound = \"ignore\"")),
        ("GET /shelves/x", "", None),
        ("PUT /books/1?book.title=x", "{}", Some("query.in_body_field")),
        ("PUT /books/1", r#"{"id":2}"#, Some("path.bound = \"strip\"")),
        ("POST /sink?s=x", "{}", Some("query.with_body")),
        ("POST /sink", r#"{"x":1}"#, Some("json.unknown = \"ignore\"")),
        ("POST /sink", r#"{"k":"x"}"#, Some("json.unknown = \"ignore\"")),
        ("POST /sink", r#"{"i32":"x"}"#, None),
    ] {
        let (method, target) = request.split_once(' ').unwrap();
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let matched = schema.find(method, path).unwrap();
        let refusal = matched
            .bind(Some(query), body.as_bytes(), &Default::default())
            .unwrap_err();
        assert_eq!(refusal.relaxed_by, setting, "{request} {body}: {refusal}");
    }
}

#[test]
fn rpcs_without_a_rule_are_bound_by_name() {
    let routes = |options: Options| {
        let schema = load_with(options).unwrap();
        let bound = schema.routes().filter(|route| route.path().starts_with("/shapes."));
        bound
            .map(|route| format!("{} {}", route.http_method(), route.path()))
            .collect::<Vec<_>>()
    };
    assert!(routes(Options::default()).is_empty());
    let all = routes(Options {
        rpc_paths: true,
        rules: vec![rule("Routes.R0", "GET /r0", "")],
        ..Options::default()
    });
    let expected = [
        "POST /shapes.v1.Library/Internal",
        "POST /shapes.v1.Routes/R1",
        "POST /shapes.v1.Routes/R2",
        "POST /shapes.v1.Routes/R3",
        "POST /shapes.v1.Shapes/PatchBook",
        "POST /shapes.v1.Shapes/PutBook",
        "POST /shapes.v1.Shapes/Sink",
        "POST /shapes.v1.Shapes/Watch",
    ];
    assert_eq!(all, expected);
    let selected = RouteOptions {
        rpc_path: Some(true),
        ..RouteOptions::default()
    };
    let schema = overriding(vec![], vec![("shapes.v1.Shapes.Watch", selected)]).unwrap();
    let watch = schema.find("POST", "/shapes.v1.Shapes/Watch").unwrap();
    assert!(watch.method().server_streaming());
    check(
        &schema,
        &[("POST /shapes.v1.Shapes/Watch", r#"{"after":7}"#, r#"{"after":7}"#)],
    );
    assert!(schema.find("POST", "/shapes.v1.Shapes/Sink").is_err());
    // A rule that takes the same path is a duplicate, and both are named.
    let stolen = load_with(Options {
        rpc_paths: true,
        rules: vec![rule("Routes.R0", "POST /shapes.v1.Shapes/Sink", "")],
        ..Options::default()
    });
    let refusal = stolen.unwrap_err().to_string();
    assert!(
        refusal.contains("shapes.v1.Routes/R0") && refusal.contains("shapes.v1.Shapes/Sink"),
        "{refusal}"
    );
}
