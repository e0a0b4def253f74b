//! One call: it takes a place on a connection, is sent, and waits for the head of its answer, all inside its deadline.

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use h2::Reason;
use h2::client::ResponseFuture;
use http::{HeaderMap, HeaderValue, Request, Response, StatusCode, header};
use tokio::time::Instant;
use tonic::body::Body;

use crate::call::{AnswersInStream, CallRecord};
use crate::deadline::{self, GRPC_TIMEOUT};
use crate::reply;
use crate::upstream::Shared;
use crate::upstream::answer::{Answer, Live};
use crate::upstream::bell::Cut;
use crate::upstream::fault::Fault;
use crate::upstream::framing::{Framing, HeaderBound};
use crate::upstream::head::Head;
use crate::upstream::outgoing::{Outgoing, Upload};
use crate::upstream::pool::{Lease, NoPlace, Timer};

/// How often a call that was never sent takes another connection: each may have ended in the moment it was taken.
const UNSENT_MAX: u32 = 5;

/// A whole body that is longer than HTTP/2's first window is pumped like any other: nobody would see else that the
/// server does not read it. So is any body on a connection on which the last call had no answer.
const HANDED_OVER_BYTES_MAX: usize = 65_535;

/// A call that has lost less than this of its time is told that it has all of it: that value is there.
const HASTE: Duration = Duration::from_millis(1);

/// Answers a call, whatever happens.
pub(super) async fn answer(shared: &Arc<Shared>, request: Request<Body>) -> Response<Body> {
    let record = CallRecord::of(request.extensions());
    match answered(shared, request, &record).await {
        Ok(response) => response,
        Err(fault) => {
            fault.log(&shared.address.name, record.request_id());
            fault.response(record.error_domain())
        }
    }
}

async fn answered(
    shared: &Arc<Shared>,
    request: Request<Body>,
    record: &Arc<CallRecord>,
) -> Result<Response<Body>, Fault> {
    let mut life = Life::of(&request, shared)?;
    let (head, body) = request.into_parts();
    let mut head = Head::of(head, &shared.address)?;
    let mut body = Outgoing::of(body).map_err(Fault::Upload)?;
    let (mut unsent, mut was_refused) = (0, false);
    loop {
        let place = shared.pool.lease(shared.settings.connect_wait);
        let mut lease = life.bound(place).await?.map_err(|why| match why {
            NoPlace::Unreachable => Fault::Unreachable,
            NoPlace::Full => Fault::Full,
        })?;
        lease.lend(&mut life.timer);
        let sent = match Sent::new(&mut lease, head.request(life.left(shared)), body) {
            Ok(sent) => sent,
            Err((_, back)) if unsent < UNSENT_MAX => {
                unsent += 1;
                body = back;
                continue;
            }
            Err((error, _)) => return Err(Fault::Broken(error)),
        };
        let again = sent.whole.clone();
        let call = Call { shared, record, lease };
        match call.finish(sent, life).await {
            Ok(response) => return Ok(response),
            Err((fault, Some(left))) if fault.is_unprocessed() && !was_refused => match again {
                Some(bytes) => {
                    (was_refused, body, life) = (true, Outgoing::Whole(bytes), left);
                }
                None => return Err(fault),
            },
            Err((fault, _)) => return Err(fault),
        }
    }
}

/// A request that is on its way.
struct Sent {
    response: ResponseFuture,
    upload: Option<Upload>,
    /// The body, if it can be sent again.
    whole: Option<bytes::Bytes>,
}

impl Sent {
    /// Sends a request, or gives its body back untouched.
    fn new(lease: &mut Lease, request: Request<()>, body: Outgoing) -> Result<Self, (h2::Error, Outgoing)> {
        let Some(mut sender) = lease.take_sender() else {
            return Err((Reason::INTERNAL_ERROR.into(), body));
        };
        let (response, mut stream) = match sender.send_request(request, body.is_empty()) {
            Ok(sent) => sent,
            Err(error) => return Err((error, body)),
        };
        let (upload, whole) = match body {
            Outgoing::Whole(bytes)
                if bytes.len() > HANDED_OVER_BYTES_MAX || (lease.is_questioned() && !bytes.is_empty()) =>
            {
                let mut progress = lease.progress();
                // One call at a time tries a connection on which the last had no answer.
                progress.set_stalled(lease.is_questioned());
                let upload = Upload::start(Some(bytes.clone()), Body::empty(), stream, progress);
                (Some(upload), Some(bytes))
            }
            Outgoing::Whole(bytes) => {
                if !bytes.is_empty() {
                    // It fails if the stream is over already, and then the answer says why.
                    let _ = stream.send_data(bytes.clone(), true);
                }
                (None, Some(bytes))
            }
            Outgoing::Stream(first, body) => (Some(Upload::start(first, body, stream, lease.progress())), None),
        };
        Ok(Self {
            response,
            upload,
            whole,
        })
    }
}

/// A call with its place.
struct Call<'c> {
    shared: &'c Arc<Shared>,
    record: &'c Arc<CallRecord>,
    lease: Lease,
}

impl Call<'_> {
    /// Waits for the head of the answer. A fault before it gives the rest of the call's life back.
    async fn finish(self, sent: Sent, mut life: Life) -> Result<Response<Body>, (Fault, Option<Life>)> {
        let response = match life.bound(sent.response).await {
            Ok(Ok(response)) => response,
            Ok(Err(error)) => {
                let failed = sent.upload.as_ref().and_then(Upload::failure);
                return match failed {
                    Some(status) => Err((Fault::Upload(status), None)),
                    None => Err((life.blame(Fault::Broken(error)), Some(life))),
                };
            }
            Err(fault) => {
                if life.is_over() {
                    let was_unsent = sent.upload.as_ref().is_some_and(Upload::is_stuck);
                    self.lease.note_unanswered(was_unsent);
                    self.lease.suspect_silence();
                }
                return Err((fault, None));
            }
        };
        let (mut head, stream) = response.into_parts();
        self.lease.note_served();
        let header_bound = HeaderBound(self.shared.settings.header_bytes_max as usize);
        if let Err(too_large) = header_bound.received(&mut head.headers) {
            return Err((Fault::HeadersTooLarge(too_large), None));
        }
        if !is_grpc(head.status, &head.headers) {
            let content_type = head.headers.remove(header::CONTENT_TYPE);
            return Err((Fault::Foreign(head.status, content_type), None));
        }
        let answer = Answer::new(Live {
            stream,
            upload: sent.upload,
            lease: self.lease,
            life,
            framing: Framing::new(self.shared.settings.message_bytes_max),
            header_bound,
            shared: self.shared.clone(),
            record: self.record.clone(),
        });
        let mut response = Response::new(Body::new(answer));
        *response.headers_mut() = head.headers;
        Ok(response)
    }
}

/// Whether an answer is gRPC: it has a status, or is a success of gRPC's content type.
fn is_grpc(status: StatusCode, headers: &HeaderMap) -> bool {
    headers.contains_key("grpc-status") || (status == StatusCode::OK && reply::is_grpc(headers))
}

/// How long a call may last: to the caller's deadline, or else the settings', and not beyond the moment at which the
/// gateway, stopping, cuts it.
pub(super) struct Life {
    ends: Instant,
    timer: Timer,
    /// `grpc-timeout` of a call that has all of its time left, if the caller said nothing of it.
    whole: Option<HeaderValue>,
    /// Whether the end is the longest life of a stream, and not a deadline that the caller knows.
    is_stream_limit: bool,
    is_stream: bool,
    cut: Cut,
}

impl Life {
    /// It begins now: what a REST body took to arrive is no part of a deadline that nobody asked for.
    fn of(request: &Request<Body>, shared: &Shared) -> Result<Self, Fault> {
        let now = Instant::now();
        let is_stream = request.extensions().get::<AnswersInStream>().is_some();
        let (ends, is_stream_limit, whole) = match request.headers().get(GRPC_TIMEOUT) {
            Some(timeout) => {
                let timeout = timeout.to_str().ok().and_then(deadline::parse_grpc);
                (now.checked_add(timeout.ok_or(Fault::MalformedTimeout)?), false, None)
            }
            None if is_stream => (now.checked_add(shared.settings.stream_deadline), true, None),
            None => (
                now.checked_add(shared.settings.deadline),
                false,
                Some(shared.whole_timeout.clone()),
            ),
        };
        // A time that the clock does not hold is no limit.
        let ends = ends.unwrap_or_else(|| now + Duration::from_secs(u64::from(u32::MAX)));
        Ok(Self {
            ends,
            timer: Timer::default(),
            whole,
            is_stream_limit,
            is_stream,
            cut: Cut::new(match is_stream {
                true => &shared.cutting,
                false => &shared.ending,
            }),
        })
    }

    /// What is left of it, as `grpc-timeout`.
    fn left(&mut self, shared: &Shared) -> HeaderValue {
        let left = self.ends.saturating_duration_since(Instant::now());
        match self.whole.take() {
            // The gateway itself ends the call in time.
            Some(whole) if left + HASTE >= shared.settings.deadline => whole,
            _ => {
                let mut left = deadline::to_grpc(left);
                // No other call has the same: nothing for HTTP/2's table.
                left.set_sensitive(true);
                left
            }
        }
    }

    pub(super) fn is_over(&self) -> bool {
        Instant::now() >= self.ends
    }

    /// Waits for something, but not beyond the end.
    async fn bound<F: Future>(&mut self, future: F) -> Result<F::Output, Fault> {
        tokio::select! {
            biased;
            output = future => Ok(output),
            fault = poll_fn(|cx| match self.is_cut(cx, true) {
                true => Poll::Ready(self.cut_fault()),
                false => Pin::new(&mut *self).poll(cx).map(|()| self.fault()),
            }) => Err(fault),
        }
    }

    /// Whether the gateway cuts the call in the place of the next frame of its answer, which is there or not.
    pub(super) fn is_cut(&mut self, cx: &mut Context<'_>, is_pending: bool) -> bool {
        self.cut.is_due(cx, is_pending)
    }

    /// What the cut means.
    pub(super) fn cut_fault(&self) -> Fault {
        match self.is_stream {
            true => Fault::StreamCut,
            false => Fault::Stopping,
        }
    }

    /// A server that sees the end of the time first cancels the call, as grpc-go does; its reason is the time.
    pub(super) fn blame(&self, fault: Fault) -> Fault {
        if fault.is_cancel() && self.is_over() {
            self.fault()
        } else {
            fault
        }
    }

    /// What the end means.
    pub(super) fn fault(&self) -> Fault {
        if self.is_stream_limit {
            Fault::LifeOver
        } else {
            Fault::DeadlineExceeded
        }
    }
}

/// Comes at the end.
impl Future for Life {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = &mut *self;
        this.timer.poll(this.ends, cx)
    }
}
