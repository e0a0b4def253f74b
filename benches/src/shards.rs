//! A platform's shards, opened on empty SQLite files, and users to look for on them.

use millrace_chassis::clock::Clock;
use millrace_chassis::config::Database;
use millrace_chassis::id::Ids;
use millrace_chassis::shard::{Shards, UserId};
use tempfile::TempDir;

/// So many users that no two calls in a row are about the same one, and so few that they stay in the first cache.
pub const USERS: usize = 1_024;

/// Open shards; the files go with the value.
pub struct TestShards {
    /// The shards.
    pub shards: Shards,
    _folder: TempDir,
}

impl TestShards {
    /// Opens this many shards.
    ///
    /// # Errors
    ///
    /// The temporary folder or a file in it cannot be made.
    pub fn open(count: u16) -> Result<Self, Box<dyn std::error::Error>> {
        let folder = tempfile::tempdir()?;
        let database = Database::Embedded {
            data_dir: folder.path().to_owned(),
            shards: count,
        };
        let clock = Clock::system();
        let opening = Shards::open(&database, clock.clone(), Ids::system(clock));
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        Ok(Self {
            shards: runtime.block_on(opening)?,
            _folder: folder,
        })
    }
}

/// Users with ids as spread as drawn ones, the same in each run.
pub fn users() -> Vec<UserId> {
    let bits = |index: usize| (index as u64 + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    (0..USERS).map(|index| UserId::from_bits(bits(index))).collect()
}
