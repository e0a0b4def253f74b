//! `Accept` with its q-values (RFC 9110, 12.5.1): which of the forms that the gateway can write a caller wants.

use http::{HeaderMap, HeaderValue, header};
use smallvec::SmallVec;

/// A form in which the gateway writes answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Media {
    /// `application/json`: one value, or an array of messages.
    Json,
    /// `application/problem+json`: errors only.
    Problem,
    /// `application/x-ndjson`: a line for each message.
    Ndjson,
    /// `text/event-stream`.
    EventStream,
}

impl Media {
    /// The value of `Content-Type`.
    pub(crate) fn content_type(self) -> &'static str {
        match self {
            Self::Json => "application/json",
            Self::Problem => "application/problem+json",
            Self::Ndjson => "application/x-ndjson",
            Self::EventStream => "text/event-stream",
        }
    }
}

/// Ranges of one request that are looked at; what comes after is ignored.
const RANGES_MAX: usize = 32;

/// What most callers that name anything name, alone: both are read at a glance.
const USUAL: [&str; 2] = ["application/json", "*/*"];

/// The ranges of a request.
pub(crate) struct Accept<'h> {
    ranges: SmallVec<[Range<'h>; 4]>,
}

struct Range<'h> {
    /// `type/subtype`, either may be `*`.
    name: &'h str,
    /// In thousandths.
    q: u16,
}

/// How well a range fits: the most specific one decides.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Fit {
    Anything,
    Kind,
    Exact,
}

impl<'h> Accept<'h> {
    /// Whether there is one `Accept` header, and it says what most do: JSON, for answers and errors.
    pub(crate) fn is_usual(headers: &HeaderMap) -> bool {
        let mut values = headers.get_all(header::ACCEPT).iter();
        match (values.next(), values.next()) {
            (Some(only), None) => USUAL.into_iter().any(|usual| only.as_bytes() == usual.as_bytes()),
            _ => false,
        }
    }

    /// Reads every `Accept` header. None, or none that can be read, accepts anything.
    pub(crate) fn of(headers: &'h HeaderMap) -> Self {
        let values = headers.get_all(header::ACCEPT).iter();
        let ranges = values
            .filter_map(|value| value.to_str().ok())
            .flat_map(|value| value.split(','))
            .filter_map(range)
            .take(RANGES_MAX)
            .collect();
        Self { ranges }
    }

    /// The best of `offers`: highest q, then named rather than covered by a wildcard, then the order of `offers`.
    /// `None` if none is acceptable.
    pub(crate) fn best(&self, offers: &[Media]) -> Option<Media> {
        if self.ranges.is_empty() {
            return offers.first().copied();
        }
        let mut best: Option<(Media, (u16, Fit))> = None;
        for &media in offers {
            let Some(rank) = self.rank(media).filter(|(q, _)| *q > 0) else {
                continue;
            };
            if best.is_none_or(|(_, other)| rank > other) {
                best = Some((media, rank));
            }
        }
        best.map(|(media, _)| media)
    }

    /// Whether errors go out as problem+json: only where it is named, and not less wanted than plain JSON.
    pub(crate) fn wants_problem(headers: &'h HeaderMap) -> bool {
        // Most calls do not name it, and every call asks.
        let names_it = |value: &HeaderValue| {
            value
                .as_bytes()
                .windows(7)
                .any(|part| part.eq_ignore_ascii_case(b"problem"))
        };
        headers.get_all(header::ACCEPT).iter().any(names_it) && Self::of(headers).prefers_problem()
    }

    fn prefers_problem(&self) -> bool {
        let named = |media| self.rank(media).filter(|(_, fit)| *fit == Fit::Exact).map(|(q, _)| q);
        named(Media::Problem).is_some_and(|q| q > 0 && named(Media::Json).is_none_or(|json| q >= json))
    }

    /// The best of `offers`, the forms of a route's answers; the first of them for a caller who names but the form of
    /// errors: that is a wish about errors, not about answers.
    pub(crate) fn best_answer(&self, offers: &[Media]) -> Option<Media> {
        let default = || {
            let names_problem = self.best(&[Media::Problem]).is_some();
            offers.first().copied().filter(|_| names_problem)
        };
        self.best(offers).or_else(default)
    }

    fn rank(&self, media: Media) -> Option<(u16, Fit)> {
        let fits = self
            .ranges
            .iter()
            .filter_map(|range| Some((fit(range.name, media.content_type())?, range.q)));
        fits.max().map(|(fit, q)| (q, fit))
    }
}

/// `text/html;level=1;q=0.5`; `None` for what is no range.
fn range(text: &str) -> Option<Range<'_>> {
    let mut parts = text.split(';').map(str::trim);
    let name = parts.next().filter(|name| name.contains('/'))?;
    let weight = parts.find_map(|part| part.strip_prefix("q=").or_else(|| part.strip_prefix("Q=")));
    // A malformed weight makes the range unusable rather than unlimited.
    let q = weight.map_or(Some(1000), thousandths)?;
    Some(Range { name, q })
}

/// `0`, `0.5`, `1.000`.
fn thousandths(text: &str) -> Option<u16> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    if fraction.len() > 3 || !fraction.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let fraction: u16 = format!("{fraction:0<3}").parse().ok()?;
    match whole {
        "0" => Some(fraction),
        "1" if fraction == 0 => Some(1000),
        _ => None,
    }
}

fn fit(range: &str, name: &str) -> Option<Fit> {
    if range.eq_ignore_ascii_case(name) {
        return Some(Fit::Exact);
    }
    if range == "*/*" {
        return Some(Fit::Anything);
    }
    let kind = range.strip_suffix("/*")?;
    let (of_name, _) = name.split_once('/')?;
    kind.eq_ignore_ascii_case(of_name).then_some(Fit::Kind)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn headers(values: &[&'static str]) -> HeaderMap {
        values
            .iter()
            .map(|value| (header::ACCEPT, HeaderValue::from_static(value)))
            .collect()
    }

    #[test]
    fn the_best_form_of_a_stream() {
        use Media::{EventStream, Json, Ndjson};
        let table: [(&[&'static str], Option<Media>); 18] = [
            (&[], Some(Ndjson)),
            (&["*/*"], Some(Ndjson)),
            (&["*/*", "text/event-stream"], Some(EventStream)),
            (&["application/json", "application/json;q=0.5, */*;q=0.9"], Some(Json)),
            (&["application/*"], Some(Ndjson)),
            (&["application/json"], Some(Json)),
            (&["text/event-stream"], Some(EventStream)),
            (&["Text/Event-Stream"], Some(EventStream)),
            (&["text/*"], Some(EventStream)),
            (&["application/json;q=0.5, text/event-stream;q=0.8"], Some(EventStream)),
            (&["application/json;q=0.5", "text/event-stream;q=0.1"], Some(Json)),
            (&["*/*, text/event-stream"], Some(EventStream)),
            (
                &["*/*;q=0.1, application/x-ndjson;q=0, text/event-stream;q=0"],
                Some(Json),
            ),
            (&["application/xml"], None),
            (&["application/json;q=0"], None),
            (&["text/html, application/xhtml+xml, */*;q=0.8"], Some(Ndjson)),
            (&["application/json;q=2, text/event-stream;q=x"], Some(Ndjson)),
            (&["application/json;charset=utf-8;q=0.9"], Some(Json)),
        ];
        for (values, expected) in table {
            let headers = headers(values);
            assert_eq!(
                Accept::of(&headers).best(&[Ndjson, EventStream, Json]),
                expected,
                "{values:?}"
            );
        }
    }

    #[test]
    fn problem_json_is_for_those_who_name_it() {
        let table: [(&[&'static str], bool, bool); 8] = [
            (&[], false, true),
            (&["*/*"], false, true),
            (&["application/json"], false, true),
            (&["application/problem+json"], true, true),
            (&["application/json, application/problem+json"], true, true),
            (&["application/json, application/problem+json;q=0.5"], false, true),
            (&["application/problem+json;q=0"], false, false),
            (&["text/html"], false, false),
        ];
        for (values, problem, json) in table {
            let headers = headers(values);
            let accept = Accept::of(&headers);
            assert_eq!(
                (
                    Accept::wants_problem(&headers),
                    accept.best_answer(&[Media::Json]).is_some()
                ),
                (problem, json),
                "{values:?}"
            );
            assert!(!Accept::is_usual(&headers) || (json && !problem), "{values:?}");
        }
    }

    #[test]
    fn a_wish_about_errors_alone_leaves_the_form_of_answers_open() {
        use Media::{EventStream, Json, Ndjson};
        let table: [(&[&'static str], Option<Media>); 6] = [
            (&["application/problem+json"], Some(Ndjson)),
            (&["application/problem+json, */*;q=0"], Some(Ndjson)),
            (&["application/problem+json, application/json;q=0.5"], Some(Json)),
            (
                &["text/event-stream;q=0.1, application/problem+json"],
                Some(EventStream),
            ),
            (&["application/problem+json;q=0"], None),
            (&["application/xml"], None),
        ];
        for (values, expected) in table {
            let headers = headers(values);
            let best = Accept::of(&headers).best_answer(&[Ndjson, EventStream, Json]);
            assert_eq!(best, expected, "{values:?}");
        }
    }

    proptest! {
        #[test]
        fn any_header_is_read(value in "[ -~]{0,80}") {
            let headers = HeaderMap::from_iter([(header::ACCEPT, HeaderValue::try_from(value).unwrap())]);
            let _ = (Accept::of(&headers).best(&[Media::Ndjson, Media::Json]), Accept::wants_problem(&headers));
        }
    }
}
