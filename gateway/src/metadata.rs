//! Headers across the REST door: which ones of a request become metadata, and which metadata of an answer becomes
//! headers. Inwards an allow-list, outwards a deny-list.

use base64::Engine;
use base64::engine::DecodePaddingMode;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig, STANDARD};
use http::{HeaderMap, HeaderName, HeaderValue};
use smallvec::SmallVec;

mod names;

pub use names::HeaderNames;
pub(crate) use names::Outwards;

/// What goes in unless more is allowed.
const DEFAULT: [&str; 7] = [
    "authorization",
    "traceparent",
    "tracestate",
    "baggage",
    "x-request-id",
    "accept-language",
    "idempotency-key",
];

/// How many names a map may have of which those that stay inside are taken out: of more, the others are copied.
const KEPT_IN_PLACE_MAX: usize = 24;

/// Bytes of one binary header, decoded.
const BINARY_BYTES_MAX: usize = 8 * 1024;

/// gRPC writes base64 without padding and reads both.
pub(crate) const LENIENT: GeneralPurpose = GeneralPurpose::new(
    &base64::alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// Headers that belong to one connection or to the message's form, never to the caller.
const DENIED: [&str; 14] = [
    "connection",
    "keep-alive",
    "proxy-connection",
    "proxy-authenticate",
    "proxy-authorization",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "content-type",
    "content-length",
    "content-encoding",
    "date",
    "x-request-id",
];

/// A header that cannot go in.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub(crate) enum MetadataError {
    /// A binary header that is not base64, or too large.
    #[error("header `{0}` is not base64 of at most {BINARY_BYTES_MAX} bytes")]
    Binary(String),
    /// A value that gRPC cannot say, where that is refused.
    #[error("header `{0}` is not visible ASCII")]
    Text(String),
}

impl MetadataError {
    /// The header's name.
    pub(crate) fn header(&self) -> &str {
        let (Self::Binary(name) | Self::Text(name)) = self;
        name
    }
}

/// Why a header is never passed on, whoever asks for it; `None` where it can be.
pub(crate) fn why_never_passed(name: &str) -> Option<&'static str> {
    let name = name.to_ascii_lowercase();
    if HeaderName::from_bytes(name.as_bytes()).is_err() {
        Some("is no header name")
    } else if DEFAULT.contains(&name.as_str()) {
        None
    } else if name.starts_with("grpc-") {
        Some("is gRPC's own header and never passed on")
    } else if DENIED.contains(&name.as_str()) {
        Some("belongs to one connection or to the form of a message and is never passed on")
    } else {
        None
    }
}

/// The request headers that become metadata.
#[derive(Debug, Clone)]
pub(crate) struct AllowList {
    names: Vec<HeaderName>,
    /// How long they are, as bits: by its length alone most of what is not listed is told apart.
    lengths: u64,
    /// Whether a value that gRPC cannot say is refused, rather than dropped.
    refuses_unsayable: bool,
    /// What other headers become metadata, under other names.
    renamed: HeaderNames,
}

impl AllowList {
    /// The default list and more; names that never pass are left out, see [`why_never_passed`].
    pub(crate) fn with(extra: &[String]) -> Self {
        let extra = extra.iter().filter(|name| why_never_passed(name).is_none());
        let extra = extra.filter_map(|name| HeaderName::from_bytes(name.to_ascii_lowercase().as_bytes()).ok());
        let mut names: Vec<_> = DEFAULT.into_iter().map(HeaderName::from_static).collect();
        for name in extra {
            if !names.contains(&name) {
                names.push(name);
            }
        }
        Self {
            lengths: names.iter().fold(0, |lengths, name| lengths | length_bit(name)),
            names,
            refuses_unsayable: false,
            renamed: HeaderNames::Plain,
        }
    }

    /// Takes more headers in, under the names that these say.
    pub(crate) fn renaming(mut self, renamed: HeaderNames) -> Self {
        self.renamed = renamed;
        self
    }

    /// Refuses values that gRPC cannot say.
    pub(crate) fn refusing_unsayable(mut self, refuses: bool) -> Self {
        self.refuses_unsayable = refuses;
        self
    }

    /// Whether a name is on the list.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.names.iter().any(|listed| listed == name)
    }

    /// The same of what is a name already; by its length first, since most are on none.
    pub(crate) fn lists(&self, name: &HeaderName) -> bool {
        self.lengths & length_bit(name) != 0 && self.names.contains(name)
    }

    /// Copies the allowed headers, repeated ones in their order. A value that is no visible ASCII is dropped or
    /// refused: gRPC has no way to say it.
    pub(crate) fn pick(&self, headers: &HeaderMap) -> Result<HeaderMap, MetadataError> {
        let mut metadata = HeaderMap::with_capacity(self.names.len() + 4);
        for name in &self.names {
            self.copy(headers, name, name, &mut metadata)?;
        }
        if self.renamed != HeaderNames::Plain {
            for name in headers.keys() {
                // What is listed comes in by its own name or not at all: a proxy in front may set it, or the caller may
                // have had it taken out, by `Connection` or by a value that gRPC cannot say.
                if let Some(inner) = self.renamed.inwards(name)
                    && !self.names.contains(&inner)
                {
                    self.copy(headers, name, &inner, &mut metadata)?;
                }
            }
        }
        Ok(metadata)
    }

    /// Whether those of these headers that are listed, and no others, go in under their names, and all their values as
    /// they are: then [`AllowList::pick`] would but copy them.
    pub(crate) fn passes(&self, headers: &HeaderMap) -> bool {
        let goes_as_it_is = |(name, value)| !self.lists(name) || (is_text(value) && !is_binary_name(name));
        self.renamed == HeaderNames::Plain && headers.iter().all(goes_as_it_is)
    }

    /// Copies the values of a header, under the name that it has inside.
    fn copy(
        &self,
        headers: &HeaderMap,
        name: &HeaderName,
        inner: &HeaderName,
        metadata: &mut HeaderMap,
    ) -> Result<(), MetadataError> {
        for value in headers.get_all(name) {
            if !is_text(value) {
                if self.refuses_unsayable {
                    return Err(MetadataError::Text(name.to_string()));
                }
                continue;
            }
            if is_binary_name(inner) && !is_binary(value) {
                return Err(MetadataError::Binary(name.to_string()));
            }
            metadata.append(inner.clone(), value.clone());
        }
        Ok(())
    }
}

/// The length of a name as one of 64 bits, of which long ones share the last.
fn length_bit(name: &HeaderName) -> u64 {
    1 << name.as_str().len().min(63)
}

/// Takes out each header of which a value is meant, with all its values.
pub(crate) fn remove(headers: &mut HeaderMap, mut is_meant: impl FnMut(&HeaderName, &HeaderValue) -> bool) {
    let mut meant = SmallVec::<[HeaderName; 8]>::new();
    for (name, value) in &*headers {
        if is_meant(name, value) {
            meant.push(name.clone());
        }
    }
    for name in meant {
        headers.remove(name);
    }
}

/// Whether gRPC can say a value: it is visible ASCII. As [`HeaderValue::to_str`], without a branch for each byte.
fn is_text(value: &HeaderValue) -> bool {
    let is_visible = |byte: u8| matches!(byte, b' '..=b'~' | b'\t');
    value.as_bytes().iter().fold(true, |all, byte| all & is_visible(*byte))
}

/// Whether values under this name are binary, in base64.
pub(crate) fn is_binary_name(name: &HeaderName) -> bool {
    name.as_str().ends_with("-bin")
}

fn is_binary(value: &HeaderValue) -> bool {
    LENIENT.decode(value).is_ok_and(|bytes| bytes.len() <= BINARY_BYTES_MAX)
}

/// Whether a caller reads trailers: `TE: trailers`.
pub(crate) fn takes_trailers(headers: &HeaderMap) -> bool {
    let codings = headers.get_all(http::header::TE).iter();
    codings
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .filter_map(|coding| coding.split(';').next())
        .any(|coding| coding.trim().eq_ignore_ascii_case("trailers"))
}

/// Says in the head of an answer which trailers may follow: HTTP/1.1 sends no others.
pub(crate) fn announce<'n>(names: impl Iterator<Item = &'n HeaderName>, headers: &mut HeaderMap) {
    let names: Vec<_> = names.map(HeaderName::as_str).collect();
    if let (false, Ok(names)) = (names.is_empty(), HeaderValue::try_from(names.join(", "))) {
        headers.insert(http::header::TRAILER, names);
    }
}

/// Adds an answer's metadata to the response's headers, under the names of `names`: all but `grpc-*`,
/// `access-control-*`, the denied ones and what is no visible ASCII, binary values padded.
pub(crate) fn to_headers(metadata: &HeaderMap, names: Outwards, headers: &mut HeaderMap) {
    for (name, value) in metadata {
        if is_kept_inside(name) || !is_text(value) {
            continue;
        }
        let Some(outer) = names.of(name) else {
            continue;
        };
        if !is_binary_name(name) {
            headers.append(outer, value.clone());
            continue;
        }
        let padded = LENIENT.decode(value).ok().map(|bytes| STANDARD.encode(bytes));
        if let Some(padded) = padded.and_then(|text| HeaderValue::try_from(text).ok()) {
            headers.append(outer, padded);
        }
    }
}

/// The same of metadata that nobody needs any more: what stays inside is taken out. The content type may be left, where
/// the caller puts another in its place.
pub(crate) fn into_headers(mut metadata: HeaderMap, names: Outwards, replaces_type: bool) -> HeaderMap {
    let mut are_as_they_are = names.are_same() && metadata.keys_len() <= KEPT_IN_PLACE_MAX;
    if are_as_they_are {
        remove(&mut metadata, |name, value| {
            let stays_inside = is_kept_inside(name);
            are_as_they_are &= stays_inside || (is_text(value) && !is_binary_name(name));
            stays_inside && !(replaces_type && *name == http::header::CONTENT_TYPE)
        });
    }
    if are_as_they_are {
        return metadata;
    }
    let mut headers = HeaderMap::new();
    to_headers(&metadata, names, &mut headers);
    headers
}

/// Whether metadata of this name is none of a caller's. Whose pages may read answers is the gateway's to say, not an
/// upstream's.
fn is_kept_inside(name: &HeaderName) -> bool {
    let text = name.as_str();
    text.starts_with("grpc-") || text.starts_with("access-control-") || DENIED.contains(&text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        pairs
            .iter()
            .map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)))
            .collect()
    }

    /// What is left of a map, once each header was asked whether it is listed.
    fn kept(allow: &AllowList, headers: &HeaderMap) -> HeaderMap {
        let listed = headers.iter().filter(|(name, _)| allow.lists(name));
        let mut kept = HeaderMap::new();
        kept.extend(listed.map(|(name, value)| (name.clone(), value.clone())));
        kept
    }

    #[test]
    fn a_value_is_text_where_the_library_says_so() {
        for byte in 0..=u8::MAX {
            for text in [&[byte][..], &[b'a', byte, b'b'], &[byte; 40]] {
                if let Ok(value) = HeaderValue::from_bytes(text) {
                    assert_eq!(is_text(&value), value.to_str().is_ok(), "{text:?}");
                }
            }
        }
        assert!(is_text(&HeaderValue::from_static("")));
    }

    #[test]
    fn only_allowed_headers_go_in() {
        let allow = AllowList::with(&[
            "X-Api-Key".into(),
            "data-bin".into(),
            "grpc-status".into(),
            "te".into(),
            "é".into(),
        ]);
        let sent = map(&[
            ("authorization", "Bearer x"),
            ("x-api-key", "k"),
            ("cookie", "c"),
            ("grpc-status", "0"),
            ("te", "trailers"),
            ("content-type", "application/json"),
            ("data-bin", "AQI"),
            ("host", "h"),
        ]);
        let metadata = allow.pick(&sent).unwrap();
        assert_eq!(
            metadata,
            map(&[("authorization", "Bearer x"), ("x-api-key", "k"), ("data-bin", "AQI")])
        );
        assert!(!allow.passes(&sent), "binary values are looked at");
        assert_eq!(kept(&allow, &sent), metadata);
        let mut twice = HeaderMap::new();
        twice.append("baggage", HeaderValue::from_static("a=1"));
        twice.append("baggage", HeaderValue::from_static("b=2"));
        twice.append("accept-language", HeaderValue::from_bytes(b"\xe4").unwrap());
        let metadata = allow.pick(&twice).unwrap();
        assert_eq!(metadata.get_all("baggage").iter().collect::<Vec<_>>(), ["a=1", "b=2"]);
        assert!(!metadata.contains_key("accept-language"));
        assert!(!allow.passes(&twice), "a value that gRPC cannot say is dropped");
        let sent = map(&[("te", "trailers"), ("baggage", "a=1"), ("host", "h")]);
        let default = AllowList::with(&[]);
        assert!(default.passes(&sent));
        assert_eq!(kept(&default, &sent), default.pick(&sent).unwrap());
        assert!(!default.renaming(HeaderNames::GrpcGateway).passes(&sent));
        let refused = allow.refusing_unsayable(true).pick(&twice);
        assert_eq!(refused, Err(MetadataError::Text("accept-language".to_owned())));
    }

    #[test]
    fn trailers_are_for_those_who_say_that_they_read_them() {
        for (values, expected) in [
            (&["trailers"][..], true),
            (&["gzip;q=0.5, Trailers"], true),
            (&["deflate", "trailers"], true),
            (&["deflate"], false),
            (&["trailersx"], false),
            (&[], false),
        ] {
            let headers = values
                .iter()
                .map(|value| (http::header::TE, HeaderValue::from_static(value)));
            assert_eq!(takes_trailers(&headers.collect()), expected, "{values:?}");
        }
    }

    #[test]
    fn a_binary_header_is_base64_within_its_bound() {
        let allow = AllowList::with(&["data-bin".into()]);
        for (value, good) in [
            ("AQI=", true),
            ("AQI", true),
            ("", true),
            ("A", false),
            ("a b", false),
            ("_-8", false),
        ] {
            assert_eq!(allow.pick(&map(&[("data-bin", value)])).is_ok(), good, "{value}");
        }
        let mut long = HeaderMap::new();
        long.insert(
            "data-bin",
            STANDARD.encode(vec![0; BINARY_BYTES_MAX + 1]).parse().unwrap(),
        );
        assert!(allow.pick(&long).is_err());
    }

    #[test]
    fn all_metadata_goes_out_but_what_is_not_the_callers() {
        let mut headers = HeaderMap::new();
        let metadata = map(&[
            ("x-total", "3"),
            ("grpc-status", "0"),
            ("grpc-message", "m"),
            ("access-control-allow-origin", "*"),
            ("content-type", "application/grpc"),
            ("te", "t"),
            ("data-bin", "AQI"),
            ("bad-bin", "*"),
            ("x-millrace-consistency", "t"),
        ]);
        let mut metadata = metadata;
        metadata.insert("x-odd", HeaderValue::from_bytes(b"\xe4").unwrap());
        to_headers(&metadata, HeaderNames::Plain.of_head(), &mut headers);
        assert_eq!(
            headers,
            map(&[("x-total", "3"), ("data-bin", "AQI="), ("x-millrace-consistency", "t")])
        );
    }
}
