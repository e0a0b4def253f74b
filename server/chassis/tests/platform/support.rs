//! A platform with the shop mounted, and a raw gRPC client.

use std::collections::HashMap;
use std::convert::Infallible;
use std::future::Future;
use std::net::SocketAddr;
use std::path::Path;
use std::pin::Pin;
use std::sync::{Arc, LazyLock, Mutex, OnceLock};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::{BufMut, Bytes, BytesMut};
use futures_util::{StreamExt, stream};
use http::{HeaderMap, HeaderValue, Request, Response};
use http_body::Frame;
use http_body_util::{BodyExt, Full, StreamBody};
use hyper::client::conn::http2;
use hyper_util::rt::{TokioExecutor, TokioIo};
use millrace_chassis::caller::Authenticator;
use millrace_chassis::clock::Clock;
use millrace_chassis::config::Database;
use millrace_chassis::id::Ids;
use millrace_chassis::local::LocalChannel;
use millrace_chassis::page::PageTokens;
use millrace_chassis::shard::{Shards, StoreError, UserId, UserScope};
use millrace_chassis::{Caller, Chassis, Module, Options, Platform, Running, StartError};
use prost::Message;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::Semaphore;
use tonic::Status;
use tonic::body::Body;
use tonic::server::NamedService;
use tower::{Service, ServiceExt};

pub(crate) const ALICE: i64 = 7;
pub(crate) const BOB: i64 = 8;
pub(crate) const ADMIN: i64 = 9;
pub(crate) const PROTO: &str = include_str!("shop.proto");

#[derive(Clone, PartialEq, Message)]
pub(crate) struct Named {
    #[prost(string, tag = "1")]
    pub(crate) name: String,
    #[prost(message, optional, tag = "2")]
    pub(crate) person: Option<Person>,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct Person {
    #[prost(string, tag = "1")]
    pub(crate) name: String,
}

pub(crate) fn named(name: &str) -> Named {
    Named {
        name: name.to_owned(),
        person: None,
    }
}

/// What a test and the handlers of its calls share: the calls name it.
pub(crate) struct Gate {
    /// A permit for each call of Hold that has come.
    entered: Semaphore,
    /// Permits for their answers.
    release: Semaphore,
    /// The channel by which Relay calls.
    pub(crate) channel: OnceLock<LocalChannel>,
}

impl Gate {
    /// The gate of a name; each test has a name of its own.
    pub(crate) fn of(name: &str) -> Arc<Self> {
        static GATES: LazyLock<Mutex<HashMap<String, Arc<Gate>>>> = LazyLock::new(Mutex::default);
        let mut gates = GATES.lock().unwrap();
        let gate = gates.entry(name.to_owned()).or_insert_with(|| {
            Arc::new(Self {
                entered: Semaphore::new(0),
                release: Semaphore::new(0),
                channel: OnceLock::new(),
            })
        });
        Arc::clone(gate)
    }

    /// Waits for a call of Hold.
    pub(crate) async fn entered(&self) {
        let entered = tokio::time::timeout(PATIENCE, self.entered.acquire()).await;
        entered.expect("the call comes").unwrap().forget();
    }

    /// Lets one call of Hold answer.
    pub(crate) fn release(&self) {
        self.release.add_permits(1);
    }

    async fn hold(&self) {
        self.entered.add_permits(1);
        self.release.acquire().await.unwrap().forget();
    }

    /// Calls Show and returns its message, in its frame.
    async fn relay(&self, message: Bytes) -> Bytes {
        let request = Request::post("/test.v1.Shop/Show")
            .header("content-type", "application/grpc")
            .body(Body::new(Full::new(message)))
            .unwrap();
        let channel = self.channel.get().expect("the test sets it").clone();
        let response = channel.oneshot(request).await.unwrap();
        if let Some(status) = Status::from_header_map(response.headers()) {
            return frame(&named(&format!("{status:?}")));
        }
        let seen = |name: &str| response.headers()[name].to_str().unwrap().to_owned();
        frame(&named(&format!(
            "{} {} {}",
            seen("seen-id"),
            seen("seen-trace"),
            seen("seen-timeout")
        )))
    }
}

/// Longer than any test should wait for what has to come.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// The shop: answers what it was sent, with what the layers told it as metadata.
#[derive(Clone)]
struct Shop;

impl NamedService for Shop {
    const NAME: &'static str = "test.v1.Shop";
}

impl Service<Request<Body>> for Shop {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Response<Body>, Infallible>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        Box::pin(async move { Ok(answer(request).await) })
    }
}

async fn answer(request: Request<Body>) -> Response<Body> {
    let (parts, body) = request.into_parts();
    let message = match body.collect().await {
        Ok(collected) => collected.to_bytes(),
        Err(status) => return status.into_http(),
    };
    let request = tonic::Request::from_parts(Default::default(), parts.extensions, ());
    // Not by `UserScope::of`, to which a method without one is a defect that it logs.
    let scope = request.extensions().get::<UserScope>();
    let scope = scope.map(|scope| scope.user().to_string());
    let gate = |message: &[u8]| Gate::of(&Named::decode(&message[5..]).unwrap().name);
    let body = match parts.uri.path() {
        "/test.v1.Shop/Panic" => panic!("as asked"),
        "/test.v1.Shop/WatchPanic" => {
            let frames = stream::iter([true, false]).map(move |is_first| {
                assert!(is_first, "as asked, in a stream");
                Ok::<_, Status>(Frame::data(message.clone()))
            });
            Body::new(StreamBody::new(frames))
        }
        "/test.v1.Shop/WatchRelay" => {
            let gate = gate(&message);
            let relayed = stream::once(async move { Ok::<_, Status>(Frame::data(gate.relay(message).await)) });
            Body::new(StreamBody::new(relayed.chain(stream::once(async { Ok(ok()) }))))
        }
        "/test.v1.Shop/Watch" => {
            let frames = stream::iter([Ok::<_, Status>(Frame::data(message))]).chain(stream::pending());
            Body::new(StreamBody::new(frames))
        }
        path => {
            let message = match path {
                "/test.v1.Shop/Relay" => gate(&message).relay(message).await,
                "/test.v1.Shop/Hold" => {
                    gate(&message).hold().await;
                    message
                }
                _ => message,
            };
            let frames = [Ok::<_, Status>(Frame::data(message)), Ok(ok())];
            Body::new(StreamBody::new(stream::iter(frames)))
        }
    };
    let seen = |name: &str| parts.headers.get(name).cloned().unwrap_or(HeaderValue::from_static(""));
    Response::builder()
        .header("content-type", "application/grpc")
        .header("seen-id", seen("x-request-id"))
        .header("seen-trace", seen("traceparent"))
        .header("seen-timeout", seen("grpc-timeout"))
        .header("scope", scope.unwrap_or_default())
        .header(
            "caller",
            Caller::of(&request)
                .user()
                .map(|user| user.to_string())
                .unwrap_or_default(),
        )
        .body(body)
        .unwrap()
}

fn ok() -> Frame<Bytes> {
    Frame::trailers(HeaderMap::from_iter([(Status::GRPC_STATUS, "0".parse().unwrap())]))
}

/// Knows three keys.
struct Keys;

impl Authenticator for Keys {
    fn authenticate<'a>(
        &'a self,
        credential: &'a str,
    ) -> Pin<Box<dyn Future<Output = Result<Option<Caller>, StoreError>> + Send + 'a>> {
        let key = |user, admin| Caller::Key {
            user: UserId::new(user).unwrap(),
            key_id: 1,
            admin,
        };
        Box::pin(std::future::ready(Ok(match credential {
            "mr_alice" => Some(key(ALICE, false)),
            "mr_bob" => Some(key(BOB, false)),
            "mr_admin" => Some(key(ADMIN, true)),
            _ => None,
        })))
    }

    /// Knows a user by any text, as the text of a key that is long revoked still names one.
    fn claimed_user(&self, credential: &str) -> Option<UserId> {
        match credential {
            "mr_alice" | "mr_alice_revoked" => UserId::new(ALICE),
            "mr_admin" => UserId::new(ADMIN),
            _ => None,
        }
    }
}

/// Compiles a proto file as a module's build script does, and leaks the bytes: modules are static.
pub(crate) fn descriptors(proto: &str) -> &'static [u8] {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("shop.proto"), proto).unwrap();
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../proto");
    let mut compiler = protox::Compiler::new([folder.path(), &root]).unwrap();
    compiler.include_imports(true).include_source_info(true);
    compiler.open_file("shop.proto").unwrap();
    compiler.encode_file_descriptor_set().leak()
}

pub(crate) fn shop(proto: &str) -> Module {
    Module::new("shop", descriptors(proto))
        .service(Shop)
        .authenticator(Arc::new(Keys))
}

/// Options on free ports; tests change what they are about.
pub(crate) fn options() -> Options {
    let mut options = Options::default();
    options.server.listen = "127.0.0.1:0".parse().unwrap();
    options.server.admin_listen = None;
    options.switches.insert("shop.open".to_owned(), false);
    options
}

/// A running platform; its files go with it.
pub(crate) struct Stage {
    pub(crate) running: Running,
    pub(crate) address: SocketAddr,
    pub(crate) files: tempfile::TempDir,
}

pub(crate) async fn start(options: Options) -> Stage {
    start_with(options, [shop(PROTO)]).await.unwrap()
}

pub(crate) async fn start_with(
    options: Options,
    modules: impl IntoIterator<Item = Module>,
) -> Result<Stage, StartError> {
    start_in(tempfile::tempdir().unwrap(), options, modules).await
}

pub(crate) async fn start_in(
    files: tempfile::TempDir,
    options: Options,
    modules: impl IntoIterator<Item = Module>,
) -> Result<Stage, StartError> {
    let clock = Clock::system();
    let ids = Ids::system(clock.clone());
    let database = Database::Embedded {
        data_dir: files.path().to_owned(),
        shards: 4,
    };
    let platform = Platform {
        shards: Shards::open(&database, clock.clone(), ids.clone()).await.unwrap(),
        pages: PageTokens::new(&["a secret of the tests, long enough".to_owned()], clock.clone()),
        clock,
        ids,
        local: Default::default(),
    };
    let chassis = Chassis::new(platform, options).mount(modules);
    chassis.migrate().await.unwrap();
    let running = chassis.start().await?;
    Ok(Stage {
        address: running.public_addr,
        running,
        files,
    })
}

impl Stage {
    pub(crate) async fn grpc(&self) -> Grpc {
        let socket = TcpStream::connect(self.address).await.unwrap();
        let (sender, connection) = http2::handshake(TokioExecutor::new(), TokioIo::new(socket))
            .await
            .unwrap();
        tokio::spawn(connection);
        Grpc {
            sender,
            authority: self.address.to_string(),
        }
    }

    /// Sends one HTTP/1.1 request and returns the whole answer.
    pub(crate) async fn http(&self, head: &str) -> String {
        http(self.address, head).await
    }
}

pub(crate) async fn http(address: SocketAddr, head: &str) -> String {
    let request = format!("{head}\r\nhost: localhost\r\nconnection: close\r\n\r\n");
    exchange(address, request.as_bytes()).await
}

/// Sends these bytes and returns what comes until the server closes.
pub(crate) async fn exchange(address: SocketAddr, request: &[u8]) -> String {
    let mut socket = TcpStream::connect(address).await.unwrap();
    socket.write_all(request).await.unwrap();
    let mut text = String::new();
    socket.read_to_string(&mut text).await.unwrap();
    text
}

/// A gRPC client on one connection.
#[derive(Clone)]
pub(crate) struct Grpc {
    sender: http2::SendRequest<Full<Bytes>>,
    authority: String,
}

/// One answer, read to its end.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) headers: HeaderMap,
    pub(crate) messages: Bytes,
    pub(crate) status: Status,
}

impl Reply {
    pub(crate) fn code(&self) -> i32 {
        self.status.code() as i32
    }

    /// The reason of the error details.
    pub(crate) fn reason(&self) -> String {
        use tonic_types::StatusExt;
        self.status
            .get_error_details()
            .error_info()
            .map(|info| info.reason.clone())
            .unwrap_or_default()
    }

    pub(crate) fn message<M: Message + Default>(&self) -> M {
        M::decode(&self.messages[5..]).unwrap()
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }
}

pub(crate) fn frame(message: &impl Message) -> Bytes {
    let mut bytes = BytesMut::new();
    bytes.put_u8(0);
    bytes.put_u32(message.encoded_len() as u32);
    bytes.extend_from_slice(&message.encode_to_vec());
    bytes.freeze()
}

impl Grpc {
    pub(crate) async fn call(&self, path: &str, headers: &[(&str, &str)], message: &impl Message) -> Reply {
        self.send(path, headers, frame(message)).await
    }

    pub(crate) async fn send(&self, path: &str, headers: &[(&str, &str)], body: Bytes) -> Reply {
        let (headers, mut body) = self.open(path, headers, body).await.into_parts();
        let headers = headers.headers;
        let (mut messages, mut trailers) = (BytesMut::new(), headers.clone());
        while let Some(frame) = body.frame().await {
            match frame.unwrap().into_data() {
                Ok(data) => messages.extend_from_slice(&data),
                Err(frame) => trailers = frame.into_trailers().unwrap(),
            }
        }
        let status = Status::from_header_map(&trailers).expect("an answer ends with its status");
        Reply {
            headers,
            messages: messages.freeze(),
            status,
        }
    }

    pub(crate) async fn open(
        &self,
        path: &str,
        headers: &[(&str, &str)],
        body: Bytes,
    ) -> Response<hyper::body::Incoming> {
        let mut request = Request::post(format!("http://{}{path}", self.authority))
            .header("content-type", "application/grpc")
            .header("te", "trailers");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        self.sender
            .clone()
            .send_request(request.body(Full::new(body)).unwrap())
            .await
            .unwrap()
    }
}
