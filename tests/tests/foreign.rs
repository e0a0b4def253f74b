//! The stand-alone gateway before gRPC servers that are neither ours nor Rust, which it knows by reflection alone. The
//! same checks fit all of them; `tests/foreign` has the servers.

mod server;

use std::path::Path;

use futures_util::future::{Either, select};
use http::Method;
use millrace_tests::rest::{Reply, Rest};
use serde_json::{Value, json};
use tokio::time::{Duration, Instant, sleep};

use server::{Gateway, Language, Server};

/// How long a server that is back may stay unfound.
const BACK_MAX: Duration = Duration::from_secs(60);

const NDJSON: &str = "application/x-ndjson";
const SSE: &str = "text/event-stream";

#[tokio::test]
#[ignore = "needs grpcio: ./tests/run installs it"]
async fn a_python_server_by_rules_in_yaml() {
    by_rules(Language::Python, Some("rules.yaml")).await;
}

#[tokio::test]
#[ignore = "needs grpcio: ./tests/run installs it"]
async fn a_python_server_by_names() {
    by_names(Language::Python).await;
}

#[tokio::test]
#[ignore = "needs a server on grpc-go: ./tests/run builds it"]
async fn a_go_server_by_its_annotations() {
    by_rules(Language::Go, None).await;
}

#[tokio::test]
#[ignore = "needs grpc-js: ./tests/run installs it"]
async fn a_node_server_by_rules_in_yaml() {
    by_rules(Language::Node, Some("rules.yaml")).await;
}

#[tokio::test]
#[ignore = "needs grpc-js: ./tests/run installs it"]
async fn a_node_server_by_names() {
    by_names(Language::Node).await;
}

/// All that HTTP rules give, then an outage of the server.
async fn by_rules(language: Language, settings: Option<&str>) {
    let server = Server::start(language);
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/foreign");
    let settings = settings.map(|name| folder.join(name));
    let gateway = Gateway::start(&server, settings.as_deref());
    assert!(gateway.admin.ready().await, "{language:?}");
    unary(&gateway.rest).await;
    streams(&gateway.rest).await;
    errors(&gateway.rest).await;
    callers_who_leave(&gateway.rest).await;
    comes_back(&gateway.rest, server).await;
}

/// A server without a rule: its RPCs are found by their names.
async fn by_names(language: Language) {
    let server = Server::start(language);
    let folder = tempfile::tempdir().unwrap();
    let settings = folder.path().join("names.yaml");
    std::fs::write(&settings, "rpc_paths: true\n").unwrap();
    let gateway = Gateway::start(&server, Some(&settings));
    let rest = &gateway.rest;

    let book = rest
        .post(
            "/shelf.v1.Shelf/GetBook",
            &json!({"name": "shelves/1/books/2", "tags": ["a"]}),
        )
        .await;
    assert_eq!(book.expect(200), emma(&["a"], None));
    let books = json!([{"title": "Emma"}, {"title": "Persuasion"}]);
    let added = rest.post("/shelf.v1.Shelf/AddBooks", &books).await.expect(200);
    assert_eq!(added, json!({"count": 2, "titles": ["Emma", "Persuasion"]}));
    let wanted = json!({"parent": "shelves/1", "count": 2}).to_string();
    let listed = rest
        .send(Method::POST, "/shelf.v1.Shelf/ListBooks", &[("accept", NDJSON)], wanted)
        .await;
    assert_eq!(names(&listed), ["shelves/1/books/0", "shelves/1/books/1"]);

    // What every server has besides is no business of a caller's.
    for path in [
        "/grpc.health.v1.Health/Check",
        "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo",
        "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo",
    ] {
        assert_eq!(rest.post(path, &json!({})).await.status, 404, "{path}");
    }
}

/// The book that `GetBook` finds.
fn emma(tags: &[&str], printed: Option<&str>) -> Value {
    let mut book = json!({
        "name": "shelves/1/books/2", "title": "Emma", "copies": "9007199254740993", "tags": tags, "labels": {},
        "genre": "GENRE_NOVEL",
    });
    if let Some(printed) = printed {
        book["printed"] = printed.into();
    }
    book
}

async fn unary(rest: &Rest) {
    let path = "/v1/shelves/1/books/2?tags=a&tags=b&printed=1816-01-01T00:00:00Z";
    let book = rest.get(path).await.expect(200);
    assert_eq!(book, emma(&["a", "b"], Some("1816-01-01T00:00:00Z")));

    let book = json!({"title": "Sanditon", "copies": "3", "labels": {"state": "fragment"}, "genre": "GENRE_NOVEL"});
    let made = rest.post("/v1/shelves/1/books?bookId=7", &book).await.expect(200);
    assert_eq!(made["name"], "shelves/1/books/7");
    for field in ["title", "copies", "labels", "genre"] {
        assert_eq!(made[field], book[field], "{made}");
    }
    let refused = rest.post("/v1/shelves/1/books", &json!({"colour": "red"})).await;
    assert!(refused.expect(400).to_string().contains("colour"));
    assert_eq!(rest.get("/v1/health").await.status, 404);
    assert_eq!(rest.post("/grpc.health.v1.Health/Check", &json!({})).await.status, 404);
}

async fn streams(rest: &Rest) {
    let path = "/v1/shelves/1/books?count=3";
    let three = ["shelves/1/books/0", "shelves/1/books/1", "shelves/1/books/2"];
    let listed = rest.send(Method::GET, path, &[("accept", NDJSON)], "").await;
    assert_eq!(listed.header("content-type"), NDJSON);
    assert_eq!(names(&listed), three);

    let mut events = rest.open(path, SSE, &[]).await;
    for name in three {
        let event = events.next_event().await.unwrap();
        let book: Value = serde_json::from_str(&event.data).unwrap();
        assert_eq!(book["name"], name);
    }
    assert_eq!(events.next_event().await.unwrap().event, "end");

    // A failure after the first message cannot change the status any more; it is the last line.
    let listed = rest
        .send(Method::GET, &format!("{path}&fails=true"), &[("accept", NDJSON)], "")
        .await;
    let lines = lines(&listed);
    assert_eq!(lines.len(), 4, "{lines:?}");
    assert_eq!(lines[3]["error"]["message"], "the shelf fell");
    // ABORTED.
    assert_eq!(lines[3]["error"]["code"], 10);

    let books = json!([{"title": "Emma"}, {"title": "Persuasion"}, {"title": "Sanditon"}]);
    let added = rest.post("/v1/books:add", &books).await.expect(200);
    assert_eq!(added, json!({"count": 3, "titles": ["Emma", "Persuasion", "Sanditon"]}));
}

async fn errors(rest: &Rest) {
    let missing = rest.get("/v1/shelves/1/books/none").await;
    missing.refuses(404, "BOOK_MISSING");
    let body = missing.json();
    assert_eq!(body["message"], "there is no such book");
    // NOT_FOUND.
    assert_eq!(body["code"], 5);
    assert_eq!(body["details"][0]["metadata"]["name"], "shelves/1/books/none");
}

/// A deadline and a caller that goes away both end the call in the server.
async fn callers_who_leave(rest: &Rest) {
    let late = rest
        .send(Method::GET, "/v1/wait", &[("x-server-timeout", "0.5")], "")
        .await;
    // DEADLINE_EXCEEDED.
    assert_eq!(late.expect(504)["code"], 4);
    calls(rest, 1, 1).await;

    let wait = rest.get("/v1/wait");
    let begun = calls(rest, 2, 1);
    match select(Box::pin(wait), Box::pin(begun)).await {
        Either::Left((reply, _)) => panic!("a call without an end was answered: {reply:?}"),
        // Dropping the request closes its connection.
        Either::Right(((), wait)) => drop(wait),
    }
    calls(rest, 2, 2).await;
}

/// Returns when the server has seen so many calls of Wait begin and end.
async fn calls(rest: &Rest, begun: u32, ended: u32) {
    let seen = rest.get(&format!("/v1/calls?begun={begun}&ended={ended}")).await;
    assert_eq!(seen.expect(200), json!({"begun": begun, "ended": ended}));
}

async fn comes_back(rest: &Rest, server: Server) {
    let path = "/v1/shelves/1/books/2";
    let before = server.kill();
    let gone = rest.get(path).await;
    // UNAVAILABLE.
    assert_eq!(gone.expect(503)["code"], 14);

    let _server = Server::again(before);
    let end = Instant::now() + BACK_MAX;
    loop {
        let reply = rest.get(path).await;
        if reply.status == 200 {
            assert_eq!(reply.json(), emma(&[], None));
            return;
        }
        assert!(Instant::now() < end, "{reply:?}");
        // Between two questions, so that they do not take the processor from the server.
        sleep(Duration::from_millis(20)).await;
    }
}

/// The lines of an answer in NDJSON.
fn lines(reply: &Reply) -> Vec<Value> {
    assert_eq!(reply.status, 200, "{reply:?}");
    let text = String::from_utf8_lossy(&reply.body).into_owned();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// The names of the books that were listed.
fn names(reply: &Reply) -> Vec<String> {
    let books = lines(reply);
    let names = books.iter().map(|book| book["name"].as_str().unwrap().to_owned());
    names.collect()
}
