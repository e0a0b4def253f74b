//! D: bodies: where they go, what they are made of (`values.rs`), and how they come.

use millrace_gateway::transcode::Compat;

use crate::case::{Call, Case, Setup, ask, case, get, post, rule, rules, sink, sunk};
use crate::http::Piece;
use crate::reply::{echo, one};

mod values;

#[tokio::test]
async fn bodies() {
    crate::run::section(cases()).await;
}

pub(crate) fn cases() -> Vec<Case> {
    let mut cases = fields();
    cases.extend(with_the_path());
    cases.extend(malformed());
    cases.extend(values::cases());
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

fn fields() -> Vec<Case> {
    let children = || post("/shelf", r#"{"theme":"Children"}"#).answered(one("id: 20 theme: 'Children'"));
    vec![
        case(
            "D01",
            create("shelf"),
            [children()
                .sends("shelf { theme: 'Children' }")
                .json(r#"{"id":"20","theme":"Children","kind":"KIND_UNSPECIFIED"}"#)],
        ),
        case(
            "D01",
            create("shelf").with(|options| options.json_defaults_omitted = true),
            [children().json(r#"{"id":"20","theme":"Children"}"#)],
        ),
        case("D03", shelf(), [post("/shelf", "{}").sends("")]),
        case(
            "D04",
            create("theme"),
            [post("/shelf", r#""History""#).sends("theme: 'History'")],
        ),
        case(
            "D06",
            create("shelves"),
            [post("/shelf", r#"[{"id":"1"},{"id":"2"}]"#).sends("shelves { id: 1 } shelves { id: 2 }")],
        ),
        case(
            "D07",
            rule("CreateShelf", "POST /books:move", "books"),
            [post("/books:move", r#"["b1","b2"]"#).sends("books: ['b1', 'b2']")],
        ),
    ]
}

fn with_the_path() -> Vec<Case> {
    let books = || Setup::from(rule("PutBook", "PATCH /shelves/{shelf}/books/{book.id}", "book"));
    let patch = |target: &str, body: &str| ask("PATCH", target).body(body);
    let named = rule("PutBook", "PATCH /authors/{book.info.first_name}", "book");
    vec![
        case(
            "D09",
            books(),
            [patch("/shelves/456/books/123", r#"{"author":"L","title":"W"}"#)
                .sends("shelf: 456 book { id: 123 author: 'L' title: 'W' }")],
        ),
        case(
            "D10",
            books(),
            [patch("/shelves/456/books/123", r#"{"id":"9","title":"W"}"#).refuses_field("book.id")],
        ),
        case(
            "D12",
            books(),
            [
                patch("/shelves/1/books/4294967297", r#"{"id":"4294967297","title":"W"}"#)
                    .sends("shelf: 1 book { id: 4294967297 title: 'W' }"),
                // Equal in their lower 32 bits.
                patch("/shelves/1/books/4294967297", r#"{"id":"1"}"#).refuses_field("book.id"),
            ],
        ),
        case(
            "D13",
            named,
            [
                patch("/authors/Leo", r#"{"info":{"firstName":"Lev"}}"#).refuses_field("book.info.first_name"),
                patch("/authors/Leo", r#"{"info":{"first_name":"Lev"}}"#).refuses_field("book.info.first_name"),
                patch("/authors/Leo", r#"{"info":{"firstName":"Leo"}}"#).sends("book { info { first_name: 'Leo' } }"),
            ],
        ),
    ]
}

fn malformed() -> Vec<Case> {
    let texts = [
        ("Invalid", 0),
        (r#"{"name""#, 7),
        (r#"{"theme":"a"]"#, 12),
        (r#"{"theme" , "b":1}"#, 9),
        (r#""  ""#, 0),
        ("\r\t\n", 3),
    ];
    let offset = |(text, byte): (&str, usize)| post("/shelf", text).refused(400, &format!("byte {byte})"));
    let unknown = [r#"{"x":1}"#, r#"{"x":{"y":[1]}}"#, r#"{"x":[1,{"y":2}]}"#];
    let ignoring = shelf().with(|options| options.json_unknown_ignored = true);
    let twice = r#"{"theme":"a","theme":"b"}"#;
    vec![
        case("D15", shelf(), texts.map(offset)),
        case(
            "D16",
            shelf(),
            [post("/shelf", r#"{"theme":"C"}EXTRA"#).refused(400, "byte 13")],
        ),
        case(
            "D18",
            shelf(),
            unknown.map(|body| post("/shelf", body).refuses_field("x")),
        ),
        case(
            "D18",
            ignoring.clone(),
            unknown.map(|body| post("/shelf", body).sends("")),
        ),
        case("D19", shelf(), [post("/shelf", twice).refuses_field("theme")]),
        case(
            "D19",
            shelf().compat(Compat::GrpcGateway),
            [post("/shelf", twice).refuses_field("theme")],
        ),
        case(
            "D19",
            shelf().compat(Compat::Envoy),
            [post("/shelf", twice).refuses_field("theme")],
        ),
        case("D19", ignoring, [post("/shelf", twice).refuses_field("theme")]),
        case(
            "D42",
            create("theme"),
            [post("/shelf", b"\x22\xc3\x28\x22").refused(400, "UTF-8")],
        ),
        case(
            "D42",
            shelf(),
            [post("/shelf", b"{\"theme\":\"\xc3\x28\"}").refused(400, "UTF-8")],
        ),
    ]
}

/// A struct in itself, so deep.
fn nested(depth: usize) -> String {
    format!("{}1{}", r#"{"a":"#.repeat(depth), "}".repeat(depth))
}

fn structs() -> Vec<Case> {
    let setup = || Setup::from(rule("TakeStruct", "POST /struct", "*"));
    let wide: Vec<_> = (0..2_500).map(|at| format!(r#""field{at:05}":{at}"#)).collect();
    let wide = format!("{{{}}}", wide.join(","));
    vec![
        case(
            "D36",
            setup(),
            [
                post("/struct", r#"{"payload":"Hello"}"#)
                    .sends("fields { key: 'payload' value { string_value: 'Hello' } }"),
                post("/struct", r#"{"a":{"b":[true]}}"#).sends(
                    "fields { key: 'a' value { struct_value { fields { key: 'b' value { list_value { values {
                 bool_value: true } } } } } } }",
                ),
            ],
        ),
        case(
            "D45",
            setup(),
            [
                post("/struct", nested(32)).answered(echo()).json(&nested(32)),
                // Each level is three messages on the wire, and the upstream takes a hundred.
                post("/struct", nested(33)).answered(echo()).json(&nested(33)),
                post("/struct", nested(34)).refused(400, "nested deeper than 100 messages"),
                post("/struct", nested(101)).refused(400, "deep"),
                post("/struct", r#"{"a":"#.repeat(100)).refused(400, "byte"),
            ],
        ),
        sunk("D46", pieces(r#"{"s":"é\n1"}"#.as_bytes(), "s: 'é\\n1'")),
        case(
            "D48",
            setup(),
            [post("/struct", wide.as_str()).answered(echo()).json(&wide)],
        ),
    ]
}

/// The body in every way of one to five pieces, and byte by byte.
fn pieces(body: &[u8], sends: &str) -> Vec<Call> {
    let mut cuts = vec![vec![]];
    for _ in 0..4 {
        let longer = cuts.iter().flat_map(|cut: &Vec<usize>| {
            let next = cut.last().map_or(1, |last| last + 1);
            (next..body.len())
                .map(|at| [cut.as_slice(), &[at]].concat())
                .collect::<Vec<_>>()
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
        starts
            .iter()
            .zip(ends)
            .map(|(start, end)| Piece::Bytes(body[*start..end].to_vec()))
            .collect()
    };
    cuts.iter()
        .map(|cut| ask("POST", "/sink").pieces(split(cut)).sends(sends))
        .collect()
}

fn media() -> Vec<Case> {
    let of = |media: &str| post("/sink", r#"{"s":"x"}"#).with("content-type", media);
    let patching = rules([
        rule("Sink", "PATCH /sink", "*"),
        rule("GetShelf", "GET /shelves/{shelf}", ""),
    ]);
    let limited = sink().body_bytes_max(100);
    let large = format!(r#"{{"s":"{}"}}"#, "x".repeat(100));
    let chunked = vec![
        Piece::Bytes(large.as_bytes()[..50].to_vec()),
        Piece::Bytes(large.as_bytes()[50..].to_vec()),
    ];
    vec![
        sunk("D49", [of("text/csv").refused(415, "application/json")]),
        sunk(
            "D51",
            [
                of("application/json; charset=utf-8").sends("s: 'x'"),
                of("Application/JSON").sends("s: 'x'"),
            ],
        ),
        case(
            "D51",
            patching.clone(),
            [ask("PATCH", "/sink")
                .body(r#"{"s":"x"}"#)
                .with("content-type", "application/merge-patch+json")
                .sends("s: 'x'")],
        ),
        sunk("D52", [of("application/json; charset=utf-16").refused(415, "UTF-8")]),
        case(
            "D54",
            patching,
            [ask("GET", "/shelves/1")
                .body(r#"{"x":1}"#)
                .refused(400, "takes no body")],
        ),
        case(
            "D55",
            limited,
            [
                post("/sink", large).refused(413, "larger than 100 bytes"),
                ask("POST", "/sink")
                    .pieces(chunked)
                    .refused(413, "larger than 100 bytes"),
            ],
        ),
        sunk("D57", of_grpc()),
    ]
}

/// gRPC's own content type on a REST path, and on its own.
fn of_grpc() -> [Call; 5] {
    let grpc = |call: Call| call.with("content-type", "application/grpc").with("te", "trailers");
    // `s: "x"`, framed.
    let message = b"\0\0\0\0\x03\x42\x01x";
    [
        grpc(post("/sink", "{}")).refused(415, "gRPC needs HTTP/2"),
        grpc(get("/sink")).refused(415, "gRPC needs HTTP/2"),
        grpc(get("/sink")).over_http2().refused(405, "not allowed"),
        grpc(post("/sink", message))
            .over_http2()
            .header("grpc-status", "12")
            .not_called(),
        grpc(post("/cases.v1.Sinks/Sink", message))
            .over_http2()
            .sends("s: 'x'")
            .exactly(*b"\0\0\0\0\0")
            .trailer("grpc-status", Some("0")),
    ]
}
