//! What callers notice when one schema takes the place of another: routes and RPCs here, their messages in `breaking`.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use millrace_transcode::{Body, Method, Route, Schema};

use super::breaking::Messages;

/// One difference between two schemas.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub struct Change {
    /// Whether a call that works today would fail, or mean something else.
    pub breaking: bool,
    /// What is different, in a sentence without a full stop.
    pub sentence: String,
}

impl Change {
    pub(super) fn breaking(sentence: String) -> Self {
        Self {
            breaking: true,
            sentence,
        }
    }

    pub(super) fn harmless(sentence: String) -> Self {
        Self {
            breaking: false,
            sentence,
        }
    }
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.breaking { "breaking: " } else { "" })?;
        f.write_str(&self.sentence)
    }
}

/// Compares two schemas as REST and gRPC callers of the first see the second; what breaks comes first.
pub fn compare(old: &Schema, new: &Schema) -> Vec<Change> {
    let mut changes = Vec::new();
    compare_routes(old, new, &mut changes);
    compare_rpcs(old, new, &mut changes);
    changes.sort_by(|a, b| (!a.breaking, &a.sentence).cmp(&(!b.breaking, &b.sentence)));
    changes.dedup();
    changes
}

/// Routes by method and by what paths fit them: the name of a variable is nothing that a caller sees.
fn by_shape(schema: &Schema) -> BTreeMap<(&str, String), &Route> {
    let routes = schema.routes();
    routes
        .map(|route| ((route.http_method(), shape(route.path())), route))
        .collect()
}

/// A path template with its variables taken away: `/v1/{name=users/*}/{id}` is `/v1/users/*/*`.
fn shape(path: &str) -> String {
    let mut shape = String::with_capacity(path.len());
    let mut rest = path;
    while let Some((before, variable)) = rest.split_once('{') {
        shape.push_str(before);
        let (variable, after) = variable.split_once('}').unwrap_or((variable, ""));
        shape.push_str(variable.split_once('=').map_or("*", |(_, pattern)| pattern));
        rest = after;
    }
    shape.push_str(rest);
    shape
}

fn compare_routes(old: &Schema, new: &Schema, changes: &mut Vec<Change>) {
    let (before, after) = (by_shape(old), by_shape(new));
    for (key, route) in &before {
        let name = format!("{} {}", route.http_method(), route.path());
        match after.get(key) {
            Some(now) => compare_route(&name, route, now, changes),
            None => changes.push(Change::breaking(format!("the route {name} is gone"))),
        }
    }
    for (key, route) in &after {
        if !before.contains_key(key) {
            let (method, path) = (route.http_method(), route.path());
            changes.push(Change::harmless(format!("the route {method} {path} is new")));
        }
    }
}

fn compare_route(name: &str, old: &Route, new: &Route, changes: &mut Vec<Change>) {
    let (before, after) = (old.method().full_name(), new.method().full_name());
    if before != after {
        let sentence = format!("the route {name} now calls {after}, it called {before}");
        changes.push(Change::breaking(sentence));
        return;
    }
    let mut part = |what: &str, before: String, after: String| {
        if before != after {
            let sentence = format!("the route {name} has another {what}: {after}, it was {before}");
            changes.push(Change::breaking(sentence));
        }
    };
    part("body", body(old.body()), body(new.body()));
    let response = |route: &Route| match route.response_body() {
        Some(field) => format!("the field `{}`", field.name()),
        None => "the whole message".to_owned(),
    };
    part("response body", response(old), response(new));
    let status = |route: &Route| route.method().success_code().to_string();
    part("status of success", status(old), status(new));
}

fn body(body: &Body) -> String {
    match body {
        Body::None => "none".to_owned(),
        Body::Whole => "the whole message".to_owned(),
        Body::Field(field) => format!("the field `{}`", field.name()),
    }
}

fn compare_rpcs(old: &Schema, new: &Schema, changes: &mut Vec<Change>) {
    let mut messages = Messages::default();
    for before in old.methods() {
        let name = before.full_name();
        let Some(after) = new.method(name) else {
            changes.push(Change::breaking(format!("the RPC {name} is gone")));
            continue;
        };
        if streaming(before) != streaming(after) {
            let (was, is) = (streaming(before), streaming(after));
            changes.push(Change::breaking(format!("the RPC {name} is now {is}, it was {was}")));
        }
        messages.compare(&before.input(), &after.input(), changes);
        messages.compare(&before.output(), &after.output(), changes);
    }
    let known: BTreeSet<&str> = old.methods().map(Method::full_name).collect();
    for method in new.methods().filter(|method| !known.contains(method.full_name())) {
        changes.push(Change::harmless(format!("the RPC {} is new", method.full_name())));
    }
}

fn streaming(method: &Method) -> &'static str {
    match (method.client_streaming(), method.server_streaming()) {
        (false, false) => "unary",
        (false, true) => "a server stream",
        (true, false) => "a client stream",
        (true, true) => "a stream in both directions",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shape_of_a_path_has_no_names() {
        for (path, expected) in [
            ("/v1/{name=users/*}/{id}", "/v1/users/*/*"),
            ("/v1/{a.b=**}:verb", "/v1/**:verb"),
            ("/v1/x", "/v1/x"),
        ] {
            assert_eq!(shape(path), expected);
        }
    }
}
