//! Queries of identity, by table.

pub(super) mod email;
pub(super) mod key;
pub(super) mod user;
