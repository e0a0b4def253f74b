//! One call: it takes a place on a connection, is sent, and waits for the head of its answer, all inside its deadline.

use std::convert::Infallible;
use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use h2::client::ResponseFuture;
use h2::{Reason, RecvStream};
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

/// Answers a call, whatever happens; one that has no upstream is answered already. All that can be done at once is done
/// here and not in the future, which is moved about before it begins.
pub(super) fn answer(
    found: Result<Arc<Shared>, Response<Body>>,
    request: Request<Body>,
) -> impl Future<Output = Result<Response<Body>, Infallible>> + Send + use<> {
    let mut call = found.and_then(|shared| Call::of(shared, request));
    async move {
        let head = match &mut call {
            Ok(call) => call.head_of_answer().await,
            Err(refusal) => return Ok(std::mem::take(refusal)),
        };
        Ok(call.map_or_else(|refusal| refusal, |call| call.answered(head)))
    }
}

/// A call until its answer begins.
struct Call {
    shared: Arc<Shared>,
    record: Arc<CallRecord>,
    life: Life,
    head: Head,
    /// Empty while it is being sent.
    body: Outgoing,
}

/// An answer of which the head is there, and what goes on with it.
struct Begun {
    response: Response<RecvStream>,
    upload: Option<Upload>,
    lease: Lease,
}

impl Call {
    /// A call that begins, or how it failed.
    fn of(shared: Arc<Shared>, request: Request<Body>) -> Result<Self, Response<Body>> {
        let record = CallRecord::of(request.extensions());
        let parts = Life::of(&request, &shared).and_then(|life| {
            let (head, body) = request.into_parts();
            let head = Head::of(head, &shared.address)?;
            Ok((life, head, Outgoing::of(body).map_err(Fault::Upload)?))
        });
        match parts {
            Ok((life, head, body)) => Ok(Self {
                shared,
                record,
                life,
                head,
                body,
            }),
            Err(fault) => Err(failed(&fault, &shared, &record)),
        }
    }

    /// Sends the call, again if it may be, and waits for the head of the answer.
    async fn head_of_answer(&mut self) -> Result<Begun, Fault> {
        let (mut unsent, mut was_refused) = (0, false);
        loop {
            let mut lease = match self.shared.pool.lease_now() {
                Some(lease) => lease,
                None => self.lease().await?,
            };
            lease.lend(&mut self.life.timer);
            let request = self.head.request(self.life.left(&self.shared), lease.is_first());
            let mut sent = match Sent::new(&mut lease, request, std::mem::take(&mut self.body)) {
                Ok(sent) => sent,
                Err((_, back)) if unsent < UNSENT_MAX => {
                    unsent += 1;
                    self.body = back;
                    continue;
                }
                Err((error, _)) => return Err(Fault::Broken(error)),
            };
            let error = match self.life.bound(&mut sent.response).await {
                Ok(Ok(response)) => {
                    let upload = sent.upload;
                    return Ok(Begun {
                        response,
                        upload,
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
    fn answered(self, begun: Result<Begun, Fault>) -> Response<Body> {
        let begun = begun.and_then(|begun| {
            begun.lease.note_served();
            let (mut head, stream) = begun.response.into_parts();
            let header_bound = HeaderBound(self.shared.settings.header_bytes_max as usize);
            let received = header_bound.received(&mut head.headers);
            received.map_err(Fault::HeadersTooLarge)?;
            if !is_grpc(head.status, &head.headers) {
                let content_type = head.headers.remove(header::CONTENT_TYPE);
                return Err(Fault::Foreign(head.status, content_type));
            }
            Ok((head.headers, stream, begun.upload, begun.lease, header_bound))
        });
        let (headers, stream, upload, lease, header_bound) = match begun {
            Ok(begun) => begun,
            Err(fault) => return failed(&fault, &self.shared, &self.record),
        };
        let answer = Answer::new(Live {
            stream,
            upload,
            lease,
            life: self.life,
            framing: Framing::new(self.shared.settings.message_bytes_max),
            header_bound,
            shared: self.shared,
            record: self.record,
        });
        let mut response = Response::new(Body::new(answer));
        *response.headers_mut() = headers;
        response
    }
}

/// The answer to a call that failed before its own began.
fn failed(fault: &Fault, shared: &Shared, record: &CallRecord) -> Response<Body> {
    fault.log(&shared.address.name, record.request_id());
    fault.response(record.error_domain())
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
        lease.drop_spent();
        Ok(Self {
            response,
            upload,
            whole,
        })
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
    fn bound<F: Future + Unpin>(&mut self, mut future: F) -> impl Future<Output = Result<F::Output, Fault>> {
        poll_fn(move |cx| {
            if let Poll::Ready(output) = Pin::new(&mut future).poll(cx) {
                return Poll::Ready(Ok(output));
            }
            if self.is_cut(cx, true) {
                return Poll::Ready(Err(self.cut_fault()));
            }
            Pin::new(&mut *self).poll(cx).map(|()| Err(self.fault()))
        })
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
