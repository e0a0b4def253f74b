//! What the command lines of `millrace-gateway` and `millrace` have in common: how a command ends, how its failure is
//! shown, where output goes, and what is said of settings that cannot be used.

mod exit;
mod failure;
mod file;
pub mod output;
mod run;
mod settings;
#[cfg(feature = "yaml")]
mod yaml;

pub use exit::Exit;
pub use failure::Failure;
pub use file::{read_file, read_stream};
pub use run::{Environment, environment, run};
#[cfg(feature = "yaml")]
pub use settings::read_yaml;
pub use settings::{ConfigError, FLAG, UNNAMED, read, read_toml};
