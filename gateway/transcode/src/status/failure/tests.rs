//! Failures as bodies: what is said, what is left out, and within which bounds.

use super::*;
use crate::fixture::load;

fn text(bytes: Vec<u8>) -> String {
    String::from_utf8(bytes).unwrap()
}

#[test]
fn plain_bodies() {
    let schema = load(vec![]).unwrap();
    let failure = Failure::new(5, "Shelf 100 Not Found");
    assert_eq!(failure.http_status(&schema), 404);
    assert_eq!(
        text(failure.status_json(&schema)),
        r#"{"code":5,"message":"Shelf 100 Not Found","details":[]}"#
    );
    assert_eq!(
        text(failure.problem_json(&schema, "req-1")),
        r#"{"type":"about:blank","title":"Not found","status":404,"detail":"Shelf 100 Not Found","instance":"req-1","code":"NOT_FOUND"}"#
    );
    let refusal = Failure::refusal(405, "no");
    assert_eq!((refusal.code, refusal.http_status(&schema)), (12, 405));
}

#[test]
fn a_reason_may_have_its_own_status() {
    let schema = load(vec![]).unwrap();
    for (domain, reason, expected) in [
        ("shapes", "KEY_REUSED", 422),
        ("shapes", "BUSY", 400),
        ("else", "KEY_REUSED", 400),
        ("shapes", "NOPE", 400),
    ] {
        let failure = Failure::new(3, "m").with_reason(domain, reason);
        assert_eq!(failure.http_status(&schema), expected, "{domain} {reason}");
        assert_eq!(failure.reason(), Some((domain.to_owned(), reason.to_owned())));
    }
}

#[test]
fn details_are_written_out() {
    let schema = load(vec![]).unwrap();
    let detail = |name: &str, value: &[u8]| Detail {
        type_url: format!("type.googleapis.com/{name}"),
        value: value.to_vec(),
    };
    let mut failure = Failure::new(3, "m")
        .with_reason("shapes", "BUSY")
        .with_violations(&[("a.b".to_owned(), "is bad".to_owned())]);
    failure.details.extend([
        detail("google.rpc.RetryInfo", &[0x0a, 0x05, 0x08, 0x01, 0x10, 0x80, 0x01]),
        detail("google.protobuf.Duration", &[0x08, 0x02]),
        detail("google.rpc.DebugInfo", &[0x12, 0x01, b's']),
        detail("nobody.Knows", &[1, 2, 3]),
        detail("shapes.v1.Shelf", &[0xff]),
    ]);
    assert_eq!(failure.retry_delay(), Some(Duration::new(1, 128)));
    let expected = [
        r#"{"@type":"type.googleapis.com/google.rpc.ErrorInfo","reason":"BUSY","domain":"shapes"}"#,
        r#"{"@type":"type.googleapis.com/google.rpc.BadRequest","fieldViolations":[{"field":"a.b","description":"is bad"}]}"#,
        r#"{"@type":"type.googleapis.com/google.rpc.RetryInfo","retryDelay":"1.000000128s"}"#,
        r#"{"@type":"type.googleapis.com/google.protobuf.Duration","value":"2s"}"#,
        r#"{"@type":"type.googleapis.com/nobody.Knows","value":"AQID"}"#,
        r#"{"@type":"type.googleapis.com/shapes.v1.Shelf","value":"/w=="}"#,
    ];
    let body = text(failure.status_json(&schema));
    let parsed: Value = serde_json::from_str(&body).unwrap();
    let found: Vec<_> = parsed["details"]
        .as_array()
        .unwrap()
        .iter()
        .map(Value::to_string)
        .collect();
    assert_eq!(found, expected);
    let problem = text(failure.problem_json(&schema, ""));
    let end = r#""code":"INVALID_ARGUMENT","reason":"BUSY","domain":"shapes","violations":[{"field":"a.b","description":"is bad"}]}"#;
    assert!(problem.ends_with(end), "{problem}");
}

#[test]
fn details_survive_the_wire_or_are_left_out() {
    let status = RpcStatus {
        code: 3,
        message: "m".to_owned(),
        details: Failure::new(3, "").with_reason("d", "R").details,
    };
    let (failure, malformed) = Failure::from_grpc(3, "m", &status.encode_to_vec());
    assert_eq!(
        (failure.reason(), malformed),
        (Some(("d".to_owned(), "R".to_owned())), false)
    );
    let (failure, malformed) = Failure::from_grpc(3, "m", b"\xff");
    assert_eq!((failure, malformed), (Failure::new(3, "m"), true));
}

#[test]
fn details_are_bounded() {
    let schema = load(vec![]).unwrap();
    let violations: Vec<_> = (0..25).map(|number| (format!("f{number}"), "bad".to_owned())).collect();
    let body = text(Failure::new(3, "m").with_violations(&violations).status_json(&schema));
    assert!(
        body.contains("f19") && !body.contains("f20") && body.contains("m (and 5 more violations)"),
        "{body}"
    );

    let long: Vec<_> = (0..10)
        .map(|number| (format!("f{number}"), "x".repeat(1_000)))
        .collect();
    let body = text(Failure::new(3, "m").with_violations(&long).status_json(&schema));
    assert!(body.len() < 5_000 && body.contains("(and 6 more violations)"), "{body}");

    let mut failure = Failure::new(3, "m");
    failure.details.push(Detail {
        type_url: "a/nobody.Knows".to_owned(),
        value: vec![0; 5_000],
    });
    let body = text(failure.with_reason("d", "R").status_json(&schema));
    assert!(
        body.contains("(and 1 more details)") && body.contains("\"R\""),
        "{body}"
    );
}
