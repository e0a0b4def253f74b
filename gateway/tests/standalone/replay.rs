//! `check --replay`: recorded traffic against the rules.

use crate::support::{Gateway, Upstream, descriptors, file, said};

#[test]
fn what_would_be_refused_is_counted_by_rule() {
    let log = r#"
1.2.3.4 - - [10/Oct/2026:13:55:36 +0000] "GET /v1/items/7?utm_source=m HTTP/1.1" 200 10 "-" "curl"
1.2.3.4 - - [10/Oct/2026:13:55:36 +0000] "GET /v1/items/7?colour=red&size=1 HTTP/1.1" 200 10 "-" "curl"
1.2.3.4 - - [10/Oct/2026:13:55:36 +0000] "GET /v1/items/8?colour=blue HTTP/1.1" 200 10 "-" "curl"
1.2.3.4 - - [10/Oct/2026:13:55:36 +0000] "GET /v1/items/7x HTTP/1.1" 400 10
1.2.3.4 - - [10/Oct/2026:13:55:36 +0000] "GET /v1/items/7y HTTP/1.1" 400 10
1.2.3.4 - - [10/Oct/2026:13:55:36 +0000] "DELETE /v1/items/7 HTTP/1.1" 200 10
1.2.3.4 - - [10/Oct/2026:13:55:36 +0000] "POST /v1/items?title=x HTTP/1.1" 200 10
1.2.3.4 - - [10/Oct/2026:13:55:36 +0000] "GET /v9/nothing/here HTTP/1.1" 404 10
1.2.3.4 - - [10/Oct/2026:13:55:36 +0000] "OPTIONS /v1/items HTTP/1.1" 204 0
1.2.3.4 - - [10/Oct/2026:13:55:36 +0000] "POST /echo.v1.Echo/Hidden HTTP/2.0" 200 10
nonsense
"#;
    let log = file("replay", "access.log", log);
    let said = said(&["check", "--descriptors", descriptors(), "--replay", &log]);
    assert_eq!(said.code, 1, "{}", said.err);
    let lines: Vec<_> = said.out.lines().map(str::trim).collect();
    for part in [
        "2  query.ignore or query.unknown",
        "unknown query parameter \"colour\"",
        "unknown query parameter \"size\"",
        "2  no setting",
        "query.with_body",
        "DELETE where GET",
        "nothing is bound for GET /v9/nothing/…",
    ] {
        assert!(lines.iter().any(|line| line.contains(part)), "{part}\n{}", said.out);
    }
    assert!(
        said.out
            .contains("7 of 8 calls would be refused, 4 of which had been answered with success"),
        "{}",
        said.out
    );
    assert!(
        said.out.contains("3 lines are about other things, 1 cannot be read"),
        "{}",
        said.out
    );
}

#[test]
fn the_gateways_own_log_is_read() {
    let upstream = Upstream::start();
    let gateway = Gateway::start(&upstream, &[]);
    gateway.get("/v1/items/7");
    let line = gateway.line(|line| line["target"] == "millrace::call");
    let log = file("replay_own", "gateway.log", format!("{line}\n"));
    let said = said(&["check", "--descriptors", descriptors(), "--replay", &log]);
    assert_eq!(said.code, 0, "{}{}", said.out, said.err);
    assert!(said.out.starts_with("0 of 1 calls would be refused"), "{}", said.out);
}

#[test]
fn a_recorded_path_says_nothing_to_the_terminal() {
    let line = r#"{"method":"GET","path":"/nowhere/\u001b]0;pwn\u0007","status":404}"#;
    let log = file("replay_escapes", "access.log", format!("{line}\n"));
    let said = said(&["check", "--descriptors", descriptors(), "--replay", &log]);
    assert!(said.out.contains("/nowhere/\u{fffd}]0;pwn\u{fffd}"), "{}", said.out);
    assert!(!said.out.contains('\u{1b}'), "{}", said.out);
}
