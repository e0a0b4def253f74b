//! What a service is built from.

use crate::clock::Clock;
use crate::id::Ids;
use crate::local::LocalChannel;
use crate::page::PageTokens;
use crate::shard::Shards;

/// The parts of the platform that services use; cheap to clone.
#[derive(Clone)]
pub struct Platform {
    /// The databases.
    pub shards: Shards,
    /// The time.
    pub clock: Clock,
    /// Ids and secrets.
    pub ids: Ids,
    /// Page tokens.
    pub pages: PageTokens,
    /// The channel to the other services of this process, through the whole stack.
    pub local: LocalChannel,
}
