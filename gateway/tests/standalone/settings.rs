//! Settings as they reach the service: a service configuration, options of single RPCs, the environment.

use std::process::Stdio;

use crate::support::{Answer, Gateway, Upstream, binary, descriptors, file, said};

#[test]
fn a_service_configuration_as_it_is() {
    let yaml = "type: google.api.Service\nconfig_version: 3\nname: echo.example.com\ntitle: Echo\n\
                documentation:\n  summary: not for a gateway\nhttp:\n  rules:\n  - selector: echo.v1.Echo.Hidden\n    \
                post: /v2/hidden/{item_id}\n    body: title\n";
    let config = file("service", "service.yaml", yaml);
    let upstream = Upstream::start();
    let gateway = Gateway::start(&upstream, &["--config", &config]);
    let answer = gateway.post("/v2/hidden/3", "\"x\"");
    assert_eq!(answer.body, r#"{"itemId":"3","title":"x"}"#);
    assert_eq!(gateway.get("/openapi.json").json()["info"]["title"], "Echo");
}

#[test]
fn an_rpc_has_options_of_its_own() {
    let config = "www_authenticate = 'Bearer realm=\"echo\"'\n[[routes]]\nselector = \"echo.v1.Echo.Put\"\n\
                  success_code = 201\njson.proto_names = true\njson.unknown = \"ignore\"\nbody_bytes = 40\n";
    let config = file("routes", "gateway.toml", config);
    let upstream = Upstream::start();
    let gateway = Gateway::start(&upstream, &["--config", &config]);
    let answer = gateway.post("/v1/items", r#"{"itemId": 9, "colour": "red"}"#);
    assert_eq!(
        (answer.status, answer.body.as_str()),
        (201, r#"{"item_id":"9","title":""}"#)
    );
    assert_eq!(
        gateway
            .post("/v1/items", &format!("{{\"title\": {:?}}}", "x".repeat(40)))
            .status,
        413
    );
    assert_eq!(gateway.get("/v1/items/9").body, r#"{"itemId":"9","title":""}"#);
    let refused = gateway.get("/v1/items/9?title=denied");
    assert_eq!(refused.status, 401);
    assert!(
        refused.head.contains("www-authenticate: bearer realm=\"echo\""),
        "{}",
        refused.head
    );
}

#[test]
fn foreign_names_are_refused_on_loopback() {
    let upstream = Upstream::start();
    let gateway = Gateway::start(&upstream, &[]);
    let ask = |host: &str| {
        use std::io::{Read, Write};
        let mut socket = std::net::TcpStream::connect(gateway.address).unwrap();
        let request = format!("GET /v1/items/7 HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n\r\n");
        socket.write_all(request.as_bytes()).unwrap();
        let mut text = String::new();
        socket.read_to_string(&mut text).unwrap();
        text
    };
    assert!(ask("localhost").starts_with("HTTP/1.1 200"));
    assert!(ask("evil.example").starts_with("HTTP/1.1 421"));
}

#[test]
fn whose_word_is_taken_for_where_a_call_came_from() {
    let upstream = Upstream::start();
    for (config, expected) in [
        ("", Some("127.0.0.1")),
        (
            "[forwarding]\ntrusted = [\"127.0.0.0/8\", \"::1\"]\n",
            Some("10.9.8.7, 127.0.0.1"),
        ),
        ("[forwarding]\nmode = \"removed\"\n", None),
    ] {
        let config = file("forwarding", "gateway.toml", config);
        let gateway = Gateway::start(&upstream, &["--config", &config]);
        let answer = Answer::with_header(gateway.address, "/v1/items/7", "x-forwarded-for: 10.9.8.7");
        assert_eq!(answer.status, 200, "{answer:?}");
        assert_eq!(upstream.last_header("x-forwarded-for").as_deref(), expected);
    }
}

#[test]
fn long_paths_and_foreign_text_are_bounded_by_settings() {
    let upstream = Upstream::start();
    let ask = |config: &str| {
        let config = file("bounds", "gateway.toml", config);
        let gateway = Gateway::start(&upstream, &["--config", &config]);
        let long = gateway.get(&format!("/v1/items/7?title={}", "x".repeat(100))).status;
        let foreign = Answer::with_header(gateway.address, "/v1/items/7", "x-name: M\u{fc}ller").status;
        (long, foreign)
    };
    let header = "request_headers = [\"x-name\"]\n";
    assert_eq!(ask(header), (200, 200));
    assert_eq!(
        ask(&format!("{header}header_text = \"reject\"\nlimits.uri_bytes = 50\n")),
        (414, 400)
    );
}

#[test]
fn the_listing_is_a_file_that_can_be_used() {
    let refused = said(&["config", "--upstream", "http://me:secret@127.0.0.1:1"]);
    assert_eq!(refused.code, 2, "{}", refused.out);
    assert!(refused.err.contains("holds credentials"), "{}", refused.err);
    assert!(!(refused.out + &refused.err).contains("secret"));
    let config = file(
        "listing",
        "servers.toml",
        "openapi.servers = [\"http://me:secret@127.0.0.1:1\"]\n",
    );
    let listed = said(&["config", "--config", &config, "--listen", "127.0.0.1:7"]);
    assert_eq!(listed.code, 0, "{}", listed.err);
    for part in [
        "listen = \"127.0.0.1:7\"  # flag",
        "# default: \"127.0.0.1:8080\"",
        "query.ignore = [\"utm_*\", \"_\", \"gclid\", \"fbclid\"]  # default",
        "http://[redacted]@127.0.0.1:1",
    ] {
        assert!(listed.out.contains(part), "{part}\n{}", listed.out);
    }
    assert!(!listed.out.contains("secret"));
    let listed = said(&["config", "--descriptors", descriptors()]);
    let config = file("listing", "gateway.toml", &listed.out);
    let checked = said(&["check", "--config", &config]);
    assert_eq!(checked.code, 0, "{}{}", checked.out, checked.err);
}

#[test]
fn the_environment_is_over_the_file_and_under_flags() {
    let config = file(
        "environment",
        "gateway.toml",
        "grpc = \"all\"\ntitle = \"of the file\"\n",
    );
    let output = binary(&["config", "--listen", "127.0.0.1:3"])
        .env("MILLRACE_GATEWAY_CONFIG", &config)
        .env("MILLRACE_GATEWAY_GRPC", "off")
        .env("MILLRACE_GATEWAY_LISTEN", "127.0.0.1:2")
        .stderr(Stdio::inherit())
        .output()
        .unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    for part in [
        "grpc = \"off\"  # environment MILLRACE_GATEWAY_GRPC",
        "listen = \"127.0.0.1:3\"  # flag",
        &format!("title = \"of the file\"  # {config}"),
    ] {
        assert!(text.contains(part), "{part}\n{text}");
    }
}

#[test]
fn what_the_gateway_refuses_is_not_said_in_the_name_of_the_api() {
    let info = |answer: &Answer| {
        let body = answer.json();
        let details = body["details"].as_array().unwrap().clone();
        let info = details.into_iter().find(|detail| detail["reason"].is_string()).unwrap();
        (info["reason"].clone(), info["domain"].clone())
    };
    let upstream = Upstream::start();
    for (config, domain) in [
        ("", "gateway"),
        ("error_domain = \"api.echo.example\"\n", "api.echo.example"),
    ] {
        let config = file("domain", "gateway.toml", config);
        let gateway = Gateway::start(&upstream, &["--config", &config]);
        let refused = gateway.get("/v1/items/7?colour=red");
        assert_eq!(info(&refused), ("INVALID_FIELD".into(), domain.into()));
        // A caller has no settings; the operator finds the one that would allow it in the log.
        for word in ["setting", "query.", "millrace"] {
            assert!(!refused.body.contains(word), "{word}: {}", refused.body);
        }
        let line = gateway.line(|line| line["target"] == "millrace::call");
        assert_eq!(line["relaxed_by"], "query.ignore or query.unknown = \"ignore\"");
        assert_eq!(info(&gateway.get("/nothing")), ("NOT_FOUND".into(), domain.into()));
        let line = gateway.line(|line| line["http.path"] == "/nothing");
        assert!(line["relaxed_by"].is_null(), "{line}");
    }
    // The words about a server that is away cross the gateway as gRPC.
    let away = ["--upstream", "http://127.0.0.1:1", "--descriptors", descriptors()];
    let gateway = Gateway::run(&away);
    let refused = gateway.get("/v1/items/7");
    assert_eq!(refused.status, 503);
    assert_eq!(info(&refused), ("UPSTREAM_FAILED".into(), "gateway".into()));
}
