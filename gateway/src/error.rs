//! Failures on their way out: what the gateway refuses by itself, sentence by sentence, and what the inner service
//! answers become one [`Failure`]; `answer.rs` writes it in the shape of the caller's door.

use std::borrow::Cow;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use http::{HeaderMap, HeaderValue, Method, StatusCode, Version, header};
use millrace_transcode::{BindError, RouteError, status};
use tonic::Code;

use crate::call::CallRecord;
use crate::metadata::{self, HeaderNames};

/// Bytes of a path in a message.
const SHOWN_PATH_BYTES_MAX: usize = 256;

/// The domain of the gateway's own reasons until they are written: whoever writes them knows it.
const DOMAIN: &str = "";

/// The domain of the platform, which cuts streams as the gateway does.
const PLATFORM_DOMAIN: &str = "millrace";

/// When a caller may come again whom a limit kept out.
const RETRY_AFTER: Duration = Duration::from_secs(1);

/// A call that failed, before it is written in any shape.
#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) said: Box<status::Failure>,
    /// Headers of the REST answer.
    pub(crate) headers: Box<HeaderMap>,
    /// Whether the gateway refused it itself, so that its reason has the gateway's domain.
    is_own: bool,
}

impl Failure {
    /// An error of the inner service. `details` is an encoded `google.rpc.Status`, or empty.
    pub(crate) fn of_call(code: i32, message: &str, details: &[u8]) -> Self {
        let (said, is_malformed) = status::Failure::from_grpc(code, message, details);
        if is_malformed {
            tracing::warn!(
                rpc.code = said.code,
                "the details of an error are no google.rpc.Status, and are left out"
            );
        }
        Self {
            is_own: false,
            ..said.into()
        }
    }

    /// The same with the metadata that came with the status.
    pub(crate) fn with_metadata(mut self, metadata: &HeaderMap, names: HeaderNames) -> Self {
        metadata::to_headers(metadata, names.of_trailers(), &mut self.headers);
        self
    }

    /// An inner service that does not speak gRPC.
    pub(crate) fn bad_upstream(http: Option<StatusCode>, message: impl Into<String>) -> Self {
        let said = status::Failure::new(Code::Unavailable as i32, message).with_reason(DOMAIN, "UPSTREAM_FAILED");
        let http_status = http.map(|status| status.as_u16());
        status::Failure { http_status, ..said }.into()
    }

    /// An inner service that answers with HTTP's own status: some proxy's page. It is kept in the details.
    pub(crate) fn foreign_answer(http: StatusCode) -> Self {
        let http = http.as_str();
        let message = format!("the upstream answered with HTTP status {http}, not with gRPC");
        status::Failure::new(Code::Unavailable as i32, message)
            .with_reason_about(DOMAIN, "UPSTREAM_FAILED", "http_status", http)
            .into()
    }

    /// A server behind this one that takes no call at this moment.
    #[cfg(feature = "standalone")]
    pub(crate) fn upstream_unavailable(message: &str, retry_after: Duration) -> Self {
        status::Failure::new(Code::Unavailable as i32, message)
            .with_reason(DOMAIN, "UPSTREAM_FAILED")
            .with_retry_delay(retry_after)
            .into()
    }

    /// A server behind this one that did not answer as it should.
    #[cfg(feature = "standalone")]
    pub(crate) fn upstream_failed(code: Code, message: impl Into<String>) -> Self {
        status::Failure::new(code as i32, message)
            .with_reason(DOMAIN, "UPSTREAM_FAILED")
            .into()
    }

    /// A server behind this one that answered with HTTP's own status, which is kept in the details.
    #[cfg(feature = "standalone")]
    pub(crate) fn upstream_foreign(code: Code, message: impl Into<String>, http: StatusCode) -> Self {
        status::Failure::new(code as i32, message)
            .with_reason_about(DOMAIN, "UPSTREAM_FAILED", "http_status", http.as_str())
            .into()
    }

    /// An RPC that no server behind this one has.
    #[cfg(feature = "standalone")]
    pub(crate) fn no_upstream() -> Self {
        status::Failure::new(Code::Unimplemented as i32, "no upstream has the RPC")
            .with_reason(DOMAIN, "NOT_FOUND")
            .into()
    }

    /// The end of a stream that can go on where it ended.
    #[cfg(feature = "standalone")]
    pub(crate) fn stream_cut(message: &str) -> Self {
        status::Failure::new(Code::Unavailable as i32, message)
            .with_reason(DOMAIN, "STREAM_CUT")
            .with_retry_delay(RETRY_AFTER)
            .into()
    }

    /// The end of a call that had no whole answer when the gateway could wait no longer. No time to come again is named:
    /// the server behind may have done what was asked.
    #[cfg(feature = "standalone")]
    pub(crate) fn stopping(message: &str) -> Self {
        status::Failure::new(Code::Unavailable as i32, message)
            .with_reason(DOMAIN, "GATEWAY_STOPPING")
            .into()
    }

    /// An answer that breaks the rules of gRPC, or cannot be written as JSON.
    pub(crate) fn bad_reply(message: impl Into<String>) -> Self {
        status::Failure::new(Code::Internal as i32, message)
            .with_reason(DOMAIN, "INTERNAL")
            .into()
    }

    /// A defect: the message of a panic is for the log only.
    pub(crate) fn panicked() -> Self {
        Self::bad_reply("the server failed; report the request id")
    }

    pub(crate) fn host_not_allowed() -> Self {
        let message = "the host name is not this server's: use localhost, 127.0.0.1 or [::1]";
        refused(StatusCode::MISDIRECTED_REQUEST, message)
            .with_reason(DOMAIN, "HOST_NOT_ALLOWED")
            .into()
    }

    /// A request that names no host, or more than one.
    pub(crate) fn bad_host(problem: &str) -> Self {
        let violation = ("host".to_owned(), problem.to_owned());
        Self::invalid(format!("header `host` {problem}"), &[violation])
    }

    /// A page whose origin may not call asks whether it may.
    pub(crate) fn origin_not_allowed() -> Self {
        status::Failure::new(
            Code::PermissionDenied as i32,
            "pages of this origin may not call this server",
        )
        .with_reason(DOMAIN, "ORIGIN_NOT_ALLOWED")
        .into()
    }

    pub(crate) fn grpc_over_http1() -> Self {
        let message = "gRPC needs HTTP/2; over HTTP/1.1 use gRPC-Web or REST";
        refused(StatusCode::UNSUPPORTED_MEDIA_TYPE, message)
            .with_reason(DOMAIN, "WRONG_DOOR")
            .into()
    }

    /// A content type or encoding that the gateway does not read.
    pub(crate) fn unsupported_media(message: impl Into<String>) -> Self {
        refused(StatusCode::UNSUPPORTED_MEDIA_TYPE, message)
            .with_reason(DOMAIN, "UNSUPPORTED_MEDIA")
            .into()
    }

    /// A body in a transfer coding besides `chunked`. The connection ends with it: where its next request begins,
    /// whoever is in front may see otherwise.
    pub(crate) fn unknown_transfer_coding() -> Self {
        let message =
            "the body is in a transfer coding that this server does not undo: send it plain, or `chunked` alone";
        let said = refused(StatusCode::NOT_IMPLEMENTED, message).with_reason(DOMAIN, "UNSUPPORTED_MEDIA");
        let mut failure = Self::from(said);
        failure
            .headers
            .insert(header::CONNECTION, HeaderValue::from_static("close"));
        failure
    }

    pub(crate) fn not_acceptable(offered: &str) -> Self {
        let message = format!("`Accept` allows nothing that this route writes: {offered}");
        refused(StatusCode::NOT_ACCEPTABLE, message)
            .with_reason(DOMAIN, "NOT_ACCEPTABLE")
            .into()
    }

    pub(crate) fn method_not_allowed(allow: &str) -> Self {
        let message = format!("the method is not allowed here; allowed: {allow}");
        let said = refused(StatusCode::METHOD_NOT_ALLOWED, message).with_reason(DOMAIN, "METHOD_NOT_ALLOWED");
        let mut failure = Self::from(said);
        if let Ok(allow) = HeaderValue::from_str(allow) {
            failure.headers.insert(header::ALLOW, allow);
        }
        failure
    }

    pub(crate) fn no_route(method: &Method, path: &str, error: RouteError) -> Self {
        match error {
            RouteError::MethodNotAllowed { allow } => Self::method_not_allowed(&allow),
            RouteError::BadPath => Self::invalid(
                "the path is malformed: it must begin with `/`, be percent-encoded UTF-8, and have no control \
                 characters",
                &[],
            ),
            RouteError::NotFound { did_you_mean } => {
                let shown = &path[..path.floor_char_boundary(SHOWN_PATH_BYTES_MAX)];
                let mut message = format!("no route for {method} {shown}");
                if let Some(similar) = did_you_mean {
                    message.push_str(&format!("; did you mean {similar}?"));
                }
                refused(StatusCode::NOT_FOUND, message)
                    .with_reason(DOMAIN, "NOT_FOUND")
                    .into()
            }
        }
    }

    pub(crate) fn uri_too_long(bytes_max: usize) -> Self {
        let message = format!("path and query are longer than {bytes_max} bytes");
        refused(StatusCode::URI_TOO_LONG, message)
            .with_reason(DOMAIN, "TOO_LARGE")
            .into()
    }

    pub(crate) fn too_large(bytes_max: usize) -> Self {
        Self::too_large_because(format!("the body is larger than {bytes_max} bytes"))
    }

    /// A part of the body that is too large.
    pub(crate) fn too_large_because(message: String) -> Self {
        refused(StatusCode::PAYLOAD_TOO_LARGE, message)
            .with_reason(DOMAIN, "TOO_LARGE")
            .into()
    }

    /// A body that did not come in time.
    pub(crate) fn body_too_slow(limit: Duration) -> Self {
        let message = format!("the body did not arrive within {limit:?}");
        refused(StatusCode::REQUEST_TIMEOUT, message)
            .with_reason(DOMAIN, "DEADLINE_EXCEEDED")
            .into()
    }

    /// A stream of the client's whose next message did not come in time.
    pub(crate) fn element_too_slow(limit: Duration) -> Self {
        let message = format!("the next message of the stream did not arrive within {limit:?}");
        refused(StatusCode::REQUEST_TIMEOUT, message)
            .with_reason(DOMAIN, "DEADLINE_EXCEEDED")
            .into()
    }

    /// A call that the inner service did not end by its deadline.
    pub(crate) fn deadline_exceeded(message: &str) -> Self {
        status::Failure::new(Code::DeadlineExceeded as i32, message)
            .with_reason(DOMAIN, "DEADLINE_EXCEEDED")
            .into()
    }

    /// A body for which the memory that all bodies share has no room.
    pub(crate) fn no_memory_for_body() -> Self {
        let message = "the server is reading too many bodies at this moment";
        status::Failure::new(Code::ResourceExhausted as i32, message)
            .with_reason(DOMAIN, "OVERLOADED")
            .with_retry_delay(RETRY_AFTER)
            .into()
    }

    /// A call for whose answer the memory that all answers share has no room. It was not made: it can be made again.
    pub(crate) fn no_memory_for_call() -> Self {
        let message = "the server holds too many answers that are not read at this moment";
        status::Failure::new(Code::ResourceExhausted as i32, message)
            .with_reason(DOMAIN, "OVERLOADED")
            .with_retry_delay(RETRY_AFTER)
            .into()
    }

    /// The same after the call was made. No time to come again is named: what was asked may be done.
    pub(crate) fn no_memory_for_answer() -> Self {
        let message = "the call was made, but the server holds too many answers that are not read to keep this one";
        status::Failure::new(Code::ResourceExhausted as i32, message)
            .with_reason(DOMAIN, "OVERLOADED")
            .into()
    }

    /// Whether it is a body that did not come in time.
    pub(crate) fn is_too_slow(&self) -> bool {
        self.said.http_status == Some(StatusCode::REQUEST_TIMEOUT.as_u16())
    }

    /// The same failure; if it is a body that did not come in time, one that closes an HTTP/1.1 connection: what may
    /// still come of the body is no request.
    pub(crate) fn closing(mut self, version: Version) -> Self {
        if self.is_too_slow() && version < Version::HTTP_2 {
            self.headers
                .insert(header::CONNECTION, HeaderValue::from_static("close"));
        }
        self
    }

    /// A body that broke off on its way in.
    pub(crate) fn broken_body() -> Self {
        Self::invalid("the body could not be read to its end", &[])
    }

    /// A request that does not fit its route. The setting that would allow it is the operator's to know: it goes to the
    /// call's log line.
    pub(crate) fn unbindable(error: &BindError, record: &CallRecord) -> Self {
        if let Some(setting) = error.relaxed_by {
            record.set_relaxed_by(setting);
        }
        status::Failure::from(error).with_reason(DOMAIN, "INVALID_FIELD").into()
    }

    /// A header that the caller can correct.
    pub(crate) fn bad_header(header: &str, error: &dyn std::error::Error) -> Self {
        let description = error.to_string();
        Self::invalid(description.clone(), &[(header.to_owned(), description)])
    }

    /// Something else in the request that the caller can correct.
    pub(crate) fn invalid(message: impl Into<String>, violations: &[(String, String)]) -> Self {
        let said = status::Failure::new(Code::InvalidArgument as i32, message).with_violations(violations);
        said.with_reason(DOMAIN, "INVALID_FIELD").into()
    }

    /// A condition on a change, in a header that no field takes.
    pub(crate) fn unchecked_condition(header: &str) -> Self {
        let problem =
            "is not supported, and nothing was changed: send the resource's `etag` in its field, if it has one";
        let violation = (header.to_owned(), problem.to_owned());
        Self::invalid(format!("header `{header}` {problem}"), &[violation])
    }

    /// Whether the server cut a stream that can go on where it ended. `own` is the gateway's domain.
    pub(crate) fn is_cut(&self, own: &str) -> bool {
        let cuts = |domain: &str| self.is_own || domain == own || domain == PLATFORM_DOMAIN;
        let reason = self.said.reason();
        reason.is_some_and(|(domain, reason)| cuts(&domain) && reason == "STREAM_CUT")
    }

    /// What is said, with the gateway's domain where the gateway says it.
    pub(crate) fn said(&self, domain: &str) -> Cow<'_, status::Failure> {
        match self.is_own {
            true => Cow::Owned(self.said.in_domain(domain)),
            false => Cow::Borrowed(&self.said),
        }
    }

    pub(crate) fn code(&self) -> Code {
        Code::from_i32(self.said.code)
    }

    /// The same as gRPC says it, with this domain where the gateway says it.
    pub(crate) fn to_status(&self, domain: &str) -> tonic::Status {
        let said = self.said(domain);
        tonic::Status::with_details(self.code(), &said.message, said.details_bytes().into())
    }

    /// The same as trailers of a gRPC answer.
    pub(crate) fn trailers(&self, domain: &str) -> HeaderMap {
        let said = self.said(domain);
        let mut trailers = HeaderMap::with_capacity(3);
        trailers.insert("grpc-status", HeaderValue::from(said.code));
        let message = percent_encoding::utf8_percent_encode(&said.message, GRPC_MESSAGE).to_string();
        if let Ok(message) = HeaderValue::try_from(message) {
            trailers.insert("grpc-message", message);
        }
        if !said.details.is_empty()
            && let Ok(details) = HeaderValue::try_from(STANDARD_NO_PAD.encode(said.details_bytes()))
        {
            trailers.insert("grpc-status-details-bin", details);
        }
        trailers
    }
}

impl From<status::Failure> for Failure {
    fn from(said: status::Failure) -> Self {
        Self {
            said: Box::new(said),
            headers: Box::default(),
            is_own: true,
        }
    }
}

/// A refusal that only HTTP knows.
fn refused(http: StatusCode, message: impl Into<String>) -> status::Failure {
    status::Failure::refusal(http.as_u16(), message)
}

/// Everything but visible ASCII and the space, and `%` itself.
const GRPC_MESSAGE: &percent_encoding::AsciiSet = &percent_encoding::CONTROLS.add(b'%');
