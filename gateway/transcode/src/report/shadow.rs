//! Routes that take requests from each other: for each two whose templates can fit one path, such a path is made and
//! looked up.

use super::{Binding, SHADOWED_MAX, Shadowed};
use crate::percent;
use crate::route::Lookup;
use crate::rule::Route;
use crate::schema::Schema;
use crate::template::{Segment, Template};

/// What stands for a wildcard in a path that is made up.
const ANY_SEGMENT: &str = "x";

/// Every pair, by the routes' order. Templates that differ in a literal are told apart at once, so that ten thousand
/// routes are a matter of a second.
pub(super) fn shadowed(schema: &Schema) -> Vec<Shadowed> {
    let mut found = Vec::new();
    for (at, one) in schema.routes.iter().enumerate() {
        for (offset, other) in schema.routes[at + 1..].iter().enumerate() {
            let pair = (at, at + 1 + offset);
            if let Some((hidden, by, example)) = conflict(schema, pair, one, other) {
                found.push(Shadowed {
                    route: Binding::of(&schema.routes[hidden]),
                    by: Binding::of(&schema.routes[by]),
                    example,
                });
                if found.len() == SHADOWED_MAX {
                    return found;
                }
            }
        }
    }
    found
}

/// The hidden route of a pair, the one that hides it, and a request that shows it.
fn conflict(schema: &Schema, pair: (usize, usize), one: &Route, other: &Route) -> Option<(usize, usize, String)> {
    let method = match (one.http_method.as_str(), other.http_method.as_str()) {
        ("*", "*") => "GET",
        ("*", method) | (method, "*") => method,
        (one, other) if one == other => one,
        _ => return None,
    };
    if one.template.verb != other.template.verb || one.template.segments == other.template.segments {
        return None;
    }
    let path = path_of(&common(&one.template, &other.template)?, one.template.verb.as_deref());
    let segments: Vec<&str> = path.split('/').skip(1).collect();
    let example = format!("{method} {path}");
    match schema.router.find(method, &segments, false) {
        Lookup::Route(taken) if taken == pair.0 => Some((pair.1, pair.0, example)),
        Lookup::Route(taken) if taken == pair.1 => Some((pair.0, pair.1, example)),
        // A third route takes it, and is told about in pairs of its own.
        _ => None,
    }
}

/// Segments that fit both templates, the shortest such path.
fn common(one: &Template, other: &Template) -> Option<Vec<Segment>> {
    let (one, other) = match (one.many(), other.many()) {
        (None, Some(_)) => (other, one),
        _ => (one, other),
    };
    let (a, b) = (one.segments.as_slice(), other.segments.as_slice());
    let Some(many) = one.many() else {
        return (a.len() == b.len()).then(|| together(a, b)).flatten();
    };
    let (prefix, suffix) = (&a[..many], &a[many + 1..]);
    let (b_prefix, b_suffix) = match other.many() {
        Some(b_many) => (&b[..b_many], &b[b_many + 1..]),
        None => {
            let middle = b
                .len()
                .checked_sub(suffix.len())
                .filter(|middle| *middle >= prefix.len())?;
            b.split_at(middle)
        }
    };
    // What is longer on one side stands where the other has its `**`.
    let shared = prefix.len().min(b_prefix.len());
    let mut path = together(&prefix[..shared], &b_prefix[..shared])?;
    path.extend_from_slice(&prefix[shared..]);
    path.extend_from_slice(&b_prefix[shared..]);
    let shared = suffix.len().min(b_suffix.len());
    let (a_more, a_end) = suffix.split_at(suffix.len() - shared);
    let (b_more, b_end) = b_suffix.split_at(b_suffix.len() - shared);
    path.extend_from_slice(a_more);
    path.extend_from_slice(b_more);
    path.extend(together(a_end, b_end)?);
    Some(path)
}

/// Segment by segment, for as many as there are.
fn together(one: &[Segment], other: &[Segment]) -> Option<Vec<Segment>> {
    let pairs = one.iter().zip(other);
    pairs
        .map(|pair| match pair {
            (Segment::Literal(one), Segment::Literal(other)) => (one == other).then(|| pair.0.clone()),
            (Segment::Literal(_), _) => Some(pair.0.clone()),
            (_, other) => Some(other.clone()),
        })
        .collect()
}

fn path_of(segments: &[Segment], verb: Option<&str>) -> String {
    let mut path = String::new();
    for segment in segments {
        path.push('/');
        match segment {
            Segment::Literal(text) => path.push_str(&percent::encode_path(text).replace('/', "%2F")),
            Segment::One => path.push_str(ANY_SEGMENT),
            Segment::Many => path.push_str("x/x"),
        }
    }
    if let Some(verb) = verb {
        path.push(':');
        path.push_str(verb);
    }
    path
}

/// Routes that are found for none of the paths that their templates stand for.
pub(super) fn unreachable(schema: &Schema) -> Vec<Binding> {
    let is_found = |route: &Route| {
        let path = path_of(&route.template.segments, route.template.verb.as_deref());
        // A segment that no literal is likely to have.
        let paths = [
            path.clone(),
            path.replace("/x", "/x~0~x"),
            path.replace("/x/x", "/x/x/x/x"),
        ];
        paths.iter().any(|path| {
            let found = schema.find(&route.http_method, path);
            found.is_ok_and(|matched| std::ptr::eq(matched.route, route))
        })
    };
    schema
        .routes()
        .filter(|route| !is_found(route))
        .map(Binding::of)
        .collect()
}
