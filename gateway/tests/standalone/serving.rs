//! `run`: what is served, what is told, and how it ends.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;

use rustls::pki_types::ServerName;

use crate::support::{Answer, Gateway, Upstream, descriptors, echo, file, grpc_status, said};

#[test]
fn rest_before_a_server() {
    let upstream = Upstream::start();
    let mut gateway = Gateway::start(&upstream, &[]);
    let answer = gateway.get("/v1/items/7?title=a%20b&utm_source=mail");
    assert_eq!(
        (answer.status, answer.body.as_str()),
        (200, r#"{"itemId":"7","title":"a b"}"#)
    );
    // What the call is told apart by, and where it came from, goes in.
    let id = upstream.last_header("x-request-id").unwrap();
    assert!(
        answer.head.contains(&format!("x-request-id: {id}\r\n")),
        "{}",
        answer.head
    );
    assert_eq!(upstream.last_header("x-forwarded-for").as_deref(), Some("127.0.0.1"));
    assert!(upstream.last_header("traceparent").unwrap().starts_with("00-"));
    // One line a call.
    let line = gateway.line(|line| line["target"] == "millrace::call");
    assert_eq!(line["rpc.method"], "echo.v1.Echo/Get");
    assert_eq!((&line["http.status"], &line["door"]), (&200.into(), &"rest".into()));

    let answer = gateway.post("/v1/items", r#"{"itemId": 9}"#);
    assert_eq!(answer.json()["itemId"], "9");
    let answer = gateway.get("/v1/items/7?colour=red");
    assert_eq!(answer.status, 400);
    assert!(answer.body.contains("colour"), "{}", answer.body);

    let document = gateway.get("/openapi.json");
    assert!(
        document.json()["paths"]["/v1/items/{item_id}"].is_object(),
        "{}",
        document.body
    );
    let yaml = gateway.get("/openapi.yaml");
    assert!(yaml.head.contains("content-type: application/yaml"), "{}", yaml.head);
    let read: serde_json::Value = serde_saphyr::from_str(&yaml.body).unwrap();
    assert_eq!(read, document.json());

    let admin = gateway.admin.unwrap();
    let ready = Answer::to(admin, "GET", "/readiness", "");
    assert_eq!(ready.status, 200, "{}", ready.body);
    assert_eq!(ready.json()["upstreams"][0]["name"], upstream.url);
    assert_eq!(ready.json()["upstreams"][0]["state"], "up");
    assert_eq!(Answer::to(admin, "GET", "/health", "").status, 200);
    assert!(
        Answer::to(admin, "GET", "/metrics", "")
            .body
            .contains("echo.v1.Echo/Get")
    );

    assert_eq!(gateway.terminate(), 0);
    gateway.line(|line| line["message"] == "stopped");
}

#[test]
fn a_server_that_is_gone_is_told() {
    let upstream = Upstream::start();
    let gateway = Gateway::start(&upstream, &[]);
    drop(upstream);
    let answer = gateway.get("/v1/items/7");
    assert_eq!(answer.status, 503, "{}", answer.body);
}

#[test]
fn a_stream_that_is_open_at_the_end_of_a_drain_has_a_last_word() {
    let descriptors = echo(
        "drain",
        &[(
            "rpc Hidden(Item) returns (Item);",
            "rpc Watch(Item) returns (stream Item) { option (google.api.http) = {get: \"/v1/watch\"}; }",
        )],
    );
    let descriptors = file("drain", "watch.binpb", descriptors);
    let config = file("drain", "gateway.toml", "[limits]\ndrain_ms = 4000\n");
    let upstream = Upstream::start();
    let mut gateway = Gateway::run(&[
        "--upstream",
        &upstream.url,
        "--descriptors",
        &descriptors,
        "--config",
        &config,
    ]);
    let mut stream = TcpStream::connect(gateway.address).unwrap();
    let request = "GET /v1/watch HTTP/1.1\r\nhost: localhost\r\naccept: application/x-ndjson\r\n\r\n";
    stream.write_all(request.as_bytes()).unwrap();
    let mut lines = BufReader::new(stream).lines().map(Result::unwrap);
    assert!(lines.any(|line| line.contains("\"itemId\":\"0\"")), "the first item");
    assert_eq!(gateway.terminate(), 0);
    let rest: Vec<_> = lines.collect();
    let said = rest
        .iter()
        .any(|line| line.starts_with("{\"error\":") && line.contains("STREAM_CUT"));
    // The end of a chunked body: it was not broken off.
    let is_whole = rest
        .iter()
        .rev()
        .find(|line| !line.is_empty())
        .is_some_and(|line| line == "0");
    assert!(said && is_whole, "{rest:?}");
}

#[test]
fn a_call_that_hangs_until_the_end_of_a_drain_is_told_before_the_cut() {
    let descriptors = echo(
        "hang",
        &[(
            "rpc Hidden(Item) returns (Item);",
            "rpc Hang(Item) returns (Item) { option (google.api.http) = {get: \"/v1/hang\"}; }",
        )],
    );
    let descriptors = file("hang", "hang.binpb", descriptors);
    let config = file("hang", "gateway.toml", "[limits]\ndrain_ms = 4000\n");
    let upstream = Upstream::start();
    let mut gateway = Gateway::run(&[
        "--upstream",
        &upstream.url,
        "--descriptors",
        &descriptors,
        "--config",
        &config,
    ]);
    let address = gateway.address;
    let rest = std::thread::spawn(move || {
        let mut stream = TcpStream::connect(address).unwrap();
        // The connection would be kept.
        stream
            .write_all(b"GET /v1/hang HTTP/1.1\r\nhost: localhost\r\n\r\n")
            .unwrap();
        std::io::read_to_string(stream).unwrap()
    });
    let web = std::thread::spawn(move || {
        let mut stream = TcpStream::connect(address).unwrap();
        let head = "POST /echo.v1.Echo/Hang HTTP/1.1\r\nhost: localhost\r\ncontent-length: 5\r\n\
                    content-type: application/grpc-web+proto\r\n\r\n";
        stream.write_all(&[head.as_bytes(), &[0; 5]].concat()).unwrap();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).unwrap();
        String::from_utf8_lossy(&answer).to_ascii_lowercase()
    });
    let grpc = std::thread::spawn(move || grpc_status(address, "/echo.v1.Echo/Hang"));
    upstream.awaits("/Hang", 3);
    assert_eq!(gateway.terminate(), 0);

    let rest = rest.join().unwrap();
    assert!(rest.starts_with("HTTP/1.1 503"), "{rest}");
    assert!(rest.contains("connection: close\r\n"), "{rest}");
    assert!(
        rest.contains("\"code\":14,") && rest.contains("GATEWAY_STOPPING"),
        "{rest}"
    );
    let web = web.join().unwrap();
    let status = web.contains("grpc-status:14") || web.contains("grpc-status: 14");
    assert!(web.starts_with("http/1.1 200") && status, "{web}");
    assert_eq!(grpc.join().unwrap(), "14");
}

#[test]
fn text_that_is_no_base64_is_the_callers_fault() {
    let upstream = Upstream::start();
    let gateway = Gateway::start(&upstream, &[]);
    for body in ["!!!!", "AAAAAAA=!!!!", "AAA"] {
        let mut stream = TcpStream::connect(gateway.address).unwrap();
        let head = format!(
            "POST /echo.v1.Echo/Get HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\ncontent-length: {}\r\n\
             accept: application/grpc-web\r\ncontent-type: application/grpc-web-text\r\n\r\n{body}",
            body.len()
        );
        stream.write_all(head.as_bytes()).unwrap();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).unwrap();
        let answer = String::from_utf8_lossy(&answer).to_ascii_lowercase();
        assert!(
            answer.contains("grpc-status: 3") || answer.contains("grpc-status:3"),
            "{answer}"
        );
        assert!(
            answer.contains("base64") && !answer.contains("tonic") && !answer.contains("symbol"),
            "{answer}"
        );
    }
}

#[test]
fn a_taken_port_is_said_at_once() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let upstream = ["--upstream", "http://127.0.0.1:1", "--descriptors", descriptors()];
    for (flags, remedy) in [
        (
            ["--listen", &address, "--admin-listen", "off"],
            "another address with --listen",
        ),
        (
            ["--listen", "127.0.0.1:0", "--admin-listen", &address],
            "--admin-listen, or `off`",
        ),
    ] {
        let said = said(&[&upstream[..], &flags[..]].concat());
        assert_eq!(said.code, 4, "{}", said.err);
        assert!(said.err.contains(&address) && said.err.contains(remedy), "{}", said.err);
    }
}

#[test]
fn tls_with_both_protocols() {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let cert = file("tls", "cert.pem", made.cert.pem());
    let key = file("tls", "key.pem", made.signing_key.serialize_pem());
    let config = file(
        "tls",
        "gateway.toml",
        format!("[tls]\ncert_file = {cert:?}\nkey_file = {key:?}\n"),
    );
    let upstream = Upstream::start();
    let gateway = Gateway::start(&upstream, &["--config", &config]);

    let mut roots = rustls::RootCertStore::empty();
    roots.add(made.cert.der().clone()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let client = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    for (offered, chosen) in [("http/1.1", "http/1.1"), ("h2", "h2")] {
        let mut client = client.clone();
        client.alpn_protocols = vec![offered.as_bytes().to_vec()];
        let name = ServerName::try_from("localhost").unwrap();
        let mut session = rustls::ClientConnection::new(Arc::new(client), name).unwrap();
        let mut socket = std::net::TcpStream::connect(gateway.address).unwrap();
        while session.is_handshaking() {
            session.complete_io(&mut socket).unwrap();
        }
        assert_eq!(session.alpn_protocol(), Some(chosen.as_bytes()));
        if chosen == "http/1.1" {
            let answer = Answer::over(rustls::Stream::new(&mut session, &mut socket), "GET", "/v1/items/7", "");
            assert_eq!(answer.status, 200, "{}", answer.body);
        }
    }
}
