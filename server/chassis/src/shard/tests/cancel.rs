//! Futures dropped in the middle: nothing half-written, nothing in the next caller's way.

use std::time::Duration;

use diesel_async::SimpleAsyncConnection;
use tokio::time::{Instant, timeout};

use super::bench::{Bench, read_note, write_note};
use crate::on;
use crate::shard::{PoolLimits, StoreError, UserId};

super::on_both_engines!(
    a_dropped_transaction_is_rolled_back,
    a_dropped_statement_is_in_nobodys_way,
    a_dropped_wait_is_in_nobodys_way,
);

fn one_connection() -> PoolLimits {
    PoolLimits {
        size: 1,
        wait: Duration::from_secs(2),
        file_wait: Duration::from_secs(2),
        ..PoolLimits::default()
    }
}

async fn a_dropped_transaction_is_rolled_back(bench: &mut Bench) {
    let shards = bench.with_notes_and(one_connection()).await;
    let scope = shards.for_user(UserId::new(7).unwrap());
    for round in 0..5 {
        let work = async {
            let mut conn = scope.write().await?;
            conn.transaction(async |conn| -> Result<(), StoreError> {
                write_note(conn, 1, "never").await?;
                std::future::pending().await
            })
            .await
        };
        assert!(timeout(Duration::from_millis(20), work).await.is_err());
        let started = Instant::now();
        let mut conn = scope.write().await.unwrap();
        assert!(
            started.elapsed() < Duration::from_millis(500),
            "{:?}",
            started.elapsed()
        );
        assert_eq!(read_note(&mut conn, 1).await.unwrap(), None);
        write_note(&mut conn, 2 + round, "kept").await.unwrap();
    }
}

async fn a_dropped_statement_is_in_nobodys_way(bench: &mut Bench) {
    let shards = bench.with_notes_and(one_connection()).await;
    let scope = shards.for_user(UserId::new(7).unwrap());
    // SQLite cannot sleep; its statement has ended before it can be dropped, whatever it is.
    let slow = async {
        let mut conn = scope.write().await?;
        on!(conn, pg c => c.batch_execute("SELECT pg_sleep(30)").await, sqlite c => c.batch_execute("SELECT 1").await)?;
        std::future::pending::<Result<(), StoreError>>().await
    };
    assert!(timeout(Duration::from_millis(100), slow).await.is_err());
    let started = Instant::now();
    write_note(&mut scope.write().await.unwrap(), 1, "next").await.unwrap();
    assert!(
        started.elapsed() < Duration::from_millis(500),
        "{:?}",
        started.elapsed()
    );
    // The server was told to stop, not only left alone.
    if bench.is_postgres() {
        let place = bench.place(crate::shard::DatabaseName::Shard(scope.shard()));
        let none = format!(
            "DO $$ BEGIN FOR i IN 1..100 LOOP
                PERFORM pg_stat_clear_snapshot();
                IF NOT EXISTS (SELECT 1 FROM pg_stat_activity
                    WHERE datname = '{place}' AND query LIKE '%pg_sleep(30)%' AND state = 'active') THEN RETURN; END IF;
                PERFORM pg_sleep(0.02);
             END LOOP; RAISE 'still running'; END $$"
        );
        bench.admin(&none).await;
    }
}

async fn a_dropped_wait_is_in_nobodys_way(bench: &mut Bench) {
    let shards = bench.with_notes_and(one_connection()).await;
    let scope = shards.for_user(UserId::new(7).unwrap());
    for _ in 0..20 {
        let held = scope.write().await.unwrap();
        let waits = (0..8).map(|_| timeout(Duration::from_millis(5), scope.write()));
        let results = futures_util::future::join_all(waits).await;
        assert!(results.iter().all(Result::is_err));
        let last = tokio::spawn({
            let scope = scope.clone();
            async move { scope.write().await.map(|_| ()) }
        });
        tokio::task::yield_now().await;
        drop(held);
        last.await.unwrap().unwrap();
    }
}
