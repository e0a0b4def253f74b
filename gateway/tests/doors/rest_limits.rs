//! REST, requests that are refused for what they hold: what the answer names, and how long it may become.

use http::Request;
use millrace_gateway::Gateway;
use serde_json::{Value, json};

use crate::support::{Answer, Stage, messages};

const SCHEMA: &str = r#"
    syntax = "proto2"; package limits.v1; import "google/api/annotations.proto"; import "google/protobuf/struct.proto";
    service Limits {
      rpc Put(Order) returns (Order) {
        option (google.api.http) = {post: "/orders" body: "*" additional_bindings {get: "/orders/{id}"}};
      }
    }
    message Order {
      required string id = 1; required int32 count = 2; repeated Line lines = 3; map<string, Line> by_name = 4;
      optional google.protobuf.Value note = 5; optional Order before = 6;
    }
    message Line { required string sku = 1; optional Price price = 2; }
    message Price { required int64 units = 1; }
"#;

fn stage() -> Stage {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("limits.proto"), SCHEMA).unwrap();
    let protos = concat!(env!("CARGO_MANIFEST_DIR"), "/../proto");
    let mut compiler = protox::Compiler::new([folder.path(), protos.as_ref()]).unwrap();
    let files = ["limits.proto", "google/rpc/error_details.proto"];
    compiler.include_imports(true).open_files(files).unwrap();
    let builder = Gateway::builder().descriptors(&compiler.encode_file_descriptor_set());
    Stage::of(&builder.build().unwrap(), |_| {}, |_| messages(&[bytes::Bytes::new()]))
}

async fn post(stage: &Stage, body: &str) -> Answer {
    let post = Request::post("/orders").header("content-type", "application/json");
    stage.ask(post, body.to_owned()).await
}

fn fields(answer: &Answer) -> Vec<String> {
    let body = answer.json();
    let details = body["details"].as_array().unwrap();
    let bad = details.iter().find_map(|detail| detail["fieldViolations"].as_array());
    let field = |violation: &Value| violation["field"].as_str().unwrap().to_owned();
    bad.map(|bad| bad.iter().map(field).collect()).unwrap_or_default()
}

#[tokio::test]
async fn all_required_fields_that_are_missing_are_named() {
    let stage = stage();
    for (body, expected) in [
        ("{}", &["id", "count"][..]),
        (
            r#"{"id":"7","lines":[{"sku":"a"},{"price":{}}],"byName":{"x":{}},"before":{"count":1}}"#,
            &[
                "count",
                "lines[1].sku",
                "lines[1].price.units",
                "by_name[\"x\"].sku",
                "before.id",
            ],
        ),
    ] {
        let answer = post(&stage, body).await;
        assert_eq!(
            (answer.status, fields(&answer)),
            (400.try_into().unwrap(), to_owned(expected)),
            "{body}"
        );
        let said = format!("required fields are missing: {}", expected.join(", "));
        assert_eq!(answer.json()["message"], json!(said));
    }
    // What neither path nor query gives is missing too.
    let answer = stage.get("/orders/7").await;
    assert_eq!(
        (answer.status, fields(&answer)),
        (400.try_into().unwrap(), to_owned(&["count"]))
    );
    assert!(stage.seen().is_empty());
    assert_eq!(post(&stage, r#"{"id":"","count":0}"#).await.status, 200);
    assert_eq!(stage.get("/orders/7?count=0").await.status, 200);
}

fn to_owned(fields: &[&str]) -> Vec<String> {
    fields.iter().map(|field| (*field).to_owned()).collect()
}

#[tokio::test]
async fn an_answer_does_not_grow_with_its_request() {
    let stage = stage();
    let long = "é\u{1f600}name".repeat(1_000);
    let lines = "{},".repeat(9_999) + "{}";
    for body in [
        format!(r#"{{"{long}":1}}"#),
        format!(r#"{{"count":"{long}"}}"#),
        format!(r#"{{"byName":{{"{long}":{{"sku":1}}}}}}"#),
        format!(r#"{{"byName":{{"{long}":{{}},"{long}":{{}}}}}}"#),
        format!(r#"{{"id":"","count":0,"lines":[{lines}]}}"#),
        format!(r#"{{"id":"","count":0,"byName":{{"{long}":{{}}}}}}"#),
    ] {
        let answer = post(&stage, &body).await;
        assert_eq!(answer.status, 400);
        assert!(answer.body.len() < 6_000, "{} bytes", answer.body.len());
    }
    let answer = stage
        .get(&format!("/orders/7?count=0&{}=1", "name".repeat(1_000)))
        .await;
    assert_eq!(answer.status, 400);
    assert!(answer.body.len() < 1_000, "{}", answer.text());
}

#[tokio::test]
async fn what_no_upstream_would_decode_is_refused_with_its_field() {
    let stage = stage();
    let nested = |levels: usize| {
        let note = "[".repeat(levels) + &"]".repeat(levels);
        format!(r#"{{"id":"","count":0,"note":{note}}}"#)
    };
    assert_eq!(post(&stage, &nested(50)).await.status, 200);
    let answer = post(&stage, &nested(51)).await;
    assert_eq!((answer.status, stage.seen().len()), (400.try_into().unwrap(), 1));
    let said = answer.json()["message"].as_str().unwrap().to_owned();
    assert!(said.contains("nested deeper than 100 messages"), "{said}");
    let field = format!("note{}", "[0]".repeat(50));
    assert_eq!(fields(&answer), [field]);
}
