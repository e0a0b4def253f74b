//! What the command lines of `millrace-gateway` and `millrace` have in common: how a command ends, how its failure is
//! shown, where output goes, what is said of settings that cannot be used, log lines, how
//! many files may be open, and what becomes of freed memory.
//!
//! ```
//! use millrace_cli::{Exit, Failure};
//!
//! let missing = std::io::Error::from(std::io::ErrorKind::NotFound);
//! let failure = Failure::new(Exit::Unreachable, "descriptors shop.binpb cannot be read", missing)
//!     .help("`buf build -o FILE` writes them");
//! assert!(failure.shown().contains("shop.binpb cannot be read"));
//! ```

mod exit;
mod failure;
mod file;
mod listener;
pub mod log;
mod memory;
mod open_files;
pub mod output;
mod run;
mod settings;
#[cfg(feature = "yaml")]
mod yaml;

pub use exit::Exit;
pub use failure::Failure;
pub use file::{read_file, read_stream};
pub use listener::listeners_overlap;
pub use memory::keep_freed_memory;
pub use open_files::OpenFiles;
pub use run::{Environment, environment, run};
#[cfg(feature = "yaml")]
pub use settings::read_yaml;
pub use settings::{ConfigError, FLAG, UNNAMED, read, read_toml};
