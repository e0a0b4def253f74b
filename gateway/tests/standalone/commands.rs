//! Commands that end, and their exit codes.

use crate::support::{descriptors, file, said};

#[test]
fn routes_as_a_table_and_as_json() {
    let flags = ["--descriptors", descriptors(), "--upstream", "http://127.0.0.1:50051"];
    let table = said(&[&["routes"], &flags[..]].concat());
    assert_eq!(
        table.out,
        "POST  /v1/items            echo.v1.Echo/Put  *  http://127.0.0.1:50051\n\
         GET   /v1/items/{item_id}  echo.v1.Echo/Get  -  http://127.0.0.1:50051\n"
    );
    let lines = said(&[&["routes", "--json"], &flags[..]].concat());
    let first: serde_json::Value = serde_json::from_str(lines.out.lines().next().unwrap()).unwrap();
    assert_eq!((&first["method"], &first["body"]), (&"POST".into(), &"*".into()));
    // What is not there is null: a dash would be a name.
    let lines = said(&["routes", "--json", "--descriptors", descriptors()]);
    let last: serde_json::Value = serde_json::from_str(lines.out.lines().last().unwrap()).unwrap();
    assert!(last["body"].is_null() && last["upstream"].is_null(), "{last}");
}

#[test]
fn exit_codes() {
    let unknown = file("codes", "unknown.toml", "lisen = \"127.0.0.1:1\"\n");
    let twice = "http:\n  rules:\n  - selector: echo.v1.Echo.Hidden\n    get: /v1/items/{item_id}\n";
    let twice = file("codes", "twice.yaml", twice);
    let nothing = "http:\n  rules:\n  - selector: echo.v1.Echo.Nothing\n    get: /v1\n";
    let nothing = file("codes", "nothing.yaml", nothing);
    let wrong_url = file("codes", "wrong_url.toml", "upstreams = [\"nowhere\"]\n");
    let broken = file("codes", "broken.binpb", [0xff, 0xff]);
    let known = descriptors();
    for (arguments, code, part) in [
        (
            &["check", "--descriptors", known][..],
            0,
            "the schema and the settings are good",
        ),
        (
            &["check", "--descriptors", known, "--config", &twice],
            1,
            "is bound twice: by echo.v1.Echo/",
        ),
        (
            &["check", "--descriptors", known, "--config", &nothing],
            1,
            "`echo.v1.Echo.Nothing`",
        ),
        (
            &["routes", "--descriptors", known, "--config", &twice],
            3,
            "is bound twice: by echo.v1.Echo/",
        ),
        (&["check", "--descriptors", &broken], 3, "descriptors do not load"),
        (
            &["check", "--descriptors", known, "--config", &unknown],
            3,
            "did you mean `listen`?",
        ),
        (&["check", "--descriptors", "/nowhere.binpb"], 4, "/nowhere.binpb"),
        (&["check", "--config", "/nowhere.toml"], 4, "/nowhere.toml"),
        (&["--descriptors", known], 2, "there is no upstream to serve"),
        (&["--listen", "nowhere"], 2, "must be an IP address and a port"),
        (&["--admin-listen", "nowhere"], 2, "must be an IP address and a port"),
        (&["--upstream", "nowhere"], 2, "`upstreams[0].url` (flag)"),
        (&["check", "--upstream", "nowhere"], 2, "must begin with http://"),
        (&["--config", &wrong_url], 3, "must begin with http://"),
        // What is wrong besides the command line is wrong without it too.
        (
            &["--config", &wrong_url, "--listen", "nowhere"],
            3,
            "2 settings are wrong",
        ),
        (&["--log-format", "loud"], 2, "must be \"auto\", \"pretty\" or \"json\""),
        (&["--lisen", "127.0.0.1:1"], 2, "--listen"),
        (&["--version"], 0, "millrace-gateway "),
    ] {
        let said = said(arguments);
        assert_eq!(said.code, code, "{arguments:?}\n{}{}", said.out, said.err);
        assert!((said.out + &said.err).contains(part), "{arguments:?}: {part}");
    }
}

#[test]
fn explains_a_request() {
    let flags = ["--descriptors", descriptors(), "--upstream", "http://127.0.0.1:50051"];
    let good = said(&[&["explain", "GET", "/v1/items/7?title=x"], &flags[..]].concat());
    assert_eq!(good.code, 0, "{}", good.err);
    for part in [
        "route: GET /v1/items/{item_id} (echo.v1.Echo/Get)",
        "upstream: http://127.0.0.1:50051",
        "grpcurl: grpcurl -plaintext -d",
        "127.0.0.1:50051 echo.v1.Echo/Get",
    ] {
        assert!(good.out.contains(part), "{part}\n{}", good.out);
    }
    let bad = said(&[&["explain", "GET", "/v1/items/7?colour=red", "--json"], &flags[..]].concat());
    assert_eq!(bad.code, 1, "{}", bad.err);
    let explained: serde_json::Value = serde_json::from_str(&bad.out).unwrap();
    assert_eq!(explained["refusal"]["httpStatus"], 400);
}
