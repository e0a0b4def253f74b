//! Where descriptors come from: files, or a server's reflection.

use std::io;
use std::path::PathBuf;

use millrace_cli::read_file;

use crate::gateway::GrpcService;
use crate::reflection::{self, Limits, ReflectionError, Source};

/// Bytes of one descriptor file.
pub(crate) const FILE_BYTES_MAX: u64 = 64 << 20;

/// A source of descriptors.
#[derive(Clone)]
pub struct SchemaSource {
    /// Its name, for logs and errors: the server's URL, or what the files are for.
    pub name: String,
    /// Where the descriptors are.
    pub origin: Origin,
    /// Full names of the services that the source may offer; `None` for all that it has.
    pub services: Option<Vec<String>>,
    /// Full names of services that are another's, whatever this one says.
    pub except: Vec<String>,
    /// Whether it is asked again by the interval. Others are on SIGHUP and by an admin's call.
    pub polled: bool,
}

/// Where descriptors are.
#[derive(Clone)]
pub enum Origin {
    /// A server that is asked by reflection.
    Reflection {
        /// The server.
        service: GrpcService,
        /// How much it may answer.
        limits: Limits,
    },
    /// Encoded `google.protobuf.FileDescriptorSet`s.
    Files(Vec<PathBuf>),
}

/// Why a source has no descriptors to give.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LoadError {
    /// A server did not answer as it should.
    #[error("{name}: {source}")]
    Reflection {
        /// The source.
        name: String,
        /// What was wrong.
        source: ReflectionError,
    },
    /// A file cannot be read.
    #[error("{path}: {source}")]
    File {
        /// The file.
        path: String,
        /// What was wrong.
        source: io::Error,
    },
}

impl LoadError {
    /// Whether it is a server that does not answer at all, and may in a moment.
    pub fn is_away(&self) -> bool {
        matches!(self, Self::Reflection { source, .. } if source.is_away())
    }
}

impl SchemaSource {
    /// What it has said before it has said anything.
    pub(super) fn silent(&self) -> Source {
        Source {
            name: self.name.clone(),
            descriptor_set: Vec::new(),
            services: Some(Vec::new()),
            warnings: Vec::new(),
        }
    }

    /// Reads or asks.
    ///
    /// # Errors
    /// The source cannot be had; see [`LoadError`].
    pub async fn load(&self) -> Result<Source, LoadError> {
        let mut warnings = Vec::new();
        let (descriptor_set, services) = match &self.origin {
            Origin::Files(paths) => {
                let paths = paths.clone();
                let read = tokio::task::spawn_blocking(move || read_all(&paths)).await;
                let read = read.map_err(|error| LoadError::File {
                    path: self.name.clone(),
                    source: io::Error::other(error),
                })?;
                let read = read?;
                // Whoever gives a file means all that is in it; what is none is told when it is merged.
                let services = self.services.clone().or_else(|| reflection::declared(&read));
                (read, services)
            }
            Origin::Reflection { service, limits } => {
                let fetched = reflection::fetch(service.clone(), limits).await;
                let fetched = fetched.map_err(|source| LoadError::Reflection {
                    name: self.name.clone(),
                    source,
                })?;
                warnings = fetched.warnings;
                (fetched.descriptor_set, Some(fetched.services))
            }
        };
        let may = |name: &String| {
            self.services.as_ref().is_none_or(|services| services.contains(name)) && !self.except.contains(name)
        };
        Ok(Source {
            name: self.name.clone(),
            descriptor_set,
            services: services.map(|services| services.into_iter().filter(may).collect()),
            warnings,
        })
    }
}

/// Sets one after the other are a set, by the rules of the wire.
fn read_all(paths: &[PathBuf]) -> Result<Vec<u8>, LoadError> {
    let mut set = Vec::new();
    for path in paths {
        let file = read_file(path, FILE_BYTES_MAX).map_err(|source| LoadError::File {
            path: path.display().to_string(),
            source,
        })?;
        set.extend(file);
    }
    Ok(set)
}
