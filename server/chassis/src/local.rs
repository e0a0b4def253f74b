//! The channel by which one service calls another in the same process: the whole stack, without a socket. It hands on
//! the request id and the trace of the call in progress and what is left of its deadline, and is part of that call for
//! the cap on calls. All that holds in the handler's own task; a task that it spawns makes calls of its own.

use std::convert::Infallible;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use arc_swap::ArcSwapOption;
use http::{HeaderValue, Request, Response};
use tonic::body::Body;
use tower::{Service, ServiceExt};

use crate::module::GrpcService;
use crate::stack::{Admitted, Current, Deadline, GRPC_TIMEOUT, timeout_asked, timeout_text};
use crate::status;

/// A channel for generated clients. It is empty until the chassis has built the stack, and again when the platform has
/// ended; a call then is UNAVAILABLE.
#[derive(Clone, Default)]
pub struct LocalChannel(Arc<ArcSwapOption<GrpcService>>);

impl LocalChannel {
    /// Connects the channel.
    pub(crate) fn connect(&self, stack: GrpcService) {
        self.0.store(Some(Arc::new(stack)));
    }

    /// Lets go of the stack. Services in it hold the platform, which holds this channel: the circle would keep the
    /// databases open, and their files locked, for ever.
    pub(crate) fn disconnect(&self) {
        self.0.store(None);
    }
}

impl Service<Request<Body>> for LocalChannel {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Infallible>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, mut request: Request<Body>) -> Self::Future {
        let Some(stack) = self.0.load_full() else {
            return Box::pin(async { Ok(status::unavailable("the platform is not running").into_http()) });
        };
        if let Some(current) = Current::get() {
            current.hand_on(request.headers_mut());
            hand_on_deadline(&mut request, current.deadline());
            request.extensions_mut().insert(Admitted);
        }
        Box::pin(GrpcService::clone(&stack).oneshot(request))
    }
}

/// Sets `grpc-timeout` to what is left for the call in progress, unless the caller asked for less.
fn hand_on_deadline(request: &mut Request<Body>, deadline: Option<Deadline>) {
    let Some(deadline) = deadline else {
        return;
    };
    let left = deadline.remaining();
    // A malformed one is left for the deadline layer to refuse.
    let keep = match timeout_asked(request.headers()) {
        Ok(asked) => asked.is_some_and(|asked| asked <= left),
        Err(_) => true,
    };
    if keep {
        return;
    }
    if let Ok(value) = HeaderValue::try_from(timeout_text(left)) {
        request.headers_mut().insert(GRPC_TIMEOUT, value);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::time::Instant;

    use super::*;

    #[tokio::test]
    async fn a_channel_without_a_stack_is_unavailable() {
        let response = LocalChannel::default()
            .oneshot(Request::new(Body::empty()))
            .await
            .unwrap();
        assert_eq!(response.headers()["grpc-status"], "14");
    }

    #[tokio::test(start_paused = true)]
    async fn the_rest_of_the_deadline_is_handed_on() {
        let left = Some(Deadline(Instant::now() + Duration::from_secs(2)));
        let cases = [
            (None, left, Some("2000000u")),
            (Some("1S"), left, Some("1S")),
            (Some("3S"), left, Some("2000000u")),
            (Some("3S"), None, Some("3S")),
            (None, None, None),
        ];
        for (asked, deadline, expected) in cases {
            let mut request = Request::new(Body::empty());
            if let Some(asked) = asked {
                request
                    .headers_mut()
                    .insert(GRPC_TIMEOUT, HeaderValue::from_static(asked));
            }
            hand_on_deadline(&mut request, deadline);
            let sent = request.headers().get(GRPC_TIMEOUT).map(|value| value.to_str().unwrap());
            assert_eq!(sent, expected, "{asked:?} {deadline:?}");
        }
    }
}
