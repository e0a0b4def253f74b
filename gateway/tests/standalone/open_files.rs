//! Callers who hold connections take no open files from the probes and the upstreams, and none who holds its share keeps
//! others out.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};

use tokio::net::TcpSocket;

use crate::support::{Answer, Gateway, Upstream, file};

/// Asks over a connection that stays, and returns the status; `None` if it was closed.
fn ask(stream: &mut TcpStream, path: &str) -> Option<u16> {
    let request = format!("GET {path} HTTP/1.1\r\nhost: localhost\r\n\r\n");
    stream.write_all(request.as_bytes()).ok()?;
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        (stream.read(&mut byte).ok()? == 1).then(|| head.push(byte[0]))?;
    }
    let head = String::from_utf8(head).unwrap().to_ascii_lowercase();
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
    let mut body = vec![0; length?.parse().unwrap()];
    stream.read_exact(&mut body).ok()?;
    head.split(' ').nth(1)?.parse().ok()
}

/// Connections of this peer that were answered once and stay, of so many tried.
fn held(address: SocketAddr, path: &str, tried: usize) -> Vec<TcpStream> {
    let tried = (0..tried).map(|_| TcpStream::connect(address).unwrap());
    tried
        .filter_map(|mut stream| ask(&mut stream, path).map(|_| stream))
        .collect()
}

/// A connection from another address of this machine.
fn of_neighbour(address: SocketAddr) -> TcpStream {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind("127.0.0.2:0".parse().unwrap()).unwrap();
        let stream = socket.connect(address).await.unwrap().into_std().unwrap();
        stream.set_nonblocking(false).unwrap();
        stream
    })
}

#[test]
fn idle_connections_leave_files_for_probes_and_upstreams() {
    let config = file("files", "gateway.toml", "limits.connections_per_ip = 4096\n");
    let upstream = Upstream::start();
    let gateway = Gateway::limited("-n 256", &upstream, &["--config", &config]);
    let told = gateway.before.iter().find(|line| line["open_files"] == 256).unwrap();
    assert_eq!(
        (&told["level"], &told["limits.connections"]),
        (&"WARN".into(), &4_096.into())
    );
    let served = usize::try_from(told["served"].as_u64().unwrap()).unwrap();

    let mut first = TcpStream::connect(gateway.address).unwrap();
    assert_eq!(ask(&mut first, "/v1/items/7"), Some(200));
    let idle = held(gateway.address, "/v1/items/7", 400);
    assert_eq!(idle.len() + 1, served, "a caller takes all places");
    let admin = held(gateway.admin.unwrap(), "/health", 100);
    assert_eq!(
        Answer::over(of_neighbour(gateway.admin.unwrap()), "GET", "/readiness", "").status,
        200
    );
    assert_eq!(ask(&mut first, "/v1/items/7"), Some(200));
    // A call waits for the new connection; how soon the gateway tries is not ours to say.
    let address = upstream.address;
    drop(upstream);
    let _upstream = Upstream::serve(address, None);
    assert!(
        (0..60).any(|_| ask(&mut first, "/v1/items/7") == Some(200)),
        "the upstream is reached anew"
    );
    drop((idle, admin));
}

#[test]
fn the_limit_of_open_files_is_raised() {
    let upstream = Upstream::start();
    let gateway = Gateway::limited("-Sn 256", &upstream, &[]);
    let limits = std::fs::read_to_string(format!("/proc/{}/limits", gateway.id())).unwrap();
    let files = limits
        .lines()
        .find_map(|line| line.strip_prefix("Max open files"))
        .unwrap();
    let files: Vec<_> = files.split_whitespace().collect();
    assert_eq!(files[0], files[1], "soft and hard");
    assert_ne!(files[0], "256");
}

#[test]
fn one_neighbour_does_not_keep_others_from_the_probes() {
    let upstream = Upstream::start();
    let gateway = Gateway::start(&upstream, &[]);
    let admin = gateway.admin.unwrap();
    let idle = held(admin, "/health", 200);
    assert!((2..=32).contains(&idle.len()), "{}", idle.len());
    let answer = Answer::over(of_neighbour(admin), "GET", "/readiness", "");
    assert_eq!(answer.status, 200, "{}", answer.body);
}
