//! One walk through the trie for one request.

use smallvec::SmallVec;

use crate::percent;
use crate::route::{End, Node, Router};

/// Texts of the last segment, each with the verb that was cut off; more than two are rare.
pub(crate) type Splits<'p> = SmallVec<[(&'p str, Option<&'p str>); 2]>;

/// What one look-up knows and has seen.
pub(crate) struct Search<'r, 'p> {
    pub(crate) router: &'r Router,
    pub(crate) segments: &'p [&'p str],
    /// No segment has a `%`.
    pub(crate) is_plain: bool,
    pub(crate) splits: Splits<'p>,
    pub(crate) exact: Option<usize>,
    pub(crate) get: Option<usize>,
    pub(crate) any: Option<usize>,
    /// Methods of the ends that fit the path but not the method, as bits.
    pub(crate) seen: u64,
}

impl Search<'_, '_> {
    /// Tries everything under `node`, which has taken the first `depth` segments. Each node is visited at most once, as
    /// the trie is a tree.
    pub(crate) fn walk(&mut self, node: usize, depth: usize) -> Option<usize> {
        if depth + 1 == self.segments.len() {
            return self.last(node, depth);
        }
        let router = self.router;
        let here = &router.nodes[node];
        let segment = self.segments[depth];
        let literal = here.literal(segment, self.is_plain);
        let one = here.one.filter(|_| router.empty_segments || !segment.is_empty());
        for child in literal.into_iter().chain(one) {
            if let Some(route) = self.walk(child, depth + 1) {
                return Some(route);
            }
        }
        self.many(here, depth)
    }

    fn last(&mut self, node: usize, depth: usize) -> Option<usize> {
        let router = self.router;
        let here = &router.nodes[node];
        for at in 0..self.splits.len() {
            let (text, verb) = self.splits[at];
            if let Some(route) = here
                .literal(text, self.is_plain)
                .and_then(|child| self.end(child, verb))
            {
                return Some(route);
            }
        }
        for at in 0..self.splits.len() {
            let (text, verb) = self.splits[at];
            let one = here.one.filter(|_| router.empty_segments || !text.is_empty());
            if let Some(route) = one.and_then(|child| self.end(child, verb)) {
                return Some(route);
            }
        }
        self.many(here, depth)
    }

    /// The path ends at `node`; a `**` below it may still take no segment.
    fn end(&mut self, node: usize, verb: Option<&str>) -> Option<usize> {
        let router = self.router;
        let here = &router.nodes[node];
        let empty_many = here.many.iter().filter(|many| many.suffix.is_empty() && verb.is_none());
        let ends = std::iter::once(&here.ends).chain(empty_many.map(|many| &many.ends));
        ends.flat_map(|ends| pick_end(ends, verb))
            .find_map(|end| self.method(end))
    }

    fn many(&mut self, here: &Node, depth: usize) -> Option<usize> {
        for many in &here.many {
            let Some(taken) = self
                .segments
                .len()
                .checked_sub(many.suffix.len())
                .filter(|taken| *taken >= depth)
            else {
                continue;
            };
            let (final_literal, inner) = match many.suffix.split_last() {
                Some((last, inner)) => (Some(last), inner),
                None => (None, &[][..]),
            };
            let fits = |(raw, literal): (&&str, &String)| percent::cmp_decoded(raw, literal).is_eq();
            if !self.segments[taken..].iter().zip(inner).all(fits) {
                continue;
            }
            for at in 0..self.splits.len() {
                let (text, verb) = self.splits[at];
                if final_literal.is_some_and(|literal| percent::cmp_decoded(text, literal).is_ne()) {
                    continue;
                }
                if let Some(route) = pick_end(&many.ends, verb).and_then(|end| self.method(end)) {
                    return Some(route);
                }
            }
        }
        None
    }

    fn method(&mut self, end: &End) -> Option<usize> {
        for wanted in [self.exact, self.get, self.any].into_iter().flatten() {
            if let Some((_, route)) = end.routes.iter().find(|(method, _)| *method == wanted) {
                return Some(*route);
            }
        }
        self.seen |= end.routes.iter().fold(0, |seen, (method, _)| seen | 1 << method);
        None
    }
}

fn pick_end<'e>(ends: &'e [End], verb: Option<&str>) -> Option<&'e End> {
    ends.iter().find(|end| end.verb.as_deref() == verb)
}
