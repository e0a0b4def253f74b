//! Without descriptor files: the schema is the upstreams', and follows them.

use std::net::TcpListener;

use crate::support::{Answer, Gateway, Reflection, Upstream, descriptors, echo, file, said};

/// A route more.
const MORE: (&str, &str) = (
    "rpc Hidden(Item) returns (Item);",
    "rpc Hidden(Item) returns (Item) { option (google.api.http) = {post: \"/v2/hidden/{item_id}\" body: \"title\"}; }",
);
/// A route that callers know is gone.
const BREAKING: (&str, &str) = ("get: \"/v1/items/{item_id}\"", "get: \"/v9/items/{item_id}\"");
/// Another server's service, in a file of the same name.
const OTHER: [(&str, &str); 2] = [("package echo.v1", "package other.v1"), ("/v1/items", "/other/items")];
const APPLIED: &str = "the new schema is served";

fn has_more(gateway: &Gateway) -> bool {
    let answer = gateway.post("/v2/hidden/3", "\"x\"");
    assert!([200, 404].contains(&answer.status), "{answer:?}");
    answer.status == 200
}

/// Waits until calls get through to a server that has come.
fn until_connected(gateway: &Gateway) {
    while gateway.get("/v1/items/7").status != 200 {}
}

#[test]
fn both_versions_of_reflection_make_routes() {
    for version in [Reflection::V1, Reflection::V1Alpha] {
        let set = std::fs::read(descriptors()).unwrap();
        let upstream = Upstream::serve("127.0.0.1:0".parse().unwrap(), Some((version, &set)));
        let mut gateway = Gateway::run(&["--upstream", &upstream.url]);
        let answer = gateway.get("/v1/items/7?title=x");
        assert_eq!(
            (answer.status, answer.body.as_str()),
            (200, r#"{"itemId":"7","title":"x"}"#)
        );
        assert!(
            gateway.get("/openapi.yaml").body.contains("Answers with its request"),
            "{version:?}"
        );
        assert_eq!(gateway.readiness().status, 200);
        assert_eq!(gateway.terminate(), 0);

        let to = ["--upstream", &upstream.url];
        let routes = said(&[&["routes"], &to[..]].concat());
        assert_eq!(routes.out.lines().count(), 2, "{}{}", routes.out, routes.err);
        assert!(routes.out.contains(&upstream.url), "{}", routes.out);
        let check = said(&[&["check"], &to[..]].concat());
        assert_eq!(check.code, 0, "{}{}", check.out, check.err);
        let explain = said(&[&["explain", "GET", "/v1/items/7"], &to[..]].concat());
        assert!(
            explain.out.contains("echo.v1.Echo/Get"),
            "{}{}",
            explain.out,
            explain.err
        );
    }
}

#[test]
fn a_server_that_was_replaced_is_asked_again() {
    for asked_by in ["SIGHUP", "admin", "interval"] {
        let config = match asked_by {
            "admin" => "reflection.admin = true\n",
            "interval" => "reflection.refresh_ms = 100\n",
            _ => "reflection.refresh_ms = 0\n",
        };
        let config = file("replaced", "gateway.toml", config);
        let upstream = Upstream::reflecting(&echo("replaced", &[]));
        let gateway = Gateway::run(&["--upstream", &upstream.url, "--config", &config]);
        assert!(!has_more(&gateway), "{asked_by}");
        let _upstream = upstream.replaced(&echo("replaced", &[MORE]));
        until_connected(&gateway);
        let by_admin = Answer::to(
            gateway.admin.unwrap(),
            if asked_by == "admin" { "POST" } else { "GET" },
            "/schema/reload",
            "",
        );
        match asked_by {
            "admin" => {
                assert_eq!(
                    (by_admin.status, &by_admin.json()["outcome"]),
                    (200, &"applied".into()),
                    "{by_admin:?}"
                );
            }
            _ => assert_eq!(by_admin.status, 404, "the admin call is off"),
        }
        if asked_by == "SIGHUP" {
            gateway.signal("-HUP");
        }
        assert_eq!(gateway.line(|line| line["message"] == APPLIED)["asked_by"], asked_by);
        assert!(has_more(&gateway), "{asked_by}");
    }
}

#[test]
fn a_breaking_change_is_refused_and_told() {
    let upstream = Upstream::reflecting(&echo("breaking", &[]));
    let gateway = Gateway::run(&["--upstream", &upstream.url]);
    let _upstream = upstream.replaced(&echo("breaking", &[BREAKING]));
    until_connected(&gateway);
    gateway.signal("-HUP");
    gateway.line(|line| {
        line["message"]
            .as_str()
            .is_some_and(|text| text.contains("would break callers"))
    });
    assert_eq!(gateway.get("/v1/items/7").status, 200, "the old route still answers");
    assert_eq!(gateway.get("/v9/items/7").status, 404);
    let ready = gateway.readiness();
    assert_eq!(ready.status, 200, "{ready:?}");
    let schema = &ready.json()["schema"];
    assert_eq!(schema["last_refresh"], "refused");
    assert!(schema["why"].to_string().contains("/v1/items/{item_id}"), "{schema}");
}

#[test]
fn a_server_that_is_away_at_the_start_is_waited_for() {
    let free = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = free.local_addr().unwrap();
    drop(free);
    let url = format!("http://{address}");
    // A rule for an RPC that nobody knows yet hinders nothing.
    let rule = "[[http.rules]]\nselector = \"echo.v1.Echo.Hidden\"\npost = \"/v2/hidden/{item_id}\"\nbody = \"title\"\n\
                [[routes]]\nselector = \"echo.v1.Echo.*\"\nsuccess_code = 203\n";
    let config = file("away", "gateway.toml", rule);
    let routes = said(&["routes", "--upstream", &url]);
    assert_eq!(routes.code, 4, "{}", routes.err);
    assert!(routes.err.contains(&url), "{}", routes.err);

    let other = Upstream::reflecting(&echo("away", &OTHER));
    for with in [None, Some(&other)] {
        let mut flags = vec!["--upstream", url.as_str(), "--config", &config];
        flags.extend(with.iter().flat_map(|other| ["--upstream", &other.url]));
        let gateway = Gateway::run(&flags);
        assert_eq!(gateway.get("/v1/items/7").status, 404);
        let ready = gateway.readiness();
        assert_eq!(ready.json()["schema"]["missing"], serde_json::json!([url]));
        if with.is_some() {
            assert_eq!(gateway.get("/other/items/7").status, 200, "the other serves");
            assert_eq!(ready.status, 200, "{ready:?}");
        } else {
            assert_eq!((ready.status, &ready.json()["status"]), (503, &"schema_missing".into()));
        }
        let _upstream = Upstream::on(address, &echo("away", &[]));
        gateway.line(|line| line["message"] == APPLIED);
        assert_eq!(gateway.get("/v1/items/7").status, 203);
        assert_eq!(gateway.post("/v2/hidden/3", "\"x\"").status, 203);
        let ready = gateway.readiness();
        assert_eq!(
            (ready.status, &ready.json()["schema"]["missing"]),
            (200, &serde_json::Value::Null)
        );
    }
}

#[test]
fn a_service_of_two_servers_is_refused_unless_one_lists_it() {
    let set = echo("two", &[]);
    let (one, two) = (Upstream::reflecting(&set), Upstream::reflecting(&set));
    let refused = said(&[
        "--listen",
        "127.0.0.1:0",
        "--admin-listen",
        "off",
        "--upstream",
        &one.url,
        "--upstream",
        &two.url,
    ]);
    assert_eq!(refused.code, 3, "{}", refused.err);
    for part in [&one.url, &two.url, "echo.v1.Echo", "`services`"] {
        assert!(refused.err.contains(part), "{part}\n{}", refused.err);
    }
    let config = format!(
        "[[upstreams]]\nurl = {:?}\n[[upstreams]]\nurl = {:?}\nservices = [\"echo.v1.Echo\"]\n",
        one.url, two.url
    );
    let config = file("two", "gateway.toml", config);
    let routes = said(&["routes", "--config", &config]);
    assert_eq!(routes.code, 0, "{}", routes.err);
    assert!(
        routes.out.contains(&two.url) && !routes.out.contains(&one.url),
        "{}",
        routes.out
    );
}

#[test]
fn a_command_says_why_a_server_cannot_be_reached() {
    let nobody = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", nobody.local_addr().unwrap());
    drop(nobody);
    let refused = said(&["routes", "--upstream", &url]);
    assert_eq!(refused.code, 4, "{}", refused.err);
    for part in [&*url, "--upstream", "Connection refused"] {
        assert!(refused.err.contains(part), "{part}\n{}", refused.err);
    }
}

#[test]
fn a_server_without_reflection_is_told_what_helps() {
    let upstream = Upstream::start();
    let refused = said(&[
        "--listen",
        "127.0.0.1:0",
        "--admin-listen",
        "off",
        "--upstream",
        &upstream.url,
    ]);
    assert_eq!(refused.code, 4, "{}", refused.err);
    for part in [&upstream.url, "UNIMPLEMENTED", "--descriptors FILE"] {
        assert!(refused.err.contains(part), "{part}\n{}", refused.err);
    }
}

#[test]
fn files_are_read_again_on_a_hangup() {
    let path = file("hangup", "echo.binpb", echo("hangup", &[]));
    let upstream = Upstream::start();
    let gateway = Gateway::run(&["--upstream", &upstream.url, "--descriptors", &path]);
    assert!(!has_more(&gateway));
    std::fs::write(&path, echo("hangup", &[MORE])).unwrap();
    gateway.signal("-HUP");
    gateway.line(|line| line["message"] == APPLIED);
    assert!(has_more(&gateway));
}
