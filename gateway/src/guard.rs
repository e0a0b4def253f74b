//! What may end a call before its answer does: the caller's deadline, and a streamed body that went wrong. Both are
//! looked at wherever the answer is waited for, before the answer itself: what the inner service makes of a body that
//! broke off is not what the caller did wrong. Messages that had come already are told first.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use http::Version;
use tokio::sync::oneshot;
use tokio::time::{Instant, Sleep, sleep_until};

use crate::body::RequestBody;
use crate::error::Failure;
use crate::rest::{DISCARD_TIME_MAX, discard};

/// How long after the deadline the gateway ends a call by itself: the inner service, which was told the same deadline,
/// is to be first, for its answer may say more.
const GRACE: Duration = Duration::from_millis(100);

/// How a streamed body ended.
pub(crate) enum UploadEnd {
    /// It was wrong; what is left of it, if that can still be read.
    Failed(Failure, Option<RequestBody>),
    /// The inner service wanted no more of it.
    Left(RequestBody),
}

/// What a call is watched for.
pub(crate) struct Guard {
    /// Nothing comes if the body was read to its end.
    upload: Option<oneshot::Receiver<UploadEnd>>,
    left: Option<RequestBody>,
    /// By which version of HTTP the streamed body came.
    version: Version,
    late: Option<Pin<Box<Sleep>>>,
}

impl Guard {
    /// Watches the deadline, if there is one.
    pub(crate) fn until(deadline: Option<Instant>) -> Self {
        let ends = deadline.and_then(|deadline| deadline.checked_add(GRACE));
        Self {
            upload: None,
            left: None,
            version: Version::HTTP_2,
            late: ends.map(|ends| Box::pin(sleep_until(ends))),
        }
    }

    /// Watches a streamed body too, which came by this version of HTTP.
    pub(crate) fn with_upload(mut self, upload: oneshot::Receiver<UploadEnd>, version: Version) -> Self {
        self.upload = Some(upload);
        self.version = version;
        self
    }

    /// Whether the call is to end, and how.
    pub(crate) fn poll_failure(&mut self, cx: &mut Context<'_>) -> Poll<Failure> {
        if let Some(upload) = &mut self.upload
            && let Poll::Ready(end) = Pin::new(upload).poll(cx)
        {
            self.upload = None;
            match end {
                Ok(UploadEnd::Failed(failure, left)) => {
                    self.left = left;
                    return Poll::Ready(failure.closing(self.version));
                }
                Ok(UploadEnd::Left(left)) => self.left = Some(left),
                Err(_) => {}
            }
        }
        match &mut self.late {
            Some(late) => late
                .as_mut()
                .poll(cx)
                .map(|()| Failure::deadline_exceeded("the call did not end by its deadline")),
            None => Poll::Pending,
        }
    }

    /// Reads on what the inner service left of the body of a call that failed, within bounds: over HTTP/1.1 a caller
    /// who is still sending sees the answer only then. The body comes back as soon as nobody inside holds it.
    pub(crate) async fn read_on(&mut self) {
        if self.version >= Version::HTTP_2 {
            return;
        }
        if let Some(upload) = self.upload.take()
            && let Ok(Ok(end)) = tokio::time::timeout(DISCARD_TIME_MAX, upload).await
        {
            self.left = match end {
                UploadEnd::Failed(_, left) => left,
                UploadEnd::Left(left) => Some(left),
            };
        }
        if let Some(left) = self.left.take() {
            discard(left).await;
        }
    }
}
