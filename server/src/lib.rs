//! The Millrace platform: identity, catalog and ordering on the chassis. The binary `millrace` is a thin command line
//! over this library; tests start the same platform in process with [`dev::start`].

mod base62;
pub mod catalog;
pub mod command;
pub mod console;
pub mod dev;
mod etag;
mod field;
pub mod identity;
mod mask;
pub mod modules;
mod money;
pub mod ordering;
mod paging;
mod replay;
pub mod sample;
pub mod settings;
#[cfg(test)]
mod testing;
mod text;
mod timestamp;
pub mod upkeep;
