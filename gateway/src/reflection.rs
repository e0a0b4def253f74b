//! Schemas by server reflection: asks a gRPC server what it serves and returns the descriptors as the server gave them.
//!
//! The server is not trusted. Everything that it sends is counted ([`Limits`]), names are checked before they are used
//! or shown, and the whole has one deadline: huge, endless, cyclic or lying answers end with an error. File descriptors
//! stay bytes from the wire to the schema; decoding them here would drop the options that make the routes.
//!
//! The way of one fetch: `session` speaks `grpc.reflection.v1` or `v1alpha`, `collect` asks for the services' files and
//! for what those import, `link` puts them in order and finds what is missing, `merge` joins several servers.

mod bundled;
mod codec;
mod collect;
mod contents;
mod descriptor;
mod imports;
mod link;
mod merge;
mod session;
mod wire;

use std::time::Duration;

use crate::gateway::GrpcService;

pub(crate) use bundled::error_details;
pub(crate) use merge::declared;
pub use merge::{MergeError, Merged, Source, merge};

/// How much a server may answer. The defaults are far above what real servers have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// How long the whole may take; 10 s.
    pub time: Duration,
    /// Bytes of one file; 2 MiB.
    pub file_bytes: usize,
    /// Bytes of all files together, and of one answer; 8 MiB.
    pub total_bytes: usize,
    /// Files; 4,096.
    pub files: usize,
    /// Services that the server lists; 2,048.
    pub services: usize,
    /// Files that import each other in a row; 128.
    pub depth: usize,
    /// Messages, enums and services of all files; 10,000.
    pub types: usize,
    /// Fields, enum values, methods and imports of all files; 200,000.
    pub members: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            time: Duration::from_secs(10),
            file_bytes: 2 << 20,
            total_bytes: 8 << 20,
            files: 4_096,
            services: 2_048,
            depth: 128,
            types: 10_000,
            members: 200_000,
        }
    }
}

/// What a server said about itself.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Fetched {
    /// An encoded `google.protobuf.FileDescriptorSet`, imports before what imports them. Options and extensions are the
    /// server's own bytes.
    pub descriptor_set: Vec<u8>,
    /// Full names of the services that the server offers and whose descriptors are there, sorted; without its
    /// reflection, health and channelz.
    pub services: Vec<String>,
    /// What is odd about the answer and did not hinder: one sentence each, for the log.
    pub warnings: Vec<String>,
}

/// Why a server's schema cannot be had. Text of the server's is cut and escaped.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ReflectionError {
    /// It took too long.
    #[error("reflection took longer than {0:?}")]
    TooSlow(Duration),
    /// The server does not answer: nobody is there, or it is about to start or to stop.
    #[error("the server cannot be reached: {0}")]
    Unreachable(Refusal),
    /// The server answers neither version of the protocol.
    #[error("the server offers no reflection: v1 answered {v1}; v1alpha answered {v1alpha}")]
    Unsupported {
        /// Its answer to `grpc.reflection.v1`.
        v1: Refusal,
        /// Its answer to `grpc.reflection.v1alpha`.
        v1alpha: Refusal,
    },
    /// The server stopped answering.
    #[error("reflection of {asked} failed: {refusal}")]
    Failed {
        /// What was asked for.
        asked: String,
        /// The server's answer.
        refusal: Refusal,
    },
    /// An answer is no message of the protocol, or a file in it is no file descriptor.
    #[error("the answer to {asked} is malformed: {problem}")]
    Malformed {
        /// What was asked for.
        asked: String,
        /// What is wrong.
        problem: &'static str,
    },
    /// More than [`Limits`] allow.
    #[error("the server's schema is too large: {what}, at most {max}")]
    TooLarge {
        /// What there is too much of.
        what: &'static str,
        /// The limit.
        max: usize,
    },
    /// One file name, two contents.
    #[error("the server has two versions of the file {file}")]
    TwoVersions {
        /// The file.
        file: String,
    },
    /// A file that is needed is not there.
    #[error("the file {file} is missing: {importer} imports it and uses {type_name}, and the server does not have it")]
    MissingFile {
        /// The file.
        file: String,
        /// Which file imports it.
        importer: String,
        /// A type that can only be there.
        type_name: String,
    },
    /// A type that is used is in none of the files.
    #[error("the type {type_name} that {file} uses is in none of the files that it imports")]
    MissingType {
        /// The file.
        file: String,
        /// The type.
        type_name: String,
    },
    /// Files that import each other.
    #[error("files import each other: {}", .files.join(" → "))]
    Cycle {
        /// The files, the first again at the end.
        files: Vec<String>,
    },
    /// Nothing is there to put a gateway in front of.
    #[error("the server lists no service whose descriptors can be had{}", because(.why.as_deref()))]
    NoServices {
        /// What happened to the first that it lists.
        why: Option<String>,
    },
}

impl ReflectionError {
    /// Whether the server does not answer at all, which may be different in a moment; any other error is its last word.
    pub fn is_away(&self) -> bool {
        match self {
            Self::TooSlow(_) | Self::Unreachable(_) => true,
            Self::Failed { refusal, .. } => refusal.is_away(),
            _ => false,
        }
    }
}

fn because(why: Option<&str>) -> String {
    why.map(|why| format!(": {why}")).unwrap_or_default()
}

/// The server's no to a question: a gRPC code and what the server says, cut and escaped.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// The code.
    pub code: tonic::Code,
    /// The server's words; may be empty.
    pub message: String,
}

impl Refusal {
    fn is_away(&self) -> bool {
        matches!(self.code, tonic::Code::Unavailable | tonic::Code::DeadlineExceeded)
    }
}

impl std::fmt::Display for Refusal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(crate::call::code_name(self.code))?;
        if self.message.is_empty() {
            return Ok(());
        }
        write!(f, " ({})", self.message)
    }
}

impl From<tonic::Status> for Refusal {
    fn from(status: tonic::Status) -> Self {
        Self {
            code: status.code(),
            message: shown(status.message()),
        }
    }
}

/// Asks a server for its services and their descriptors, by `grpc.reflection.v1`, else `v1alpha`.
///
/// Files of `google/protobuf`, `google/api` and `google/rpc` that the server imports and does not have are supplied; an
/// import that nothing but custom options needs is left out, with a warning.
///
/// # Errors
/// See [`ReflectionError`]; after [`Limits::time`] at the latest.
pub async fn fetch(service: GrpcService, limits: &Limits) -> Result<Fetched, ReflectionError> {
    let fetched = tokio::time::timeout(limits.time, collect::collect(service, limits)).await;
    fetched.unwrap_or(Err(ReflectionError::TooSlow(limits.time)))
}

/// Longest text of a server's that is shown.
const SHOWN_CHARS: usize = 200;

/// What servers offer besides what they are there for: never a part of a gateway's API.
const NOT_EXPOSED: [&str; 3] = ["grpc.reflection.", "grpc.health.", "grpc.channelz."];

/// Whether a service is what its server is there for. What is not is served only if it is listed.
pub(crate) fn is_exposed(service: &str) -> bool {
    !NOT_EXPOSED.iter().any(|package| service.starts_with(package))
}

/// A server's text as a log or an error may show it.
fn shown(text: &str) -> String {
    let mut shown: String = text.chars().take(SHOWN_CHARS).flat_map(char::escape_debug).collect();
    if text.chars().nth(SHOWN_CHARS).is_some() {
        shown.push('…');
    }
    shown
}
