//! What is expected of a call, and whether it is so.

use prost_reflect::DynamicMessage;
use serde_json::Value;

use crate::case::Call;
use crate::http::Answer;
use crate::recorder::Seen;
use crate::shapes;

/// One thing that is expected.
pub(crate) enum Expect {
    Status(u16),
    Json(Value),
    Body(Vec<u8>),
    Says(String),
    Code(i32),
    /// The path of the field that is wrong.
    Field(String),
    NotCalled,
    Rpc(&'static str),
    Sends(Vec<String>),
    Header(&'static str, Option<String>),
    Metadata(&'static str, Vec<&'static str>),
    Trailer(&'static str, Option<&'static str>),
    Broken,
    Cancelled,
    Check(fn(&Answer, &[Seen]) -> Result<(), String>),
}

/// What no call is like unless it says so.
pub(crate) fn unexpected(call: &Call, answer: &Answer) -> Vec<String> {
    let expects = |is: fn(&Expect) -> bool| call.expected.iter().any(is);
    let mut problems = Vec::new();
    if answer.status != 200 && !expects(|expected| matches!(expected, Expect::Status(_))) {
        problems.push("is refused".to_owned());
    }
    if answer.broken && !expects(|expected| matches!(expected, Expect::Broken)) {
        problems.push("breaks off".to_owned());
    }
    problems
}

/// Looks at one expectation.
pub(crate) fn wrong(expected: &Expect, answer: &Answer, seen: &[Seen]) -> Result<(), String> {
    let same = |is_same: bool, what: String| if is_same { Ok(()) } else { Err(what) };
    match expected {
        Expect::Status(status) => same(answer.status == *status, format!("is not {status}")),
        Expect::Json(json) => {
            let got: Option<Value> = serde_json::from_slice(&answer.body).ok();
            same(got.as_ref() == Some(json), format!("is not {json}"))
        }
        Expect::Body(body) => same(
            answer.body == *body,
            format!("is not {:?}", String::from_utf8_lossy(body)),
        ),
        Expect::Says(text) => same(answer.text().contains(text), format!("does not say {text:?}")),
        Expect::Code(code) => {
            let got: Option<Value> = serde_json::from_slice(&answer.body).ok();
            let got = got.and_then(|status| status.get("code")?.as_i64());
            same(got == Some(i64::from(*code)), format!("its code is not {code}"))
        }
        Expect::Field(field) => {
            let got = wrong_field(answer);
            same(
                got.as_deref() == Some(field),
                format!("the field is {got:?}, not {field:?}"),
            )
        }
        Expect::NotCalled => same(seen.is_empty(), "reaches the upstream".to_owned()),
        Expect::Rpc(rpc) => same(
            seen.len() == 1 && seen[0].rpc == *rpc,
            format!("does not call {rpc} once"),
        ),
        Expect::Sends(expected) => sends(expected, seen),
        Expect::Header(name, value) => {
            let got = answer.header(name);
            same(
                got == value.as_deref(),
                format!("header {name} is {got:?}, not {value:?}"),
            )
        }
        Expect::Metadata(name, values) => {
            let all = seen
                .first()
                .map(|seen| seen.metadata.get_all(*name).iter().collect::<Vec<_>>());
            let all = all.unwrap_or_default();
            same(all == *values, format!("metadata {name} is {all:?}, not {values:?}"))
        }
        Expect::Trailer(name, value) => {
            let got = answer.trailer(name);
            same(got == *value, format!("trailer {name} is {got:?}, not {value:?}"))
        }
        Expect::Broken => same(answer.broken, "ends as if it were complete".to_owned()),
        Expect::Cancelled => {
            let is_cancelled = seen.first().is_some_and(|seen| seen.cancelled);
            same(is_cancelled, "is not cancelled".to_owned())
        }
        Expect::Check(check) => check(answer, seen),
    }
}

/// The first field of which a refusal says that it is wrong.
fn wrong_field(answer: &Answer) -> Option<String> {
    let status: Value = serde_json::from_slice(&answer.body).ok()?;
    let details = status["details"].as_array()?;
    let violations = details.iter().find_map(|detail| detail["fieldViolations"].as_array())?;
    Some(violations.first()?["field"].as_str()?.to_owned())
}

/// Compares the messages of the one call, as values: text has more than one form.
fn sends(expected: &[String], seen: &[Seen]) -> Result<(), String> {
    let [call] = seen else {
        return Err(format!("{} calls upstream, not one", seen.len()));
    };
    let input = shapes::rpc(&format!("/{}", path_of(&call.rpc))).unwrap().input();
    let expected: Vec<_> = expected.iter().map(|text| shapes::parse(input.clone(), text)).collect();
    if call.messages == expected {
        Ok(())
    } else {
        Err(format!("does not send {:?}", texts(&expected)))
    }
}

fn path_of(rpc: &str) -> String {
    let name = shapes::full_name(rpc);
    let (service, method) = name.rsplit_once('.').unwrap();
    format!("{service}/{method}")
}

/// The messages in text form, for people.
pub(crate) fn texts(messages: &[DynamicMessage]) -> Vec<String> {
    messages.iter().map(DynamicMessage::to_text_format).collect()
}
