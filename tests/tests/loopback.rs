//! `dev` is for this machine: no other host name, no foreign page.

use http::Method;
use millrace_tests::platform::TestPlatform;

#[tokio::test]
async fn dev_answers_to_loopback_names_only() {
    let platform = TestPlatform::dev().await;
    let rest = millrace_tests::rest::Rest::new(platform.public);
    for (host, status) in [
        ("localhost", 200),
        ("127.0.0.1:1", 200),
        ("[::1]:8080", 200),
        ("evil.example", 421),
        ("localhost.evil.example", 421),
        ("127.0.0.1.evil.example:8080", 421),
    ] {
        let reply = rest.send(Method::GET, "/v1/products", &[("host", host)], "").await;
        assert_eq!(reply.status.as_u16(), status, "host {host}");
    }
    // A page of another loopback origin may call, another page may not.
    for (origin, allowed) in [
        ("http://localhost:3000", true),
        ("http://127.0.0.1:5173", true),
        ("https://evil.example", false),
        ("null", false),
    ] {
        let headers = [("origin", origin), ("access-control-request-method", "POST")];
        let reply = rest.send(Method::OPTIONS, "/v1/users", &headers, "").await;
        assert_eq!(
            reply.header("access-control-allow-origin") == origin,
            allowed,
            "origin {origin}: {:?}",
            reply.headers
        );
    }
}
