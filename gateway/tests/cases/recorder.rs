//! The upstream: a gRPC server that keeps what it was sent, and answers what the case scripts. It is served in process
//! as it is, and on a socket by HTTP/2.

use std::convert::Infallible;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::{Buf, Bytes, BytesMut};
use http::{HeaderMap, Request, Response};
use http_body_util::BodyExt;
use millrace_gateway::GrpcService;
use prost_reflect::DynamicMessage;
use tokio::sync::watch;
use tonic::Status;
use tonic::body::Body;
use tower::util::BoxCloneSyncService;

use crate::reply::Reply;
use crate::shapes;

/// Longer than any test should wait for what has to come.
pub(crate) const PATIENCE: Duration = Duration::from_secs(10);

/// One call as the upstream saw it.
#[derive(Debug, Clone)]
pub(crate) struct Seen {
    /// The RPC's short name.
    pub(crate) rpc: String,
    pub(crate) metadata: HeaderMap,
    pub(crate) messages: Vec<DynamicMessage>,
    /// The caller said that there is nothing more to come.
    pub(crate) whole: bool,
    /// The caller left before the answer was over.
    pub(crate) cancelled: bool,
}

/// The upstream of one stage.
#[derive(Clone)]
pub(crate) struct Recorder {
    shared: Arc<Shared>,
}

struct Shared {
    reply: Mutex<Reply>,
    calls: watch::Sender<Vec<Seen>>,
}

impl Recorder {
    pub(crate) fn new() -> Self {
        let shared = Shared {
            reply: Mutex::default(),
            calls: watch::Sender::new(Vec::new()),
        };
        Self {
            shared: Arc::new(shared),
        }
    }

    /// Forgets what it saw; the next call is answered like this.
    pub(crate) fn script(&self, reply: Reply) {
        *self.shared.reply.lock().unwrap() = reply;
        self.shared.calls.send_replace(Vec::new());
    }

    /// The calls since the last script.
    pub(crate) fn seen(&self) -> Vec<Seen> {
        self.shared.calls.borrow().clone()
    }

    /// Waits until the calls are like this.
    pub(crate) async fn wait_for(&self, is_so: impl FnMut(&Vec<Seen>) -> bool) -> Result<(), String> {
        let mut calls = self.shared.calls.subscribe();
        let waited = tokio::time::timeout(PATIENCE, calls.wait_for(is_so)).await;
        match waited {
            Ok(_) => Ok(()),
            Err(_) => Err(format!("the upstream waited in vain; it saw {:?}", self.seen())),
        }
    }

    /// It as an inner service.
    pub(crate) fn service(&self) -> GrpcService {
        let shared = self.shared.clone();
        BoxCloneSyncService::new(tower::service_fn(move |request| answer(shared.clone(), request)))
    }
}

async fn answer(shared: Arc<Shared>, request: Request<Body>) -> Result<Response<Body>, Infallible> {
    let (head, mut body) = request.into_parts();
    let Some(rpc) = shapes::rpc(head.uri.path()) else {
        return Ok(Status::unimplemented("no such RPC").into_http());
    };
    let mut witness = Witness::of_call(
        shared.clone(),
        Seen {
            rpc: rpc.name().to_owned(),
            metadata: head.headers,
            messages: Vec::new(),
            whole: false,
            cancelled: false,
        },
    );
    let (mut buffer, mut asked) = (BytesMut::new(), Bytes::new());
    loop {
        match body.frame().await {
            Some(Ok(frame)) => buffer.extend_from_slice(frame.data_ref().map_or(&[], |data| data)),
            Some(Err(status)) => {
                // The body broke off: the witness says so.
                drop(witness);
                return Ok(status.into_http());
            }
            None => break,
        }
        while let Some(message) = next_message(&mut buffer) {
            asked = message.freeze();
            let Ok(message) = DynamicMessage::decode(rpc.input(), asked.clone()) else {
                return Ok(Status::internal("not such a message").into_http());
            };
            witness.change(|seen| seen.messages.push(message));
        }
    }
    witness.change(|seen| seen.whole = true);
    let reply = shared.reply.lock().unwrap().clone();
    Ok(reply.response(&rpc.output(), &asked, witness))
}

/// Takes one frame out of what has come.
fn next_message(buffer: &mut BytesMut) -> Option<BytesMut> {
    let length = u32::from_be_bytes(buffer.get(1..5)?.try_into().ok()?) as usize;
    if buffer.len() < 5 + length {
        return None;
    }
    buffer.advance(5);
    Some(buffer.split_to(length))
}

/// Goes with one call; dropped before the call's end it tells that the caller left.
pub(crate) struct Witness {
    shared: Arc<Shared>,
    index: usize,
    is_done: bool,
}

impl Witness {
    fn of_call(shared: Arc<Shared>, seen: Seen) -> Self {
        let mut index = 0;
        shared.calls.send_modify(|calls| {
            index = calls.len();
            calls.push(seen);
        });
        Self {
            shared,
            index,
            is_done: false,
        }
    }

    fn change(&mut self, change: impl FnOnce(&mut Seen)) {
        // A new script may have begun meanwhile.
        self.shared.calls.send_modify(|calls| {
            calls.get_mut(self.index).map(change);
        });
    }

    /// The answer is over.
    pub(crate) fn done(&mut self) {
        self.is_done = true;
    }
}

impl Drop for Witness {
    fn drop(&mut self) {
        if !self.is_done {
            self.change(|seen| seen.cancelled = true);
        }
    }
}
