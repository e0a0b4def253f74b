//! Takes or makes the W3C trace context of a call, opens its span, and writes its one log line.

use http::{HeaderMap, HeaderName, HeaderValue};
use tracing::Span;

use crate::call::{CallRecord, TRACEPARENT, code_name};
use crate::edge::names::Names;
use crate::edge::request_id::hex;

const TRACESTATE: HeaderName = HeaderName::from_static("tracestate");

/// Bytes of a path in a log line.
const LOGGED_PATH_BYTES_MAX: usize = 256;

/// The span of a call: what is logged inside carries its ids.
pub(super) fn span(record: &CallRecord) -> Span {
    tracing::info_span!(
        target: "millrace::call",
        "call",
        request_id = record.request_id(),
        trace_id = trace_id(record.traceparent()),
    )
}

/// Writes the one log line of a call that took so many milliseconds.
pub(super) fn log(record: &CallRecord, ms: f64) {
    let code = code_name(record.code());
    // Without a parent: the line reads alone, and its fields are not said twice.
    tracing::info!(
        target: "millrace::call",
        parent: None,
        door = record.door().name(),
        rpc.method = record.rpc_method(),
        rpc.code = code,
        http.status = record.http_status(),
        http.method = record.http_method(),
        http.path = shortened(record.http_path()),
        ms,
        request_id = record.request_id(),
        trace_id = trace_id(record.traceparent()),
        shard = record.shard(),
        user = record.user(),
        relaxed_by = record.relaxed_by(),
        "{} {} {code} in {ms} ms",
        record.door().name(),
        record.rpc_method(),
    );
}

/// The caller's `traceparent` if it is well formed. What is not is taken out of the headers, and its state with it.
///
/// One that is taken over goes inwards unchanged: the gateway exports no span of its own that could stand between.
pub(super) fn taken_over(headers: &mut HeaderMap, names: Names) -> Option<HeaderValue> {
    if names.have(Names::TRACEPARENT) {
        let sent = headers.get(TRACEPARENT);
        if let Some(sent) = sent.filter(|value| value.to_str().is_ok_and(is_traceparent)) {
            return Some(sent.clone());
        }
        headers.remove(TRACEPARENT);
    }
    // The state belongs to the trace that was refused.
    if names.have(Names::TRACESTATE) {
        headers.remove(TRACESTATE);
    }
    None
}

/// A trace context from a random seed: unsampled is for the caller to say, so the flag is "sampled".
pub(super) fn made(seed: &[u8]) -> [u8; 55] {
    let mut text = *b"00-00000000000000000000000000000000-0000000000000000-01";
    for (salt, at) in [(1, 3), (2, 19), (3, 36)] {
        // All zeros would be an invalid id.
        let word = mixed(seed, salt).max(1);
        text[at..at + 16].copy_from_slice(&hex(word));
    }
    text
}

/// A word of a seed, another for each salt. What is mixed is random, and no caller's, so nothing keyed is needed: the
/// constants are those of SplitMix64.
fn mixed(seed: &[u8], salt: u64) -> u64 {
    const FIRST: u64 = 0xbf58_476d_1ce4_e5b9;
    const SECOND: u64 = 0x94d0_49bb_1331_11eb;
    let step = |state: u64, word: [u8; 8]| (state ^ u64::from_le_bytes(word)).wrapping_mul(FIRST).rotate_left(29);
    let (words, rest) = seed.as_chunks::<8>();
    let begun = salt.wrapping_mul(SECOND) ^ seed.len() as u64;
    let mut state = words.iter().fold(begun, |state, word| step(state, *word));
    if !rest.is_empty() {
        let mut last = [0; 8];
        last[..rest.len()].copy_from_slice(rest);
        state = step(state, last);
    }
    let state = (state ^ (state >> 30)).wrapping_mul(FIRST);
    let state = (state ^ (state >> 27)).wrapping_mul(SECOND);
    state ^ (state >> 31)
}

/// `version-trace_id-parent_id-flags` of W3C Trace Context; later versions may have more after it.
fn is_traceparent(text: &str) -> bool {
    let hex = |part: &str, length: usize| {
        part.len() == length && part.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
    };
    let id = |part: &str, length: usize| hex(part, length) && part.bytes().any(|b| b != b'0');
    let mut parts = text.splitn(5, '-');
    let (Some(version), Some(trace), Some(parent), Some(flags)) =
        (parts.next(), parts.next(), parts.next(), parts.next())
    else {
        return false;
    };
    let more = parts.next().is_some();
    hex(version, 2)
        && version != "ff"
        && id(trace, 32)
        && id(parent, 16)
        && hex(flags, 2)
        && (!more || version != "00")
        && text.len() <= 128
}

/// The trace id within a `traceparent`.
fn trace_id(traceparent: &str) -> &str {
    traceparent.get(3..35).unwrap_or("")
}

/// The first bytes of a path, cut at a character.
fn shortened(path: &str) -> &str {
    &path[..path.floor_char_boundary(LOGGED_PATH_BYTES_MAX)]
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_malformed_trace_context_is_replaced() {
        let good = [
            "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
            "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00",
            "01-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-more",
        ];
        for text in good {
            let mut headers = HeaderMap::new();
            headers.insert(TRACEPARENT, HeaderValue::from_static(text));
            headers.insert(TRACESTATE, HeaderValue::from_static("a=b"));
            let names = Names::of(&headers);
            assert_eq!(taken_over(&mut headers, names).unwrap(), text);
            assert!(headers.contains_key(TRACEPARENT) && headers.contains_key(TRACESTATE));
        }
        let bad = [
            "",
            "00",
            "ff-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
            "00-00000000000000000000000000000000-b7ad6b7169203331-01",
            "00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01",
            "00-0AF7651916CD43DD8448EB211C80319C-b7ad6b7169203331-01",
            "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-more",
            "00-0af7651916cd43dd8448eb211c80319-b7ad6b7169203331-01",
        ];
        for text in bad {
            let mut headers = HeaderMap::new();
            headers.insert(TRACEPARENT, HeaderValue::from_static(text));
            headers.insert(TRACESTATE, HeaderValue::from_static("a=b"));
            let names = Names::of(&headers);
            assert_eq!(taken_over(&mut headers, names), None, "{text}");
            assert!(headers.is_empty(), "{text}");
        }
    }

    #[test]
    fn each_seed_has_words_of_its_own() {
        // Counted ids, as an embedder may draw them, differ in one digit.
        let seeds = (0..1_000_u32)
            .map(|id| format!("{id:032x}"))
            .chain(["".to_owned(), "\0".to_owned()]);
        let words: Vec<u64> = seeds
            .flat_map(|seed| [1, 2, 3].map(|salt| mixed(seed.as_bytes(), salt)))
            .collect();
        let distinct: std::collections::HashSet<_> = words.iter().collect();
        assert_eq!(distinct.len(), words.len());
    }

    #[test]
    fn a_long_path_is_cut_at_a_character() {
        let path = format!("{}é", "a".repeat(LOGGED_PATH_BYTES_MAX - 1));
        assert_eq!(shortened(&path).len(), LOGGED_PATH_BYTES_MAX - 1);
        assert_eq!(shortened("/v1"), "/v1");
    }

    proptest! {
        #[test]
        fn any_text_is_a_trace_context_or_not(text in ".{0,80}") {
            if is_traceparent(&text) {
                prop_assert_eq!(trace_id(&text).len(), 32);
            }
        }

        #[test]
        fn what_is_made_is_well_formed(seed: String) {
            prop_assert!(is_traceparent(std::str::from_utf8(&made(seed.as_bytes())).unwrap()));
        }
    }
}
