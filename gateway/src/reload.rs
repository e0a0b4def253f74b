//! The schema of a running gateway, exchanged: [`Swappable`] is what a port serves, [`compare`] says what an exchange
//! would break, and the [`Refresher`] asks the sources again and does it.

mod asks;
mod breaking;
mod compare;
mod refresher;
mod report;
mod said;
mod sources;
mod swap;

pub use asks::Reloads;
pub use compare::{Change, compare};
pub use refresher::{Build, Built, Refresher, Settings, StartError};
pub use report::{Metrics, Outcome, Report};
pub(crate) use sources::FILE_BYTES_MAX;
pub use sources::{LoadError, Origin, SchemaSource};
pub use swap::Swappable;
