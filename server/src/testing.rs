//! What the store tests of the domains begin with: four shards of their own, on SQLite files or on the PostgreSQL
//! server that `./tests/run` starts.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use diesel_async::{AsyncConnection, AsyncPgConnection, SimpleAsyncConnection};
use futures_util::FutureExt;
use millrace_chassis::clock::Clock;
use millrace_chassis::config::Database;
use millrace_chassis::id::Ids;
use millrace_chassis::local::LocalChannel;
use millrace_chassis::page::PageTokens;
use millrace_chassis::shard::{PoolLimits, Shards};
use millrace_chassis::{Chassis, Options, Platform};

use crate::modules::modules;
use crate::settings::Settings;

/// When tests begin: 2026-06-01 00:00 UTC.
pub(crate) const BEGIN_US: i64 = 1_780_272_000_000_000;
const SHARDS: u16 = 4;

/// Makes of each `async fn name(test: &TestPlatform)` two tests, `sqlite::name` and `postgres::name`.
macro_rules! on_both_engines {
    ($($name:ident),* $(,)?) => {
        mod sqlite {
            $(#[tokio::test]
            async fn $name() {
                $crate::testing::sqlite(async |test| super::$name(test).await).await;
            })*
        }
        mod postgres {
            $(#[tokio::test]
            #[ignore = "needs PostgreSQL: ./tests/run starts it"]
            async fn $name() {
                $crate::testing::postgres(async |test| super::$name(test).await).await;
            })*
        }
    };
}
pub(crate) use on_both_engines;

/// A platform without doors. Its clock stands until a test moves it.
pub(crate) struct TestPlatform {
    pub(crate) platform: Platform,
    pub(crate) clock: Clock,
}

impl TestPlatform {
    async fn on(database: &Database) -> Self {
        let clock = Clock::manual(BEGIN_US);
        let ids = Ids::system(clock.clone());
        // A busy machine fails no test of calls that come at once.
        let limits = PoolLimits {
            wait: Duration::from_secs(10),
            ..PoolLimits::default()
        };
        let platform = Platform {
            shards: Shards::open_with(database, limits, clock.clone(), ids.clone())
                .await
                .unwrap(),
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
        Self { platform, clock }
    }
}

/// Runs a test on SQLite files.
pub(crate) async fn sqlite(test: impl AsyncFnOnce(&TestPlatform)) {
    let folder = tempfile::tempdir().unwrap();
    let database = Database::Embedded {
        data_dir: folder.path().to_owned(),
        shards: SHARDS,
    };
    test(&TestPlatform::on(&database).await).await;
}

/// Runs a test on PostgreSQL databases of its own, which are dropped when it has ended.
pub(crate) async fn postgres(test: impl AsyncFnOnce(&TestPlatform)) {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    #[expect(clippy::disallowed_methods, reason = "tests have no configuration")]
    let admin_url = std::env::var("MILLRACE_TEST_POSTGRES").expect("./tests/run sets it");
    let (base_url, _) = admin_url.rsplit_once('/').unwrap();
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    let names: Vec<String> = std::iter::once("global".to_owned())
        .chain((0..SHARDS).map(|shard| shard.to_string()))
        .map(|end| format!("domain_{}_{number}_{end}", std::process::id()))
        .collect();
    let mut admin = AsyncPgConnection::establish(&admin_url).await.unwrap();
    for name in &names {
        // Another order than that of bytes, in which `a-c` comes after `ab`: no query may rely on the default.
        let order = "TEMPLATE template0 LOCALE_PROVIDER icu ICU_LOCALE 'en-US-u-ka-shifted'";
        let create = format!("CREATE DATABASE {name} {order}");
        admin.batch_execute(&create).await.unwrap();
    }
    let mut urls = names.iter().map(|name| format!("{base_url}/{name}"));
    let database = Database::Postgres {
        global: urls.next().unwrap(),
        shards: urls.collect(),
    };
    let body = async { test(&TestPlatform::on(&database).await).await };
    let outcome = std::panic::AssertUnwindSafe(body).catch_unwind().await;
    for name in &names {
        let drop = format!("DROP DATABASE {name} WITH (FORCE)");
        admin.batch_execute(&drop).await.unwrap();
    }
    if let Err(panic) = outcome {
        std::panic::resume_unwind(panic);
    }
}
