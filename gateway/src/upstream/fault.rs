//! What can go wrong between a call and its server, and what the caller is told of it: a gRPC status without addresses,
//! names or the words of libraries. The log has those.

use std::time::Duration;

use http::{HeaderName, HeaderValue, Response, StatusCode};
use millrace_transcode::status;
use tonic::{Code, Status};

use crate::answer::{GRPC, trailers_only};
use crate::causes::with_causes;
use crate::error::Failure;
use crate::inner::InnerBody;
use crate::upstream::framing::TooLarge;
use crate::upstream::http2::{Error, Reason};

/// When a caller may come again whom no connection took.
const RETRY_AFTER: Duration = Duration::from_secs(1);

/// Why a call has no answer, or not all of it.
#[derive(Debug, thiserror::Error)]
pub(super) enum Fault {
    #[error("no connection to the server was there in time")]
    Unreachable,
    #[error("no place on a connection was free in time, or too many calls wait for one")]
    Full,
    #[error("the deadline passed")]
    DeadlineExceeded,
    #[error("the stream reached its longest life")]
    LifeOver,
    #[error("the gateway stops, and cuts the stream")]
    StreamCut,
    #[error("the gateway stops, and the call had no whole answer")]
    Stopping,
    #[error("`grpc-timeout` is malformed")]
    MalformedTimeout,
    #[error("`{0}` is not base64")]
    MalformedBinary(HeaderName),
    #[error("the request's own body failed: {0:?}")]
    Upload(Status),
    #[error("the call broke")]
    Broken(#[source] Error),
    #[error("the server answered with HTTP status {0}, content type {1:?}")]
    Foreign(StatusCode, Option<HeaderValue>),
    #[error("a message of {} bytes is larger than {}", .0.bytes, .0.max)]
    TooLarge(TooLarge),
}

impl Fault {
    /// Whether the server has certainly done nothing for the call: it refused the stream, or said on leaving that it
    /// never looked at it.
    pub(super) fn is_unprocessed(&self) -> bool {
        matches!(self, Self::Broken(error) if error.is_unprocessed())
    }

    /// Whether the server cancelled the call.
    pub(super) fn is_cancel(&self) -> bool {
        matches!(self, Self::Broken(Error::Reset(Reason::CANCEL)))
    }

    /// What the caller is told.
    pub(super) fn failure(&self) -> Failure {
        match self {
            Self::Unreachable => {
                Failure::upstream_unavailable("the upstream cannot be reached at this moment", RETRY_AFTER)
            }
            Self::Full => Failure::upstream_unavailable(
                "the gateway has no free place for a call to the upstream at this moment",
                RETRY_AFTER,
            ),
            Self::DeadlineExceeded => {
                Failure::deadline_exceeded("the upstream did not answer within the call's deadline")
            }
            Self::LifeOver => {
                Failure::stream_cut("the stream reached its longest life; call again, from the last message on")
            }
            Self::StreamCut => Failure::stream_cut("the gateway is stopping; call again, from the last message on"),
            Self::Stopping => {
                Failure::stopping("the gateway stopped before the upstream answered; the call may have had its effect")
            }
            Self::MalformedTimeout => {
                let problem = "header `grpc-timeout` is malformed: expected 1 to 8 digits and one of H, M, S, m, u, n";
                Failure::invalid(problem, &[("grpc-timeout".to_owned(), problem.to_owned())])
            }
            Self::MalformedBinary(name) => {
                let problem = format!("header `{name}` is not base64, as the value of a name that ends with `-bin` is");
                Failure::invalid(problem.clone(), &[(name.to_string(), problem)])
            }
            Self::Upload(status) => Failure::of_call(status.code() as i32, status.message(), status.details()),
            Self::Broken(error) => broken(error),
            Self::Foreign(status, content_type) => foreign(*status, content_type.as_ref()),
            Self::TooLarge(TooLarge { bytes, max }) => Failure::bad_reply(format!(
                "a message of the upstream has {bytes} bytes; the limit is {max}"
            )),
        }
    }

    /// The whole answer to a call that has none; `domain` is the gateway's.
    pub(super) fn response(&self, domain: &str) -> Response<InnerBody> {
        trailers_only(&self.failure(), GRPC, domain)
    }

    /// Writes down what callers are not told.
    pub(super) fn log(&self, upstream: &str, request_id: &str) {
        let reason = with_causes(self);
        match self {
            // The connections' own lines say what is wrong, or the call's own line says all.
            Self::Unreachable
            | Self::DeadlineExceeded
            | Self::LifeOver
            | Self::StreamCut
            | Self::Stopping
            | Self::MalformedTimeout
            | Self::MalformedBinary(_)
            | Self::Upload(_) => {
                tracing::debug!(upstream, request_id, reason, "a call failed");
            }
            _ => tracing::warn!(upstream, request_id, reason, "a call failed"),
        }
    }
}

/// The status of a stream or connection that broke; resets by gRPC's table of HTTP/2 codes. What breaks the rules would
/// break them again: no caller is told to come back for it.
fn broken(error: &Error) -> Failure {
    let (code, message) = match error {
        Error::StreamBroken(_) | Error::Broken(_) => (Code::Internal, "the upstream broke the rules of HTTP/2"),
        Error::HeadersTooLarge { bytes, max } => {
            return Failure::bad_reply(format!(
                "the headers or trailers of the upstream's answer have {bytes} bytes; the limit is {max}"
            ));
        }
        Error::Unprocessed(_)
        | Error::Leaving(..)
        | Error::Unread
        | Error::Io(_)
        | Error::Closed
        | Error::Reset(Reason::REFUSED_STREAM) => {
            return Failure::upstream_unavailable("the connection to the upstream broke", RETRY_AFTER);
        }
        Error::Reset(Reason::CANCEL) => (Code::Cancelled, "the upstream cancelled the call"),
        Error::Reset(Reason::ENHANCE_YOUR_CALM) => (Code::ResourceExhausted, "the upstream has too many calls"),
        Error::Reset(Reason::INADEQUATE_SECURITY) => (Code::PermissionDenied, "the upstream wants a safer connection"),
        Error::Reset(_) => (Code::Internal, "the upstream broke the call off"),
        Error::Cancelled => (Code::Internal, "the call was broken off"),
    };
    Failure::upstream_failed(code, message)
}

/// The status of an answer that is not gRPC, by gRPC's table of HTTP statuses; of one that is HTTP's success,
/// UNAVAILABLE.
fn foreign(status: StatusCode, content_type: Option<&HeaderValue>) -> Failure {
    let code = match status {
        StatusCode::OK => Code::Unavailable,
        status => Code::from_i32(status::code_of_foreign_answer(status.as_u16())),
    };
    let kind = content_type.and_then(|value| value.to_str().ok()).and_then(media_type);
    let kind = kind.map_or_else(String::new, |kind| format!(" and content type {kind}"));
    let number = status.as_u16();
    let message = format!("the upstream answered with HTTP status {number}{kind}, not with gRPC");
    Failure::upstream_foreign(code, message, status)
}

/// The media type alone, if it looks like one.
fn media_type(value: &str) -> Option<&str> {
    const BYTES_MAX: usize = 64;
    let essence = value.split(';').next()?.trim();
    let is_token = |byte: u8| byte.is_ascii_alphanumeric() || b"/+-._".contains(&byte);
    (!essence.is_empty() && essence.len() <= BYTES_MAX && essence.bytes().all(is_token)).then_some(essence)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_foreign_answer_has_the_code_of_its_http_status() {
        let table = [
            (200, Code::Unavailable),
            (400, Code::Internal),
            (401, Code::Unauthenticated),
            (403, Code::PermissionDenied),
            (404, Code::Unimplemented),
            (429, Code::Unavailable),
            (500, Code::Unknown),
            (502, Code::Unavailable),
            (503, Code::Unavailable),
            (504, Code::Unavailable),
        ];
        for (status, code) in table {
            let html = HeaderValue::from_static("text/html; charset=utf-8");
            let failure = foreign(StatusCode::from_u16(status).unwrap(), Some(&html));
            assert_eq!(failure.code(), code, "{status}");
            let expected =
                format!("the upstream answered with HTTP status {status} and content type text/html, not with gRPC");
            assert_eq!(failure.said.message, expected);
        }
    }

    #[test]
    fn a_content_type_is_repeated_only_if_it_is_one() {
        let table = [
            ("text/html", Some("text/html")),
            ("application/problem+json ; x=y", Some("application/problem+json")),
            ("", None),
            ("<script>", None),
            ("see 10.0.0.7:80", None),
        ];
        for (value, expected) in table {
            assert_eq!(media_type(value), expected);
        }
        assert_eq!(media_type(&"a".repeat(65)), None);
    }
}
