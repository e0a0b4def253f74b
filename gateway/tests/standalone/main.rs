//! The binary `millrace-gateway` as a person meets it: its commands, and its service before a tonic server on loopback.

#![expect(clippy::unwrap_used, reason = "a test that panics is a test that fails")]

mod commands;
mod compat;
mod documents;
mod findings;
mod memory;
mod open_files;
mod publishing;
mod reflection;
mod replay;
mod serving;
mod settings;
mod support;
