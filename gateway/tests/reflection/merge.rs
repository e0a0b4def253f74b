//! Several servers' schemas in one.

use millrace_gateway::Schema;
use millrace_gateway::reflection::{Merged, Source, merge};

use crate::protos::{SHOP, compiled, file_of, files, pool, put};

fn source(name: &str, set: Vec<u8>) -> Source {
    Source {
        name: name.to_owned(),
        descriptor_set: set,
        services: None,
        warnings: Vec::new(),
    }
}

/// A service `package.Name` that takes and gives `common.Money`, whose fields are these.
fn payer(package: &str, file: &str, money: &str) -> Vec<u8> {
    let money = format!("syntax = \"proto3\"; package common; message Money {{ {money} }} enum Unit {{ ONE = 0; }}");
    let service = format!(
        "syntax = \"proto3\"; package {package}; import \"common/money.proto\"; import \"google/api/annotations.proto\";
        service Payer {{ rpc Pay(common.Money) returns (common.Money) {{
            option (google.api.http) = {{ post: \"/v1/{package}:pay\" body: \"*\" }}; }} }}"
    );
    compiled(&[("common/money.proto", &money), (file, &service)])
}

fn merged(sources: &[Source]) -> Merged {
    let merged = merge(sources).unwrap();
    pool(&merged.descriptor_set);
    merged
}

fn paths(merged: &Merged) -> Vec<String> {
    let schema = Schema::builder().descriptors(&merged.descriptor_set).build().unwrap();
    schema.routes().map(|route| route.path().to_owned()).collect()
}

fn refused(first: Vec<u8>, second: Vec<u8>) -> String {
    merge(&[source("a", first), source("b", second)])
        .unwrap_err()
        .to_string()
}

#[test]
fn a_service_belongs_to_one_server() {
    let set = compiled(&[SHOP]);
    assert_eq!(
        refused(set.clone(), set.clone()),
        "the service shop.v1.Shop is offered by a and by b; it can belong to one of them"
    );
    // The descriptors of a neighbour's service are no claim, and what nobody offers is not bound.
    let mut neighbour = source("b", set.clone());
    neighbour.services = Some(vec![]);
    let both = merged(&[source("a", set.clone()), neighbour.clone()]);
    assert_eq!(both.services, [vec!["shop.v1.Shop".to_owned()], vec![]]);
    assert_eq!(paths(&both), ["/v1/items/{id}"]);
    let alone = merged(&[neighbour]);
    assert!(paths(&alone).is_empty());
    assert!(
        pool(&alone.descriptor_set)
            .get_service_by_name("shop.v1.Shop")
            .is_some()
    );
}

#[test]
fn versions_that_agree_are_one() {
    let old = "string currency = 1; int64 units = 2;";
    let new = "string currency = 1; int64 units = 2; int32 nanos = 3;";
    for (first, second, taken) in [(old, new, "b"), (new, old, "a")] {
        let both = merged(&[
            source("a", payer("one", "one.proto", first)),
            source("b", payer("two", "two.proto", second)),
        ]);
        assert_eq!(paths(&both), ["/v1/one:pay", "/v1/two:pay"]);
        let money = pool(&both.descriptor_set).get_message_by_name("common.Money").unwrap();
        assert_eq!(money.fields().len(), 3);
        assert_eq!(
            both.warnings,
            [format!(
                "a and b have versions of common/money.proto that agree: the one of {taken} is used, which has more"
            )]
        );
    }
}

#[test]
fn versions_that_contradict_are_refused() {
    for (second, at) in [
        ("string currency = 1; int32 units = 2;", "Money"),
        ("string currency = 1; string other = 3;", "Money"),
        ("string currency = 1; repeated int64 units = 2;", "Money"),
    ] {
        assert_eq!(
            refused(
                payer("one", "one.proto", "string currency = 1; int64 units = 2;"),
                payer("two", "two.proto", second)
            ),
            format!("a and b have versions of common/money.proto that contradict each other in {at}")
        );
    }
}

#[test]
fn files_that_share_only_a_name_both_stay() {
    let service = |package: &str| {
        let types = format!("syntax = \"proto3\"; package {package}; message Request {{ string x = 1; }}");
        let service = format!(
            "syntax = \"proto3\"; package {package}; import \"types.proto\"; import \"google/api/annotations.proto\";
            service Service {{ rpc Get(Request) returns (Request) {{
                option (google.api.http) = {{ get: \"/{package}\" }}; }} }}"
        );
        compiled(&[("types.proto", &types), ("service.proto", &service)])
    };
    let all = merged(&[
        source("a", service("one")),
        source("b", service("two")),
        source("c", service("three")),
    ]);
    assert_eq!(paths(&all), ["/one", "/three", "/two"]);
    let names: Vec<_> = files(&all.descriptor_set).into_iter().map(|(name, _)| name).collect();
    for name in ["types.proto", "types.proto@b", "service.proto@c"] {
        assert!(names.iter().any(|known| known == name), "{names:?}");
    }
}

#[test]
fn googles_files_of_other_versions_and_places_are_one() {
    let set = payer("one", "one.proto", "string currency = 1;");
    // An older one: no comments, no `response_body`, other options for generators.
    let http = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../proto/google/api/http.proto")).unwrap();
    let http = http
        .replace("string response_body = 12;", "")
        .replace("option java_", "// option java_");
    let second = payer("two", "two.proto", "string currency = 1;");
    let old = compiled(&[("google/api/http.proto", &http)]);
    let mut second_set = Vec::new();
    for (name, bytes) in files(&second) {
        let bytes = match name.as_str() {
            "google/api/http.proto" => file_of(&old, &name),
            _ => bytes,
        };
        put(&mut second_set, 1, &bytes);
    }
    for sources in [
        [source("a", set.clone()), source("b", second_set.clone())],
        [source("b", second_set), source("a", set.clone())],
    ] {
        let both = merged(&sources);
        assert_eq!(paths(&both), ["/v1/one:pay", "/v1/two:pay"]);
        let rule = pool(&both.descriptor_set)
            .get_message_by_name("google.api.HttpRule")
            .unwrap();
        assert!(rule.get_field_by_name("response_body").is_some());
    }
    // The same types under another path.
    let money = "syntax = \"proto3\"; package common; message Money { string currency = 1; } enum Unit { ONE = 0; }";
    let three = "syntax = \"proto3\"; package three; import \"protos/money.proto\";
        service Payer { rpc Pay(common.Money) returns (common.Money); }";
    let moved = compiled(&[("protos/money.proto", money), ("three.proto", three)]);
    let both = merged(&[source("a", set), source("c", moved)]);
    assert_eq!(both.services[1], ["three.Payer"]);
    assert!(
        !files(&both.descriptor_set)
            .iter()
            .any(|(name, _)| name == "protos/money.proto")
    );
}

#[test]
fn descriptors_that_are_none_name_their_source() {
    assert_eq!(
        refused(b"\x0a\xff".to_vec(), vec![]),
        "a: the descriptors are malformed"
    );
}
