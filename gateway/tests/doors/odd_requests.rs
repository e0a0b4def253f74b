//! Requests that are unusual and right, and such as look right and are not: paths, repeated headers, bodies where none
//! is bound.

use bytes::Bytes;
use http::Request;

use crate::support::{Stage, framed, item, messages};

fn stage() -> Stage {
    Stage::new(|_| messages(&[item("items/7", 3)]))
}

#[tokio::test]
async fn a_path_is_decoded_once_and_never_normalised() {
    let stage = stage();
    // Path; then the name that the service sees.
    let found = [
        ("/v1/items/a%20b", "items/a b"),
        ("/v1/items/a%2Fb", "items/a%2Fb"),
        ("/v1/items/a%2fb", "items/a%2fb"),
        ("/v1/items/%2541", "items/%41"),
        ("/v1/items/a+b", "items/a+b"),
        ("/v1/items/%E2%82%AC", "items/\u{20ac}"),
        ("/v1/items/a:b", "items/a:b"),
        ("/v1/items/..", "items/.."),
        ("/v1/item%73/7", "items/7"),
    ];
    for (path, name) in found {
        assert_eq!(stage.get(path).await.status, 200, "{path}");
        assert_eq!(stage.seen().last().unwrap().body, framed(&item(name, 0)), "{path}");
    }
    let calls = stage.seen().len();
    // What a proxy in front may have read otherwise.
    let refused = [
        ("/v1/items/7/", 404),
        ("//v1/items/7", 404),
        ("/v1//items/7", 404),
        ("/v1/items/", 404),
        ("/v1/items/./7", 404),
        ("/V1/items/7", 404),
        ("/v1/items/%", 400),
        ("/v1/items/%2", 400),
        ("/v1/items/%00", 400),
        ("/v1/items/%ff", 400),
        ("/v1/items/7?name=items/8", 400),
        ("/v1/items:watch?after=1&after=2", 400),
        ("/v1/items:watch?after=%zz", 400),
        ("/v1/items:watch?after", 400),
    ];
    for (path, status) in refused {
        let answer = stage.get(path).await;
        assert_eq!(answer.status, status, "{path}: {}", answer.text());
        assert!(answer.text().contains("\"reason\":"), "{path}: {}", answer.text());
    }
    assert_eq!(stage.seen().len(), calls, "nothing of it reached the service");
}

#[tokio::test]
async fn a_body_is_refused_where_none_is_bound_and_may_be_absent_where_one_is() {
    let stage = stage();
    for request in [
        Request::get("/v1/items/7"),
        Request::delete("/v1/items/7"),
        Request::head("/v1/items/7"),
    ] {
        let what = format!("{request:?}");
        let answer = stage
            .ask(request.header("content-type", "application/json"), "{}")
            .await;
        assert_eq!(answer.status, 400, "{what}");
    }
    assert!(stage.seen().is_empty());
    let json = || Request::post("/v1/items").header("content-type", "application/json");
    for (request, body) in [
        (Request::post("/v1/items"), ""),
        (json(), ""),
        (json(), "null"),
        (json(), " null\n"),
    ] {
        assert_eq!(stage.ask(request, body).await.status, 201, "{body:?}");
        assert_eq!(stage.seen().last().unwrap().body, framed(b""), "{body:?}");
    }
    for body in [
        "  ",
        "{} {}",
        "[]",
        "\u{feff}{}",
        "{\"name\":\"a\",\"name\":\"b\"}",
        "{\"name\":\"\\ud800\"}",
    ] {
        assert_eq!(stage.ask(json(), body).await.status, 400, "{body:?}");
    }
    assert_eq!(
        stage
            .ask(json(), Bytes::from_static(b"{\"name\":\"\xff\"}"))
            .await
            .status,
        400
    );
    // A form is no way around a route that is for GET only.
    let form = Request::post("/v1/items/7").header("content-type", "application/x-www-form-urlencoded");
    assert_eq!(
        stage
            .ask(form.header("x-http-method-override", "GET"), "a=1")
            .await
            .status,
        405
    );
}

#[tokio::test]
async fn a_header_that_contradicts_itself_is_refused_and_a_list_goes_in_whole() {
    let stage = stage();
    let listed = Request::get("/v1/items/7")
        .header("baggage", "a=1")
        .header("baggage", "b=2")
        .header("accept-language", http::HeaderValue::from_bytes(b"d\xe4").unwrap());
    assert_eq!(stage.ask(listed, "").await.status, 200);
    let seen = stage.seen().pop().unwrap().headers;
    assert_eq!(seen.get_all("baggage").iter().collect::<Vec<_>>(), ["a=1", "b=2"]);
    assert!(!seen.contains_key("accept-language"), "gRPC has no way to say it");

    let post = |name: &str, values: [&str; 2]| {
        let request = Request::post("/v1/items");
        values
            .iter()
            .fold(request, |request, value| request.header(name, *value))
    };
    let json = "application/json";
    let table = [
        (post("content-type", [json, "text/csv"]), 415),
        (post("content-type", ["text/csv", json]), 415),
        (post("content-type", [json, json]), 201),
        (
            post("content-encoding", ["identity", "gzip"]).header("content-type", json),
            415,
        ),
        (
            post("content-encoding", ["identity", "Identity"]).header("content-type", json),
            201,
        ),
        (post("idempotency-key", ["a", "b"]).header("content-type", json), 400),
        (post("idempotency-key", ["a", "a"]).header("content-type", json), 201),
        // One malformed spoils all.
        (
            post("grpc-timeout", ["1S", "123456789S"]).header("content-type", json),
            400,
        ),
        (post("grpc-timeout", ["10S", "20S"]).header("content-type", json), 201),
    ];
    for (request, status) in table {
        let what = format!("{request:?}");
        assert_eq!(stage.ask(request, "{}").await.status, status, "{what}");
    }
}

#[tokio::test]
async fn a_change_under_a_condition_that_nothing_checks_is_not_made() {
    let stage = stage();
    for name in ["if-match", "if-none-match", "if-unmodified-since"] {
        let request = Request::post("/v1/items")
            .header("content-type", "application/json")
            .header(name, "\"x\"");
        let answer = stage.ask(request, "{}").await;
        let message = answer.json()["message"].as_str().unwrap_or_default().to_owned();
        assert_eq!(answer.status, 400, "{message}");
        assert!(
            message.starts_with(&format!("header `{name}` is not supported")),
            "{message}"
        );
    }
    assert!(stage.seen().is_empty());
    // A cache that asks whether something is new gets it anew.
    let read = Request::get("/v1/items/7").header("if-none-match", "\"x\"");
    assert_eq!(stage.ask(read, "").await.status, 200);
}

#[tokio::test]
async fn methods_that_nobody_bound_are_refused_with_those_that_are() {
    let stage = stage();
    for method in ["TRACE", "PUT", "PROPFIND", "get"] {
        let answer = stage
            .ask(Request::builder().method(method).uri("/v1/items/7"), "")
            .await;
        assert_eq!(
            (answer.status, answer.header("allow")),
            (405, "GET, HEAD, DELETE, OPTIONS"),
            "{method}"
        );
    }
    assert!(stage.seen().is_empty());
}
