//! A server that speaks HTTP/2 as a script says, frame by frame.

use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::{BufMut, Bytes, BytesMut};
use h2::RecvStream;
use h2::server::SendResponse;
use http::{HeaderMap, HeaderValue, Request, Response};
use tokio::net::TcpListener;

/// A call as the script gets it: its number from 0 on, its request, and where its answer goes.
pub(crate) struct Call {
    pub(crate) number: usize,
    pub(crate) request: Request<RecvStream>,
    pub(crate) answer: SendResponse<Bytes>,
}

/// Starts the server; the count is of calls.
pub(crate) async fn server<S, F>(script: S) -> (SocketAddr, Arc<AtomicUsize>)
where
    S: Fn(Call) -> F + Clone + Send + 'static,
    F: Future<Output = ()> + Send + 'static,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let calls = Arc::new(AtomicUsize::new(0));
    let counted = calls.clone();
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            let (script, counted) = (script.clone(), counted.clone());
            tokio::spawn(async move {
                let Ok(mut connection) = h2::server::handshake(stream).await else {
                    return;
                };
                while let Some(Ok((request, answer))) = connection.accept().await {
                    let number = counted.fetch_add(1, Ordering::SeqCst);
                    tokio::spawn(script(Call {
                        number,
                        request,
                        answer,
                    }));
                }
            });
        }
    });
    (address, calls)
}

/// The head of a gRPC answer.
pub(crate) fn head() -> Response<()> {
    Response::builder()
        .header("content-type", "application/grpc")
        .body(())
        .unwrap()
}

/// Trailers with a code.
pub(crate) fn trailers(code: i32) -> HeaderMap {
    HeaderMap::from_iter([(http::HeaderName::from_static("grpc-status"), HeaderValue::from(code))])
}

/// Answers with these bytes, then OK.
pub(crate) fn bytes_then_ok(mut call: Call, bytes: impl Into<Bytes>) {
    let mut body = call.answer.send_response(head(), false).unwrap();
    body.send_data(bytes.into(), false).unwrap();
    body.send_trailers(trailers(0)).unwrap();
}

/// A message in its frame.
pub(crate) fn framed(message: &[u8]) -> Bytes {
    let mut frame = BytesMut::with_capacity(message.len() + 5);
    frame.put_u8(0);
    frame.put_u32(u32::try_from(message.len()).unwrap());
    frame.put_slice(message);
    frame.into()
}

/// An `Item` named `items/7` in its frame.
pub(crate) fn item() -> Bytes {
    framed(b"\x0a\x07items/7")
}
