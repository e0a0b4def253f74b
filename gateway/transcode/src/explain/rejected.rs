//! Routes that are not taken, and why: each is asked alone, by a router that has no other.

use super::REJECTED_MAX;
use crate::matched::Matched;
use crate::percent;
use crate::report::Binding;
use crate::route::{Lookup, Router};
use crate::rule::Route;
use crate::schema::Schema;
use crate::template::{Segment, Template};

/// A route that is not taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rejected {
    /// The route.
    pub route: Binding,
    /// What keeps the request from it.
    pub why: String,
    /// It fits path and method, and would be taken if the one that is were not there.
    pub fits: bool,
}

/// The nearest of the routes that are not taken.
pub(super) fn of(schema: &Schema, method: &str, path: &str, taken: Option<&Matched<'_>>) -> Vec<Rejected> {
    let segments: Vec<&str> = path.split('/').skip(1).collect();
    let others = schema
        .routes()
        .filter(|route| taken.is_none_or(|taken| !std::ptr::eq(taken.route, *route)));
    let mut near: Vec<(usize, Rejected)> = others
        .filter_map(|route| rejected(schema, route, method, &segments, taken.map(|taken| taken.route)))
        .collect();
    // Stable: the order of the routes where they are as near.
    near.sort_by_key(|(nearness, _)| std::cmp::Reverse(*nearness));
    near.into_iter()
        .take(REJECTED_MAX)
        .map(|(_, rejected)| rejected)
        .collect()
}

/// Whether a route alone takes the request.
pub(super) fn fits(schema: &Schema, route: &Route, method: &str, segments: &[&str]) -> bool {
    let empty = schema.options().path_empty_segments;
    matches!(alone(route, method, segments, empty), Lookup::Route(_))
}

/// Whether some route would take a path whose empty segments are segments.
pub(super) fn fits_with_empty_segments(schema: &Schema, method: &str, path: &str) -> bool {
    let segments: Vec<&str> = path.split('/').skip(1).collect();
    let mut routes = schema.routes();
    routes.any(|route| matches!(alone(route, method, &segments, true), Lookup::Route(_)))
}

fn alone(route: &Route, method: &str, segments: &[&str], empty_segments: bool) -> Lookup {
    let mut router = Router::new(empty_segments);
    match router.insert(&route.http_method, &route.template, 0) {
        Ok(()) => router.find(method, segments, false),
        Err(_) => Lookup::Nothing,
    }
}

/// How near the route is, and what is wrong with it; `None` for one that has nothing to do with the path.
fn rejected(
    schema: &Schema,
    route: &Route,
    method: &str,
    segments: &[&str],
    taken: Option<&Route>,
) -> Option<(usize, Rejected)> {
    let (nearness, why, fits) = match alone(route, method, segments, schema.options().path_empty_segments) {
        Lookup::Route(_) => (usize::MAX, less_specific(route, taken), true),
        Lookup::Methods(_) => {
            let why = format!("method: it is bound for {}, not for {method}", route.http_method);
            (usize::MAX - 1, why, false)
        }
        Lookup::Nothing => {
            let (matched, why) = mismatch(&route.template, segments);
            (Some(matched).filter(|matched| *matched > 0)?, why, false)
        }
    };
    let route = Binding::of(route);
    Some((nearness, Rejected { route, why, fits }))
}

/// Where a route that fits is less specific than the one that is taken.
fn less_specific(route: &Route, taken: Option<&Route>) -> String {
    let Some(taken) = taken else {
        return "fits, but the path is malformed".to_owned();
    };
    let (ours, theirs) = (&route.template.segments, &taken.template.segments);
    if let Some((at, (ours, theirs))) = ours.iter().zip(theirs).enumerate().find(|(_, (a, b))| a != b) {
        let place = at + 1;
        return format!(
            "fits, but segment {place} is {} where the route taken has {}",
            said(ours),
            said(theirs)
        );
    }
    match (&route.template.verb, &taken.template.verb) {
        (None, Some(verb)) => format!("fits, but `:{verb}` is the verb of the route taken"),
        _ if ours.len() != theirs.len() => "fits, but the route taken names more of the path".to_owned(),
        _ => format!(
            "fits, but its method is {}, and that of the route taken is {}",
            route.http_method, taken.http_method
        ),
    }
}

fn said(segment: &Segment) -> String {
    match segment {
        Segment::Literal(text) => format!("the literal `{text}`"),
        Segment::One => "`*`".to_owned(),
        Segment::Many => "`**`".to_owned(),
    }
}

/// How many segments fit from the start, and what the first that does not is.
fn mismatch(template: &Template, segments: &[&str]) -> (usize, String) {
    let last = segments.len().saturating_sub(1);
    for (at, segment) in template.segments.iter().enumerate() {
        let raw = match (segments.get(at), &template.verb) {
            (Some(raw), Some(verb)) if at == last => {
                let text = raw.strip_suffix(verb.as_str()).and_then(|text| text.strip_suffix(':'));
                match text {
                    Some(text) => text,
                    None => return (at, format!("verb: the path does not end in `:{verb}`")),
                }
            }
            (Some(raw), _) => raw,
            (None, _) if *segment == Segment::Many => break,
            (None, _) => return (at, counts(template, segments)),
        };
        match segment {
            Segment::Literal(text) if percent::cmp_decoded(raw, text).is_ne() => {
                return (at, format!("literal: segment {} is `{raw}`, not `{text}`", at + 1));
            }
            Segment::One if raw.is_empty() => {
                return (at, format!("segment {} is empty, which `*` does not take", at + 1));
            }
            Segment::Many => return (at, "what follows its `**` is not the end of the path".to_owned()),
            Segment::Literal(_) | Segment::One => {}
        }
    }
    (template.segments.len(), counts(template, segments))
}

fn counts(template: &Template, segments: &[&str]) -> String {
    let (ours, theirs) = (template.segments.len(), segments.len());
    let (at_least, wanted) = match template.many() {
        Some(_) => ("at least ", ours - 1),
        None => ("", ours),
    };
    format!("length: the path has {theirs} segment(s), the template {at_least}{wanted}")
}
