//! `millrace-gateway check --replay ACCESS_LOG`: what the rules in force would refuse of recorded traffic, grouped by
//! rule, before anybody switches. A log has no bodies, so what a body would be refused for is not seen.

mod line;

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::Path;

use super::settings::Settings;
use super::{Exit, Failure, output};
use crate::transcode::{BindError, BindReason, HeaderFields, RouteError, Schema};
use line::{Call, Line};

/// Groups that are told apart; what comes later is counted as one.
const GROUPS_MAX: usize = 1_000;
/// Parameters of one call that are looked at.
const PARAMETERS_MAX: usize = 100;
/// Bytes of a line; a longer one is not read.
const LINE_BYTES_MAX: usize = 1 << 20;
/// Characters of an example.
const EXAMPLE_CHARS_MAX: usize = 100;

/// Reads the log and prints the counts.
pub(super) fn replay(settings: &Settings, schema: &Schema, path: &Path) -> Result<Exit, Failure> {
    let refuse = |error| {
        let message = format!("access log {} cannot be read", path.display());
        Failure::new(Exit::Unreachable, message, error)
    };
    let file = File::open(path).map_err(refuse)?;
    let mut log = BufReader::new(file);
    let mut tally = Tally::default();
    let mut bytes = Vec::new();
    while next_line(&mut log, &mut bytes).map_err(refuse)? {
        if bytes.len() > LINE_BYTES_MAX {
            tally.unreadable += 1;
            continue;
        }
        match line::parse(&String::from_utf8_lossy(&bytes)) {
            Line::Call(call) if is_ours(settings, schema, &call) => tally.call(schema, &call),
            Line::Call(_) | Line::Other => tally.others += 1,
            Line::Unreadable => tally.unreadable += 1,
        }
    }
    tally.print()?;
    if tally.calls + tally.others == 0 && tally.unreadable > 0 {
        let problem = io::Error::from(io::ErrorKind::InvalidData);
        let formats = "its lines are to be of the common or the combined format, or the gateway's own JSON";
        return Err(refuse(problem).help(formats));
    }
    Ok(if tally.refused == 0 {
        Exit::Ok
    } else {
        Exit::CheckFailed
    })
}

/// Reads the next line, without its end; false at the end of the log. Of a line that is too long one byte more than the
/// bound is kept, whatever its length.
fn next_line(log: &mut impl BufRead, line: &mut Vec<u8>) -> io::Result<bool> {
    line.clear();
    let kept_max = LINE_BYTES_MAX as u64 + 1;
    if log.by_ref().take(kept_max).read_until(b'\n', line)? == 0 {
        return Ok(false);
    }
    if line.last() == Some(&b'\n') {
        line.pop();
    } else if line.len() > LINE_BYTES_MAX {
        log.skip_until(b'\n')?;
    }
    Ok(true)
}

/// Whether a call is one for a route: not gRPC, not a page of the gateway's own, not a preflight.
fn is_ours(settings: &Settings, schema: &Schema, call: &Call) -> bool {
    let path = call.target.split('?').next().unwrap_or_default();
    let is_page = [&settings.openapi.json_path, &settings.openapi.yaml_path]
        .into_iter()
        .any(|page| page.as_deref() == Some(path));
    let is_rpc = path.strip_prefix('/').is_some_and(|name| schema.method(name).is_some());
    let is_bound = schema.find(&call.method, path).is_ok();
    call.method != "OPTIONS" && (is_bound || !is_page && !is_rpc)
}

/// What was found so far.
#[derive(Default)]
struct Tally {
    calls: u64,
    refused: u64,
    /// Of those refused, how many were answered with success when they were recorded.
    were_good: u64,
    others: u64,
    unreadable: u64,
    /// Rule and what broke it, with the number of calls and one of them.
    groups: BTreeMap<Reason, (u64, String)>,
}

/// The rule that refuses, and what it refuses.
type Reason = (&'static str, String);

impl Tally {
    fn call(&mut self, schema: &Schema, call: &Call) {
        self.calls += 1;
        let reasons = reasons(schema, call);
        if reasons.is_empty() {
            return;
        }
        self.refused += 1;
        self.were_good += u64::from(call.status.is_some_and(|status| status < 400));
        for reason in reasons {
            let is_new = !self.groups.contains_key(&reason);
            let reason = if is_new && self.groups.len() >= GROUPS_MAX {
                ("more", "of other kinds".to_owned())
            } else {
                reason
            };
            let example = || {
                format!("{} {}", call.method, call.target)
                    .chars()
                    .take(EXAMPLE_CHARS_MAX)
                    .collect()
            };
            self.groups.entry(reason).or_insert_with(|| (0, example())).0 += 1;
        }
    }

    fn print(&self) -> Result<(), Failure> {
        let mut groups: Vec<_> = self.groups.iter().collect();
        groups.sort_by(|(a, (more, _)), (b, (fewer, _))| fewer.cmp(more).then(a.cmp(b)));
        let width = groups.iter().map(|((rule, _), _)| rule.len()).max().unwrap_or_default();
        for ((rule, what), (count, example)) in groups {
            let (what, example) = (shown(what), shown(example));
            output::line(format_args!("{count:>9}  {rule:width$}  {what}   ({example})"))?;
        }
        let Self {
            calls,
            refused,
            were_good,
            others,
            unreadable,
            ..
        } = self;
        output::line(format_args!(
            "{refused} of {calls} calls would be refused, {were_good} of which had been answered with success; \
             {others} lines are about other things, {unreadable} cannot be read"
        ))
    }
}

/// A caller's text as a terminal may show it.
fn shown(text: &str) -> String {
    let is_plain = |letter: &char| !letter.is_control();
    text.chars()
        .map(|letter| Some(letter).filter(is_plain).unwrap_or('\u{fffd}'))
        .collect()
}

/// Everything for which a call would be refused.
fn reasons(schema: &Schema, call: &Call) -> BTreeSet<Reason> {
    let (path, query) = match call.target.split_once('?') {
        Some((path, query)) => (path, query),
        None => (call.target.as_str(), ""),
    };
    let matched = match schema.find(&call.method, path) {
        Ok(matched) => matched,
        Err(error) => return BTreeSet::from([unbound(&call.method, path, error)]),
    };
    let bind = |query: &str| {
        let bound = matched.bind(Some(query), b"", &HeaderFields::default());
        bound.err().map(|error| of_binding(&error))
    };
    // First the path alone, then each parameter by itself: one that is refused hides those after it.
    let mut reasons: BTreeSet<_> = bind("").into_iter().collect();
    if reasons.is_empty() {
        let parameters = query.split('&').filter(|parameter| !parameter.is_empty());
        reasons.extend(parameters.take(PARAMETERS_MAX).filter_map(bind));
    }
    if reasons.is_empty() {
        // What only shows together, as a parameter that is given twice.
        reasons.extend(bind(query));
    }
    reasons
}

fn unbound(method: &str, path: &str, error: RouteError) -> Reason {
    match error {
        RouteError::MethodNotAllowed { allow } => ("no route", format!("{method} where {allow} are bound")),
        RouteError::BadPath => ("no route", "malformed percent-encoding, NUL, or not UTF-8".to_owned()),
        RouteError::NotFound { .. } => {
            // Names and numbers of things would make a group each.
            let shape: Vec<_> = path.split('/').take(3).collect();
            let rest = if path.split('/').count() > 3 { "/…" } else { "" };
            (
                "no route",
                format!("nothing is bound for {method} {}{rest}", shape.join("/")),
            )
        }
    }
}

/// The setting that relaxes a rule is its name. What callers have sent is left out, as far as it is a value.
fn of_binding(error: &BindError) -> Reason {
    let rule = error.relaxed_by.unwrap_or("no setting");
    let what = match &error.reason {
        // A name is what tells them apart, and no value.
        BindReason::UnknownParameter(name) => format!("unknown query parameter {name:?}"),
        _ => without_values(&error.message),
    };
    (rule, what)
}

/// A message without what stands in double quotes.
fn without_values(message: &str) -> String {
    let parts = message.split('"').enumerate();
    let kept = parts.map(|(index, part)| if index % 2 == 0 { part } else { "…" });
    kept.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_never_kept_whole_if_it_is_too_long() {
        let long = |letter: &str, bytes: usize| letter.repeat(bytes);
        let (fitting, too_long) = (long("b", LINE_BYTES_MAX), long("x", 3 * LINE_BYTES_MAX));
        let text = format!("a\n{too_long}\n{fitting}\n\nc");
        let mut log = text.as_bytes();
        let (mut line, mut lengths) = (Vec::new(), Vec::new());
        while next_line(&mut log, &mut line).unwrap() {
            lengths.push(line.len());
        }
        assert_eq!(lengths, [1, LINE_BYTES_MAX + 1, LINE_BYTES_MAX, 0, 1]);
    }

    #[test]
    fn values_do_not_make_groups() {
        assert_eq!(without_values(r#"id: "7x" is not a number"#), "id: … is not a number");
        assert_eq!(without_values(r#"id: "open"#), "id: …");
        assert_eq!(without_values("id: gone"), "id: gone");
    }
}
