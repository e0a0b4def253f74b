//! The upstream, the running binary, and the clients of these tests.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use bytes::{Buf, BufMut, Bytes};
use futures_util::StreamExt;
use http::{HeaderMap, Request, Response};
use http_body::Frame;
use http_body_util::{BodyExt, Full, StreamBody};
use hyper_util::rt::{TokioExecutor, TokioIo};
use millrace_gateway::serve::{ConnectionLimits, listen, serve};
use millrace_gateway::{GrpcService, HttpRequest, HttpService, ResponseBody};
use serde_json::Value;
use tokio::sync::watch;
use tonic::codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder};
use tonic::server::UnaryService;
use tower::ServiceExt;
use tower::util::BoxCloneSyncService;

/// Longer than any test should wait for what has to come.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// A folder for the files of one test.
pub(crate) fn folder(test: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("standalone-{test}"));
    std::fs::create_dir_all(&folder).unwrap();
    folder
}

/// Writes a file of a test and returns its name.
pub(crate) fn file(test: &str, name: &str, text: impl AsRef<[u8]>) -> String {
    let path = folder(test).join(name);
    std::fs::write(&path, text).unwrap();
    path.to_str().unwrap().to_owned()
}

/// The file with the descriptors of `echo.proto`, and of the health service.
pub(crate) fn descriptors() -> &'static str {
    static FILE: OnceLock<String> = OnceLock::new();
    FILE.get_or_init(|| {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let mut compiler = protox::Compiler::new([root.join("tests/standalone"), root.join("../proto")]).unwrap();
        compiler.include_imports(true).include_source_info(true);
        compiler
            .open_files(["echo.proto", "grpc/health/v1/health.proto"])
            .unwrap();
        file("shared", "echo.binpb", compiler.encode_file_descriptor_set())
    })
}

/// The descriptors of `echo.proto` with texts in it replaced.
pub(crate) fn echo(test: &str, changes: &[(&str, &str)]) -> Vec<u8> {
    let text = include_str!("echo.proto").to_owned();
    let text = changes.iter().fold(text, |text, (old, new)| {
        assert!(text.contains(old), "{old}");
        text.replace(old, new)
    });
    file(test, "echo.proto", text);
    let protos = Path::new(env!("CARGO_MANIFEST_DIR")).join("../proto");
    let mut compiler = protox::Compiler::new([folder(test), protos]).unwrap();
    compiler.include_imports(true).include_source_info(true);
    compiler.open_files(["echo.proto"]).unwrap();
    compiler.encode_file_descriptor_set()
}

/// A version of server reflection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reflection {
    V1,
    V1Alpha,
}

impl Reflection {
    fn package(self) -> &'static str {
        match self {
            Self::V1 => "/grpc.reflection.v1.",
            Self::V1Alpha => "/grpc.reflection.v1alpha.",
        }
    }

    fn service(self, descriptors: &[u8]) -> GrpcService {
        let builder = tonic_reflection::server::Builder::configure().register_encoded_file_descriptor_set(descriptors);
        match self {
            Self::V1 => BoxCloneSyncService::new(builder.build_v1().unwrap()),
            Self::V1Alpha => BoxCloneSyncService::new(builder.build_v1alpha().unwrap()),
        }
    }
}

/// Messages as they are on the wire.
#[derive(Default)]
struct Raw;

impl Codec for Raw {
    type Encode = Bytes;
    type Decode = Bytes;
    type Encoder = Self;
    type Decoder = Self;

    fn encoder(&mut self) -> Self {
        Self
    }

    fn decoder(&mut self) -> Self {
        Self
    }
}

impl Encoder for Raw {
    type Item = Bytes;
    type Error = tonic::Status;

    fn encode(&mut self, message: Bytes, to: &mut EncodeBuf<'_>) -> Result<(), tonic::Status> {
        to.put(message);
        Ok(())
    }
}

impl Decoder for Raw {
    type Item = Bytes;
    type Error = tonic::Status;

    fn decode(&mut self, from: &mut DecodeBuf<'_>) -> Result<Option<Bytes>, tonic::Status> {
        Ok(Some(from.copy_to_bytes(from.remaining())))
    }
}

/// Answers with its request; one whose title is `denied` is UNAUTHENTICATED.
struct Echo;

impl UnaryService<Bytes> for Echo {
    type Response = Bytes;
    type Future = std::future::Ready<Result<tonic::Response<Bytes>, tonic::Status>>;

    fn call(&mut self, request: tonic::Request<Bytes>) -> Self::Future {
        let message = request.into_inner();
        std::future::ready(if message.ends_with(b"denied") {
            Err(tonic::Status::unauthenticated("who is it?"))
        } else {
            Ok(tonic::Response::new(message))
        })
    }
}

/// A stream of one empty message that never ends.
fn one_and_no_end() -> Response<tonic::body::Body> {
    let first = futures_util::stream::iter([Ok::<_, tonic::Status>(Frame::data(Bytes::from_static(&[0; 5])))]);
    let body = StreamBody::new(first.chain(futures_util::stream::pending()));
    let mut response = Response::new(tonic::body::Body::new(body));
    let headers = response.headers_mut();
    headers.insert("content-type", http::HeaderValue::from_static("application/grpc"));
    response
}

/// Any free port of this machine.
const ANY_PORT: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 0);

/// A gRPC server that runs until it is dropped.
pub(crate) struct Upstream {
    pub(crate) url: String,
    pub(crate) address: SocketAddr,
    /// Headers of the last call.
    last: Arc<Mutex<HeaderMap>>,
    /// Paths of calls, as they come.
    calls: Mutex<Receiver<String>>,
    stop: watch::Sender<bool>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl Upstream {
    /// One without reflection.
    pub(crate) fn start() -> Self {
        Self::serve(ANY_PORT, None)
    }

    /// One that tells its descriptors.
    pub(crate) fn reflecting(descriptors: &[u8]) -> Self {
        Self::on(ANY_PORT, descriptors)
    }

    /// The same on an address that was another's before.
    pub(crate) fn on(address: SocketAddr, descriptors: &[u8]) -> Self {
        Self::serve(address, Some((Reflection::V1, descriptors)))
    }

    /// A header of the last call.
    pub(crate) fn last_header(&self, name: &str) -> Option<String> {
        let last = self.last.lock().unwrap();
        last.get(name).map(|value| value.to_str().unwrap().to_owned())
    }

    /// Waits until as many calls of an RPC have come.
    pub(crate) fn awaits(&self, rpc: &str, calls: usize) {
        let paths = self.calls.lock().unwrap();
        for _ in 0..calls {
            while !paths.recv_timeout(PATIENCE).expect("a call comes").ends_with(rpc) {}
        }
    }

    /// Stops it and puts another in its place.
    pub(crate) fn replaced(self, descriptors: &[u8]) -> Self {
        let address = self.address;
        drop(self);
        Self::on(address, descriptors)
    }

    pub(crate) fn serve(address: SocketAddr, reflection: Option<(Reflection, &[u8])>) -> Self {
        let reflection = reflection.map(|(version, descriptors)| (version.package(), version.service(descriptors)));
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        let listener = runtime.block_on(async { listen(address).unwrap() });
        let address = listener.local_addr().unwrap();
        let url = format!("http://{address}");
        let (stop, stopping) = watch::channel(false);
        let last = Arc::<Mutex<HeaderMap>>::default();
        let noted = last.clone();
        let (told, calls) = channel();
        let thread = std::thread::spawn(move || {
            let service = HttpService::from_fn(move |request: HttpRequest| {
                let reflection = reflection.clone();
                *noted.lock().unwrap() = request.headers().clone();
                let _ = told.send(request.uri().path().to_owned());
                async move {
                    let path = request.uri().path();
                    if path.ends_with("/Hang") {
                        std::future::pending::<()>().await;
                    }
                    let answer: Response<tonic::body::Body> = match reflection {
                        Some((package, service)) if path.starts_with(package) => {
                            service.oneshot(request.map(tonic::body::Body::new)).await.unwrap()
                        }
                        _ if path.ends_with("/Watch") => one_and_no_end(),
                        _ if path.starts_with("/grpc.reflection.") => tonic::Status::unimplemented("").into_http(),
                        _ => tonic::server::Grpc::new(Raw).unary(Echo, request).await,
                    };
                    answer.map(|body| ResponseBody::stream(body.map_err(Into::into)))
                }
            });
            let limits = ConnectionLimits {
                connections: 100,
                connections_per_ip: 100,
                streams: 100,
                first_request: PATIENCE,
                idle: PATIENCE,
                unread: PATIENCE,
            };
            runtime.block_on(serve(listener, service, limits, stopping, Duration::from_secs(1)));
        });
        Self {
            url,
            address,
            last,
            calls: Mutex::new(calls),
            stop,
            thread: Some(thread),
        }
    }
}

impl Drop for Upstream {
    fn drop(&mut self) {
        let _ = self.stop.send(true);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// The binary, without what the environment of the tests says to it.
pub(crate) fn binary(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_millrace-gateway"));
    for (name, _) in std::env::vars_os() {
        if name.to_str().is_some_and(|name| name.starts_with("MILLRACE_")) {
            command.env_remove(name);
        }
    }
    command.args(arguments).stdin(Stdio::null());
    command
}

/// What a command that ends has said.
pub(crate) struct Said {
    pub(crate) code: i32,
    pub(crate) out: String,
    pub(crate) err: String,
}

/// Runs a command to its end.
pub(crate) fn said(arguments: &[&str]) -> Said {
    let Output { status, stdout, stderr } = binary(arguments).output().unwrap();
    Said {
        code: status.code().unwrap(),
        out: String::from_utf8(stdout).unwrap(),
        err: String::from_utf8(stderr).unwrap(),
    }
}

/// The binary while it serves.
pub(crate) struct Gateway {
    child: Child,
    lines: Receiver<Value>,
    pub(crate) address: SocketAddr,
    pub(crate) admin: Option<SocketAddr>,
    /// What it said when it began to serve.
    pub(crate) serves: Value,
    /// What it said before.
    pub(crate) before: Vec<Value>,
}

impl Gateway {
    /// Starts it on free ports before an upstream whose descriptors are a file.
    pub(crate) fn start(upstream: &Upstream, arguments: &[&str]) -> Self {
        Self::run(
            &[
                &["--upstream", &upstream.url, "--descriptors", descriptors()],
                arguments,
            ]
            .concat(),
        )
    }

    /// Starts it on free ports.
    pub(crate) fn run(arguments: &[&str]) -> Self {
        Self::spawned(binary(&Self::on_free_ports(arguments)))
    }

    /// Starts it before an upstream whose descriptors are a file, under what a shell's `ulimit` sets.
    pub(crate) fn limited(ulimit: &str, upstream: &Upstream, arguments: &[&str]) -> Self {
        let upstream = ["--upstream", &upstream.url, "--descriptors", descriptors()];
        let gateway = binary(&Self::on_free_ports(&[&upstream, arguments].concat()));
        let mut shell = Command::new("sh");
        shell.args(["-c", &format!("ulimit {ulimit} && exec \"$0\" \"$@\"")]);
        shell.arg(gateway.get_program()).args(gateway.get_args());
        for (name, _) in gateway.get_envs() {
            shell.env_remove(name);
        }
        shell.stdin(Stdio::null());
        Self::spawned(shell)
    }

    fn on_free_ports<'a>(arguments: &[&'a str]) -> Vec<&'a str> {
        [&["--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0"], arguments].concat()
    }

    fn spawned(mut command: Command) -> Self {
        let mut child = command.stderr(Stdio::piped()).spawn().unwrap();
        let stderr = BufReader::new(child.stderr.take().unwrap());
        let (sender, lines) = channel();
        std::thread::spawn(move || {
            for line in stderr.lines().map_while(Result::ok) {
                // What is no log line is shown by the test that fails.
                match serde_json::from_str(&line) {
                    Ok(line) => drop(sender.send(line)),
                    Err(_) => eprintln!("{line}"),
                }
            }
        });
        let mut gateway = Self {
            child,
            lines,
            address: SocketAddr::from(([0, 0, 0, 0], 0)),
            admin: None,
            serves: Value::Null,
            before: Vec::new(),
        };
        let mut before = Vec::new();
        let serves = gateway.line(|line| {
            before.push(line.clone());
            line["message"] == "the gateway serves"
        });
        before.pop();
        gateway.before = before;
        gateway.address = serves["listen"].as_str().unwrap().parse().unwrap();
        gateway.admin = serves["admin_listen"].as_str().unwrap().parse().ok();
        gateway.serves = serves;
        gateway
    }

    /// The next log line that is wanted.
    pub(crate) fn line(&self, mut wanted: impl FnMut(&Value) -> bool) -> Value {
        loop {
            let line = self.lines.recv_timeout(PATIENCE).expect("the line comes");
            if wanted(&line) {
                return line;
            }
        }
    }

    pub(crate) fn get(&self, path: &str) -> Answer {
        Answer::to(self.address, "GET", path, "")
    }

    pub(crate) fn post(&self, path: &str, body: &str) -> Answer {
        Answer::to(self.address, "POST", path, body)
    }

    /// What `/readiness` answers.
    pub(crate) fn readiness(&self) -> Answer {
        Answer::to(self.admin.unwrap(), "GET", "/readiness", "")
    }

    /// Of the process.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    pub(crate) fn signal(&self, signal: &str) {
        let killed = Command::new("kill")
            .args([signal, &self.child.id().to_string()])
            .status()
            .unwrap();
        assert!(killed.success());
    }

    /// Sends SIGTERM and waits for the end; returns the exit code.
    pub(crate) fn terminate(&mut self) -> i32 {
        self.signal("-TERM");
        self.child.wait().unwrap().code().unwrap()
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A whole HTTP/1.1 answer.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: String,
}

impl Answer {
    /// Asks in clear.
    pub(crate) fn to(address: SocketAddr, method: &str, path: &str, body: &str) -> Self {
        Self::over(TcpStream::connect(address).unwrap(), method, path, body)
    }

    /// Asks for a path with a header more.
    pub(crate) fn with_header(address: SocketAddr, path: &str, header: &str) -> Self {
        Self::asked(TcpStream::connect(address).unwrap(), &format!("GET {path}"), header, "")
    }

    /// Asks over a stream.
    pub(crate) fn over(stream: impl Read + Write, method: &str, path: &str, body: &str) -> Self {
        Self::asked(
            stream,
            &format!("{method} {path}"),
            "content-type: application/json",
            body,
        )
    }

    fn asked(mut stream: impl Read + Write, what: &str, header: &str, body: &str) -> Self {
        let length = body.len();
        let request = format!(
            "{what} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n{header}\r\ncontent-length: {length}\r\n\
             \r\n{body}"
        );
        stream.write_all(request.as_bytes()).unwrap();
        let mut text = String::new();
        stream.read_to_string(&mut text).unwrap();
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        Self {
            status: head.split(' ').nth(1).unwrap().parse().unwrap(),
            head: head.to_ascii_lowercase(),
            body: body.trim_end().to_owned(),
        }
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap()
    }
}

/// Calls an RPC with an empty message and returns its gRPC status.
pub(crate) fn grpc_status(address: SocketAddr, path: &str) -> String {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        let stream = tokio::net::TcpStream::connect(address).await.unwrap();
        let (mut sender, connection) =
            hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(stream))
                .await
                .unwrap();
        tokio::spawn(connection);
        let request = Request::post(format!("http://localhost{path}"))
            .header("content-type", "application/grpc")
            .header("te", "trailers")
            .body(Full::new(Bytes::from_static(&[0; 5])))
            .unwrap();
        let response = sender.send_request(request).await.unwrap();
        let head = response.headers().get("grpc-status").cloned();
        let body = response.into_body().collect().await.unwrap();
        let trailers = body
            .trailers()
            .and_then(|trailers| trailers.get("grpc-status").cloned());
        head.or(trailers).unwrap().to_str().unwrap().to_owned()
    })
}
