//! D: bodies; E: the mask of a PATCH; G: answers.

use super::check;
use crate::fixture::{load, load_with, rule};
use crate::schema::Schema;
use crate::settings::Options;

fn schema() -> Schema {
    load(vec![
        rule("Library.CreateShelf", "POST /shelf", "shelf"),
        rule("Shapes.Sink", "POST /sink", "*"),
        rule("Routes.R0", "POST /text", "x"),
        rule("Routes.R1", "POST /books:move", "list"),
        rule("Shapes.PatchBook", "PATCH /shelves/{shelf}/books/{book.id}", "book"),
        rule("Shapes.PutBook", "GET /book", ""),
    ])
    .unwrap()
}

#[test]
fn bodies() {
    let patch = "PATCH /shelves/456/books/123";
    let not_json = "at line 1, column";
    check(
        &schema(),
        &[
            (
                "D01",
                "POST /shelf",
                r#"{"theme":"Children"}"#,
                r#"{"shelf":{"theme":"Children"}}"#,
            ),
            ("D03", "POST /sink", "{}", "{}"),
            ("D04", "POST /text", r#""History""#, r#"{"x":"History"}"#),
            ("D07", "POST /books:move", r#"["b1","b2"]"#, r#"{"list":["b1","b2"]}"#),
            (
                "D09",
                patch,
                r#"{"author":"L","title":"W"}"#,
                r#"{"shelf":"456","book":{"id":"123","author":"L","title":"W"},"updateMask":"author,title"}"#,
            ),
            ("D10", patch, r#"{"id":"9","title":"W"}"#, "book.id: contradicts"),
            (
                "D12",
                "PATCH /shelves/1/books/4294967297",
                r#"{"id":"4294967297"}"#,
                r#"{"shelf":"1","book":{"id":"4294967297"},"updateMask":""}"#,
            ),
            ("D15", "POST /sink", "Invalid", not_json),
            ("D15", "POST /sink", r#"{"name""#, not_json),
            ("D15", "POST /sink", r#"{"s":"a"]"#, not_json),
            ("D15", "POST /sink", r#"{"s" , "b":1}"#, not_json),
            ("D15", "POST /sink", r#""  ""#, not_json),
            ("D15", "POST /sink", "\r\t\n", "(byte 3)"),
            ("D16", "POST /sink", r#"{"s":"C"}EXTRA"#, "(byte 9)"),
            ("D18", "POST /sink", r#"{"nope":{"a":[1]}}"#, "nope: "),
            ("D19", "POST /sink", r#"{"s":"a","s":"b"}"#, "duplicate key"),
            ("D21", "POST /sink", r#"{"s":null,"i64":null,"k":null}"#, "{}"),
            ("D22", "POST /sink", r#"{"r_s":null}"#, "{}"),
            ("D22", "POST /sink", r#"{"r_s":[null]}"#, "null is no element"),
            ("D22", "POST /sink", r#"{"m_ss":{"a":null}}"#, "null is no element"),
            (
                "D24",
                "POST /sink",
                r#"{"i64":"9007199254740993"}"#,
                r#"{"i64":"9007199254740993"}"#,
            ),
            (
                "D24",
                "POST /sink",
                r#"{"i64":9007199254740993}"#,
                r#"{"i64":"9007199254740993"}"#,
            ),
            ("D25", "POST /sink", r#"{"i32":1.0}"#, r#"{"i32":1}"#),
            ("D25", "POST /sink", r#"{"i32":1e2}"#, r#"{"i32":100}"#),
            ("D25", "POST /sink", r#"{"i32":"7"}"#, r#"{"i32":7}"#),
            ("D25", "POST /sink", r#"{"i32":1.1}"#, "not an integer"),
            ("D25", "POST /sink", r#"{"i32":2147483648}"#, "not between"),
            ("D25", "POST /sink", r#"{"u32":-1}"#, "not between"),
            ("D27", "POST /sink", r#"{"b":"true"}"#, "expected true or false"),
            ("D27", "POST /sink", r#"{"b":1}"#, "expected true or false"),
            ("D28", "POST /sink", r#"{"k":"HORROR"}"#, r#"{"k":"HORROR"}"#),
            ("D28", "POST /sink", r#"{"k":1}"#, r#"{"k":"HORROR"}"#),
            ("D28", "POST /sink", r#"{"k":"Horror"}"#, "is not a value"),
            ("D28", "POST /sink", r#"{"k":99}"#, r#"{"k":99}"#),
            ("D28", "POST /sink", r#"{"k":"NOPE"}"#, "is not a value"),
            (
                "D30",
                "POST /sink",
                r#"{"ts":"1972-01-01T10:00:20.021+02:00"}"#,
                r#"{"ts":"1972-01-01T08:00:20.021Z"}"#,
            ),
            ("D30", "POST /sink", r#"{"ts":"9999-12-31T23:59:60Z"}"#, "ts: "),
            ("D30", "POST /sink", r#"{"ts":"2020-02-30T00:00:00Z"}"#, "ts: "),
            (
                "D31",
                "POST /sink",
                r#"{"dur":"1.000340012s"}"#,
                r#"{"dur":"1.000340012s"}"#,
            ),
            ("D31", "POST /sink", r#"{"dur":"-0.5s"}"#, r#"{"dur":"-0.500s"}"#),
            ("D31", "POST /sink", r#"{"dur":"1"}"#, "dur: "),
            ("D31", "POST /sink", r#"{"dur":"315576000001s"}"#, "dur: "),
            (
                "D36",
                "POST /sink",
                r#"{"st":{"payload":"Hello"}}"#,
                r#"{"st":{"payload":"Hello"}}"#,
            ),
            ("D37", "POST /sink", r#"{"va":null}"#, r#"{"va":null}"#),
            (
                "D37",
                "POST /sink",
                r#"{"va":[1,"a",{"x":null}]}"#,
                r#"{"va":[1,"a",{"x":null}]}"#,
            ),
            ("D37", "POST /sink", r#"{"lv":["1",2]}"#, r#"{"lv":["1",2]}"#),
            ("D39", "POST /sink", r#"{"o_s":"x","o_b":true}"#, "exclude each other"),
            ("D39", "POST /sink", r#"{"o_s":"x","o_b":null}"#, r#"{"oS":"x"}"#),
            ("D40", "POST /sink", r#"{"opt_s":""}"#, r#"{"optS":""}"#),
            ("D43", "POST /sink", r#"{"s":"\ud83d\ude00"}"#, "{\"s\":\"\u{1f600}\"}"),
            ("D43", "POST /sink", r#"{"s":"\ud83d"}"#, not_json),
            (
                "D45",
                "POST /sink",
                &format!("{{\"st\":{}", "{\"a\":".repeat(100)),
                "deeper than 100",
            ),
            ("D54", "GET /book", r#"{"x":1}"#, "this method takes no body"),
        ],
    );
    // D33, D34, D45's depths and D48 are with the codec (`codec/read/tests.rs`); D13 is below; D46, D49 to D52, D55 and
    // D57 are HTTP's.
}

#[test]
fn bodies_of_other_shapes() {
    let schema = load(vec![
        rule("Shapes.Sink", "POST /shelves", "r_m"),
        rule("Routes.R0", "POST /caps/{sub.name}", "*"),
    ])
    .unwrap();
    let two = r#"[{"id":"1"},{"id":"2"}]"#;
    check(
        &schema,
        &[
            ("D06", "POST /shelves", two, &format!("{{\"rM\":{two}}}")),
            (
                "D13",
                "POST /caps/n",
                r#"{"sub":{"name":"m"}}"#,
                "sub.name: contradicts",
            ),
        ],
    );
    // D13: the key is the JSON name, the path's the proto name. D42: no UTF-8.
    let sink = load(vec![rule("Shapes.Sink", "POST /sink/{json_named}", "*")]).unwrap();
    check(
        &sink,
        &[
            ("D13", "POST /sink/a", r#"{"Fancy":"b"}"#, "json_named: contradicts"),
            ("D13", "POST /sink/a", r#"{"json_named":"a"}"#, r#"{"Fancy":"a"}"#),
        ],
    );
    let matched = sink.find("POST", "/sink/a").unwrap();
    let refusal = matched
        .bind(None, b"{\"s\":\"\xc3\x28\"}", &Default::default())
        .unwrap_err();
    assert!(refusal.message.contains("UTF-8"), "D42: {refusal}");
    let lax = load_with(Options {
        rules: vec![rule("Shapes.Sink", "POST /sink", "*")],
        json_unknown_ignored: true,
        ..Options::default()
    });
    let body = r#"{"aa":1,"bb":{"c":[]},"dd":["e"],"s":"x"}"#;
    check(&lax.unwrap(), &[("D18", "POST /sink", body, r#"{"s":"x"}"#)]);
}

#[test]
fn masks() {
    let schema = schema();
    let mask = |body: &str| {
        let bound = crate::fixture::bound(&schema, "PATCH", "/shelves/1/books/7", body)?;
        let value: serde_json::Value = serde_json::from_str(&bound).unwrap();
        Ok::<_, String>(value["updateMask"].as_str().map(str::to_owned))
    };
    for (id, body, expected) in [
        ("E01", r#"{"title":"1","author":"x"}"#, "author,title"),
        ("E03", r#"{"m_ss":{"a":"x"}}"#, "mSs"),
        ("E04", r#"{"r_m":[{"id":1}]}"#, "rM"),
        (
            "E06",
            r#"{"any":{"@type":"type.googleapis.com/shapes.v1.Shelf","id":1}}"#,
            "any",
        ),
        ("E07", r#"{"st":{"a":{"b":1}}}"#, "st"),
        ("E13", "{}", ""),
    ] {
        assert_eq!(mask(body), Ok(Some(expected.to_owned())), "{id}: {body}");
    }
    for (id, body) in [("E09", r#"{"title":{"a":"x"}}"#), ("E10", r#"{"nope":1}"#)] {
        assert!(mask(body).is_err(), "{id}");
    }
    let rules = vec![
        rule("Shapes.PatchBook", "PATCH /whole", "*"),
        rule("Shapes.PutBook", "PUT /book", "book"),
    ];
    check(
        &load(rules).unwrap(),
        &[
            (
                "E12",
                "PATCH /whole",
                r#"{"book":{"title":"x"}}"#,
                r#"{"book":{"title":"x"}}"#,
            ),
            ("E12", "PUT /book", r#"{"title":"x"}"#, r#"{"book":{"title":"x"}}"#),
        ],
    );
}

/// What the answer `wire` of a kitchen sink is as JSON, with `response_body` and options.
fn rendered(response_body: &str, omitted: bool, wire: &[u8]) -> Result<String, String> {
    let mut cut = rule("Shapes.Sink", "GET /sink", "");
    cut.response_body = response_body.to_owned();
    let schema = load_with(Options {
        rules: vec![cut],
        json_defaults_omitted: omitted,
        ..Options::default()
    })
    .unwrap();
    let mut out = Vec::new();
    let matched = schema.find("GET", "/sink").unwrap();
    matched.render(wire, &mut out).map_err(|error| error.to_string())?;
    Ok(String::from_utf8(out).unwrap())
}

#[test]
fn answers() {
    for (id, response_body, wire, expected) in [
        ("G03", "", &b""[..], "{}"),
        ("G06", "", b"\x5a\x01a\x08\x01\x5a\x01b", r#"{"i32":1,"rS":["a","b"]}"#),
        ("G07", "", b"\x60\x01\x62\x02\x02\x03\x60\x04", r#"{"rI32":[1,2,3,4]}"#),
        ("G09", "s", b"\x42\x05value", r#""value""#),
        ("G10", "r_s", b"", "[]"),
        (
            "G30",
            "s",
            b"\x42\x0a<>&\"\x01\xe2\x80\xa8\\/",
            r#""<>&\"\u0001\u2028\\/""#,
        ),
        ("G31", "k", b"\x50\x63", "99"),
        (
            "G33",
            "any",
            b"\xf2\x01\x06\x0a\x01a\x12\x01\x07",
            r#"{"@type":"a","value":"Bw=="}"#,
        ),
    ] {
        assert_eq!(rendered(response_body, true, wire).as_deref(), Ok(expected), "{id}");
    }
    let defaults = rendered("", false, b"").unwrap();
    for part in [r#""i32":0"#, r#""k":"KIND_UNSPECIFIED""#, r#""rS":[]"#, r#""mSs":{}"#] {
        assert!(defaults.contains(part), "G03: {defaults}");
    }
    assert!(!defaults.contains("nested"), "G03: unset messages are absent");
    assert!(rendered("", true, b"\x08").is_err(), "G27");
    // G01: an Empty is an empty object.
    let schema = load(vec![]).unwrap();
    let empty = schema.pool().get_message_by_name("google.protobuf.Empty").unwrap();
    let mut out = Vec::new();
    schema.codec().wire_to_json(&empty, None, b"", &mut out).unwrap();
    assert_eq!(out, b"{}", "G01");
    // G12: in a stream each message is cut.
    let mut cut = rule("Shapes.Watch", "GET /watch", "");
    cut.response_body = "text".to_owned();
    let schema = std::sync::Arc::new(load(vec![cut]).unwrap());
    let renderer = schema.find("GET", "/watch").unwrap().renderer(schema.clone());
    let mut out = Vec::new();
    renderer.render(b"\x12\x01a", &mut out).unwrap();
    assert_eq!(out, b"\"a\"", "G12");
    // G04 and G33's option are with the options (`settings`); the rest of G is HTTP's.
}
