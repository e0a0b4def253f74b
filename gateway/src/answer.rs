//! Writes a failure in the shape of the caller's door: trailers for gRPC and gRPC-Web, `google.rpc.Status` or a problem
//! document for REST. The one place where a failure becomes an HTTP response.

use std::sync::Arc;
use std::time::Duration;

use http::{HeaderMap, HeaderValue, Method, StatusCode, Version, header};
use millrace_transcode::Schema;

use crate::accept::{Accept, Media};
use crate::body::{HttpResponse, ResponseBody};
use crate::call::CallRecord;
use crate::door::Door;
use crate::edge::Names;
use crate::error::Failure;

/// The content type of gRPC.
pub(crate) const GRPC: &str = "application/grpc";

/// The shape in which a caller expects an error: read from the request before a door takes it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Shape {
    door: Door,
    form: Form,
    /// Whether the caller takes JSON as an answer, as nearly all do; of others and of streams [`Accept`] says more.
    takes_json: bool,
    /// No body is sent.
    head: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    Grpc,
    GrpcWeb { text: bool },
    Json,
    Problem,
}

impl Shape {
    /// Reads the door and, for REST, `Accept`.
    pub(crate) fn of<B>(request: &http::Request<B>, names: Names) -> Self {
        let headers = request.headers();
        let door = Door::of(headers, names);
        let (of_rest, takes_json) = Form::of_rest(headers, names);
        let form = match door {
            // Over HTTP/1.1 the caller cannot read trailers, which is why it is refused.
            Door::Grpc if request.version() == Version::HTTP_2 => Form::Grpc,
            Door::GrpcWeb => Form::GrpcWeb {
                text: crate::web::is_text(headers),
            },
            _ => of_rest,
        };
        Self {
            door,
            form,
            takes_json,
            head: request.method() == Method::HEAD,
        }
    }

    /// The shape of a refusal that a gRPC caller could not read as gRPC: the one of REST.
    pub(crate) fn of_rest<B>(request: &http::Request<B>, names: Names) -> Self {
        let (form, takes_json) = Form::of_rest(request.headers(), names);
        Self {
            door: Door::Rest,
            form,
            takes_json,
            head: request.method() == Method::HEAD,
        }
    }

    /// The door that the request asks for.
    pub(crate) fn door(&self) -> Door {
        self.door
    }

    /// Whether it is known that JSON will do.
    pub(crate) fn takes_json(&self) -> bool {
        self.takes_json
    }
}

impl Form {
    /// The form of errors over REST, and whether an answer may be JSON for all that a glance at `Accept` shows.
    fn of_rest(headers: &HeaderMap, names: Names) -> (Self, bool) {
        if !names.have(Names::ACCEPT) || Accept::is_usual(headers) {
            (Self::Json, true)
        } else if Accept::wants_problem(headers) {
            (Self::Problem, false)
        } else {
            (Self::Json, false)
        }
    }
}

/// Writes failures; knows the error catalogue of the schema.
#[derive(Clone)]
pub(crate) struct Answers {
    schema: Arc<Schema>,
    /// Of a 401.
    www_authenticate: HeaderValue,
    /// Of the gateway's own reasons.
    domain: Arc<str>,
}

impl Answers {
    pub(crate) fn new(schema: Arc<Schema>, www_authenticate: HeaderValue, domain: Arc<str>) -> Self {
        Self {
            schema,
            www_authenticate,
            domain,
        }
    }

    /// The answer to a call that failed before anything was sent.
    pub(crate) fn answer(&self, shape: &Shape, failure: &Failure, record: &CallRecord) -> HttpResponse {
        record.set_code(failure.code());
        let mut response = match shape.form {
            Form::Grpc => trailers_only(failure, GRPC, &self.domain),
            Form::GrpcWeb { text: false } => trailers_only(failure, "application/grpc-web+proto", &self.domain),
            Form::GrpcWeb { text: true } => trailers_only(failure, "application/grpc-web-text+proto", &self.domain),
            Form::Json => self.rest(failure, Media::Json, record),
            Form::Problem => self.rest(failure, Media::Problem, record),
        };
        if shape.head {
            response.body_mut().discard();
        }
        response
    }

    /// The `google.rpc.Status` of a failure as JSON: what a stream ends with.
    pub(crate) fn status_json(&self, failure: &Failure) -> Vec<u8> {
        failure.said(&self.domain).status_json(&self.schema)
    }

    /// Whether the server cut a stream that can go on where it ended.
    pub(crate) fn is_cut(&self, failure: &Failure) -> bool {
        failure.is_cut(&self.domain)
    }

    fn rest(&self, failure: &Failure, media: Media, record: &CallRecord) -> HttpResponse {
        let said = failure.said(&self.domain);
        let status = StatusCode::from_u16(said.http_status(&self.schema)).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let body = match media {
            Media::Problem => said.problem_json(&self.schema, record.request_id()),
            Media::Json | Media::Ndjson | Media::EventStream => said.status_json(&self.schema),
        };
        let mut response = http::Response::new(ResponseBody::full(body));
        *response.status_mut() = status;
        *response.headers_mut() = HeaderMap::clone(&failure.headers);
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(media.content_type()));
        headers.append(header::VARY, HeaderValue::from_static("accept"));
        headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
        if status == StatusCode::UNAUTHORIZED {
            headers.insert(header::WWW_AUTHENTICATE, self.www_authenticate.clone());
        }
        if let Some(delay) = said.retry_delay() {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(whole_seconds(delay)));
        }
        response
    }
}

/// A gRPC answer that is an error and nothing else: its trailers are its headers. `domain` is the gateway's.
pub(crate) fn trailers_only<B: Default>(
    failure: &Failure,
    content_type: &'static str,
    domain: &str,
) -> http::Response<B> {
    let mut response = http::Response::new(B::default());
    *response.headers_mut() = failure.trailers(domain);
    response
        .headers_mut()
        .insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
    response
}

/// Rounded up: a retry before the delay is over would be too early.
fn whole_seconds(delay: Duration) -> u64 {
    delay.as_secs() + u64::from(delay.subsec_nanos() > 0)
}
