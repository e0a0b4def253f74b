//! The bounds of what callers can take.

use super::super::Settings;
use super::{DAY, Key, SOME, Slot, bytes, key};

/// The bounds of what callers can take.
pub(super) static KEYS: &[Key<Settings>] = &[
    key(
        "limits.uri_bytes",
        "8192",
        Slot::Number([1, 64 << 10], |to, value| to.limits.uri_bytes = bytes(value)),
        "Longest path and query of a REST request, both together. Over HTTP/2 a request's head has at most 16 KiB.",
    ),
    key(
        "limits.body_bytes",
        "1048576",
        Slot::Number(SOME, |to, value| to.limits.body_bytes = bytes(value)),
        "Largest body of a REST request.",
    ),
    key(
        "limits.body_memory_bytes",
        "268435456",
        Slot::Number([1, 1 << 40], |to, value| to.limits.body_memory_bytes = bytes(value)),
        "Bytes of all REST bodies in calls in progress; a call above it is RESOURCE_EXHAUSTED.",
    ),
    key(
        "limits.answer_memory_bytes",
        "268435456",
        Slot::Number([1, 1 << 40], |to, value| to.limits.answer_memory_bytes = bytes(value)),
        "Bytes of all REST answers that wait until their callers read them. While less than an eighth is left a new \
         call is RESOURCE_EXHAUSTED; so is one whose answer does not fit, and a stream at that message.",
    ),
    key(
        "limits.response_json_bytes",
        "67108864",
        Slot::Number(SOME, |to, value| to.limits.response_json_bytes = bytes(value)),
        "Largest JSON of one message of an answer over REST; a call whose answer has more fails as INTERNAL, a stream \
         at that message. A few bytes of a message can be hundreds in JSON, which shows fields that are unset.",
    ),
    key(
        "limits.body_ms",
        "30000",
        Slot::Millis(DAY, |to, value| to.limits.body = value),
        "How long the body of a request may take to arrive, a client's stream apart.",
    ),
    key(
        "limits.stream_silence_ms",
        "300000",
        Slot::Millis(DAY, |to, value| to.limits.stream_silence = value),
        "How long a client's stream over REST may bring no message before the call is cancelled.",
    ),
    key(
        "limits.deadline_max_ms",
        "60000",
        Slot::Millis(DAY, |to, value| to.limits.deadline_max = value),
        "Longest deadline of a unary REST call; a caller's longer one is cut to it.",
    ),
    key(
        "limits.connections",
        "4096",
        Slot::Number(SOME, |to, value| to.limits.connections.connections = bytes(value)),
        "Open connections; more are closed at once. Each is an open file: the process raises its own limit of them as far as \
         it may, and where that is still too low it serves fewer, and says so when it starts.",
    ),
    key(
        "limits.connections_per_ip",
        "1024",
        Slot::Number(SOME, |to, value| {
            to.limits.connections.connections_per_ip = bytes(value)
        }),
        "Open connections of one address; more are closed at once. Behind a proxy, as many as `limits.connections`.",
    ),
    key(
        "limits.streams_per_connection",
        "100",
        Slot::Number(SOME, |to, value| {
            to.limits.connections.streams = u32::try_from(value).unwrap_or(u32::MAX);
        }),
        "Concurrent HTTP/2 streams of one connection.",
    ),
    key(
        "limits.first_request_ms",
        "10000",
        Slot::Millis(DAY, |to, value| to.limits.connections.first_request = value),
        "How long a connection may take to its first request; a TLS handshake may take as long before.",
    ),
    key(
        "limits.idle_ms",
        "300000",
        Slot::Millis(DAY, |to, value| to.limits.connections.idle = value),
        "How long a connection may stay without a request in progress.",
    ),
    key(
        "limits.unread_ms",
        "300000",
        Slot::Millis(DAY, |to, value| to.limits.connections.unread = value),
        "How long a peer may take nothing of an answer that is there, before its connection is closed.",
    ),
    key(
        "limits.drain_ms",
        "10000",
        Slot::Millis([100, 600_000], |to, value| to.limits.drain = value),
        "How long the end may take after SIGTERM or SIGINT, before what is left is cut.",
    ),
];
