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

use std::borrow::Cow;

use crate::percent;
use crate::route::search::{Search, Splits};
use crate::settings::PathDecoding;
use crate::suggest;
use crate::template::{Capture, Segment, Template, VERB_BYTES_MAX};

/// Distinct HTTP methods over all routes: one bit each.
const METHODS_MAX: usize = 64;

/// Bounds of the search for a route that was meant: literals on each side of where a text would stand among them, and
/// nodes that are visited. What a 404 costs does not depend on the number of routes.
const NEIGHBOURS: usize = 16;
const VISITS_MAX: usize = 64;

/// Edits by which a segment of a path may differ from what was meant.
pub(crate) const SEGMENT_EDITS_MAX: usize = 2;

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

    /// Routes of as many segments that may have been meant by a path: a misspelled literal is looked for among those
    /// that stand near it.
    pub(crate) fn similar(&self, segments: &[&str]) -> Vec<usize> {
        let (mut found, mut visits) = (Vec::new(), VISITS_MAX);
        self.similar_below(0, segments, &mut visits, &mut found);
        found
    }

    fn similar_below(&self, node: usize, segments: &[&str], visits: &mut usize, found: &mut Vec<usize>) {
        let Some(left) = visits.checked_sub(1) else {
            return;
        };
        *visits = left;
        let here = &self.nodes[node];
        let Some((raw, rest)) = segments.split_first() else {
            found.extend(
                here.ends
                    .iter()
                    .flat_map(|end| end.routes.iter().map(|(_, route)| *route)),
            );
            return;
        };
        let text = match raw.rsplit_once(':') {
            Some((text, _)) if rest.is_empty() => text,
            _ => raw,
        };
        let near = match here
            .literals
            .binary_search_by(|(literal, _)| literal.as_str().cmp(text))
        {
            Ok(at) => at..at + 1,
            Err(at) => at.saturating_sub(NEIGHBOURS)..(at + NEIGHBOURS).min(here.literals.len()),
        };
        for (literal, child) in &here.literals[near] {
            if suggest::distance(text, literal, SEGMENT_EDITS_MAX).is_some() {
                self.similar_below(*child, rest, visits, found);
            }
        }
        if let Some(child) = here.one {
            self.similar_below(child, rest, visits, found);
        }
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
mod tests {
    use super::*;
    use crate::fixture::routes;
    use crate::load::LoadError;
    use crate::schema::RouteError;

    /// `R0 x=1 y=2`, or the refusal, for one request.
    fn found(paths: &[&str], request: &str) -> String {
        let schema = routes(paths).unwrap();
        let (method, path) = request.split_once(' ').unwrap();
        match schema.find(method, path) {
            Ok(matched) => {
                let captures = matched.captures().map(|(field, value)| format!(" {field}={value}"));
                matched.method().descriptor().name().to_owned() + &captures.collect::<String>()
            }
            Err(RouteError::NotFound { .. }) => "404".to_owned(),
            Err(RouteError::MethodNotAllowed { allow }) => format!("405 {allow}"),
            Err(RouteError::BadPath) => "400".to_owned(),
        }
    }

    fn check(cases: &[(&[&str], &str, &str)]) {
        for (paths, request, expected) in cases {
            assert_eq!(found(paths, request), *expected, "{paths:?} {request}");
        }
    }

    #[test]
    fn wildcards() {
        check(&[
            (&["GET /**"], "GET /", "R0"),
            (&["GET /**"], "GET /a", "R0"),
            (&["GET /**"], "GET /a/", "R0"),
            (&["GET /"], "GET /", "R0"),
            (&["GET /"], "GET /a", "404"),
            (&["GET /c/*/d/**"], "GET /b/c/d", "404"),
            (&["GET /c/*/d/**"], "GET /c/x/y/d/z", "404"),
            (&["GET /c/*/d/**"], "GET /c//d/w", "404"),
            (&["GET /c/*/d/**"], "GET /c/v/d", "R0"),
            (&["GET /c/*/d/**"], "GET /c/v/d/w/x", "R0"),
            (
                &["GET /{x=a/*}/b/{y=*}/c"],
                "GET /a/hello/b/world/c",
                "R0 x=a/hello y=world",
            ),
            (
                &["GET /alpha/{x=*}/beta/{y=**}/gamma"],
                "GET /alpha/dog/beta/eat/bones/gamma",
                "R0 x=dog y=eat/bones",
            ),
            (
                &["GET /alpha/{x=*}/beta/{y=**}/gamma"],
                "GET /alpha/dog/beta/gamma",
                "R0 x=dog y=",
            ),
            (&["GET /{x=**}/a/b"], "GET /foo/bar/a/b", "R0 x=foo/bar"),
            (&["GET /a/{x=b/**/c}/d"], "GET /a/b/1/2/c/d", "R0 x=b/1/2/c"),
            (&["GET /{sub.sub.x}"], "GET /v", "R0 sub.sub.x=v"),
            (&["GET /foo"], "GET /foo/", "404"),
            (&["GET /foo"], "GET /Foo", "404"),
            (&["GET /foo/{id}"], "GET /foo/", "404"),
        ]);
    }

    #[test]
    fn decoding() {
        check(&[
            (
                &["GET /a/{x=p/*/q/*}/c"],
                "GET /a/p/foo%20foo/q/bar%2Fbar/c",
                "R0 x=p/foo foo/q/bar%2Fbar",
            ),
            (
                &["GET /a/{x=*}/{y=**}/c"],
                "GET /a/%21%23%2F%3A/%21%23%2F%3A%2f/c",
                "R0 x=!#/: y=!#%2F:%2f",
            ),
            (
                &["GET /foo/{id}/bar"],
                "GET /foo/ok%2fwith%2Fspace/bar",
                "R0 id=ok/with/space",
            ),
            (
                &["GET /foo/{id=**}"],
                "GET /foo/ok%2fwith%2Fspace",
                "R0 id=ok%2fwith%2Fspace",
            ),
            (&["GET /foo/{id}"], "GET /foo/%2541", "R0 id=%41"),
            (&["GET /foo/{id}"], "GET /foo/a+b", "R0 id=a+b"),
            (&["GET /foo/{id}"], "GET /foo/%zz", "400"),
            (&["GET /foo/{id}"], "GET /foo/%2", "400"),
            (&["GET /foo/{id}"], "GET /foo/%ff", "400"),
            (&["GET /foo/{id}"], "GET /foo/%00", "400"),
            (&["GET /foo/{id}"], "GET foo", "400"),
            (&["GET /{x=*/suffix}"], "GET /A%2Fb/suffix", "R0 x=A%2Fb/suffix"),
            (
                &["GET /foo/bar/*/{a}/{c=**}"],
                "GET /foo/bar/baz/%2f/%2A/%2f",
                "R0 a=/ c=*/%2f",
            ),
            (&["GET /foo%2Fbar/%2A"], "GET /foo%2fbar/%2a", "R0"),
            (&["GET /~user"], "GET /%7Euser", "R0"),
            (&["GET /foo/{id}"], "GET /foo/..", "R0 id=.."),
        ]);
        for byte in 1..=0x7f_u8 {
            for text in [format!("GET /%{byte:02x}"), format!("GET /%{byte:02X}")] {
                assert_eq!(found(&["GET /{x}"], &text), format!("R0 x={}", char::from(byte)));
            }
        }
    }

    #[test]
    fn verbs() {
        let mixed: &[&str] = &[
            "GET /some/*:verb",
            "GET /some/const:verb",
            "GET /other/**:verb",
            "GET /other/**/const:verb",
        ];
        check(&[
            (
                &["GET /person/{id}:verb", "GET /person/{id}/name"],
                "GET /person/jason:verb",
                "R0 id=jason",
            ),
            (
                &["GET /person/{id}:verb", "GET /person/{id}/name"],
                "GET /person/jason:verb/name",
                "R1 id=jason:verb",
            ),
            (&["GET /foo/{a}"], "GET /foo/other:verb", "R0 a=other:verb"),
            (
                &["GET /foo/{id}", "GET /foo/{id}:verb"],
                "GET /foo/bar:verb",
                "R1 id=bar",
            ),
            (
                &["GET /foo/{id}", "GET /foo/{id}:verb"],
                "GET /foo/bar%3Averb",
                "R0 id=bar:verb",
            ),
            (&["GET /foo/{id}", "GET /foo/{id}:verb"], "GET /foo/a:b", "R0 id=a:b"),
            (
                &["GET /foo/{id}", "GET /foo/{id}:verb"],
                "GET /foo/a:b:verb",
                "R1 id=a:b",
            ),
            (
                &["GET /{a=*}/{b=*}:verb"],
                "GET /some:verb/const:verb",
                "R0 a=some:verb b=const",
            ),
            (mixed, "GET /some/const:verb", "R1"),
            (mixed, "GET /some/other:verb", "R0"),
            (mixed, "GET /other/bar/foo/const:verb", "R3"),
            (mixed, "GET /other/bar/foo:verb", "R2"),
            (mixed, "GET /some/other:verb/", "404"),
            (
                &["POST /foo/{id}:verb:subverb"],
                "POST /foo/bar:verb:subverb",
                "R0 id=bar",
            ),
            (
                &["POST /foo/{id}:b", "POST /foo/{id}:a:b"],
                "POST /foo/x:a:b",
                "R1 id=x",
            ),
            (&["GET /trailing/**:slash"], "GET /trailing/:slash", "R0"),
            (&["GET /trailing/**:slash"], "GET /trailing:slash", "404"),
            (&["GET /{x=t/**}:slash"], "GET /t/a/b:slash", "R0 x=t/a/b"),
            (&["GET /verb"], "GET /verb:", "404"),
            (&["* /x:do"], "GET /x:do", "R0"),
            (&["* /x:do"], "GET /x", "404"),
            (
                &["GET /v1/{name=segment/wi:th}"],
                "GET /v1/segment/wi:th",
                "R0 name=segment/wi:th",
            ),
            (&["GET /v1/{name}:watch"], "GET /v1/:watch", "404"),
        ]);
    }

    #[test]
    fn precedence() {
        check(&[
            (&["GET /files", "GET /files/{x=**}"], "GET /files", "R0"),
            (&["GET /files", "GET /files/{x=**}"], "GET /files/a.txt", "R1 x=a.txt"),
            (&["GET /files/{x=**}"], "GET /files", "R0 x="),
            (&["POST /v1/foo", "GET /v1/{x}"], "GET /v1/foo", "R1 x=foo"),
            (&["GET /{x}/b", "GET /a/{y}"], "GET /a/b", "R1 y=b"),
            (&["GET /a/{x}/c", "GET /{y}/b/d"], "GET /a/b/d", "R1 y=a"),
            (&["GET /**", "GET /{x}"], "GET /a", "R1 x=a"),
            (&["GET /**", "GET /{x}"], "GET /a/b", "R0"),
            (&["GET /a/**/c", "GET /a/**"], "GET /a/b/c", "R0"),
            (&["GET /a/**/c", "GET /a/**/b/c"], "GET /a/x/b/c", "R1"),
            (&["* /x/{id}"], "PROPFIND /x/1", "R0 id=1"),
            (&["* /x/{id}", "GET /x/{a}"], "GET /x/1", "R1 a=1"),
            (&["* /x/{id}", "GET /x/{a}"], "HEAD /x/1", "R1 a=1"),
            (&["HEAD /x/{id}", "GET /x/{a}"], "HEAD /x/1", "R0 id=1"),
        ]);
    }

    #[test]
    fn other_methods() {
        check(&[
            (&["GET /foo"], "DELETE /foo", "405 GET, HEAD, OPTIONS"),
            (&["GET /foo"], "OPTIONS /foo", "405 GET, HEAD, OPTIONS"),
            (
                &["POST /foo/{id}:archive"],
                "DELETE /foo/bar:archive",
                "405 POST, OPTIONS",
            ),
            (
                &["POST /foo", "GET /{x}", "DELETE /**"],
                "PUT /foo",
                "405 GET, HEAD, POST, DELETE, OPTIONS",
            ),
            (&["PROPFIND /foo"], "GET /foo", "405 PROPFIND, OPTIONS"),
        ]);
    }

    #[test]
    fn long_paths_take_linear_time_and_flat_stack() {
        let long = format!("GET /a/{}x", "/".repeat(64_000));
        assert_eq!(found(&["GET /a/**/x"], &long), "R0");
        assert_eq!(found(&["GET /a/**/x"], &long.replace('x', "y")), "404");
        let colons = format!("GET /a{}", ":b".repeat(64_000));
        assert_eq!(
            found(&["GET /{x}:b:b"], &colons),
            format!("R0 x=a{}", ":b".repeat(63_998))
        );
    }

    #[test]
    fn duplicates_name_both_rpcs() {
        for (paths, expected) in [
            (
                ["GET /{x}", "GET /{y=*}"],
                "`GET /{y=*}` is bound twice: by shapes.v1.Routes/R0 and by shapes.v1.Routes/R1",
            ),
            (["GET /a/{x}", "GET /{y=a/*}"], "`GET /{y=a/*}` is bound twice"),
            (["GET /a/**:v", "GET /{y=a/**}:v"], "`GET /{y=a/**}:v` is bound twice"),
        ] {
            let error = routes(&paths).unwrap_err();
            assert!(matches!(error, LoadError::Duplicate { .. }));
            assert!(error.to_string().starts_with(expected), "{error}");
        }
        for paths in [
            ["GET /{x}", "POST /{x}"],
            ["GET /{x}", "GET /{x}:v"],
            ["GET /{x}", "GET /{x=**}"],
        ] {
            assert!(routes(&paths).is_ok(), "{paths:?}");
        }
    }

    #[test]
    fn similar_routes() {
        let schema = routes(&[
            "GET /v1/products",
            "GET /v1/products/{id}",
            "POST /v1/{name=users/*}/orders:watch",
        ])
        .unwrap();
        for (path, expected) in [
            ("/v1/product", Some("GET /v1/products")),
            ("/v1/products/", Some("GET /v1/products")),
            ("/v1/prodcuts/7", Some("GET /v1/products/{id}")),
            ("/v1/users/7/orders:wathc", Some("POST /v1/{name=users/*}/orders:watch")),
            ("/something/else", None),
        ] {
            let expected = RouteError::NotFound {
                did_you_mean: expected.map(str::to_owned),
            };
            assert_eq!(schema.find("GET", path).unwrap_err(), expected, "{path}");
        }
    }

    #[test]
    fn a_similar_route_is_found_among_many() {
        let mut router = Router::new(false);
        for at in 0..3_000 {
            let template = Template::parse(&format!("/v1/users/{{user}}/shelf{at:04}s")).unwrap();
            router.insert("GET", &template, at).unwrap();
        }
        for at in [0, 1_234, 2_999] {
            let found = router.similar(&["v1", "user", "7", &format!("shelf{at:04}")]);
            assert!(found.contains(&at) && found.len() <= VISITS_MAX, "{found:?}");
        }
    }
}
