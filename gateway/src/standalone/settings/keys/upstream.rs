//! The settings of one upstream.

use super::super::UpstreamSettings;
use super::{DAY, Key, SOME, Slot, bytes, key, names, small};
use crate::upstream;

/// The settings of one upstream.
pub(crate) static UPSTREAM_KEYS: &[Key<UpstreamSettings>] = &[
    key(
        "url",
        "",
        Slot::Other("text", |to, value| {
            let url = value.as_str().ok_or("must be text")?;
            upstream::check_url(url).map_err(|error| format!("cannot be used: {error}"))?;
            url.clone_into(&mut to.connection.url);
            Ok(())
        }),
        "http://host:port for HTTP/2 in clear, https://host:port for TLS.",
    ),
    key(
        "services",
        "[]",
        Slot::Names("services", |to, value| {
            to.services = names::services(value)?;
            Ok(())
        }),
        "Full names of the services that are taken from it; none is all that no upstream before it has.",
    ),
    key(
        "tls.ca_file",
        "",
        Slot::File(|to, value| to.connection.tls.ca = Some(value)),
        "Certificates in PEM of the authorities that may have signed the server's; unset, the system's.",
    ),
    key(
        "tls.cert_file",
        "",
        Slot::File(|to, value| to.tls.cert_file = Some(value)),
        "Certificate in PEM that the server is shown, if it asks who calls.",
    ),
    key(
        "tls.key_file",
        "",
        Slot::File(|to, value| to.tls.key_file = Some(value)),
        "Private key of that certificate in PEM.",
    ),
    key(
        "tls.server_name",
        "",
        Slot::Text(|to, value| to.connection.tls.server_name = Some(value)),
        "Name that the server's certificate must have; unset, the URL's.",
    ),
    key(
        "connections",
        "2",
        Slot::Number(SOME, |to, value| to.connection.connections = bytes(value)),
        "Connections that are kept.",
    ),
    key(
        "connections_max",
        "16",
        Slot::Number(SOME, |to, value| to.connection.connections_max = bytes(value)),
        "Connections at most: further ones are opened when calls wait because all places are taken.",
    ),
    key(
        "connections_idle_ms",
        "30000",
        Slot::Millis(DAY, |to, value| to.connection.connections_idle = value),
        "After how long without a call a further connection is closed.",
    ),
    key(
        "connect_timeout_ms",
        "5000",
        Slot::Millis(DAY, |to, value| to.connection.connect_timeout = value),
        "How long one attempt to connect may take.",
    ),
    key(
        "connect_wait_ms",
        "1000",
        Slot::Millis([0, 86_400_000], |to, value| to.connection.connect_wait = value),
        "How long a call waits for a connection while there is none, or for a place while all are taken.",
    ),
    key(
        "reconnect_first_ms",
        "100",
        Slot::Millis(DAY, |to, value| to.connection.reconnect_first = value),
        "Wait before the second attempt to connect; each further one is twice as long.",
    ),
    key(
        "reconnect_max_ms",
        "5000",
        Slot::Millis(DAY, |to, value| to.connection.reconnect_max = value),
        "Longest wait between attempts.",
    ),
    key(
        "keep_alive_ms",
        "310000",
        Slot::Millis(DAY, |to, value| to.connection.keep_alive = value),
        "How often a connection with calls in progress is pinged.",
    ),
    key(
        "keep_alive_timeout_ms",
        "10000",
        Slot::Millis(DAY, |to, value| to.connection.keep_alive_timeout = value),
        "How long the answer to a ping may take before the connection is given up.",
    ),
    key(
        "streams",
        "1000",
        Slot::Number(SOME, |to, value| to.connection.streams_max = bytes(value)),
        "Calls in progress on one connection.",
    ),
    key(
        "calls_waiting",
        "10000",
        Slot::Number([0, u32::MAX as u64], |to, value| {
            to.connection.calls_waiting_max = bytes(value)
        }),
        "Calls that wait for a place on a connection; more are UNAVAILABLE.",
    ),
    key(
        "stream_window_bytes",
        "131072",
        Slot::Number([1, i32::MAX as u64], |to, value| {
            to.connection.stream_window_bytes = small(value)
        }),
        "Bytes of an answer that a call may have unread.",
    ),
    key(
        "message_bytes",
        "16777216",
        Slot::Number(SOME, |to, value| to.connection.message_bytes_max = bytes(value)),
        "Largest message of an answer.",
    ),
    key(
        "header_bytes",
        "65536",
        Slot::Number([1, i32::MAX as u64], |to, value| {
            to.connection.header_bytes_max = small(value)
        }),
        "Bytes of an answer's headers, and of its trailers.",
    ),
    key(
        "deadline_ms",
        "60000",
        Slot::Millis(DAY, |to, value| to.connection.deadline = value),
        "Deadline of a call whose caller gave none.",
    ),
    key(
        "stream_deadline_ms",
        "3600000",
        Slot::Millis(DAY, |to, value| to.connection.stream_deadline = value),
        "The same where the server streams: the longest life of a stream.",
    ),
];
