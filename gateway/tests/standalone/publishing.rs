//! What of a server is published, by which door.

use crate::support::{Gateway, Upstream, file, grpc_status};

const GET: &str = "/echo.v1.Echo/Get";
const HIDDEN: &str = "/echo.v1.Echo/Hidden";
const HEALTH: &str = "/grpc.health.v1.Health/Check";

#[test]
fn grpc_is_served_as_the_setting_says() {
    let upstream = Upstream::start();
    // OK is 0, UNIMPLEMENTED is 12.
    for (config, expected) in [
        ("", ["0", "12", "12"]),
        ("grpc = \"all\"", ["0", "0", "12"]),
        ("grpc = \"off\"", ["12", "12", "12"]),
        ("grpc_also = [\"grpc.health.v1.Health\"]", ["0", "12", "0"]),
        (
            "grpc = \"off\"\ngrpc_also = [\"grpc.health.v1.Health\"]",
            ["12", "12", "0"],
        ),
    ] {
        let config = file("publishing", "gateway.toml", config);
        let gateway = Gateway::start(&upstream, &["--config", &config]);
        let found = [GET, HIDDEN, HEALTH].map(|path| grpc_status(gateway.address, path));
        assert_eq!(found, expected, "{}", std::fs::read_to_string(&config).unwrap());
        // What is not there is answered like what is hidden, and REST is not touched.
        assert_eq!(grpc_status(gateway.address, "/echo.v1.Echo/Nothing"), "12");
        assert_eq!(gateway.get("/v1/items/7").status, 200);
    }
}

#[test]
fn rpcs_without_a_rule_by_their_names() {
    let upstream = Upstream::start();
    let gateway = Gateway::start(&upstream, &[]);
    assert_eq!(gateway.post(HIDDEN, "{}").status, 404);
    drop(gateway);
    let config = file("rpc_paths", "gateway.toml", "rpc_paths = true\n");
    let gateway = Gateway::start(&upstream, &["--config", &config]);
    let answer = gateway.post(HIDDEN, r#"{"title":"t"}"#);
    assert_eq!(
        (answer.status, answer.json()["title"].as_str()),
        (200, Some("t")),
        "{}",
        answer.body
    );
    // The rule stays the only way to what has one, and health is not the server's own.
    assert_eq!(gateway.post(GET, "{}").status, 404);
    assert_eq!(gateway.post(HEALTH, "{}").status, 404);
}
