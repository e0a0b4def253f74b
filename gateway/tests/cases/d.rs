//! D: bodies.

use crate::case::{Call, Case, Setup, ask, case, get, post, rule, rules, sink};
use crate::http::Piece;
use crate::reply::{echo, one};

#[tokio::test]
async fn bodies() {
    crate::run::section(cases()).await;
}

pub(crate) fn cases() -> Vec<Case> {
    let mut cases = fields();
    cases.extend(with_the_path());
    cases.extend(malformed());
    cases.extend(values());
    cases.extend(well_known());
    cases.extend(structs());
    cases.extend(media());
    cases
}

fn create(body: &str) -> Setup {
    rule("CreateShelf", "POST /shelf", body).into()
}

/// A shelf as the whole request.
fn shelf() -> Setup {
    rule("EchoShelf", "POST /shelf", "*").into()
}

fn to_sink(body: &str, sends: &str) -> Call {
    post("/sink", body).sends(sends)
}

fn bad(body: &str) -> Call {
    post("/sink", body).refused(400, "body")
}

/// Refused, with the path of the field.
fn bad_field(field: &str, body: &str) -> Call {
    post("/sink", body).refused(400, field)
}

fn fields() -> Vec<Case> {
    let children = || post("/shelf", r#"{"theme":"Children"}"#).answered(one("id: 20 theme: 'Children'"));
    vec![
        case("D01", create("shelf"), [children()
            .sends("shelf { theme: 'Children' }")
            .json(r#"{"id":"20","theme":"Children","kind":"KIND_UNSPECIFIED"}"#)]),
        case("D01", create("shelf").with(|options| options.json_defaults_omitted = true), [
            children().json(r#"{"id":"20","theme":"Children"}"#),
        ]),
        case("D03", shelf(), [post("/shelf", "{}").sends("")]),
        case("D04", create("theme"), [post("/shelf", r#""History""#).sends("theme: 'History'")]),
        case("D06", create("shelves"), [
            post("/shelf", r#"[{"id":"1"},{"id":"2"}]"#).sends("shelves { id: 1 } shelves { id: 2 }"),
        ]),
        case("D07", rule("CreateShelf", "POST /books:move", "books"), [
            post("/books:move", r#"["b1","b2"]"#).sends("books: ['b1', 'b2']"),
        ]),
    ]
}

fn with_the_path() -> Vec<Case> {
    let books = || Setup::from(rule("PutBook", "PATCH /shelves/{shelf}/books/{book.id}", "book"));
    let patch = |target: &str, body: &str| ask("PATCH", target).body(body);
    let named = rule("PutBook", "PATCH /authors/{book.info.first_name}", "book");
    vec![
        case("D09", books(), [patch("/shelves/456/books/123", r#"{"author":"L","title":"W"}"#)
            .sends("shelf: 456 book { id: 123 author: 'L' title: 'W' }")]),
        case("D10", books(), [patch("/shelves/456/books/123", r#"{"id":"9","title":"W"}"#).refused(400, "book.id")]),
        case("D12", books(), [
            patch("/shelves/1/books/4294967297", r#"{"id":"4294967297","title":"W"}"#)
                .sends("shelf: 1 book { id: 4294967297 title: 'W' }"),
            // Equal in their lower 32 bits.
            patch("/shelves/1/books/4294967297", r#"{"id":"1"}"#).refused(400, "book.id"),
        ]),
        case("D13", named, [
            patch("/authors/Leo", r#"{"info":{"firstName":"Lev"}}"#).refused(400, "book.info"),
            patch("/authors/Leo", r#"{"info":{"first_name":"Lev"}}"#).refused(400, "book.info"),
            patch("/authors/Leo", r#"{"info":{"firstName":"Leo"}}"#).sends("book { info { first_name: 'Leo' } }"),
        ]),
    ]
}

fn malformed() -> Vec<Case> {
    let texts = ["Invalid", r#"{"name""#, r#"{"a":1]"#, r#"{"a" , "b":1}"#, r#""  ""#, "\r\t\n"];
    let offset = |text: &str| post("/shelf", text).refused(400, "byte");
    let unknown = [r#"{"x":1}"#, r#"{"x":{"y":[1]}}"#, r#"{"x":[1,{"y":2}]}"#];
    let ignoring = shelf().with(|options| options.json_unknown_ignored = true);
    let twice = r#"{"theme":"a","theme":"b"}"#;
    vec![
        case("D15", shelf(), texts.map(offset)),
        case("D16", shelf(), [post("/shelf", r#"{"theme":"C"}EXTRA"#).refused(400, "byte 13")]),
        case("D18", shelf(), unknown.map(|body| post("/shelf", body).refused(400, "x"))),
        case("D18", ignoring.clone(), unknown.map(|body| post("/shelf", body).sends(""))),
        case("D19", shelf(), [post("/shelf", twice).refused(400, "theme")]),
        case("D19", ignoring, [post("/shelf", twice).refused(400, "theme")]),
        case("D42", shelf(), [post("/shelf", b"{\"theme\":\"\x22\xc3\x28\x22\"}").refused(400, "")]),
        case("D42", shelf(), [post("/shelf", b"{\"theme\":\"\xc3\x28\"}").refused(400, "UTF-8")]),
    ]
}

fn values() -> Vec<Case> {
    vec![
        case("D21", shelf(), [post("/shelf", r#"{"theme":null,"id":null,"kind":null}"#).sends("")]),
        case("D22", sink(), [
            to_sink(r#"{"r_s":null}"#, ""),
            bad_field("r_s", r#"{"r_s":[null]}"#),
            bad_field("m_ss", r#"{"m_ss":{"a":null}}"#),
        ]),
        case("D24", sink(), [
            to_sink(r#"{"i64":"9007199254740993"}"#, "i64: 9007199254740993"),
            to_sink(r#"{"i64":9007199254740993}"#, "i64: 9007199254740993"),
        ]),
        case("D25", sink(), [
            to_sink(r#"{"i32":1.0}"#, "i32: 1"),
            to_sink(r#"{"i32":1e2}"#, "i32: 100"),
            to_sink(r#"{"i32":"7"}"#, "i32: 7"),
            bad_field("i32", r#"{"i32":1.1}"#),
            bad_field("i32", r#"{"i32":2147483648}"#),
            bad_field("u32", r#"{"u32":-1}"#),
        ]),
        case("D27", sink(), [bad_field("b", r#"{"b":"true"}"#), bad_field("b", r#"{"b":1}"#)]),
        case("D28", sink(), [
            to_sink(r#"{"k":"HORROR"}"#, "k: HORROR"),
            to_sink(r#"{"k":1}"#, "k: HORROR"),
            bad_field("k", r#"{"k":"Horror"}"#),
            to_sink(r#"{"k":99}"#, "k: 99"),
            bad_field("k", r#"{"k":"NOPE"}"#),
        ]),
        case("D28/any case", sink(), [to_sink(r#"{"k":"Horror"}"#, "k: HORROR")]),
        case("D39", sink(), [
            bad_field("o_b", r#"{"o_s":"x","o_b":true}"#),
            to_sink(r#"{"o_s":"x","o_b":null}"#, "o_s: 'x'"),
        ]),
        case("D40", sink(), [to_sink(r#"{"opt_s":""}"#, "opt_s: ''")]),
        case("D43", sink(), [
            to_sink(r#"{"s":"\ud83d\ude00"}"#, "s: '\u{1f600}'"),
            bad_field("s", r#"{"s":"\ud83d"}"#),
        ]),
    ]
}

fn well_known() -> Vec<Case> {
    vec![
        case("D30", sink(), [
            to_sink(r#"{"ts":"1972-01-01T10:00:20.021+02:00"}"#, "ts { seconds: 63100820 nanos: 21000000 }"),
            bad_field("ts", r#"{"ts":"9999-12-31T23:59:60Z"}"#),
            bad_field("ts", r#"{"ts":"2020-02-30T00:00:00Z"}"#),
        ]),
        case("D31", sink(), [
            to_sink(r#"{"dur":"1.000340012s"}"#, "dur { seconds: 1 nanos: 340012 }"),
            to_sink(r#"{"dur":"-0.5s"}"#, "dur { nanos: -500000000 }"),
            bad_field("dur", r#"{"dur":"1"}"#),
            bad_field("dur", r#"{"dur":"315576000001s"}"#),
        ]),
        case("D33", sink(), [to_sink(
            r#"{"any":{"@type":"type.googleapis.com/google.protobuf.Duration","value":"1.212s"}}"#,
            "any { [type.googleapis.com/google.protobuf.Duration] { seconds: 1 nanos: 212000000 } }",
        )]),
        case("D34", sink(), [to_sink(
            r#"{"any":{"id":"1","theme":"x","@type":"type.googleapis.com/cases.v1.Shelf"}}"#,
            "any { [type.googleapis.com/cases.v1.Shelf] { id: 1 theme: 'x' } }",
        )]),
        case("D37", sink(), [
            to_sink(r#"{"va":null}"#, "va { null_value: NULL_VALUE }"),
            to_sink(
                r#"{"va":[1,"a",{"x":null}]}"#,
                "va { list_value { values { number_value: 1 } values { string_value: 'a' } values { struct_value {
                 fields { key: 'x' value { null_value: NULL_VALUE } } } } } }",
            ),
            to_sink(
                r#"{"lv":["1",2]}"#,
                "lv { values { string_value: '1' } values { number_value: 2 } }",
            ),
        ]),
    ]
}

/// A struct in itself, so deep.
fn nested(depth: usize) -> String {
    format!("{}1{}", r#"{"a":"#.repeat(depth), "}".repeat(depth))
}

fn structs() -> Vec<Case> {
    let setup = || Setup::from(rule("TakeStruct", "POST /struct", "*"));
    let wide: Vec<_> = (0..2_000).map(|at| format!(r#""field{at:05}":{at}"#)).collect();
    let wide = format!("{{{}}}", wide.join(","));
    vec![
        case("D36", setup(), [
            post("/struct", r#"{"payload":"Hello"}"#).sends("fields { key: 'payload' value { string_value: 'Hello' } }"),
            post("/struct", r#"{"a":{"b":[true]}}"#).sends(
                "fields { key: 'a' value { struct_value { fields { key: 'b' value { list_value { values {
                 bool_value: true } } } } } } }",
            ),
        ]),
        case("D45", setup(), [
            post("/struct", nested(32)).answered(echo()).json(&nested(32)),
            post("/struct", nested(101)).refused(400, "deep"),
            post("/struct", r#"{"a":"#.repeat(100)).refused(400, "byte"),
        ]),
        case("D46", sink(), pieces(r#"{"s":"é\n1"}"#.as_bytes(), "s: 'é\\n1'")),
        case("D48", setup(), [post("/struct", wide.as_str()).answered(echo()).json(&wide)]),
    ]
}

/// The body in every way of one to five pieces, and byte by byte.
fn pieces(body: &[u8], sends: &str) -> Vec<Call> {
    let mut cuts = vec![vec![]];
    for _ in 0..4 {
        let longer = cuts.iter().flat_map(|cut: &Vec<usize>| {
            let next = cut.last().map_or(1, |last| last + 1);
            (next..body.len()).map(|at| [cut.as_slice(), &[at]].concat()).collect::<Vec<_>>()
        });
        let mut longer: Vec<_> = longer.collect();
        longer.append(&mut cuts);
        longer.sort();
        longer.dedup();
        cuts = longer;
    }
    cuts.push((1..body.len()).collect());
    let split = |cut: &Vec<usize>| {
        let starts = [&[0], cut.as_slice()].concat();
        let ends = [cut.as_slice(), &[body.len()]].concat();
        starts.iter().zip(ends).map(|(start, end)| Piece::Bytes(body[*start..end].to_vec())).collect()
    };
    cuts.iter().map(|cut| ask("POST", "/sink").pieces(split(cut)).sends(sends)).collect()
}

fn media() -> Vec<Case> {
    let of = |media: &str| post("/sink", r#"{"s":"x"}"#).with("content-type", media);
    let patching = rules([rule("Sink", "PATCH /sink", "*"), rule("GetShelf", "GET /shelves/{shelf}", "")]);
    let limited = sink().body_bytes_max(100);
    let large = format!(r#"{{"s":"{}"}}"#, "x".repeat(100));
    let chunked = vec![Piece::Bytes(large.as_bytes()[..50].to_vec()), Piece::Bytes(large.as_bytes()[50..].to_vec())];
    vec![
        case("D49", sink(), [of("text/csv").refused(415, "application/json")]),
        case("D51", sink(), [of("application/json; charset=utf-8").sends("s: 'x'"), of("Application/JSON").sends("s: 'x'")]),
        case("D51", patching.clone(), [
            ask("PATCH", "/sink").body(r#"{"s":"x"}"#).with("content-type", "application/merge-patch+json").sends("s: 'x'"),
        ]),
        case("D52", sink(), [of("application/json; charset=utf-16").refused(415, "UTF-8")]),
        case("D54", patching, [ask("GET", "/shelves/1").body(r#"{"x":1}"#).refused(400, "takes no body")]),
        case("D55", limited, [
            post("/sink", large).refused(413, "larger than 100 bytes"),
            ask("POST", "/sink").pieces(chunked).refused(413, "larger than 100 bytes"),
        ]),
        case("D57", sink(), [
            of("application/grpc").refused(415, "gRPC needs HTTP/2"),
            get("/sink").with("content-type", "application/grpc").refused(415, "gRPC needs HTTP/2"),
        ]),
    ]
}
