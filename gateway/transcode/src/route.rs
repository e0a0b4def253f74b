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

use smallvec::SmallVec;

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
    /// Of these, GET and any.
    get: Option<usize>,
    any: Option<usize>,
    /// Every bound verb, sorted.
    verbs: Vec<String>,
    /// Whether a wildcard takes an empty segment.
    empty_segments: bool,
}

#[derive(Debug, Default)]
struct Node {
    /// Sorted by text, and so by the heads too.
    literals: Vec<Literal>,
    one: Option<usize>,
    /// The longest suffix first.
    many: Vec<Many>,
    ends: Vec<End>,
}

/// A literal segment and the node behind it.
#[derive(Debug)]
struct Literal {
    /// The first eight bytes, by which most literals are told apart without a call.
    head: u64,
    text: String,
    child: usize,
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
            get: None,
            any: None,
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
        let index = self.methods.len();
        match method {
            "GET" => self.get = Some(index),
            ANY => self.any = Some(index),
            _ => {}
        }
        self.methods.push(method.to_owned());
        Ok(index)
    }

    fn literal_child(&mut self, node: usize, text: &str) -> usize {
        match self.nodes[node].position(text) {
            Ok(at) => self.nodes[node].literals[at].child,
            Err(at) => {
                let child = self.nodes.len();
                self.nodes.push(Node::default());
                let literal = Literal {
                    head: head(text),
                    text: text.to_owned(),
                    child,
                };
                self.nodes[node].literals.insert(at, literal);
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

    /// Finds the route for a method and the segments of a raw, well-formed path; a plain one has no `%`.
    pub(crate) fn find(&self, method: &str, segments: &[&str], is_plain: bool) -> Lookup {
        let Some(mut search) = self.search(segments, is_plain) else {
            return Lookup::Nothing;
        };
        search.exact = self.methods.iter().position(|known| known == method);
        search.get = self.get.filter(|_| method == "HEAD");
        search.any = self.any;
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
        let Some(mut search) = self.search(segments, false) else {
            return Vec::new();
        };
        // Without a method that it could be content with, the search sees all ends.
        search.walk(0, 0);
        self.named(search.seen)
    }

    fn search<'r, 'p>(&'r self, segments: &'p [&'p str], is_plain: bool) -> Option<Search<'r, 'p>> {
        let last = segments.last()?;
        Some(Search {
            router: self,
            segments,
            is_plain,
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
        let mut splits = Splits::new();
        if !last.bytes().any(|byte| byte == b':') {
            splits.push((last, None));
            return splits;
        }
        // A verb is at most so long, hence so few colons matter: a segment of 64,000 colons costs no more than one of
        // 128.
        let colons = last
            .bytes()
            .enumerate()
            .skip(last.len().saturating_sub(VERB_BYTES_MAX + 1));
        let bound = colons
            .filter(|(_, byte)| *byte == b':')
            .map(|(at, _)| (&last[..at], &last[at + 1..]))
            .filter(|(_, verb)| self.verbs.binary_search_by(|known| known.as_str().cmp(verb)).is_ok());
        splits.extend(bound.map(|(text, verb)| (text, Some(verb))));
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

    /// The node behind the literal that a segment is; a plain segment has no `%`.
    #[inline]
    fn literal(&self, raw: &str, is_plain: bool) -> Option<usize> {
        if self.literals.is_empty() {
            return None;
        }
        let found = match is_plain {
            true => self.position(raw),
            false => self
                .literals
                .binary_search_by(|literal| percent::cmp_decoded(raw, &literal.text).reverse()),
        };
        found.ok().map(|at| self.literals[at].child)
    }

    /// Where a decoded text stands among the literals, or would stand.
    #[inline]
    fn position(&self, text: &str) -> Result<usize, usize> {
        let wanted = head(text);
        self.literals.binary_search_by(|literal| {
            let order = literal.head.cmp(&wanted);
            order.then_with(|| literal.text.as_str().cmp(text))
        })
    }
}

/// The first eight bytes, in the order of texts; what a shorter text lacks is zero.
#[inline]
fn head(text: &str) -> u64 {
    let bytes = text.as_bytes();
    if let Some(first) = bytes.first_chunk() {
        return u64::from_be_bytes(*first);
    }
    let mut first = [0; 8];
    for (to, from) in first.iter_mut().zip(bytes) {
        *to = *from;
    }
    u64::from_be_bytes(first)
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

/// The decoded values of a path's variables, as they stand in the path where it is plain: has no `%`.
pub(crate) type Values<'p> = SmallVec<[Cow<'p, str>; 3]>;

/// The decoded values of a template's captures; `None` if one is not UTF-8. `segments` are those of the path.
pub(crate) fn capture<'p>(
    template: &Template,
    raw_path: &'p str,
    segments: &[&str],
    is_plain: bool,
    decoding: PathDecoding,
) -> Option<Values<'p>> {
    let many = template.many();
    // Segments after `**` are counted from the end of the path.
    let place = |at: usize| match many {
        Some(many) if at > many => (at + segments.len()).saturating_sub(template.segments.len()),
        _ => at,
    };
    let bytes_of = |segments: &[&str]| segments.iter().map(|segment| segment.len() + 1).sum::<usize>();
    let values = template.captures.iter().map(|capture| {
        let (start, end) = (place(capture.start), place(capture.end));
        let taken = segments.get(start..end)?;
        // The verb was cut off the last segment: `:` and its text.
        let cut = match &template.verb {
            Some(verb) if end == segments.len() && start < end => verb.len() + 1,
            _ => 0,
        };
        // There is a `/` before each segment. What takes none may stand where the path has ended.
        let from = bytes_of(&segments[..start]) + 1;
        let to = from + bytes_of(taken).saturating_sub(1 + cut);
        let raw = raw_path.get(from..to).unwrap_or_default();
        match is_plain {
            true => Some(Cow::Borrowed(raw)),
            false => decoded(raw, capture, decoding),
        }
    });
    values.collect()
}

fn decoded<'p>(raw: &'p str, capture: &Capture, decoding: PathDecoding) -> Option<Cow<'p, str>> {
    match decoding {
        PathDecoding::Slash if capture.multi => percent::decode_but(raw, percent::SLASH),
        PathDecoding::Reserved if capture.multi => percent::decode_but(raw, percent::RESERVED),
        _ => percent::decode_all(raw),
    }
}

#[cfg(test)]
mod tests;
