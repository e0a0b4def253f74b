//! The table of all settings: name, kind, default, what it does. The loader, `millrace-gateway config` and
//! `docs/gateway-config.md` come from it; a setting is added by one entry in the file of its subject and its field in
//! `Settings`.

mod headers;
mod json;
mod limits;
mod listener;
mod log;
mod pages;
mod route;
mod served;
mod service;
mod strictness;
mod upstream;

use super::slot::{Slot, tables};
use super::{Settings, names};
use crate::transcode::PathDecoding;

pub(crate) use route::ROUTE_KEYS;
pub(crate) use service::ANYTHING;
pub(crate) use upstream::UPSTREAM_KEYS;

/// One setting.
pub(crate) struct Key<S> {
    /// The dotted name.
    pub(crate) name: &'static str,
    /// The default, as text; `""` is unset.
    pub(crate) default: &'static str,
    /// The kind, and where the value goes.
    pub(crate) slot: Slot<S>,
    /// What it does.
    pub(crate) about: &'static str,
}

const fn key<S>(name: &'static str, default: &'static str, slot: Slot<S>, about: &'static str) -> Key<S> {
    Key {
        name,
        default,
        slot,
        about,
    }
}

/// Any number but 0.
const SOME: [u64; 2] = [1, u32::MAX as u64];
/// Up to a day.
const DAY: [u64; 2] = [1, 86_400_000];

/// The settings by subject, in the order of the documentation.
static SUBJECTS: [&[Key<Settings>]; 9] = [
    listener::KEYS,
    served::KEYS,
    strictness::KEYS,
    json::KEYS,
    headers::KEYS,
    pages::KEYS,
    limits::KEYS,
    log::KEYS,
    service::KEYS,
];

/// Every setting of the gateway.
pub(crate) fn keys() -> impl Iterator<Item = &'static Key<Settings>> + Clone {
    SUBJECTS.iter().copied().flatten()
}

/// A number within bounds that fit.
fn bytes(value: u64) -> usize {
    usize::try_from(value).unwrap_or(usize::MAX)
}

/// A number within bounds that fit.
fn small(value: u64) -> u32 {
    u32::try_from(value).unwrap_or(u32::MAX)
}

/// In the order of their words in the table.
const DECODINGS: [PathDecoding; 3] = [PathDecoding::Slash, PathDecoding::Reserved, PathDecoding::All];
