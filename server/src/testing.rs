//! What the store tests of the domains begin with: four embedded shards in a folder of their own.

use millrace_chassis::clock::Clock;
use millrace_chassis::config::Database;
use millrace_chassis::id::Ids;
use millrace_chassis::local::LocalChannel;
use millrace_chassis::page::PageTokens;
use millrace_chassis::shard::Shards;
use millrace_chassis::{Chassis, Options, Platform};
use tempfile::TempDir;

use crate::modules::modules;
use crate::settings::Settings;

/// When tests begin: 2026-06-01 00:00 UTC.
pub(crate) const BEGIN_US: i64 = 1_780_272_000_000_000;

/// A platform without doors. Its clock stands until a test moves it.
pub(crate) struct TestPlatform {
    pub(crate) platform: Platform,
    pub(crate) clock: Clock,
    _folder: TempDir,
}

impl TestPlatform {
    pub(crate) async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let clock = Clock::manual(BEGIN_US);
        let ids = Ids::system(clock.clone());
        let database = Database::Embedded {
            data_dir: folder.path().to_owned(),
            shards: 4,
        };
        let platform = Platform {
            shards: Shards::open(&database, clock.clone(), ids.clone()).await.unwrap(),
            pages: PageTokens::new(&["a secret of the tests".to_owned()], clock.clone()),
            clock: clock.clone(),
            ids,
            local: LocalChannel::default(),
        };
        let modules = modules(&platform, &Settings::default());
        Chassis::new(platform.clone(), Options::default())
            .mount(modules)
            .migrate()
            .await
            .unwrap();
        Self {
            platform,
            clock,
            _folder: folder,
        }
    }
}
