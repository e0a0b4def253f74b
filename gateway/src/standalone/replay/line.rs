//! One line of an access log: the common and combined formats, what looks like them (Envoy's default), and JSON lines
//! such as the gateway's own.

use serde_json::Value;

/// A recorded call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Call {
    pub(super) method: String,
    /// Path and query, as they were sent.
    pub(super) target: String,
    /// What was answered, where the line says it.
    pub(super) status: Option<u16>,
}

/// What a line is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Line {
    Call(Call),
    /// A line about something else, or about a gRPC call.
    Other,
    /// A line that cannot be read.
    Unreadable,
}

/// Reads a line.
pub(super) fn parse(line: &str) -> Line {
    let line = line.trim();
    if line.is_empty() {
        Line::Other
    } else if line.starts_with('{') {
        json(line)
    } else {
        common(line).map_or(Line::Unreadable, Line::Call)
    }
}

fn json(line: &str) -> Line {
    let Ok(fields) = serde_json::from_str::<Value>(line) else {
        return Line::Unreadable;
    };
    let text = |names: &[&str]| names.iter().find_map(|name| fields.get(name)?.as_str());
    // Our own lines say by which door a call came, and only those of calls do.
    if let Some("grpc" | "grpc-web") = text(&["door"]) {
        return Line::Other;
    }
    let method = text(&["http.method", "method", "request_method"]);
    let target = text(&["http.path", "request_uri", "uri", "path"]);
    let status = ["http.status", "status", "response_code"]
        .iter()
        .find_map(|name| fields.get(name)?.as_u64());
    match (method, target) {
        (Some(method), Some(target)) => Line::Call(Call {
            method: method.to_owned(),
            target: target.to_owned(),
            status: status.and_then(|status| u16::try_from(status).ok()),
        }),
        _ => Line::Other,
    }
}

/// `… "GET /path?query HTTP/1.1" 200 …`: the first text in quotes is the request.
fn common(line: &str) -> Option<Call> {
    let (_, rest) = line.split_once('"')?;
    let mut escaped = false;
    let end = rest.find(|letter| {
        let ends = letter == '"' && !escaped;
        escaped = letter == '\\' && !escaped;
        ends
    })?;
    let (request, after) = (&rest[..end], &rest[end + 1..]);
    let (method, target) = request.split_once(' ')?;
    // The target may hold a space that a client should have encoded.
    let target = target.rsplit_once(" HTTP/").map_or(target, |(target, _)| target);
    let is_method = !method.is_empty() && method.bytes().all(|byte| byte.is_ascii_uppercase() || byte == b'-');
    is_method.then(|| Call {
        method: method.to_owned(),
        target: target.to_owned(),
        status: after.split_whitespace().next().and_then(|status| status.parse().ok()),
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn call(method: &str, target: &str, status: Option<u16>) -> Line {
        Line::Call(Call {
            method: method.to_owned(),
            target: target.to_owned(),
            status,
        })
    }

    #[test]
    fn lines_of_many_servers() {
        for (line, expected) in [
            (
                r#"127.0.0.1 - - [10/Oct/2000:13:55:36 -0700] "GET /v1/a?b=c HTTP/1.0" 200 2326"#,
                call("GET", "/v1/a?b=c", Some(200)),
            ),
            (
                r#"1.2.3.4 - ann [10/Oct/2000:13:55:36 +0000] "POST /v1/a:b HTTP/2.0" 400 12 "http://x/" "curl \"8\"""#,
                call("POST", "/v1/a:b", Some(400)),
            ),
            (
                r#"[2026-01-01T00:00:00.000Z] "GET /x HTTP/1.1" 503 UH 0 19 0 - "-" "curl" "id" "host" "-""#,
                call("GET", "/x", Some(503)),
            ),
            (
                r#"- - - [x] "GET /a\"b HTTP/1.1" 404 -"#,
                call("GET", r#"/a\"b"#, Some(404)),
            ),
            (r#"- - - [x] "\x16\x03\x01" 400 0"#, Line::Unreadable),
            (r#"- - - [x] "-" 408 0"#, Line::Unreadable),
            ("nonsense", Line::Unreadable),
            ("", Line::Other),
            (
                r#"{"door":"rest","http.method":"GET","http.path":"/v1/a","http.status":200}"#,
                call("GET", "/v1/a", Some(200)),
            ),
            (
                r#"{"door":"grpc","http.method":"POST","http.path":"/a.B/C"}"#,
                Line::Other,
            ),
            (r#"{"level":"INFO","message":"the gateway serves"}"#, Line::Other),
            (
                r#"{"method":"GET","uri":"/v1?x=1","status":500}"#,
                call("GET", "/v1?x=1", Some(500)),
            ),
            ("{", Line::Unreadable),
        ] {
            assert_eq!(parse(line), expected, "{line}");
        }
    }

    proptest! {
        #[test]
        fn any_line_is_read_or_not(line in ".{0,200}") {
            parse(&line);
            parse(&format!("- \"{line}"));
        }
    }
}
