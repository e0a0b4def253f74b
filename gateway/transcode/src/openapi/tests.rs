//! The document as a whole: of the platform, of the library, of odd routes.

use super::*;
use crate::fixture::{self, load, rule};

fn info() -> Info {
    Info {
        title: "T".to_owned(),
        version: "1".to_owned(),
        bearer: Some("A key.".to_owned()),
        key_header: Some("x-api-key".to_owned()),
        ..Info::default()
    }
}

/// Every `$ref` of the document.
fn references(value: &Value, found: &mut BTreeSet<String>) {
    match value {
        Value::Object(object) => {
            for (key, value) in object {
                match (key.as_str(), value.as_str()) {
                    ("$ref", Some(target)) => drop(found.insert(target.to_owned())),
                    _ => references(value, found),
                }
            }
        }
        Value::Array(values) => values.iter().for_each(|value| references(value, found)),
        _ => {}
    }
}

#[test]
fn the_platform_is_described_whole() {
    let schema = Schema::builder().descriptors(fixture::millrace()).build().unwrap();
    let document = schema.openapi(&info());
    assert_eq!(document, schema.openapi(&info()));
    assert_eq!(document["openapi"], "3.1.0");
    let operations = document["paths"]
        .as_object()
        .unwrap()
        .values()
        .map(|item| item.as_object().unwrap().len());
    assert_eq!(operations.sum::<usize>(), schema.routes().count());

    let mut found = BTreeSet::new();
    references(&document, &mut found);
    assert!(found.len() > 10);
    for reference in found {
        assert!(
            document.pointer(&reference[1..]).is_some_and(Value::is_object),
            "{reference}"
        );
    }
    let create = &document["paths"]["/v1/users/{user}/orders"]["post"];
    assert_eq!(create["operationId"], "OrderingService_CreateOrder");
    assert_eq!(create["summary"], "Places an order at the catalog's present prices");
    assert!(create["responses"]["201"]["headers"]["Location"].is_object());
    assert_eq!(create["responses"]["default"]["$ref"], "#/components/responses/Error");
    let parameters: Vec<_> = create["parameters"]
        .as_array()
        .unwrap()
        .iter()
        .map(|parameter| parameter["name"].as_str().unwrap())
        .collect();
    assert_eq!(parameters, ["user", "Idempotency-Key"]);
    let watch = &document["paths"]["/v1/users/{user}/orders:watch"]["get"];
    let content: Vec<_> = watch["responses"]["200"]["content"]
        .as_object()
        .unwrap()
        .keys()
        .collect();
    assert_eq!(
        content,
        ["application/json", "application/x-ndjson", "text/event-stream"]
    );
    let order = &create["responses"]["201"]["content"]["application/json"]["schema"]["$ref"];
    let order = document.pointer(&order.as_str().unwrap()[1..]).unwrap();
    assert_eq!(order["properties"]["createTime"]["format"], "date-time");
    assert_eq!(order["properties"]["createTime"]["readOnly"], true);
    assert_eq!(order["required"], json!(["lines"]));
    assert_eq!(order["description"], "What one user ordered.");
    let catalogue = document["components"]["schemas"]["Error"]["description"]
        .as_str()
        .unwrap();
    assert!(catalogue.contains("`millrace/IDEMPOTENCY_KEY_REUSED`: The request id was used before"));
}

#[test]
fn the_library_as_a_document() {
    let document = load(vec![]).unwrap().openapi(&info());
    insta::assert_snapshot!(serde_json::to_string_pretty(&document).unwrap());
}

#[test]
fn what_the_schema_declares_first_comes_first() {
    let schema = Schema::builder().descriptors(fixture::millrace()).build().unwrap();
    let document = schema.openapi(&info());
    let keys =
        |pointer: &str| -> Vec<&String> { document.pointer(pointer).unwrap().as_object().unwrap().keys().collect() };
    assert_eq!(keys(""), ["openapi", "info", "tags", "paths", "components"]);
    let tags: Vec<_> = document["tags"]
        .as_array()
        .unwrap()
        .iter()
        .map(|tag| tag["name"].as_str().unwrap())
        .collect();
    assert_eq!(tags, ["CatalogService", "IdentityService", "OrderingService"]);
    let paths = keys("/paths");
    assert_eq!(paths[..2], ["/v1/products", "/v1/products/{product}"]);
    assert_eq!(keys("/paths/~1v1~1products"), ["post", "get"]);
    let order = keys("/components/schemas")
        .into_iter()
        .find(|name| name.ends_with(".Order"));
    let properties = format!("/components/schemas/{}/properties", order.unwrap());
    assert_eq!(keys(&properties)[..2], ["name", "state"]);

    // A second binding comes after the first, wherever its path sorts.
    let mut rule = rule("Routes.R0", "GET /z", "");
    rule.additional = vec![fixture::rule("Routes.R0", "GET /a", "")];
    let document = load(vec![rule]).unwrap().openapi(&info());
    let paths = document["paths"].as_object().unwrap();
    let of_r0: Vec<_> = paths.keys().filter(|path| path.len() == 2).collect();
    assert_eq!(of_r0, ["/z", "/a"]);
    assert_eq!(paths["/z"]["get"]["operationId"], "Routes_R0");
    assert_eq!(paths["/a"]["get"]["operationId"], "Routes_R0_2");
}

#[test]
fn any_method_is_five_and_foreign_ones_are_none() {
    let schema = load(vec![
        rule("Routes.R0", "* /any", ""),
        rule("Routes.R1", "PROPFIND /dav", ""),
    ])
    .unwrap();
    let document = schema.openapi(&info());
    let methods: Vec<_> = document["paths"]["/any"].as_object().unwrap().keys().collect();
    assert_eq!(methods, ["delete", "get", "patch", "post", "put"]);
    assert!(document["paths"]["/dav"].is_null());
    assert_eq!(document["paths"]["/any"]["get"]["operationId"], "Routes_R0_2");
}

#[test]
fn queries_and_bodies() {
    let schema = load(vec![
        rule("Shapes.PutBook", "PUT /v1/shelves/{shelf}/books", "book"),
        rule("Shapes.Sink", "GET /sink", ""),
    ])
    .unwrap();
    let document = schema.openapi(&info());
    let names = |pointer: &str| -> Vec<String> {
        let parameters = document.pointer(pointer).unwrap().as_array().unwrap();
        parameters
            .iter()
            .map(|parameter| parameter["name"].as_str().unwrap().to_owned())
            .collect()
    };
    assert_eq!(
        names("/paths/~1v1~1shelves~1{shelf}~1books/put/parameters"),
        ["shelf", "requestId"]
    );
    let put = &document["paths"]["/v1/shelves/{shelf}/books"]["put"];
    assert_eq!(
        put["requestBody"]["content"]["application/json"]["schema"]["$ref"],
        "#/components/schemas/shapes.v1.Book"
    );
    let sink = names("/paths/~1sink/get/parameters");
    for (name, expected) in [
        ("s", true),
        ("rS", true),
        ("mSs", true),
        ("ts", true),
        ("nested.s", true),
        ("any", false),
        ("rM", false),
        ("nested.nested.nested.s", false),
    ] {
        assert_eq!(sink.iter().any(|found| found == name), expected, "{name}");
    }
}

#[test]
fn each_operation_says_who_may_call() {
    let schema = Schema::builder().descriptors(fixture::millrace()).build().unwrap();
    let key = json!([{"bearer": []}, {"apiKey": []}]);
    let closed = schema.openapi(&info());
    let mut opened = info();
    opened.switches.insert("identity.open_sign_up".to_owned(), true);
    let opened = schema.openapi(&opened);
    for (document, path, method, security, statuses) in [
        (
            &closed,
            "/v1/products/{product}",
            "get",
            json!([]),
            &["200", "400", "404", "default"][..],
        ),
        (
            &closed,
            "/v1/users/{user}/orders",
            "post",
            key.clone(),
            &["201", "400", "401", "404", "default"],
        ),
        (
            &closed,
            "/v1/users",
            "get",
            key.clone(),
            &["200", "400", "401", "403", "default"],
        ),
        (
            &closed,
            "/v1/users",
            "post",
            key.clone(),
            &["201", "400", "401", "403", "default"],
        ),
        (&opened, "/v1/users", "post", json!([]), &["201", "400", "default"]),
        (
            &opened,
            "/v1/users",
            "get",
            key.clone(),
            &["200", "400", "401", "403", "default"],
        ),
    ] {
        let operation = &document["paths"][path][method];
        assert_eq!(operation["security"], security, "{method} {path}");
        let mut found: Vec<_> = operation["responses"].as_object().unwrap().keys().collect();
        found.sort();
        assert_eq!(found, statuses, "{method} {path}");
    }
    let schemes = &closed["components"]["securitySchemes"];
    assert_eq!(schemes["apiKey"]["name"], "x-api-key");
    let without = schema.openapi(&Info::default());
    assert!(!without.to_string().contains("\"security"), "no keys, no word of them");
}

#[test]
fn a_patch_requires_nothing() {
    let schema = Schema::builder().descriptors(fixture::millrace()).build().unwrap();
    let document = schema.openapi(&info());
    let body = |path: &str, method: &str| {
        let schema = &document["paths"][path][method]["requestBody"]["content"]["application/json"]["schema"];
        document
            .pointer(&schema["$ref"].as_str().unwrap()[1..])
            .unwrap()
            .clone()
    };
    let (created, patched) = (body("/v1/users", "post"), body("/v1/users/{user}", "patch"));
    assert_eq!(created["required"], json!(["displayName", "email"]));
    assert!(patched["required"].is_null(), "{patched}");
    assert_eq!(created["properties"], patched["properties"]);
    assert!(patched["description"].as_str().unwrap().contains("stays as it is"));
}

#[test]
fn examples_of_failures_have_the_members_that_their_schema_requires() {
    let schema = Schema::builder().descriptors(fixture::millrace()).build().unwrap();
    let document = schema.openapi(&info());
    let responses = document["components"]["responses"].as_object().unwrap();
    assert_eq!(responses.len(), 5);
    for (name, response) in responses {
        for (_, media) in response["content"].as_object().unwrap() {
            let schema = document
                .pointer(&media["schema"]["$ref"].as_str().unwrap()[1..])
                .unwrap();
            for member in schema["required"].as_array().unwrap() {
                assert!(
                    !media["example"][member.as_str().unwrap()].is_null(),
                    "{name} lacks {member}"
                );
            }
        }
    }
    assert_eq!(
        responses["Unauthenticated"]["content"]["application/json"]["example"]["details"][0]["reason"],
        "UNAUTHENTICATED"
    );
}
