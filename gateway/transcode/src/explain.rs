//! Why a request is answered as it is: the route and why that one, the routes that are not taken and why, each field with
//! its source, the message; or what refuses it, and the setting that would allow it.
//!
//! Nothing is decided here. The look-up and the binding are those of a call; the reasons are found by looking the path
//! up among one route at a time.

mod fields;
mod refusal;
mod rejected;

use std::fmt;

use bytes::Bytes;

use crate::bind::{Bound, HeaderFields};
use crate::codec::WriteOptions;
use crate::matched::Matched;
use crate::report::Binding;
use crate::schema::Schema;
use crate::status;

pub use fields::BoundField;
pub use refusal::Refusal;
pub(crate) use refusal::refusal;
pub use rejected::Rejected;

/// Most routes that are listed as not taken: the nearest.
pub const REJECTED_MAX: usize = 8;
/// Bytes of a message that `Display` shows as hex.
const SHOWN_BYTES_MAX: usize = 4 * 1024;

/// What [`Schema::explain`] found.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Explanation {
    /// Method and path, without the query.
    pub request: String,
    /// The route that takes the request.
    pub route: Option<Binding>,
    /// Why that one.
    pub why: Option<String>,
    /// Other routes, the nearest first; at most [`REJECTED_MAX`].
    pub rejected: Vec<Rejected>,
    /// The fields of the message, each with its source; when something is refused, those that were bound before it.
    pub fields: Vec<BoundField>,
    /// The request message of the RPC.
    pub message: Option<Message>,
    /// Why the request is refused.
    pub refusal: Option<Refusal>,
}

/// A request message.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Message {
    /// Full name of its type.
    pub name: String,
    /// On the wire.
    pub wire: Bytes,
    /// In protobuf's text format.
    pub text: String,
    /// In ProtoJSON, without defaults; `None` for a message that has no such form.
    pub json: Option<String>,
}

pub(crate) fn explain(
    schema: &Schema,
    method: &str,
    path_and_query: &str,
    headers: &HeaderFields<'_>,
    body: &[u8],
) -> Explanation {
    let (path, query) = split(path_and_query);
    let mut explanation = Explanation {
        request: format!("{method} {path}"),
        route: None,
        why: None,
        rejected: Vec::new(),
        fields: Vec::new(),
        message: None,
        refusal: None,
    };
    let found = schema.find(method, path);
    explanation.rejected = rejected::of(schema, method, path, found.as_ref().ok());
    match found {
        Err(error) => explanation.refusal = Some(refusal::no_route(schema, method, path, error)),
        Ok(matched) => {
            explanation.route = Some(Binding::of(matched.route));
            explanation.why = Some(why(method, path, &matched, &explanation.rejected));
            let mut bound = Bound::new(&matched);
            match bound.request(&matched, query, body, headers) {
                Ok(wire) => {
                    explanation.fields = fields::of(&matched, &bound, &wire);
                    explanation.message = Some(Message::of(&matched, wire));
                }
                Err(error) => {
                    explanation.fields = fields::before_body(&matched, &bound);
                    explanation.refusal = Some(Refusal::of(error));
                }
            }
        }
    }
    explanation
}

fn split(path_and_query: &str) -> (&str, Option<&str>) {
    match path_and_query.split_once('?') {
        Some((path, query)) => (path, Some(query)),
        None => (path_and_query, None),
    }
}

/// Why the route that is taken is taken.
fn why(method: &str, path: &str, matched: &Matched<'_>, rejected: &[Rejected]) -> String {
    let route = matched.route;
    let mut why = vec!["its template fits the path".to_owned()];
    match route.http_method.as_str() {
        "*" => why.push("it takes any method".to_owned()),
        bound if bound != method => why.push(format!("{method} is answered as {bound}")),
        _ => {}
    }
    if let Some(verb) = &route.template.verb {
        why.push(format!("`:{verb}` is its verb"));
    }
    let is_stripped = path.ends_with('/') && !fits_unstripped(matched, method, path);
    if is_stripped {
        why.push("the last `/` is stripped".to_owned());
    }
    let others = rejected.iter().filter(|rejected| rejected.fits).count();
    if others > 0 {
        why.push(format!("it is more specific than {others} other(s) that fit"));
    }
    why.join("; ")
}

/// Whether the route takes the path as it is, with its last `/`.
fn fits_unstripped(matched: &Matched<'_>, method: &str, path: &str) -> bool {
    let segments: Vec<&str> = path.split('/').skip(1).collect();
    rejected::fits(matched.schema, matched.route, method, &segments)
}

impl Message {
    fn of(matched: &Matched<'_>, wire: Bytes) -> Self {
        let input = matched.method().input();
        let options = WriteOptions {
            defaults_omitted: true,
            ..WriteOptions::default()
        };
        let mut json = Vec::new();
        let written = matched
            .schema
            .codec()
            .wire_to_json_with(options, &input, None, &wire, &mut json);
        let text = fields::decoded(&input, &wire).map(|message| format!("{message:#}"));
        Self {
            name: input.full_name().to_owned(),
            text: text.unwrap_or_default(),
            json: written.ok().and_then(|()| String::from_utf8(json).ok()),
            wire,
        }
    }

    /// The wire in hexadecimal digits.
    pub fn hex(&self) -> String {
        hex(&self.wire)
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

impl Explanation {
    /// The same call by grpcurl, for a shell. `target` is `host:port`, with `https://` before it for TLS.
    pub fn grpcurl(&self, target: &str) -> Option<String> {
        let (route, json) = (self.route.as_ref()?, self.message.as_ref()?.json.as_ref()?);
        let (security, target) = match target.strip_prefix("https://") {
            Some(target) => ("", target),
            None => ("-plaintext ", target.strip_prefix("http://").unwrap_or(target)),
        };
        let quoted = json.replace('\'', "'\\''");
        Some(format!("grpcurl {security}-d '{quoted}' {target} {}", route.rpc))
    }
}

impl fmt::Display for Explanation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.request)?;
        match (&self.route, &self.why) {
            (Some(route), Some(why)) => writeln!(f, "route: {route}\n  {why}")?,
            _ => writeln!(f, "route: none")?,
        }
        for rejected in &self.rejected {
            writeln!(f, "not: {}\n  {}", rejected.route, rejected.why)?;
        }
        for field in &self.fields {
            writeln!(f, "field: {} = {} (from the {})", field.path, field.value, field.source)?;
        }
        if let Some(message) = &self.message {
            let shown = &message.wire[..message.wire.len().min(SHOWN_BYTES_MAX)];
            let more = if shown.len() < message.wire.len() { "..." } else { "" };
            writeln!(f, "message: {}, {} bytes", message.name, message.wire.len())?;
            for line in message.text.lines() {
                writeln!(f, "  {line}")?;
            }
            writeln!(f, "hex: {}{more}", hex(shown))?;
        }
        if let Some(refusal) = &self.refusal {
            let Refusal {
                http_status,
                code,
                message,
                relaxed_by,
                ..
            } = refusal;
            writeln!(
                f,
                "refused: {http_status}, {} ({code}): {message}",
                status::code_name(*code)
            )?;
            if let Some(setting) = relaxed_by {
                writeln!(f, "  allowed by the setting {setting}")?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
