//! H: errors, headers, deadlines.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use millrace_gateway::transcode::{Compat, FieldStatus, RouteOptions};

use crate::case::{Call, Case, Setup, ask, case, get, rule, rules};
use crate::http::Answer;
use crate::recorder::Seen;
use crate::reply::{Reply, error, http, many, never_ending, one};

#[tokio::test]
async fn errors_and_headers() {
    crate::run::section(cases()).await;
}

pub(crate) fn cases() -> Vec<Case> {
    let mut cases = statuses();
    cases.extend(errors());
    cases.extend(bad_upstreams());
    cases.extend(metadata());
    cases.extend(renamed());
    cases.extend(ends());
    cases.extend(other_doors());
    cases
}

fn shelves() -> Setup {
    rules([
        rule("GetShelf", "GET /shelves/{shelf}", ""),
        rule("ListShelves", "GET /shelves", ""),
    ])
}

fn shelf(reply: Reply) -> Call {
    get("/shelves/100").answered(reply)
}

fn statuses() -> Vec<Case> {
    const IDS: [&str; 17] = [
        "H01", "H02", "H03", "H04", "H05", "H06", "H07", "H08", "H09", "H10", "H11", "H12", "H13", "H14", "H15", "H16",
        "H17",
    ];
    const STATUSES: [u16; 17] = [
        200, 499, 500, 400, 504, 404, 409, 403, 429, 400, 409, 400, 501, 500, 503, 500, 401,
    ];
    let each = IDS.iter().zip(STATUSES).zip(0..);
    let cases = each.map(|((id, status), code)| {
        let call = match code {
            0 => shelf(one("")),
            code => shelf(error(code, "")).fails(status, code),
        };
        case(id, shelves(), [call.rpc("GetShelf")])
    });
    cases.collect()
}

fn errors() -> Vec<Case> {
    let not_found = || error(5, "Shelf 100 Not Found");
    let opaque = error(5, "").detail("x.Other", &[1, 2]);
    vec![
        case(
            "H18",
            shelves(),
            [shelf(not_found().header("x-shelf", "100"))
                .status(404)
                .header("x-shelf", "100")
                .json(r#"{"code":5,"message":"Shelf 100 Not Found","details":[]}"#)
                .check(has_no_grpc_header)],
        ),
        case(
            "H19",
            shelves(),
            [shelf(error(5, "caf%C3%A9 %22%0A%25"))
                .status(404)
                .json(r#"{"code":5,"message":"café \"\n%","details":[]}"#)],
        ),
        case(
            "H21",
            shelves(),
            [shelf(opaque)
                .status(404)
                .json(r#"{"code":5,"message":"","details":[{"@type":"type.googleapis.com/x.Other","value":"AQI="}]}"#)],
        ),
        case(
            "H22",
            shelves(),
            [
                shelf(not_found().trailer("grpc-status-details-bin", "***"))
                    .status(404)
                    .json(r#"{"code":5,"message":"Shelf 100 Not Found","details":[]}"#),
                shelf(not_found().trailer("grpc-status-details-bin", "/////w"))
                    .status(404)
                    .json(r#"{"code":5,"message":"Shelf 100 Not Found","details":[]}"#),
            ],
        ),
        case(
            "H27",
            shelves(),
            [shelf(error(16, "who are you"))
                .fails(401, 16)
                .header("www-authenticate", "Bearer")],
        ),
        case(
            "H27",
            shelves().www_authenticate("Bearer realm=\"shelves\""),
            [shelf(error(16, "who are you"))
                .fails(401, 16)
                .header("www-authenticate", "Bearer realm=\"shelves\"")],
        ),
        case("H28", shelves(), [get("/shelves/abc").refuses_field("shelf")]),
    ]
}

fn has_no_grpc_header(answer: &Answer, _: &[Seen]) -> Result<(), String> {
    match answer.headers.iter().find(|(name, _)| name.starts_with("grpc-")) {
        Some((name, _)) => Err(format!("has the header {name}")),
        None => Ok(()),
    }
}

fn bad_upstreams() -> Vec<Case> {
    let delay = [("google.rpc.RetryInfo", "retry_delay { seconds: 1 }")];
    let gone = error(14, "gone").details(14, &delay);
    vec![
        case(
            "H24",
            shelves(),
            [shelf(http(502, "text/html", b"<h1>Bad Gateway</h1>"))
                .fails(503, 14)
                .says(r#""metadata":{"http_status":"502"}"#)],
        ),
        case(
            "H25",
            shelves().unreachable(),
            [shelf(gone).fails(503, 14).check(says_when_to_retry)],
        ),
    ]
}

fn says_when_to_retry(answer: &Answer, _: &[Seen]) -> Result<(), String> {
    let seconds = answer.header("retry-after").and_then(|text| text.parse::<u64>().ok());
    seconds.map(|_| ()).ok_or_else(|| "has no Retry-After".to_owned())
}

fn metadata() -> Vec<Case> {
    let listed = || shelves().request_headers(&["x-api-key", "x-data-bin"]);
    let get = || get("/shelves/100");
    vec![
        case(
            "H31",
            listed(),
            [get()
                .with("x-api-key", "a")
                .with("x-api-key", "b")
                .metadata("x-api-key", &["a", "b"])],
        ),
        case(
            "H33",
            listed(),
            [
                get().with("X-Data-Bin", "AQL/").check(has_raw_bytes),
                get().with("X-Data-Bin", "A*").refused(400, "x-data-bin"),
            ],
        ),
        case(
            "H34",
            shelves(),
            [get()
                .with("Authorization", "Bearer x")
                .metadata("authorization", &["Bearer x"])],
        ),
        case(
            "H36",
            shelves(),
            [get()
                .with("accept-language", b"d\xe4")
                .with("x-request-id", "fine")
                .metadata("accept-language", &[])
                .metadata("x-request-id", &["fine"])],
        ),
        case(
            "H36",
            shelves().header_text_refused(),
            [get().with("accept-language", b"d\xe4").refused(400, "accept-language")],
        ),
        case(
            "H37",
            shelves().trusts(&[]),
            [get()
                .with("X-Forwarded-For", "a")
                .metadata("x-forwarded-for", &["127.0.0.1"])],
        ),
        case(
            "H37",
            shelves().trusts(&["127.0.0.0/8"]),
            [get()
                .with("X-Forwarded-For", "a")
                .metadata("x-forwarded-for", &["a, 127.0.0.1"])],
        ),
    ]
}

/// The names of headers and metadata under the profile of grpc-gateway, and what they are without it.
fn renamed() -> Vec<Case> {
    let get = || get("/shelves/100");
    let list = || crate::case::get("/shelves");
    let answer = || one("id: 1").header("x-a", "1").trailer("x-b", "2");
    let inwards = vec![
        get()
            .with("Grpc-Metadata-Foo", "v")
            .metadata("foo", &["v"])
            .metadata("grpc-metadata-foo", &[]),
        get()
            .with("Authorization", "Bearer x")
            .with("User-Agent", "curl")
            .with("Cookie", "c=1")
            .metadata("authorization", &["Bearer x"])
            .metadata("grpcgateway-authorization", &["Bearer x"])
            .metadata("grpcgateway-user-agent", &["curl"])
            .metadata("grpcgateway-cookie", &["c=1"]),
        // What only a trusted hop says is not said by a prefix either.
        get()
            .with("Grpc-Metadata-X-Forwarded-For", "10.0.0.1")
            .with("Grpc-Metadata-X-Millrace-User", "7")
            .with("Grpc-Metadata-Grpc-Timeout", "1n")
            .metadata("x-forwarded-for", &[])
            .metadata("x-millrace-user", &[]),
        get()
            .with("Grpc-Metadata-Data-Bin", "A*")
            .refused(400, "grpc-metadata-data-bin"),
    ];
    let outwards = vec![
        get()
            .answered(answer())
            .header("grpc-metadata-x-a", "1")
            .header("grpc-trailer-x-b", "2")
            .no_header("x-a")
            .no_header("x-b"),
        get()
            .answered(answer())
            .with("te", "trailers")
            .trailer("grpc-trailer-x-b", Some("2")),
        list()
            .answered(answer())
            .with("te", "trailers")
            .over_http2()
            .header("grpc-metadata-x-a", "1")
            .trailer("grpc-trailer-x-b", Some("2")),
        list()
            .with("accept", "application/x-ndjson")
            .answered(many(&["id: 1"]).then_error(9, "gone").trailer("x-b", "2"))
            .with("te", "trailers")
            .over_http2()
            .trailer("grpc-trailer-x-b", Some("2")),
        shelf(error(5, "gone").trailer("x-b", "2"))
            .status(404)
            .header("grpc-trailer-x-b", "2"),
    ];
    let plain = get().with("Grpc-Metadata-Foo", "v").with("User-Agent", "curl");
    let profile = || shelves().compat(Compat::GrpcGateway);
    vec![
        case("H30", profile(), inwards),
        case("H30", profile(), outwards),
        case(
            "H30",
            shelves(),
            [plain.metadata("foo", &[]).metadata("grpcgateway-user-agent", &[])],
        ),
    ]
}

fn has_raw_bytes(_: &Answer, seen: &[Seen]) -> Result<(), String> {
    let value = seen.first().and_then(|seen| seen.metadata.get("x-data-bin"));
    let bytes = value.and_then(|value| STANDARD.decode(value).ok());
    match bytes.as_deref() {
        Some([1, 2, 0xff]) => Ok(()),
        other => Err(format!("sends {other:?}")),
    }
}

fn ends() -> Vec<Case> {
    let get = || get("/shelves/100");
    let list = || crate::case::get("/shelves");
    let with_trailer = || many(&["id: 1"]).trailer("x-total", "3");
    vec![
        case(
            "H39",
            shelves(),
            ["abc", "10x", "123456789S"].map(|text| get().with("Grpc-Timeout", text).refused(400, "grpc-timeout")),
        ),
        case(
            "H40",
            shelves(),
            [
                get().answered(never_ending(&[])).leaves().cancelled(),
                list().answered(never_ending(&["id: 1"])).leaves().cancelled(),
            ],
        ),
        case(
            "H42",
            shelves().trailers(&["x-total"]),
            [
                list()
                    .answered(with_trailer())
                    .with("te", "trailers")
                    .trailer("x-total", Some("3")),
                list().answered(with_trailer()).trailer("x-total", None),
            ],
        ),
        // What an HTTP/1.1 client cannot be sent unannounced.
        case(
            "H42",
            shelves(),
            [
                get()
                    .answered(with_trailer())
                    .with("te", "trailers")
                    .trailer("x-total", Some("3")),
                get().answered(with_trailer()).trailer("x-total", None),
                list()
                    .answered(with_trailer())
                    .with("te", "trailers")
                    .over_http2()
                    .trailer("x-total", Some("3")),
            ],
        ),
    ]
}

fn other_doors() -> Vec<Case> {
    let health = || Setup::from(rule("Check", "GET /healthz", ""));
    let not_serving = RouteOptions {
        status_by_field: FieldStatus::parse("status=NOT_SERVING:503").map(|status| vec![status]),
        ..RouteOptions::default()
    };
    let with_status = health().with(|options| {
        options.overrides = vec![("grpc.health.v1.Health.Check".to_owned(), not_serving)];
    });
    let both = rules([
        rule("GetShelf", "GET /shelves/{shelf}", ""),
        rule("DeleteShelf", "DELETE /shelves/{name}", ""),
    ]);
    let check = |reply| get("/healthz?service=x").answered(reply).sends("service: 'x'");
    vec![
        case(
            "H43",
            both,
            [ask("OPTIONS", "/shelves/1")
                .with("origin", "http://localhost:3000")
                .with("access-control-request-method", "DELETE")
                .status(204)
                .not_called()
                .header("access-control-allow-methods", "GET, HEAD, DELETE")],
        ),
        case(
            "H45",
            shelves(),
            [ask("POST", "/shelves/1")
                .body("view=full")
                .with("content-type", "application/x-www-form-urlencoded")
                .refused(405, "not allowed")],
        ),
        case(
            "H46",
            health(),
            [
                check(one("status: SERVING")).json(r#"{"status":"SERVING"}"#),
                check(error(5, "unknown service")).fails(404, 5),
            ],
        ),
        case(
            "H46",
            with_status,
            [
                check(one("status: SERVING")).json(r#"{"status":"SERVING"}"#),
                check(one("status: NOT_SERVING"))
                    .status(503)
                    .json(r#"{"status":"NOT_SERVING"}"#),
                check(error(5, "unknown service")).fails(404, 5),
            ],
        ),
    ]
}
