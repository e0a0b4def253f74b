//! A loaded schema: descriptors, RPCs, routes, reasons. Built once (`load`), immutable, shared behind an `Arc` by
//! callers.

use std::collections::BTreeMap;
use std::sync::Arc;

use prost_reflect::DescriptorPool;
use smallvec::SmallVec;

use crate::bind::HeaderFields;
use crate::codec::Codec;
use crate::explain::{self, Explanation, Refusal};
use crate::load::SchemaBuilder;
use crate::matched::Matched;
use crate::method::Method;
use crate::openapi;
use crate::percent;
use crate::reason::{ReasonInfo, Reasons};
use crate::report::Report;
use crate::route::{self, Lookup, Router, SEGMENT_EDITS_MAX};
use crate::rule::Route;
use crate::settings::Options;
use crate::suggest;
use crate::template::{Segment, Template};

/// Longest raw path that is looked up, in bytes.
const PATH_BYTES_MAX: usize = 256 * 1024;
/// Longest raw path for which a 404 looks for a similar route.
const SUGGEST_BYTES_MAX: usize = 256;

/// Loaded descriptors with their routes.
#[derive(Debug)]
pub struct Schema {
    pub(crate) pool: DescriptorPool,
    pub(crate) methods: BTreeMap<String, Arc<Method>>,
    /// Sorted by path, then method.
    pub(crate) routes: Vec<Route>,
    pub(crate) router: Router,
    /// Whether any route takes a path with a `/` too many.
    pub(crate) strips_slash: bool,
    pub(crate) reasons: Reasons,
    pub(crate) options: Options,
    pub(crate) codec: Codec,
}

/// Why no route is found.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum RouteError {
    /// 404, code 5.
    #[error("no route for this path")]
    NotFound {
        /// A similar route: `GET /v1/products`.
        did_you_mean: Option<String>,
    },
    /// 405, code 12.
    #[error("the path is not bound for this method")]
    MethodNotAllowed {
        /// The value of the header `Allow`.
        allow: String,
    },
    /// 400, code 3: malformed percent-encoding, NUL, not UTF-8, not absolute.
    #[error("the path is malformed")]
    BadPath,
}

impl Schema {
    /// Starts with nothing, strict.
    ///
    /// ```
    /// use millrace_transcode::{HttpRule, Options, RouteOptions, Schema};
    /// # let mut compiler = protox::Compiler::new(["src/fixture", "../../proto"])?;
    /// # let library = compiler.include_imports(true).open_file("shapes.proto")?.encode_file_descriptor_set();
    ///
    /// let options = Options {
    ///     // A rule for an RPC that has none, or another than it has.
    ///     rules: vec![HttpRule {
    ///         selector: "shapes.v1.Library.Internal".to_owned(),
    ///         method: "GET".to_owned(),
    ///         path: "/v1/internal/{name}".to_owned(),
    ///         ..HttpRule::default()
    ///     }],
    ///     // Options for some RPCs.
    ///     overrides: vec![(
    ///         "shapes.v1.Library.*".to_owned(),
    ///         RouteOptions {
    ///             json_unknown_ignored: Some(true),
    ///             ..RouteOptions::default()
    ///         },
    ///     )],
    ///     query_ignore: vec!["utm_*".to_owned()],
    ///     ..Options::default()
    /// };
    /// let schema = Schema::builder().descriptors(&library).options(options).build()?;
    /// assert!(schema.routes().any(|route| route.path() == "/v1/internal/{name}"));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn builder() -> SchemaBuilder {
        SchemaBuilder::default()
    }

    /// Every route, sorted by path and method.
    pub fn routes(&self) -> impl Iterator<Item = &Route> {
        self.routes.iter()
    }

    /// Every RPC, bound or not, sorted by name.
    pub fn methods(&self) -> impl Iterator<Item = &Method> {
        self.methods.values().map(Arc::as_ref)
    }

    /// The RPC `package.Service/Method`.
    pub fn method(&self, full_name: &str) -> Option<&Method> {
        self.methods.get(full_name).map(Arc::as_ref)
    }

    /// Finds the route for a method and a raw path (still percent-encoded, without the query). HEAD falls back to GET.
    ///
    /// ```
    /// use millrace_transcode::{RouteError, Schema};
    /// # let mut compiler = protox::Compiler::new(["src/fixture", "../../proto"])?;
    /// # let library = compiler.include_imports(true).open_file("shapes.proto")?.encode_file_descriptor_set();
    /// # let schema = Schema::builder().descriptors(&library).build()?;
    ///
    /// let matched = schema.find("GET", "/v1/namedShelves/a%2Fb")?;
    /// assert_eq!(matched.captures().next(), Some(("name".to_owned(), "namedShelves/a%2Fb")));
    ///
    /// let refused = schema.find("DELETE", "/v1/shelves/7").unwrap_err();
    /// let allow = "GET, HEAD, OPTIONS".to_owned();
    /// assert_eq!(refused, RouteError::MethodNotAllowed { allow });
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// See [`RouteError`].
    pub fn find<'s>(&'s self, method: &str, raw_path: &'s str) -> Result<Matched<'s>, RouteError> {
        let mut segments = Segments::new();
        let is_plain = split(raw_path, &mut segments).ok_or(RouteError::BadPath)?;
        let mut lookup = self.router.find(method, &segments, is_plain);
        if lookup == Lookup::Nothing && self.strips_slash && segments.last() == Some(&"") {
            segments.pop();
            lookup = self.without_slash(method, &segments, is_plain);
        }
        match lookup {
            Lookup::Route(index) => {
                let route = &self.routes[index];
                let decoding = route.settings().path_decoding;
                let values = route::capture(&route.template, raw_path, &segments, is_plain, decoding);
                Ok(Matched {
                    schema: self,
                    route,
                    index,
                    values: values.ok_or(RouteError::BadPath)?,
                    alias: None,
                })
            }
            Lookup::Methods(methods) => Err(RouteError::MethodNotAllowed { allow: allow(methods) }),
            Lookup::Nothing => Err(RouteError::NotFound {
                did_you_mean: self.similar(raw_path),
            }),
        }
    }

    /// The look-up of a path that has lost its last `/`, where the routes allow it.
    fn without_slash(&self, method: &str, segments: &[&str], is_plain: bool) -> Lookup {
        match self.router.find(method, segments, is_plain) {
            Lookup::Route(index) if !self.routes[index].settings().trailing_slash_stripped => Lookup::Nothing,
            Lookup::Methods(_) if !self.options.trailing_slash_stripped => Lookup::Nothing,
            lookup => lookup,
        }
    }

    /// The HTTP methods for which a raw path is bound, in the order of `Allow` but without OPTIONS, HEAD with GET; `*`
    /// is any. `None` if it is bound for none.
    pub fn methods_at(&self, raw_path: &str) -> Option<String> {
        let mut segments = Segments::new();
        let is_plain = split(raw_path, &mut segments)?;
        let mut methods = self.router.methods(&segments);
        if methods.is_empty() && self.strips_slash && segments.last() == Some(&"") {
            segments.pop();
            methods = self.router.methods(&segments);
            methods.retain(|method| matches!(self.without_slash(method, &segments, is_plain), Lookup::Route(_)));
        }
        (!methods.is_empty()).then(|| ordered(methods).join(", "))
    }

    /// What the schema says about an error's reason.
    pub fn reason(&self, domain: &str, reason: &str) -> Option<&ReasonInfo> {
        self.reasons.get(domain, reason)
    }

    /// All reasons: domain, reason, what is said about it; sorted.
    pub fn reasons(&self) -> impl Iterator<Item = (&str, &str, &ReasonInfo)> {
        self.reasons.iter()
    }

    /// The descriptors.
    pub fn pool(&self) -> &DescriptorPool {
        &self.pool
    }

    /// How strict the schema is.
    pub fn options(&self) -> &Options {
        &self.options
    }

    /// JSON to wire and back.
    pub fn codec(&self) -> &Codec {
        &self.codec
    }

    /// The OpenAPI 3.1 document of all routes. Deterministic.
    pub fn openapi(&self, info: &openapi::Info) -> serde_json::Value {
        openapi::document(self, info)
    }

    /// Says why a request is answered as it is, without a call: the route, the fields and their sources, the message,
    /// or the refusal and the setting that would allow it.
    ///
    /// ```
    /// use millrace_transcode::{HeaderFields, Schema};
    /// # let mut compiler = protox::Compiler::new(["src/fixture", "../../proto"])?;
    /// # let library = compiler.include_imports(true).open_file("shapes.proto")?.encode_file_descriptor_set();
    /// # let schema = Schema::builder().descriptors(&library).build()?;
    ///
    /// let explanation = schema.explain("GET", "/v1/shelves/7?veiw=full", &HeaderFields::default(), b"");
    /// let refusal = explanation.refusal.unwrap();
    /// assert_eq!(refusal.relaxed_by.as_deref(), Some("query.ignore or query.unknown = \"ignore\""));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn explain(&self, method: &str, path_and_query: &str, headers: &HeaderFields<'_>, body: &[u8]) -> Explanation {
        explain::explain(self, method, path_and_query, headers, body)
    }

    /// Why a request is refused, `None` if it binds: [`Schema::explain`] without the rest, for whole logs of requests.
    pub fn refusal(
        &self,
        method: &str,
        path_and_query: &str,
        headers: &HeaderFields<'_>,
        body: &[u8],
    ) -> Option<Refusal> {
        explain::refusal(self, method, path_and_query, headers, body)
    }

    /// What may be wrong with the routes, although they load: which hide parts of each other, which fields nothing sets
    /// or shows, which RPCs have none. Takes time that grows with the square of the number of routes: about a second
    /// for ten thousand.
    pub fn report(&self) -> Report {
        Report::of(self)
    }

    /// The route whose path is the nearest to a path that is not bound.
    fn similar(&self, raw_path: &str) -> Option<String> {
        if raw_path.len() > SUGGEST_BYTES_MAX {
            return None;
        }
        let trimmed = raw_path.trim_end_matches('/');
        let segments: Vec<&str> = trimmed.split('/').skip(1).collect();
        let routes = self
            .router
            .similar(&segments)
            .into_iter()
            .map(|index| &self.routes[index]);
        let near = routes.filter_map(|route| Some((template_distance(&route.template, &segments)?, route)));
        let (_, route) = near.min_by_key(|(distance, route)| (*distance, &route.path))?;
        Some(format!("{} {}", route.http_method, route.path))
    }
}

/// Edits between a path and a template, if few: literals may be misspelled, wildcards fit anything.
fn template_distance(template: &Template, segments: &[&str]) -> Option<usize> {
    let (length, last) = (template.segments.len(), segments.len().checked_sub(1)?);
    // Of the template: what stands before a `**`, and what stands behind it.
    let (before, after, fits) = match template.many() {
        Some(many) => (many, length - many - 1, segments.len() + 1 >= length),
        None => (length, 0, segments.len() == length),
    };
    if !fits {
        return None;
    }
    let (mut edits, mut last_text) = (0, segments[last]);
    if let Some(verb) = &template.verb {
        let (text, found) = last_text.rsplit_once(':')?;
        edits += suggest::distance(found, verb, SEGMENT_EDITS_MAX)?;
        last_text = text;
    }
    let behind = (0..after).map(|at| (length - after + at, segments.len() - after + at));
    for (place, at) in (0..before).map(|at| (at, at)).chain(behind) {
        let raw = if at == last { last_text } else { segments[at] };
        match &template.segments[place] {
            Segment::Literal(text) => edits += suggest::distance(raw, text, SEGMENT_EDITS_MAX)?,
            Segment::One | Segment::Many if raw.is_empty() => return None,
            Segment::One | Segment::Many => {}
        }
    }
    Some(edits).filter(|edits| *edits <= 3)
}

/// The segments of a path. Very long paths are rare, and cost an allocation.
type Segments<'p> = SmallVec<[&'p str; 16]>;

/// Splits a raw path, and says whether it is plain: it has no `%`. `None` for one that is malformed or absurdly long.
fn split<'p>(raw_path: &'p str, segments: &mut Segments<'p>) -> Option<bool> {
    let relative = raw_path.strip_prefix('/')?;
    if raw_path.len() > PATH_BYTES_MAX {
        return None;
    }
    let mut is_plain = true;
    let mut rest = relative;
    let mut at = 0;
    while let Some(byte) = rest.as_bytes().get(at) {
        at += 1;
        // All that means anything here is at most that: one look tells most bytes.
        if *byte > b'/' {
            continue;
        }
        match byte {
            b'/' => {
                segments.push(&rest[..at - 1]);
                (rest, at) = (&rest[at..], 0);
            }
            b'%' => is_plain = false,
            0 => return None,
            _ => {}
        }
    }
    segments.push(rest);
    (is_plain || percent::is_well_formed(raw_path) && !raw_path.contains("%00")).then_some(is_plain)
}

/// The value of `Allow`: OPTIONS is always there.
fn allow(methods: Vec<String>) -> String {
    let mut methods = ordered(methods);
    methods.push("OPTIONS".to_owned());
    methods.join(", ")
}

/// The usual order, without OPTIONS; HEAD comes with GET.
fn ordered(mut methods: Vec<String>) -> Vec<String> {
    const ORDER: [&str; 6] = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"];
    if methods.iter().any(|method| method == "GET") && !methods.iter().any(|method| method == "HEAD") {
        methods.push("HEAD".to_owned());
    }
    methods.retain(|method| method != "OPTIONS");
    methods.sort_by_key(|method| {
        (
            ORDER.iter().position(|known| known == method).unwrap_or(ORDER.len()),
            method.clone(),
        )
    });
    methods
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::{self, load, rule};

    #[test]
    fn reasons_by_domain() {
        let schema = Schema::builder().descriptors(fixture::shapes()).build().unwrap();
        let status = |reason: &str| {
            schema
                .reason("shapes", reason)
                .map(|about| (about.http_status, about.retryable))
        };
        for (reason, expected) in [
            ("KEY_REUSED", Some((Some(422), false))),
            ("BUSY", Some((None, true))),
            ("OTHER_NAME", Some((None, false))),
            ("UNSPECIFIED", None),
            ("FAILURE_REASON_BUSY", None),
        ] {
            assert_eq!(status(reason), expected, "{reason}");
        }
        assert!(schema.reason("elsewhere", "BUSY").is_none());
    }

    #[test]
    fn a_slash_is_stripped_by_setting_only() {
        let rules = vec![rule("Routes.R0", "GET /foo", "")];
        let strict = load(rules.clone()).unwrap();
        assert!(strict.find("GET", "/foo/").is_err());
        let options = Options {
            rules,
            trailing_slash_stripped: true,
            ..Options::default()
        };
        let lax = fixture::load_with(options).unwrap();
        assert!(lax.find("GET", "/foo/").is_ok());
        assert!(lax.find("GET", "/foo//").is_err());
        assert!(lax.find("GET", "/").is_err());
    }

    #[test]
    fn the_methods_of_a_path_are_those_of_all_its_templates() {
        let schema = load(vec![
            rule("Routes.R0", "GET /foo/{id}", ""),
            rule("Routes.R1", "DELETE /foo/{id=*}", ""),
            rule("Routes.R2", "POST /foo/bar", ""),
            rule("Routes.R3", "* /any", ""),
        ])
        .unwrap();
        for (path, expected) in [
            ("/foo/7", Some("GET, HEAD, DELETE")),
            ("/foo/bar", Some("GET, HEAD, POST, DELETE")),
            ("/any", Some("*")),
            ("/foo", None),
            ("/foo/%zz", None),
            ("foo", None),
        ] {
            assert_eq!(schema.methods_at(path).as_deref(), expected, "{path}");
        }
    }

    #[test]
    fn the_platform_loads() {
        let schema = Schema::builder().descriptors(fixture::millrace()).build().unwrap();
        for (request, expected) in [
            (
                "GET /v1/users/7/orders",
                "millrace.ordering.v1.OrderingService/ListOrders",
            ),
            (
                "GET /v1/users/-/orders",
                "millrace.ordering.v1.OrderingService/ListOrders",
            ),
            (
                "GET /v1/users/7/orders:watch",
                "millrace.ordering.v1.OrderingService/WatchOrders",
            ),
            (
                "POST /v1/users/7/orders/9:cancel",
                "millrace.ordering.v1.OrderingService/CancelOrder",
            ),
            ("PATCH /v1/users/7", "millrace.identity.v1.IdentityService/UpdateUser"),
            ("GET /v1/products/7", "millrace.catalog.v1.CatalogService/GetProduct"),
        ] {
            let (method, path) = request.split_once(' ').unwrap();
            assert_eq!(schema.find(method, path).unwrap().method().full_name(), expected);
        }
        let reused = schema.reason("millrace", "IDEMPOTENCY_KEY_REUSED").unwrap();
        assert_eq!(reused.http_status, Some(422));
    }
}
