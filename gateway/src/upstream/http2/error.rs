//! How a stream, or a whole connection, ends before its time.

use std::fmt;
use std::io;
use std::sync::Arc;

/// An error code (RFC 9113, 7).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::upstream) struct Reason(pub(super) u32);

impl Reason {
    pub(in crate::upstream) const NO_ERROR: Self = Self(0x0);
    pub(super) const PROTOCOL_ERROR: Self = Self(0x1);
    pub(super) const FLOW_CONTROL_ERROR: Self = Self(0x3);
    pub(super) const STREAM_CLOSED: Self = Self(0x5);
    pub(super) const FRAME_SIZE_ERROR: Self = Self(0x6);
    pub(in crate::upstream) const REFUSED_STREAM: Self = Self(0x7);
    pub(in crate::upstream) const CANCEL: Self = Self(0x8);
    pub(super) const COMPRESSION_ERROR: Self = Self(0x9);
    pub(in crate::upstream) const ENHANCE_YOUR_CALM: Self = Self(0xb);
    pub(in crate::upstream) const INADEQUATE_SECURITY: Self = Self(0xc);
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = match self.0 {
            0x0 => "NO_ERROR",
            0x1 => "PROTOCOL_ERROR",
            0x2 => "INTERNAL_ERROR",
            0x3 => "FLOW_CONTROL_ERROR",
            0x4 => "SETTINGS_TIMEOUT",
            0x5 => "STREAM_CLOSED",
            0x6 => "FRAME_SIZE_ERROR",
            0x7 => "REFUSED_STREAM",
            0x8 => "CANCEL",
            0x9 => "COMPRESSION_ERROR",
            0xa => "CONNECT_ERROR",
            0xb => "ENHANCE_YOUR_CALM",
            0xc => "INADEQUATE_SECURITY",
            0xd => "HTTP_1_1_REQUIRED",
            other => return write!(f, "error code {other:#x}"),
        };
        f.write_str(name)
    }
}

/// Why a stream or a connection is over.
#[derive(Debug, Clone, thiserror::Error)]
pub(in crate::upstream) enum Error {
    /// The server reset the stream.
    #[error("the server reset the stream: {0}")]
    Reset(Reason),
    /// The stream was reset here: what came on it breaks the rules.
    #[error("the server broke the rules of HTTP/2 on the stream: {0}")]
    StreamBroken(&'static str),
    /// The stream was reset here: its headers or trailers are too large.
    #[error("headers of {bytes} bytes are larger than {max}")]
    HeadersTooLarge { bytes: usize, max: usize },
    /// The stream was reset here, because nobody wants it any more.
    #[error("the stream was cancelled")]
    Cancelled,
    /// The server leaves, and says that it never looked at the stream.
    #[error("the server leaves, and has not looked at the stream: {0}")]
    Unprocessed(Reason),
    /// The server leaves, and takes no further streams.
    #[error("the server leaves: {0}{1}")]
    Leaving(Reason, DebugData),
    /// So much waits for the server to read it that no further call is sent.
    #[error("the server does not read what it is sent")]
    Unread,
    /// The connection was ended here: what came breaks the rules.
    #[error("the server broke the rules of HTTP/2: {0}")]
    Broken(&'static str),
    /// The transport failed.
    #[error("the transport failed")]
    Io(#[source] Arc<io::Error>),
    /// The connection is closed.
    #[error("the connection was closed")]
    Closed,
}

/// What a server adds to GOAWAY for whoever reads logs (RFC 9113, 6.8), as in `too_many_pings`; nothing, for most.
#[derive(Debug, Clone, Default)]
pub(in crate::upstream) struct DebugData(Option<Arc<str>>);

/// Bytes of it that are kept.
const DEBUG_DATA_BYTES_MAX: usize = 128;

impl DebugData {
    pub(super) fn new(bytes: &[u8]) -> Self {
        let start = &bytes[..bytes.len().min(DEBUG_DATA_BYTES_MAX)];
        Self((!start.is_empty()).then(|| start.escape_ascii().to_string().into()))
    }
}

impl fmt::Display for DebugData {
    /// In quotes, after what it is about.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.as_ref().map_or(Ok(()), |said| write!(f, ", \"{said}\""))
    }
}

impl Error {
    /// Whether the server has certainly done nothing for the stream (RFC 9113, 6.8 and 8.7).
    pub(in crate::upstream) fn is_unprocessed(&self) -> bool {
        matches!(self, Self::Unprocessed(_) | Self::Reset(Reason::REFUSED_STREAM))
    }
}

impl From<io::Error> for Error {
    fn from(error: io::Error) -> Self {
        Self::Io(Arc::new(error))
    }
}

/// What ends a connection: what came breaks the rules. The server is told the code, the log the words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Violation {
    pub(super) reason: Reason,
    pub(super) why: &'static str,
}

impl Violation {
    pub(super) fn protocol(why: &'static str) -> Self {
        Self {
            reason: Reason::PROTOCOL_ERROR,
            why,
        }
    }

    pub(super) fn size(why: &'static str) -> Self {
        Self {
            reason: Reason::FRAME_SIZE_ERROR,
            why,
        }
    }

    pub(super) fn flow_control(why: &'static str) -> Self {
        Self {
            reason: Reason::FLOW_CONTROL_ERROR,
            why,
        }
    }
}
