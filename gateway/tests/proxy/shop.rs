//! A gRPC server of tonic's for the shop, on a port of this machine.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use futures_util::stream::{BoxStream, StreamExt};
use http::{Request, Response};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;
use tokio::sync::{Notify, watch};
use tokio::task::{JoinHandle, JoinSet};
use tokio_rustls::TlsAcceptor;
use tonic::body::Body;
use tonic::server::Grpc;
use tonic::{Status, Streaming};
use tonic_prost::ProstCodec;
use tower::ServiceExt;

#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct Item {
    #[prost(string, tag = "1")]
    pub(crate) name: String,
    #[prost(int64, tag = "2")]
    pub(crate) seq: i64,
}

#[derive(Clone, PartialEq, prost::Message)]
struct Name {
    #[prost(string, tag = "1")]
    name: String,
}

#[derive(Clone, PartialEq, prost::Message)]
struct After {
    #[prost(int64, tag = "1")]
    after: i64,
}

/// What tests see of the handlers.
#[derive(Default)]
pub(crate) struct Seen {
    /// Calls in progress, and the most there ever were.
    now: AtomicUsize,
    pub(crate) most: AtomicUsize,
    pub(crate) calls: AtomicUsize,
    /// Woken when a call that hangs has begun, and when it was cancelled.
    pub(crate) hanging: Notify,
    pub(crate) cancelled: Notify,
    /// Lets the calls end that wait for it.
    pub(crate) go: Notify,
}

/// The server.
pub(crate) struct Shop {
    pub(crate) address: SocketAddr,
    pub(crate) seen: Arc<Seen>,
    goaway: watch::Sender<u32>,
    serving: JoinHandle<()>,
}

impl Shop {
    pub(crate) async fn start() -> Self {
        Self::on("127.0.0.1:0".parse().unwrap(), None, 200).await
    }

    /// On an address, over TLS if an acceptor is given, with at most so many streams on a connection.
    pub(crate) async fn on(address: SocketAddr, tls: Option<TlsAcceptor>, streams: u32) -> Self {
        // As servers do: a connection that ended here does not keep the port.
        let listener = millrace_gateway::serve::listen(address).unwrap();
        let address = listener.local_addr().unwrap();
        let seen = Arc::new(Seen::default());
        let (goaway, asked) = watch::channel(0);
        let serving = tokio::spawn(accept(listener, tls, streams, seen.clone(), asked));
        Self {
            address,
            seen,
            goaway,
            serving,
        }
    }

    /// Asks every connection to leave, and takes new ones.
    pub(crate) fn goaway(&self) {
        self.goaway.send_modify(|times| *times += 1);
    }

    /// Cuts every connection, and takes no new one.
    pub(crate) async fn kill(self) {
        self.serving.abort();
        let _ = self.serving.await;
    }
}

async fn accept(
    listener: TcpListener,
    tls: Option<TlsAcceptor>,
    streams: u32,
    seen: Arc<Seen>,
    goaway: watch::Receiver<u32>,
) {
    let mut connections = JoinSet::new();
    loop {
        let (stream, _) = listener.accept().await.unwrap();
        stream.set_nodelay(true).unwrap();
        let (tls, seen, goaway) = (tls.clone(), seen.clone(), goaway.clone());
        connections.spawn(async move {
            match tls {
                None => serve(stream, streams, seen, goaway).await,
                Some(tls) => {
                    if let Ok(stream) = tls.accept(stream).await {
                        serve(stream, streams, seen, goaway).await;
                    }
                }
            }
        });
    }
}

async fn serve<I>(io: I, streams: u32, seen: Arc<Seen>, mut goaway: watch::Receiver<u32>)
where
    I: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let service = service_fn(move |request: Request<Incoming>| {
        let seen = seen.clone();
        async move { Ok::<_, Infallible>(answer(request.map(Body::new), seen).await) }
    });
    let mut builder = hyper::server::conn::http2::Builder::new(TokioExecutor::new());
    let mut serving = std::pin::pin!(
        builder
            .max_concurrent_streams(streams)
            .serve_connection(TokioIo::new(io), service)
    );
    goaway.mark_unchanged();
    tokio::select! {
        _ = serving.as_mut() => {}
        Ok(()) = goaway.changed() => {
            serving.as_mut().graceful_shutdown();
            let _ = serving.await;
        }
    }
}

async fn answer(request: Request<Body>, seen: Arc<Seen>) -> Response<Body> {
    let now = seen.now.fetch_add(1, Ordering::SeqCst) + 1;
    seen.most.fetch_max(now, Ordering::SeqCst);
    seen.calls.fetch_add(1, Ordering::SeqCst);
    let seen_after = seen.clone();
    let response = match request.uri().path() {
        "/test.v1.Shop/GetItem" => {
            let get = tower::service_fn(move |call: tonic::Request<Name>| get(call, seen.clone()));
            Grpc::new(ProstCodec::<Item, Name>::default())
                .unary(get.boxed_clone(), request)
                .await
        }
        "/test.v1.Shop/WatchItems" => {
            let watch = tower::service_fn(|call: tonic::Request<After>| watch_items(call));
            Grpc::new(ProstCodec::<Item, After>::default())
                .server_streaming(watch.boxed_clone(), request)
                .await
        }
        "/test.v1.Shop/UploadItems" => {
            let upload = tower::service_fn(|call: tonic::Request<Streaming<Item>>| upload(call));
            Grpc::new(ProstCodec::<Item, Item>::default())
                .client_streaming(upload.boxed_clone(), request)
                .await
        }
        _ => Status::unimplemented("no such method").into_http(),
    };
    seen_after.now.fetch_sub(1, Ordering::SeqCst);
    response
}

/// `items/hang` hangs, `items/wait` waits to be let go, `items/missing` does not exist; others are found. Their number
/// is what the caller's deadline is in seconds, rounded up.
async fn get(call: tonic::Request<Name>, seen: Arc<Seen>) -> Result<tonic::Response<Item>, Status> {
    let timeout = call.metadata().get("grpc-timeout").cloned();
    let name = call.into_inner().name;
    match name.as_str() {
        "items/hang" => {
            let _cancelled = Cancelled(seen.clone());
            seen.hanging.notify_one();
            std::future::pending::<()>().await;
        }
        "items/wait" => {
            seen.hanging.notify_one();
            seen.go.notified().await;
        }
        "items/missing" => return Err(Status::not_found("items/missing does not exist")),
        "items/slow" => tokio::task::yield_now().await,
        _ => {}
    }
    let timeout = timeout.and_then(|timeout| millrace_gateway::parse_grpc_timeout(timeout.to_str().ok()?));
    let seq = timeout.map_or(-1, |timeout| timeout.as_secs_f64().ceil() as i64);
    Ok(tonic::Response::new(Item { name, seq }))
}

/// As many items as the request says.
async fn watch_items(
    call: tonic::Request<After>,
) -> Result<tonic::Response<BoxStream<'static, Result<Item, Status>>>, Status> {
    let count = call.into_inner().after;
    let items = (0..count).map(|seq| {
        Ok(Item {
            name: "items/1".to_owned(),
            seq,
        })
    });
    Ok(tonic::Response::new(futures_util::stream::iter(items).boxed()))
}

/// The last item, and how many there were.
async fn upload(call: tonic::Request<Streaming<Item>>) -> Result<tonic::Response<Item>, Status> {
    let mut items = call.into_inner();
    let mut last = Item::default();
    let mut count = 0;
    while let Some(item) = items.message().await? {
        (last, count) = (item, count + 1);
    }
    Ok(tonic::Response::new(Item { seq: count, ..last }))
}

/// Says when the call that holds it is dropped.
struct Cancelled(Arc<Seen>);

impl Drop for Cancelled {
    fn drop(&mut self) {
        self.0.cancelled.notify_one();
    }
}
