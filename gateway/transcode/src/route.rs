//! The routing trie: a method and a raw path in, the most specific template out.
//!
//! Segment by segment a literal beats `*` beats `**`, with backtracking, so a node that lacks the method hides nothing.
//! Within `**` the longer literal suffix wins, then the longer verb, then a verb before none. A `:` separates a verb
//! only where that verb is bound; else it belongs to the segment. `%3A` never separates.
//!
//! A look-up splits the path once and allocates nothing per candidate. Only literals may follow `**`, so `**` is
//! compared from the end of the path and never searched for: the walk is as deep as the longest template, whatever the
//! path.

mod search;
mod similar;

use std::borrow::Cow;

use crate::percent;
use crate::route::search::{Search, Splits};
use crate::settings::PathDecoding;
use crate::template::{Capture, Segment, Template, VERB_BYTES_MAX};
pub(crate) use similar::SEGMENT_EDITS_MAX;

/// Distinct HTTP methods over all routes: one bit each.
const METHODS_MAX: usize = 64;

/// The method of a rule that takes any.
const ANY: &str = "*";

/// Templates of one schema, by path.
#[derive(Debug)]
pub(crate) struct Router {
    nodes: Vec<Node>,
    /// Every bound HTTP method; an index here is a `method` below.
    methods: Vec<String>,
    /// Every bound verb, sorted.
    verbs: Vec<String>,
    /// Whether a wildcard takes an empty segment.
    empty_segments: bool,
}

#[derive(Debug, Default)]
struct Node {
    /// Sorted by text.
    literals: Vec<(String, usize)>,
    one: Option<usize>,
    /// The longest suffix first.
    many: Vec<Many>,
    ends: Vec<End>,
}

#[derive(Debug)]
struct Many {
    suffix: Vec<String>,
    ends: Vec<End>,
}

/// Routes that share shape and verb: one per method.
#[derive(Debug)]
struct End {
    verb: Option<String>,
    routes: Vec<(usize, usize)>,
}

/// Why a template cannot be added.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum InsertError {
    /// The route with this index has the same method, shape and verb.
    Duplicate(usize),
    /// More than [`METHODS_MAX`] HTTP methods.
    TooManyMethods,
}

/// What a look-up found.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Lookup {
    /// The route with this index.
    Route(usize),
    /// Templates for this path, none of them for this method: these have one.
    Methods(Vec<String>),
    /// No template for this path.
    Nothing,
}

impl Router {
    pub(crate) fn new(empty_segments: bool) -> Self {
        Self {
            nodes: vec![Node::default()],
            methods: vec![],
            verbs: vec![],
            empty_segments,
        }
    }

    /// Adds a template for `method` (`*` is any), to be found as `route`.
    pub(crate) fn insert(&mut self, method: &str, template: &Template, route: usize) -> Result<(), InsertError> {
        let method = self.method_index(method)?;
        if let Some(verb) = &template.verb
            && let Err(at) = self.verbs.binary_search(verb)
        {
            self.verbs.insert(at, verb.clone());
        }
        let mut node = 0;
        for (at, segment) in template.segments.iter().enumerate() {
            node = match segment {
                Segment::Literal(text) => self.literal_child(node, text),
                Segment::One => self.one_child(node),
                Segment::Many => {
                    let suffix = template.segments[at + 1..].iter().filter_map(|segment| match segment {
                        Segment::Literal(text) => Some(text.clone()),
                        Segment::One | Segment::Many => None,
                    });
                    let ends = self.nodes[node].many_ends(suffix.collect());
                    return add_end(ends, template.verb.as_deref(), method, route);
                }
            };
        }
        add_end(&mut self.nodes[node].ends, template.verb.as_deref(), method, route)
    }

    fn method_index(&mut self, method: &str) -> Result<usize, InsertError> {
        if let Some(known) = self.methods.iter().position(|known| known == method) {
            return Ok(known);
        }
        if self.methods.len() == METHODS_MAX {
            return Err(InsertError::TooManyMethods);
        }
        self.methods.push(method.to_owned());
        Ok(self.methods.len() - 1)
    }

    fn literal_child(&mut self, node: usize, text: &str) -> usize {
        match self.nodes[node]
            .literals
            .binary_search_by(|(literal, _)| literal.as_str().cmp(text))
        {
            Ok(at) => self.nodes[node].literals[at].1,
            Err(at) => {
                let child = self.nodes.len();
                self.nodes.push(Node::default());
                self.nodes[node].literals.insert(at, (text.to_owned(), child));
                child
            }
        }
    }

    fn one_child(&mut self, node: usize) -> usize {
        if let Some(child) = self.nodes[node].one {
            return child;
        }
        let child = self.nodes.len();
        self.nodes.push(Node::default());
        self.nodes[node].one = Some(child);
        child
    }

    /// Finds the route for a method and the segments of a raw, well-formed path.
    pub(crate) fn find(&self, method: &str, segments: &[&str]) -> Lookup {
        let Some(mut search) = self.search(segments) else {
            return Lookup::Nothing;
        };
        let position = |wanted: &str| self.methods.iter().position(|known| known == wanted);
        search.exact = position(method);
        search.get = if method == "HEAD" { position("GET") } else { None };
        search.any = position(ANY);
        if let Some(route) = search.walk(0, 0) {
            return Lookup::Route(route);
        }
        if search.seen == 0 {
            return Lookup::Nothing;
        }
        Lookup::Methods(self.named(search.seen))
    }

    /// Every method for which a path is bound.
    pub(crate) fn methods(&self, segments: &[&str]) -> Vec<String> {
        let Some(mut search) = self.search(segments) else {
            return Vec::new();
        };
        // Without a method that it could be content with, the search sees all ends.
        search.walk(0, 0);
        self.named(search.seen)
    }

    fn search<'r, 'p>(&'r self, segments: &'p [&'p str]) -> Option<Search<'r, 'p>> {
        let last = segments.last()?;
        Some(Search {
            router: self,
            segments,
            splits: self.splits(last),
            exact: None,
            get: None,
            any: None,
            seen: 0,
        })
    }

    fn named(&self, bits: u64) -> Vec<String> {
        let seen = self.methods.iter().enumerate().filter(|(at, _)| bits & (1 << at) != 0);
        seen.map(|(_, method)| method.clone()).collect()
    }

    /// Ways to read the last segment: text and verb, the longest bound verb first, no verb last.
    fn splits<'p>(&self, last: &'p str) -> Splits<'p> {
        // A verb is at most so long, hence so few colons matter: a segment of 64,000 colons costs no more than one of
        // 128.
        let colons = last
            .bytes()
            .enumerate()
            .skip(last.len().saturating_sub(VERB_BYTES_MAX + 1));
        let mut splits: Splits<'p> = colons
            .filter(|(_, byte)| *byte == b':')
            .map(|(at, _)| (&last[..at], &last[at + 1..]))
            .filter(|(_, verb)| self.verbs.binary_search_by(|known| known.as_str().cmp(verb)).is_ok())
            .map(|(text, verb)| (text, Some(verb)))
            .collect();
        splits.push((last, None));
        splits
    }
}

impl Node {
    fn many_ends(&mut self, suffix: Vec<String>) -> &mut Vec<End> {
        let at = match self.many.iter().position(|many| many.suffix == suffix) {
            Some(at) => at,
            None => {
                let at = self.many.partition_point(|many| many.suffix.len() >= suffix.len());
                self.many.insert(at, Many { suffix, ends: vec![] });
                at
            }
        };
        &mut self.many[at].ends
    }

    fn literal(&self, raw: &str) -> Option<usize> {
        let found = self
            .literals
            .binary_search_by(|(literal, _)| percent::cmp_decoded(raw, literal).reverse());
        found.ok().map(|at| self.literals[at].1)
    }
}

fn add_end(ends: &mut Vec<End>, verb: Option<&str>, method: usize, route: usize) -> Result<(), InsertError> {
    let at = ends
        .iter()
        .position(|end| end.verb.as_deref() == verb)
        .unwrap_or_else(|| {
            ends.push(End {
                verb: verb.map(str::to_owned),
                routes: vec![],
            });
            ends.len() - 1
        });
    if let Some((_, other)) = ends[at].routes.iter().find(|(bound, _)| *bound == method) {
        return Err(InsertError::Duplicate(*other));
    }
    ends[at].routes.push((method, route));
    Ok(())
}

/// The decoded value of one capture; `None` if it is not UTF-8.
pub(crate) fn capture(
    template: &Template,
    capture: &Capture,
    segments: &[&str],
    decoding: PathDecoding,
) -> Option<String> {
    // Segments after `**` are counted from the end of the path.
    let place = |at: usize| match template.many() {
        Some(many) if at > many => (at + segments.len()).saturating_sub(template.segments.len()),
        _ => at,
    };
    let (start, end) = (place(capture.start), place(capture.end));
    let taken = segments.get(start..end)?;
    // One segment, as nearly all are, is not copied before it is decoded.
    let mut raw = match taken {
        [one] => Cow::Borrowed(*one),
        _ => Cow::Owned(taken.join("/")),
    };
    if let Some(verb) = &template.verb
        && end == segments.len()
        && start < end
    {
        // The verb was cut off the last segment: `:` and its text.
        let length = raw.len().saturating_sub(verb.len() + 1);
        match &mut raw {
            Cow::Borrowed(text) => *text = &text[..length],
            Cow::Owned(text) => text.truncate(length),
        }
    }
    let decoded = match decoding {
        PathDecoding::Slash if capture.multi => percent::decode_but(&raw, percent::SLASH),
        PathDecoding::Reserved if capture.multi => percent::decode_but(&raw, percent::RESERVED),
        _ => percent::decode_all(&raw),
    };
    decoded.map(|value| value.into_owned())
}

#[cfg(test)]
mod tests;
