//! One failure, and the two bodies that carry it.

use std::time::Duration;

use prost::Message;
use serde_json::{Map, Value, json};

use crate::bind::BindError;
use crate::codec::{WriteOptions, known, scalar};
use crate::echo;
use crate::schema::Schema;
use crate::status::detail::{
    BAD_REQUEST, BadRequest, DEBUG_INFO, Delay, Detail, ERROR_INFO, ErrorInfo, FieldViolation, RETRY_INFO, RetryInfo,
    RpcStatus,
};
use crate::status::{code_name, code_of_refusal, http_status, row};

/// Most violations in one body.
pub const VIOLATIONS_MAX: usize = 20;
/// Most bytes of details, on the wire, in one body.
pub const DETAILS_BYTES_MAX: usize = 4 * 1024;

/// Content type of [`Failure::status_json`].
pub const JSON: &str = "application/json";
/// Content type of [`Failure::problem_json`].
pub const PROBLEM_JSON: &str = "application/problem+json";

/// A failed call, ready to be sent over HTTP.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// gRPC code.
    pub code: i32,
    /// For people; decoded, never percent-encoded.
    pub message: String,
    /// In the order in which they came.
    pub details: Vec<Detail>,
    /// A status that only HTTP knows (405, 413, 415, 421); beats table and reason.
    pub http_status: Option<u16>,
}

impl Failure {
    /// A failure without details.
    pub fn new(code: i32, message: impl Into<String>) -> Self {
        Self {
            code,
            message: message.into(),
            details: Vec::new(),
            http_status: None,
        }
    }

    /// A refusal that only HTTP knows, with the code that goes with it.
    pub fn refusal(http_status: u16, message: impl Into<String>) -> Self {
        Self {
            http_status: Some(http_status),
            ..Self::new(code_of_refusal(http_status), message)
        }
    }

    /// A failure as gRPC sends it. `details` is the decoded `grpc-status-details-bin`, an encoded `google.rpc.Status`;
    /// the flag says that it was there and could not be read: the failure stands without it.
    pub fn from_grpc(code: i32, message: impl Into<String>, details: &[u8]) -> (Self, bool) {
        let failure = Self::new(code, message);
        match RpcStatus::decode(details) {
            Ok(status) => (
                Self {
                    details: status.details,
                    ..failure
                },
                false,
            ),
            Err(_) => (failure, true),
        }
    }

    /// Adds an `ErrorInfo`.
    #[must_use]
    pub fn with_reason(mut self, domain: &str, reason: &str) -> Self {
        let info = ErrorInfo {
            reason: reason.to_owned(),
            domain: domain.to_owned(),
            ..ErrorInfo::default()
        };
        self.details.push(Detail {
            type_url: ERROR_INFO.to_owned(),
            value: info.encode_to_vec(),
        });
        self
    }

    /// The same, with one thing to know about it.
    #[must_use]
    pub fn with_reason_about(mut self, domain: &str, reason: &str, key: &str, value: &str) -> Self {
        let info = ErrorInfo {
            reason: reason.to_owned(),
            domain: domain.to_owned(),
            metadata: [(key.to_owned(), value.to_owned())].into(),
        };
        self.details.push(Detail {
            type_url: ERROR_INFO.to_owned(),
            value: info.encode_to_vec(),
        });
        self
    }

    /// Adds a `RetryInfo`.
    #[must_use]
    pub fn with_retry_delay(mut self, delay: Duration) -> Self {
        let retry_delay = Delay {
            seconds: i64::try_from(delay.as_secs()).unwrap_or(i64::MAX),
            // Less than 10⁹, which fits.
            nanos: delay.subsec_nanos().cast_signed(),
        };
        let info = RetryInfo {
            retry_delay: Some(retry_delay),
        };
        self.details.push(Detail {
            type_url: RETRY_INFO.to_owned(),
            value: info.encode_to_vec(),
        });
        self
    }

    /// Adds a `BadRequest` with these fields and descriptions, if there are any.
    #[must_use]
    pub fn with_violations(mut self, violations: &[(String, String)]) -> Self {
        let violation = |(field, description): &(String, String)| FieldViolation {
            field: field.clone(),
            description: description.clone(),
            reason: String::new(),
        };
        let bad = BadRequest {
            field_violations: violations.iter().map(violation).collect(),
        };
        if !violations.is_empty() {
            self.details.push(Detail {
                type_url: BAD_REQUEST.to_owned(),
                value: bad.encode_to_vec(),
            });
        }
        self
    }

    /// The encoded `google.rpc.Status`, for `grpc-status-details-bin`, under the same limits as the bodies.
    pub fn details_bytes(&self) -> Vec<u8> {
        let code = self.code;
        let (message, details) = self.bounded();
        RpcStatus { code, message, details }.encode_to_vec()
    }

    fn detail<M: Message + Default>(&self, type_url: &str) -> Option<M> {
        let detail = self.details.iter().find(|detail| detail.type_url == type_url)?;
        M::decode(detail.value.as_slice()).ok()
    }

    /// The same with another domain in each `ErrorInfo`.
    #[must_use]
    pub fn in_domain(&self, domain: &str) -> Self {
        let mut failure = self.clone();
        for detail in failure
            .details
            .iter_mut()
            .filter(|detail| detail.type_url == ERROR_INFO)
        {
            if let Ok(mut info) = ErrorInfo::decode(detail.value.as_slice()) {
                domain.clone_into(&mut info.domain);
                detail.value = info.encode_to_vec();
            }
        }
        failure
    }

    /// Domain and reason of the first `ErrorInfo`.
    pub fn reason(&self) -> Option<(String, String)> {
        self.detail::<ErrorInfo>(ERROR_INFO)
            .map(|info| (info.domain, info.reason))
    }

    /// How long to wait, from `RetryInfo`; for `Retry-After`.
    pub fn retry_delay(&self) -> Option<Duration> {
        let delay = self.detail::<RetryInfo>(RETRY_INFO)?.retry_delay?;
        Some(Duration::new(
            u64::try_from(delay.seconds).ok()?,
            u32::try_from(delay.nanos).ok()?.min(999_999_999),
        ))
    }

    /// The HTTP status: of HTTP itself, else of the reason, else of the code.
    pub fn http_status(&self, schema: &Schema) -> u16 {
        let declared = || {
            let (domain, reason) = self.reason()?;
            schema.reason(&domain, &reason)?.http_status
        };
        self.http_status
            .or_else(declared)
            .unwrap_or_else(|| http_status(self.code))
    }

    /// `google.rpc.Status` as JSON. Details of a type that the schema knows are written out, others stay opaque.
    pub fn status_json(&self, schema: &Schema) -> Vec<u8> {
        let (message, details) = self.bounded();
        let details: Vec<Value> = details.iter().map(|detail| detail_json(detail, schema)).collect();
        // In the order of the message's fields.
        let body = json!({"code": row(self.code).0, "message": message, "details": details});
        body.to_string().into_bytes()
    }

    /// A problem document (RFC 9457). `instance` is the request id; empty leaves it out.
    pub fn problem_json(&self, schema: &Schema, instance: &str) -> Vec<u8> {
        let (message, details) = self.bounded();
        let status = self.http_status(schema);
        let (domain, reason) = self.reason().unzip();
        let bounded = Self {
            details,
            ..Self::new(self.code, "")
        };
        let violations = bounded
            .detail::<BadRequest>(BAD_REQUEST)
            .unwrap_or_default()
            .field_violations;
        // RFC 9457's members, then ours; what says nothing is left out.
        let mut problem = json!({
            "type": "about:blank",
            "title": title(self.code),
            "status": status,
            "detail": message,
        });
        if !instance.is_empty() {
            problem["instance"] = json!(instance);
        }
        problem["code"] = json!(code_name(self.code));
        for (member, text) in [("reason", reason), ("domain", domain)] {
            if let Some(text) = text.filter(|text| !text.is_empty()) {
                problem[member] = json!(text);
            }
        }
        if !violations.is_empty() {
            let listed = violations
                .iter()
                .map(|bad| json!({"field": bad.field, "description": bad.description}));
            problem["violations"] = listed.collect();
        }
        problem.to_string().into_bytes()
    }

    /// Message and details under the limits; what is left out is counted in the message.
    fn bounded(&self) -> (String, Vec<Detail>) {
        let mut message = echo::within(self.message.clone(), echo::MESSAGE_BYTES_MAX);
        let (mut bytes, mut omitted, mut violations_omitted) = (0, 0, 0);
        let mut details = Vec::new();
        for detail in self.details.iter().filter(|detail| detail.type_url != DEBUG_INFO) {
            let mut detail = detail.clone();
            if detail.type_url == BAD_REQUEST
                && let Ok(mut bad) = BadRequest::decode(detail.value.as_slice())
            {
                // Whole violations go until the rest fits both limits.
                let fits = |bad: &BadRequest| {
                    bad.field_violations.len() <= VIOLATIONS_MAX && bytes + bad.encoded_len() <= DETAILS_BYTES_MAX
                };
                while !fits(&bad) && bad.field_violations.pop().is_some() {
                    violations_omitted += 1;
                }
                detail.value = bad.encode_to_vec();
            }
            if bytes + detail.value.len() > DETAILS_BYTES_MAX {
                omitted += 1;
            } else {
                bytes += detail.value.len();
                details.push(detail);
            }
        }
        for (count, what) in [(violations_omitted, "violations"), (omitted, "details")] {
            if count > 0 {
                message.push_str(&format!(" (and {count} more {what})"));
            }
        }
        (message, details)
    }
}

impl From<&BindError> for Failure {
    fn from(error: &BindError) -> Self {
        let failure = Self::new(error.code, error.message.clone()).with_violations(&error.violations);
        Self {
            http_status: error.http_status,
            ..failure
        }
    }
}

/// `Not found`: the code in words.
fn title(code: i32) -> String {
    let lower = code_name(code).to_ascii_lowercase().replace('_', " ");
    let mut letters = lower.chars();
    letters
        .next()
        .map(|first| first.to_ascii_uppercase().to_string() + letters.as_str())
        .unwrap_or_default()
}

/// A detail as JSON. Anything that has no JSON form is shown as its bytes, so that a failure is never lost in its
/// details.
fn detail_json(detail: &Detail, schema: &Schema) -> Value {
    let name = detail.type_url.rsplit_once('/').map_or("", |(_, name)| name);
    let written = || {
        let kind = schema.pool().get_message_by_name(name)?;
        let mut json = Vec::new();
        // Details are for people: a default says nothing there.
        let options = WriteOptions {
            defaults_omitted: true,
            ..WriteOptions::default()
        };
        let codec = schema.codec();
        codec
            .wire_to_json_with(options, &kind, None, &detail.value, &mut json)
            .ok()?;
        serde_json::from_slice::<Value>(&json).ok()
    };
    let mut object = Map::new();
    object.insert("@type".to_owned(), json!(detail.type_url));
    match written() {
        Some(Value::Object(fields)) if !known::is_known(name) => object.extend(fields),
        Some(value) => {
            object.insert("value".to_owned(), value);
        }
        None => {
            object.insert("value".to_owned(), json!(scalar::base64(&detail.value)));
        }
    }
    Value::Object(object)
}

#[cfg(test)]
mod tests;
