//! REST, calls that fail: refused by the gateway, or by the service behind it.

use bytes::Bytes;
use http::Request;
use serde_json::json;
use tonic::{Code, Status};

use crate::support::{
    Answer, Ending, Scripted, Stage, details, error, framed, gateway, grpc, item, messages, messages_then,
};

fn json_post(uri: &str) -> http::request::Builder {
    Request::post(uri).header("content-type", "application/json")
}

#[tokio::test]
async fn every_code_has_its_http_status_in_headers_and_in_trailers() {
    let table = [
        (1, 499),
        (2, 500),
        (3, 400),
        (4, 504),
        (5, 404),
        (6, 409),
        (7, 403),
        (8, 429),
        (9, 400),
        (10, 409),
        (11, 400),
        (12, 501),
        (13, 500),
        (14, 503),
        (15, 500),
        (16, 401),
    ];
    for (code, http) in table {
        for in_headers in [true, false] {
            let status = Status::new(Code::from_i32(code), "no \"way\" — 100 %");
            let stage = Stage::new(move |_| {
                if in_headers {
                    error(&status)
                } else {
                    messages_then(&[], status.clone())
                }
            });
            let answer = stage.get("/v1/items/7").await;
            assert_eq!(answer.status, http, "code {code}");
            assert_eq!(
                answer.json(),
                json!({"code": code, "message": "no \"way\" — 100 %", "details": []})
            );
            assert!(answer.text().ends_with('}'));
            assert!(!answer.headers.keys().any(|name| name.as_str().starts_with("grpc-")));
            let challenge = if http == 401 { "Bearer" } else { "" };
            assert_eq!(answer.header("www-authenticate"), challenge);
        }
    }
}

#[tokio::test]
async fn details_come_out_readably_and_a_reason_may_change_the_status() {
    let mut info = b"\x0a\x16IDEMPOTENCY_KEY_REUSED\x12\x08millrace".to_vec();
    let reused = details(3, "google.rpc.ErrorInfo", &info);
    let stage = Stage::new(move |_| error(&Status::with_details(Code::InvalidArgument, "used", reused.clone())));
    let answer = stage.get("/v1/items/7").await;
    assert_eq!(answer.status, 422);
    let expected = json!({
        "@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": "IDEMPOTENCY_KEY_REUSED", "domain": "millrace",
    });
    assert_eq!(answer.json()["details"], json!([expected]));

    let problem = stage
        .ask(
            Request::get("/v1/items/7").header("accept", "application/problem+json"),
            "",
        )
        .await;
    assert_eq!(
        (problem.status, problem.header("content-type")),
        (422, "application/problem+json")
    );
    let body = problem.json();
    assert_eq!(
        (&body["code"], &body["reason"]),
        (&json!("INVALID_ARGUMENT"), &json!("IDEMPOTENCY_KEY_REUSED"))
    );
    assert_eq!((&body["status"], &body["instance"]), (&json!(422), &json!("new-id")));

    info = b"\x0a\x04\x08\x02\x10\x01".to_vec();
    let later = details(14, "google.rpc.RetryInfo", &info);
    let stage = Stage::new(move |_| error(&Status::with_details(Code::Unavailable, "later", later.clone())));
    let answer = stage.get("/v1/items/7").await;
    assert_eq!((answer.status, answer.header("retry-after")), (503, "3"), "rounded up");

    let stage = Stage::new(|_| {
        error(&Status::with_details(
            Code::NotFound,
            "gone",
            Bytes::from_static(&[0xff]),
        ))
    });
    let answer = stage.get("/v1/items/7").await;
    let expected = json!({"code": 5, "message": "gone", "details": []});
    assert_eq!(answer.json(), expected, "unreadable details are left out");
    let stage = Stage::new(|_| {
        let mut response = error(&Status::new(Code::NotFound, "gone"));
        response
            .headers_mut()
            .insert("grpc-status-details-bin", "*not base64*".parse().unwrap());
        response
    });
    assert_eq!(
        stage.get("/v1/items/7").await.json(),
        expected,
        "and so is what is no base64"
    );
}

/// Each refusal: the request, HTTP status, code, reason, and a part of the message.
#[tokio::test]
async fn what_the_gateway_refuses() {
    let large = "x".repeat((1 << 20) + 1);
    let long = format!("/v1/items/{}", "x".repeat(9_000));
    let get = || Request::get("/v1/items/7");
    let typed = |content_type: &str| Request::post("/v1/items").header("content-type", content_type);
    let field = "INVALID_FIELD";
    let table = [
        (Request::get("/v1/itemz/7"), "", 404, 5, "NOT_FOUND", "did you mean"),
        (
            Request::get("/nothing/at/all"),
            "",
            404,
            5,
            "NOT_FOUND",
            "no route for GET /nothing/at/all",
        ),
        (
            Request::post("/test.v1.Shop/Hidden"),
            "",
            404,
            5,
            "NOT_FOUND",
            "no route",
        ),
        (
            Request::patch("/v1/items/7"),
            "",
            405,
            12,
            "METHOD_NOT_ALLOWED",
            "GET, HEAD, DELETE, OPTIONS",
        ),
        (
            get().header("accept", "text/html"),
            "",
            406,
            3,
            "NOT_ACCEPTABLE",
            "application/json",
        ),
        (
            Request::get("/v1/items:watch").header("accept", "image/png"),
            "",
            406,
            3,
            "NOT_ACCEPTABLE",
            "text/event-stream",
        ),
        (json_post("/v1/items"), large.as_str(), 413, 8, "TOO_LARGE", "1048576"),
        (Request::get(&long), "", 414, 3, "TOO_LARGE", "longer"),
        (
            typed("text/csv"),
            "a,b",
            415,
            3,
            "UNSUPPORTED_MEDIA",
            "application/json",
        ),
        (
            Request::post("/v1/items"),
            "{}",
            415,
            3,
            "UNSUPPORTED_MEDIA",
            "application/json",
        ),
        (
            json_post("/v1/items").header("content-encoding", "gzip"),
            "{}",
            415,
            3,
            "UNSUPPORTED_MEDIA",
            "compressed",
        ),
        (
            typed("application/json; charset=utf-16"),
            "{}",
            415,
            3,
            "UNSUPPORTED_MEDIA",
            "UTF-8",
        ),
        (
            typed("application/grpc").version(http::Version::HTTP_11),
            "{}",
            415,
            3,
            "WRONG_DOOR",
            "HTTP/2",
        ),
        (
            typed("application/grpc-web+json"),
            "{}",
            415,
            3,
            "UNSUPPORTED_MEDIA",
            "protobuf",
        ),
        (
            Request::get("/test.v1.Shop/GetItem").header("content-type", "application/grpc-web"),
            "",
            405,
            12,
            "METHOD_NOT_ALLOWED",
            "POST",
        ),
        (json_post("/v1/items"), "{", 400, 3, field, ""),
        (json_post("/v1/items"), r#"{"nope":1}"#, 400, 3, field, "nope"),
        (Request::get("/v1/items/7?nope=1"), "", 400, 3, field, "nope"),
        (Request::get("/v1/items/%zz"), "", 400, 3, field, "path"),
        (get().header("grpc-timeout", "abc"), "", 400, 3, field, "grpc-timeout"),
        (
            get().header("request-timeout", "-1"),
            "",
            400,
            3,
            field,
            "request-timeout",
        ),
        (
            get().header("x-server-timeout", "soon"),
            "",
            400,
            3,
            field,
            "x-server-timeout",
        ),
        (get().header("data-bin", "not base64"), "", 400, 3, field, "data-bin"),
        (json_post("/v1/items:upload"), "{}", 400, 3, field, "expected `[`"),
    ];
    let stage = Stage::new(|_| messages(&[item("items/7", 0)]));
    for (request, body, http, code, reason, part) in table {
        let what = format!("{request:?}");
        let answer = stage.ask(request, body.to_owned()).await;
        assert_eq!(answer.status, http, "{what}: {:?}", answer.body);
        let json = answer.json();
        assert_eq!(json["code"], code, "{what}");
        assert!(json["message"].as_str().unwrap().contains(part), "{what}: {json}");
        let given = reasons(&json);
        assert_eq!(given, [reason], "{what}: {json}");
        assert!(
            gateway().schema().reason("millrace", reason).is_some(),
            "{reason} is in no catalogue"
        );
        assert_eq!(answer.header("content-type"), "application/json");
        assert_eq!(answer.header("x-request-id"), "new-id");
        assert_eq!(answer.header("x-content-type-options"), "nosniff");
        assert_eq!(answer.header("allow").is_empty(), http != 405, "{what}");
    }
    assert!(stage.seen().is_empty(), "nothing of it reached the service");
}

/// The reasons in the details of an error.
fn reasons(error: &serde_json::Value) -> Vec<&str> {
    let details = error["details"].as_array().unwrap();
    details.iter().filter_map(|detail| detail["reason"].as_str()).collect()
}

#[tokio::test]
async fn every_refusal_is_a_problem_for_those_who_ask_for_one() {
    let stage = Stage::new(|_| messages(&[item("items/7", 0)]));
    let web = Request::post("/test.v1.Shop/GetItem").header("content-type", "application/grpc-web+json");
    let table = [
        (Request::get("/nothing"), 404, "NOT_FOUND"),
        (Request::patch("/v1/items/7"), 405, "METHOD_NOT_ALLOWED"),
        (Request::get("/v1/items/7?nope=1"), 400, "INVALID_FIELD"),
        (Request::post("/v1/items"), 415, "UNSUPPORTED_MEDIA"),
        (web, 415, "UNSUPPORTED_MEDIA"),
    ];
    for (request, status, reason) in table {
        let body = if status == 415 { "{}" } else { "" };
        let answer = stage
            .ask(request.header("accept", "application/problem+json"), body)
            .await;
        let type_and_status = (answer.header("content-type"), answer.status);
        assert_eq!(type_and_status, ("application/problem+json", status), "{answer:?}");
        assert_eq!(answer.json()["reason"], reason);
        assert_eq!(answer.json()["status"], status);
    }
}

#[tokio::test]
async fn a_wish_for_problems_alone_is_no_wish_about_answers() {
    for accept in ["application/problem+json", "application/problem+json, */*;q=0"] {
        let stage = Stage::new(|_| messages(&[item("items/7", 0)]));
        for (path, content_type) in [
            ("/v1/items/7", "application/json"),
            ("/v1/items:watch", "application/x-ndjson"),
        ] {
            let answer = stage.ask(Request::get(path).header("accept", accept), "").await;
            assert_eq!(
                (answer.status, answer.header("content-type")),
                (200, content_type),
                "{path}"
            );
        }
        let failing = Stage::new(|_| error(&Status::not_found("gone")));
        for path in ["/v1/items/7", "/v1/items:watch"] {
            let answer = failing.ask(Request::get(path).header("accept", accept), "").await;
            let problem = (404, "application/problem+json");
            assert_eq!((answer.status, answer.header("content-type")), problem, "{path}");
        }
    }
}

#[tokio::test]
async fn a_refusal_names_its_reason_and_field() {
    let stage = Stage::new(|_| messages(&[]));
    let reason = |answer: &Answer| answer.json()["details"].to_string();
    let missing = stage.get("/nothing").await;
    assert!(
        reason(&missing).contains(r#""reason":"NOT_FOUND""#),
        "{}",
        missing.text()
    );
    let timeout = stage
        .ask(Request::get("/v1/items/7").header("grpc-timeout", "x"), "")
        .await;
    assert!(
        reason(&timeout).contains(r#""field":"grpc-timeout""#),
        "{}",
        timeout.text()
    );
    assert!(
        reason(&timeout).contains(r#""reason":"INVALID_FIELD""#),
        "{}",
        timeout.text()
    );
    let unknown = stage.ask(json_post("/v1/items"), r#"{"nope":1}"#).await;
    assert!(
        reason(&unknown).contains(r#""reason":"INVALID_FIELD""#),
        "{}",
        unknown.text()
    );
    let problem = stage
        .ask(
            json_post("/v1/items").header("accept", "application/problem+json"),
            r#"{"nope":1}"#,
        )
        .await;
    assert_eq!(
        problem.json()["violations"][0]["field"],
        "item.nope",
        "{}",
        problem.text()
    );
}

/// Answers that break the rules of gRPC: what the service sent, HTTP status and code.
#[tokio::test]
async fn a_service_that_breaks_the_rules_is_never_a_success() {
    type Make = fn() -> http::Response<tonic::body::Body>;
    fn raw(chunks: Vec<Bytes>, ending: Ending) -> http::Response<tonic::body::Body> {
        grpc(tonic::body::Body::new(Scripted::raw(chunks, ending)))
    }
    let table: [(&str, Make, u16, i32); 9] = [
        ("no message", || messages(&[]), 500, 13),
        ("no message, at once", || error(&Status::ok("")), 500, 13),
        ("two messages", || messages(&[item("a", 0), item("b", 0)]), 500, 13),
        (
            "half a frame",
            || {
                raw(
                    vec![Bytes::from_static(&[0, 0, 0, 0, 9, 1])],
                    Ending::Status(Status::ok("")),
                )
            },
            500,
            13,
        ),
        (
            "a bad flag",
            || {
                raw(
                    vec![Bytes::from_static(&[7, 0, 0, 0, 0])],
                    Ending::Status(Status::ok("")),
                )
            },
            500,
            13,
        ),
        (
            "compressed",
            || {
                raw(
                    vec![Bytes::from_static(&[1, 0, 0, 0, 0])],
                    Ending::Status(Status::ok("")),
                )
            },
            500,
            13,
        ),
        (
            "no protobuf",
            || messages(&[Bytes::from_static(&[0xff, 0xff])]),
            500,
            13,
        ),
        (
            "no status",
            || raw(vec![framed(&item("items/7", 0))], Ending::Nothing),
            502,
            14,
        ),
        (
            "a proxy's page",
            || {
                let page = tonic::body::Body::new(http_body_util::Full::new(Bytes::from_static(b"<p>")));
                http::Response::builder()
                    .status(502)
                    .header("content-type", "text/html")
                    .body(page)
                    .unwrap()
            },
            503,
            14,
        ),
    ];
    for (what, make, http, code) in table {
        let stage = Stage::new(move |_| make());
        let answer = stage.get("/v1/items/7").await;
        assert_eq!(
            (answer.status, &answer.json()["code"]),
            (http, &json!(code)),
            "{what}: {:?}",
            answer.body
        );
    }
}
