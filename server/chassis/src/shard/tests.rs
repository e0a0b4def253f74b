//! The store's suite: every test runs on both engines, through the same body.
//!
//! SQLite always runs. PostgreSQL, on the server of `MILLRACE_TEST_POSTGRES` (URL of a maintenance database of a
//! superuser; the tests make and drop databases of their own), is reported as ignored unless ignored tests are asked
//! for.

mod bench;
mod cancel;
mod evenness;
mod fences;
mod idempotent;
mod late;
mod migrations;
mod opening;
mod reads;
mod refusing;
mod rows;
mod schema;
mod server;

/// Makes of each `async fn name(bench: &mut Bench)` two tests, `sqlite::name` and `postgres::name`.
macro_rules! on_both_engines {
    ($($name:ident),* $(,)?) => {
        mod sqlite {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() {
                $crate::shard::tests::bench::sqlite(async |bench| super::$name(bench).await).await;
            })*
        }
        mod postgres {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            #[ignore = "needs PostgreSQL: ./tests/run starts it"]
            async fn $name() {
                $crate::shard::tests::bench::postgres(async |bench| super::$name(bench).await).await;
            })*
        }
    };
}
use on_both_engines;
