//! The body of a call on its way to the server. One that is there as a whole, as every REST request's is, is handed
//! over at once and can be sent again; any other is pumped by a task of its own, at the speed that the server's window
//! allows.

use std::future::poll_fn;
use std::pin::Pin;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::task::Poll;
use std::time::Duration;

use bytes::Bytes;
use futures_util::FutureExt;
use http_body::{Body as _, Frame};
use http_body_util::BodyExt;
use tokio::task::AbortHandle;
use tokio::time::Instant;
use tonic::Status;

use crate::body::RequestBody;
use crate::upstream::http2;
use crate::upstream::pool::Progress;

/// A body that waits for the server's window for this long is stuck: a shorter deadline proves nothing of the connection.
const STUCK: Duration = Duration::from_secs(1);

/// A body.
pub(super) enum Outgoing {
    /// All of it.
    Whole(Bytes),
    /// What is there of it, and the rest.
    Stream(Option<Bytes>, RequestBody),
}

impl Default for Outgoing {
    fn default() -> Self {
        Self::Whole(Bytes::new())
    }
}

impl Outgoing {
    /// Looks at what is there, and waits for nothing.
    pub(super) fn of(body: RequestBody) -> Result<Self, Status> {
        let mut body = match body.into_whole() {
            Ok(bytes) => return Ok(Self::Whole(bytes)),
            Err(body) => body,
        };
        if body.is_end_stream() {
            return Ok(Self::Whole(Bytes::new()));
        }
        match body.frame().now_or_never() {
            Some(None) => Ok(Self::Whole(Bytes::new())),
            Some(Some(Ok(frame))) => match frame.into_data() {
                Ok(bytes) if body.is_end_stream() => Ok(Self::Whole(bytes)),
                Ok(bytes) => Ok(Self::Stream(Some(bytes), body)),
                // Trailers of a request mean nothing in gRPC.
                Err(_) => Ok(Self::Whole(Bytes::new())),
            },
            Some(Some(Err(status))) => Err(status),
            None => Ok(Self::Stream(None, body)),
        }
    }
}

/// A body that is being pumped. Dropping it stops that.
pub(super) struct Upload {
    pump: AbortHandle,
    told: Arc<Told>,
}

/// What the pump tells the call.
#[derive(Default)]
struct Told {
    failed: OnceLock<Status>,
    /// Since when the server's window is closed.
    stalled_since: Mutex<Option<Instant>>,
}

impl Told {
    fn set_stalled(&self, is_stalled: bool) {
        let mut since = self.stalled_since.lock().unwrap_or_else(PoisonError::into_inner);
        match is_stalled {
            true => drop(since.get_or_insert_with(Instant::now)),
            false => *since = None,
        }
    }
}

impl Upload {
    /// Starts to pump. While the server's window is closed, the connection is told so.
    pub(super) fn start(first: Option<Bytes>, body: RequestBody, stream: http2::Body, progress: Progress) -> Self {
        let told = Arc::new(Told::default());
        let tells = told.clone();
        let pump = tokio::spawn(async move {
            let mut pump = Pump {
                body,
                stream,
                progress,
                told: tells,
            };
            if let Err(status) = pump.run(first).await {
                // Noted first: the reset is what wakes the call.
                let _ = pump.told.failed.set(status);
                pump.stream.cancel();
            }
        });
        Self {
            pump: pump.abort_handle(),
            told,
        }
    }

    /// How the body failed, if it did.
    pub(super) fn failure(&self) -> Option<Status> {
        self.told.failed.get().cloned()
    }

    /// Whether the server's window is closed, and has been for long.
    pub(super) fn is_stuck(&self) -> bool {
        let since = self.told.stalled_since.lock().unwrap_or_else(PoisonError::into_inner);
        since.is_some_and(|since| since.elapsed() >= STUCK)
    }
}

impl Drop for Upload {
    fn drop(&mut self) {
        self.pump.abort();
    }
}

struct Pump {
    body: RequestBody,
    stream: http2::Body,
    progress: Progress,
    told: Arc<Told>,
}

/// What the pump does next.
enum Next {
    Frame(Frame<Bytes>),
    End,
    /// The server wants no more of it.
    Unwanted,
}

impl Pump {
    /// Pumps to the end, or until the server wants no more.
    async fn run(&mut self, first: Option<Bytes>) -> Result<(), Status> {
        if let Some(bytes) = first
            && !self.send(bytes).await
        {
            return Ok(());
        }
        loop {
            match self.next().await? {
                Next::Frame(frame) => {
                    if let Ok(bytes) = frame.into_data()
                        && !self.send(bytes).await
                    {
                        return Ok(());
                    }
                }
                Next::End => {
                    self.stream.send(Bytes::new(), true);
                    return Ok(());
                }
                Next::Unwanted => return Ok(()),
            }
        }
    }

    async fn next(&mut self) -> Result<Next, Status> {
        if self.body.is_end_stream() {
            return Ok(Next::End);
        }
        poll_fn(|cx| {
            if self.stream.poll_unwanted(cx).is_ready() {
                return Poll::Ready(Ok(Next::Unwanted));
            }
            match Pin::new(&mut self.body).poll_frame(cx) {
                Poll::Ready(Some(Ok(frame))) => Poll::Ready(Ok(Next::Frame(frame))),
                Poll::Ready(Some(Err(status))) => Poll::Ready(Err(status)),
                Poll::Ready(None) => Poll::Ready(Ok(Next::End)),
                Poll::Pending => Poll::Pending,
            }
        })
        .await
    }

    /// Sends bytes as the window opens; false if the server wants no more.
    async fn send(&mut self, bytes: Bytes) -> bool {
        if !self.stream.send(bytes, false) {
            return false;
        }
        poll_fn(|cx| {
            let sent = self.stream.poll_sent(cx);
            self.progress.set_stalled(sent.is_pending());
            self.told.set_stalled(sent.is_pending());
            sent
        })
        .await
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use http::HeaderValue;
    use http_body_util::{Empty, Full, StreamBody};

    use super::*;
    use crate::upstream::connect::Heard;
    use crate::upstream::pool::Pool;

    #[test]
    fn a_body_that_is_there_is_whole() {
        let whole = |outgoing| match outgoing {
            Ok(Outgoing::Whole(bytes)) => Some(bytes),
            _ => None,
        };
        assert_eq!(
            whole(Outgoing::of(RequestBody::new(Full::new(Bytes::from_static(b"abc"))))),
            Some("abc".into())
        );
        assert_eq!(
            whole(Outgoing::of(RequestBody::whole("abc".into()))),
            Some("abc".into())
        );
        assert_eq!(
            whole(Outgoing::of(RequestBody::new(Empty::<Bytes>::new()))),
            Some(Bytes::new())
        );
        assert_eq!(whole(Outgoing::of(RequestBody::empty())), Some(Bytes::new()));
        let pending = futures_util::stream::pending::<Result<Frame<Bytes>, Status>>();
        assert!(matches!(
            Outgoing::of(RequestBody::new(StreamBody::new(pending))),
            Ok(Outgoing::Stream(None, _))
        ));
        let first = futures_util::stream::iter([Ok::<_, Status>(Frame::data(Bytes::from_static(b"a")))]);
        let outgoing = Outgoing::of(RequestBody::new(StreamBody::new(first)));
        assert!(matches!(outgoing, Ok(Outgoing::Stream(Some(bytes), _)) if bytes == "a"));
        let failed = futures_util::stream::iter([Err::<Frame<Bytes>, _>(Status::cancelled("gone"))]);
        assert!(Outgoing::of(RequestBody::new(StreamBody::new(failed))).is_err());
    }

    #[tokio::test]
    async fn an_upload_that_the_server_does_not_read_stalls_its_connection_until_it_does() {
        let (near, far) = tokio::io::duplex(1 << 20);
        let server = tokio::spawn(async move {
            let mut connection = h2::server::handshake(far).await.unwrap();
            let (request, answer) = connection.accept().await.unwrap().unwrap();
            tokio::spawn(async move { while connection.accept().await.is_some() {} });
            (request.into_body(), answer)
        });
        let (sender, mut connection) = http2::Connection::new(near, &http2::config());
        tokio::spawn(async move { poll_fn(|cx| connection.poll(cx)).await });
        let pool = Pool::new(1);
        let joined = pool.join(sender, Heard::default(), 10, 0);
        let mut lease = pool.lease(Duration::from_secs(60)).await.unwrap();
        let (call, timeout) = (http2::Block::new("/a.A/Do", 0), HeaderValue::from_static("1S"));
        let sent = lease.take_sender().unwrap().open(&call, &timeout, Bytes::new(), false);
        let answer = sent.unwrap();
        let bytes = Bytes::from(vec![0; 200_000]);
        let _upload = Upload::start(Some(bytes), RequestBody::empty(), answer.body(), lease.progress());
        let (mut body, _answer) = server.await.unwrap();
        while !joined.gauge.is_stalled() {
            tokio::task::yield_now().await;
        }
        let mut read = 0;
        while let Some(chunk) = body.data().await {
            let chunk = chunk.unwrap();
            read += chunk.len();
            body.flow_control().release_capacity(chunk.len()).unwrap();
        }
        assert_eq!((read, joined.gauge.is_stalled()), (200_000, false));
    }
}
