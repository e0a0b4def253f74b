//! One call: it takes a place on a connection, is sent, and waits for the head of its answer, all inside its deadline.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Response, StatusCode, header};

use crate::body::RequestBody;
use crate::call::CallRecord;
use crate::inner::{InnerBody, InnerCall};
use crate::reply::{self, GRPC_STATUS};
use crate::upstream::Shared;
use crate::upstream::answer::{AnswerBody, Live};
use crate::upstream::fault::Fault;
use crate::upstream::framing::Framing;
use crate::upstream::head::Head;
use crate::upstream::hop::strip_hop_if_any;
use crate::upstream::http2::{self, Block, Error};
use crate::upstream::life::Life;
use crate::upstream::outgoing::{Outgoing, Upload};
use crate::upstream::pool::{Lease, NoPlace};

/// How often a call that was never sent takes another connection: each may have ended in the moment it was taken.
const UNSENT_MAX: u32 = 5;

/// A whole body that is longer than HTTP/2's first window is pumped like any other: nobody would see else that the
/// server does not read it. So is any body on a connection on which the last call had no answer.
const HANDED_OVER_BYTES_MAX: usize = 65_535;

/// Answers a call, whatever happens; one that has no upstream is answered already. All that can be done at once is done
/// here and not in the future, which is moved about before it begins.
pub(super) fn answer(
    found: Result<Arc<Shared>, Box<Response<InnerBody>>>,
    call: InnerCall,
) -> impl Future<Output = Response<InnerBody>> + Send + use<> {
    let mut call = found.and_then(|shared| Call::of(shared, call));
    async move {
        let head = match &mut call {
            Ok(call) => call.head_of_answer().await,
            Err(refusal) => return std::mem::take(&mut **refusal),
        };
        call.map_or_else(|refusal| *refusal, |call| call.answered(head))
    }
}

/// A call until its answer begins.
struct Call {
    shared: Arc<Shared>,
    record: Arc<CallRecord>,
    life: Life,
    head: Block,
    /// Empty while it is being sent.
    body: Outgoing,
}

/// An answer of which the head is there, and what goes on with it.
struct Begun {
    status: StatusCode,
    headers: HeaderMap,
    stream: http2::Answer,
    upload: Option<Upload>,
    lease: Lease,
}

impl Call {
    /// A call that begins, or how it failed.
    fn of(shared: Arc<Shared>, call: InnerCall) -> Result<Self, Box<Response<InnerBody>>> {
        let InnerCall {
            mut request,
            listed,
            record,
            adds,
            streams,
        } = call;
        let refusal = |fault: Fault| Box::new(failed(&fault, &shared, &record));
        let body = std::mem::take(request.body_mut());
        let Head { block: head, timeout } =
            Head::of(request, listed.as_deref(), adds.then_some(&*record)).map_err(refusal)?;
        let life = Life::of(timeout.as_ref(), streams, &shared).map_err(refusal)?;
        let body = Outgoing::of(body).map_err(|status| refusal(Fault::Upload(status)))?;
        Ok(Self {
            shared,
            record,
            life,
            head,
            body,
        })
    }

    /// Sends the call, again if it may be, and waits for the head of the answer.
    async fn head_of_answer(&mut self) -> Result<Begun, Fault> {
        let (mut unsent, mut was_refused) = (0, false);
        loop {
            let (mut lease, has_waited) = match self.shared.pool.lease_now() {
                Some(lease) => (lease, false),
                None => (self.lease().await?, true),
            };
            lease.lend(&mut self.life.timer);
            let left = self.life.left(&self.shared, has_waited);
            let mut sent = match Sent::new(&mut lease, &self.head, &left, std::mem::take(&mut self.body)) {
                Ok(sent) => sent,
                Err((error, back)) if unsent < UNSENT_MAX => {
                    lease.note_refused(matches!(error, Error::Unread));
                    unsent += 1;
                    self.body = back;
                    continue;
                }
                Err((error, _)) => return Err(Fault::Broken(error)),
            };
            let error = match self.life.bound(poll_fn(|cx| sent.stream.poll_head(cx))).await {
                Ok(Ok((status, headers))) => {
                    return Ok(Begun {
                        status,
                        headers,
                        stream: sent.stream,
                        upload: sent.upload,
                        lease,
                    });
                }
                Ok(Err(error)) => error,
                Err(fault) => {
                    if self.life.is_over() {
                        let was_unsent = sent.upload.as_ref().is_some_and(Upload::is_stuck);
                        lease.note_unanswered(was_unsent);
                        lease.suspect_silence();
                    }
                    return Err(fault);
                }
            };
            if let Some(status) = sent.upload.as_ref().and_then(Upload::failure) {
                return Err(Fault::Upload(status));
            }
            let fault = self.life.blame(Fault::Broken(error));
            match sent.whole {
                Some(bytes) if fault.is_unprocessed() && !was_refused => {
                    (was_refused, self.body) = (true, Outgoing::Whole(bytes));
                }
                _ => return Err(fault),
            }
        }
    }

    /// Waits for a place. Apart from the call, which mostly has one at once.
    async fn lease(&mut self) -> Result<Lease, Fault> {
        let place = pin!(self.shared.pool.lease(self.shared.settings.connect_wait));
        self.life.bound(place).await?.map_err(|why| match why {
            NoPlace::Unreachable => Fault::Unreachable,
            NoPlace::Full => Fault::Full,
        })
    }

    /// The answer, once its head is there.
    fn answered(self, begun: Result<Begun, Fault>) -> Response<InnerBody> {
        let begun = begun.and_then(|mut begun| {
            begun.lease.note_served();
            strip_hop_if_any(&mut begun.headers);
            if !is_grpc(begun.status, &begun.headers) {
                let content_type = begun.headers.remove(header::CONTENT_TYPE);
                return Err(Fault::Foreign(begun.status, content_type));
            }
            Ok(begun)
        });
        let begun = match begun {
            Ok(begun) => begun,
            Err(fault) => return failed(&fault, &self.shared, &self.record),
        };
        let answer = AnswerBody::new(Live {
            stream: begun.stream,
            upload: begun.upload,
            lease: begun.lease,
            life: self.life,
            framing: Framing::new(self.shared.settings.message_bytes_max),
            shared: self.shared,
            record: self.record,
        });
        let mut response = Response::new(InnerBody::Upstream(answer));
        *response.headers_mut() = begun.headers;
        response
    }
}

/// The answer to a call that failed before its own began.
fn failed(fault: &Fault, shared: &Shared, record: &CallRecord) -> Response<InnerBody> {
    fault.log(&shared.address.name, record.request_id());
    fault.response(record.error_domain())
}

/// A request that is on its way.
struct Sent {
    stream: http2::Answer,
    upload: Option<Upload>,
    /// The body, if it can be sent again.
    whole: Option<Bytes>,
}

impl Sent {
    /// Sends a request, or gives its body back untouched.
    fn new(lease: &mut Lease, head: &Block, left: &HeaderValue, body: Outgoing) -> Result<Self, (Error, Outgoing)> {
        let Some(sender) = lease.take_sender() else {
            return Err((Error::Closed, body));
        };
        let at_once = match &body {
            Outgoing::Whole(bytes) if bytes.len() <= HANDED_OVER_BYTES_MAX => {
                (bytes.is_empty() || !lease.is_questioned()).then(|| bytes.clone())
            }
            _ => None,
        };
        let ends = at_once.is_some();
        let stream = match sender.open(head, left, at_once.unwrap_or_default(), ends) {
            Ok(stream) => stream,
            Err(error) => return Err((error, body)),
        };
        let (upload, whole) = match body {
            Outgoing::Whole(bytes) if ends => (None, Some(bytes)),
            Outgoing::Whole(bytes) => {
                let mut progress = lease.progress();
                // One call at a time tries a connection on which the last had no answer.
                progress.set_stalled(lease.is_questioned());
                let upload = Upload::start(Some(bytes.clone()), RequestBody::empty(), stream.body(), progress);
                (Some(upload), Some(bytes))
            }
            Outgoing::Stream(first, body) => (Some(Upload::start(first, body, stream.body(), lease.progress())), None),
        };
        Ok(Self { stream, upload, whole })
    }
}

/// Whether an answer is gRPC: it is a success of gRPC's content type, or has a status.
fn is_grpc(status: StatusCode, headers: &HeaderMap) -> bool {
    (status == StatusCode::OK && reply::is_grpc(headers)) || headers.contains_key(GRPC_STATUS)
}
