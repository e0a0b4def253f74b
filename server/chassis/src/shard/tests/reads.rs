//! Reads over all shards when one fails; readiness.

use std::cmp::Reverse;
use std::time::Duration;

use diesel::prelude::*;
use diesel_async::RunQueryDsl;
use tokio::time::Instant;

use super::bench::{Bench, note, run, write_note};
use crate::on;
use crate::shard::{Conn, DatabaseName, Gathered, ShardId, Shards, StoreError, UserId};

super::on_both_engines!(
    pages_are_merged,
    a_failed_shard_is_missed,
    a_slow_shard_is_missed,
    a_dead_shard_is_not_ready
);

const BROKEN: ShardId = ShardId(1);

/// The newest notes of all users, `limit + 1` of them at most.
async fn newest(shards: &Shards, limit: usize, below: i64, partial: bool) -> Result<Gathered<i64>, StoreError> {
    let rows_max = i64::try_from(limit).unwrap() + 1;
    let read = move |mut conn: Conn<ShardId>| async move {
        on!(conn, c => note::table
            .filter(crate::readable!(note::bucket))
            .filter(note::note_id.lt(below))
            .order(note::note_id.desc())
            .limit(rows_max)
            .select(note::note_id)
            .load(c)
            .await)
    };
    shards.scatter().gather(limit, partial, |id| Reverse(*id), read).await
}

async fn with_notes(bench: &Bench) -> Shards {
    let shards = bench.with_notes().await;
    for number in 1..=20 {
        let mut conn = shards
            .for_user(UserId::new(number * 31).unwrap())
            .write()
            .await
            .unwrap();
        write_note(&mut conn, number, "x").await.unwrap();
    }
    shards
}

async fn pages_are_merged(bench: &mut Bench) {
    let shards = with_notes(bench).await;
    let mut seen = Vec::new();
    let mut below = i64::MAX;
    loop {
        let mut page = newest(&shards, 6, below, false).await.unwrap();
        let more = page.rows.len() > 6;
        page.rows.truncate(6);
        seen.extend_from_slice(&page.rows);
        below = page.rows.last().copied().unwrap_or_default();
        if !more {
            break;
        }
    }
    assert_eq!(seen, (1..=20).rev().collect::<Vec<_>>());
}

async fn a_failed_shard_is_missed(bench: &mut Bench) {
    let shards = with_notes(bench).await;
    run(
        &shards,
        DatabaseName::Shard(BROKEN),
        "ALTER TABLE note RENAME TO hidden",
    )
    .await
    .unwrap();
    assert!(newest(&shards, 50, i64::MAX, false).await.is_err());
    // As in a handler, the future can be sent to another thread.
    let task = tokio::spawn({
        let shards = shards.clone();
        async move { newest(&shards, 50, i64::MAX, true).await }
    });
    let page = task.await.unwrap().unwrap();
    assert_eq!(page.missed, [BROKEN]);
    let expected: Vec<i64> = (1..=20).rev().filter(|n| n * 31 % 960 % 3 != 1).collect();
    assert_eq!(page.rows, expected);
    for shard in [0, 2] {
        let name = DatabaseName::Shard(ShardId(shard));
        run(&shards, name, "ALTER TABLE note RENAME TO hidden").await.unwrap();
    }
    assert!(newest(&shards, 50, i64::MAX, true).await.is_err(), "no shard answered");
}

async fn a_slow_shard_is_missed(bench: &mut Bench) {
    let shards = with_notes(bench).await;
    let started = Instant::now();
    let scatter = shards.scatter().until(started + Duration::from_millis(200));
    let read = |conn: Conn<ShardId>| async move {
        if *conn.scope() == BROKEN {
            std::future::pending::<()>().await;
        }
        Ok(vec![i64::from(conn.scope().0)])
    };
    let page = scatter.gather(5, true, |id| *id, read).await.unwrap();
    assert_eq!((page.rows, page.missed), (vec![0, 2], vec![BROKEN]));
    assert!(started.elapsed() < Duration::from_secs(1));
}

async fn a_dead_shard_is_not_ready(bench: &mut Bench) {
    if !bench.is_postgres() {
        return; // A file does not die under an open connection.
    }
    let shards = with_notes(bench).await;
    assert!(shards.ping().await.iter().all(|(_, answer)| answer.is_ok()));
    let place = bench.place(DatabaseName::Shard(BROKEN));
    bench
        .admin(&format!("ALTER DATABASE {place} ALLOW_CONNECTIONS false"))
        .await;
    let killed = format!("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{place}'");
    bench.admin(&killed).await;
    tokio::time::sleep(Duration::from_millis(50)).await;
    let started = Instant::now();
    for (name, answer) in shards.ping().await {
        assert_eq!(
            answer.is_ok(),
            name != DatabaseName::Shard(BROKEN),
            "{name}: {answer:?}"
        );
        if let Err(error) = answer {
            assert!(matches!(error, StoreError::Unavailable { .. }), "{error:?}");
        }
    }
    assert!(started.elapsed() < Duration::from_secs(1));
    let page = newest(&shards, 50, i64::MAX, true).await.unwrap();
    assert_eq!(page.missed, [BROKEN]);
    // It comes back without a restart, and no call meets a connection that was killed.
    bench
        .admin(&format!("ALTER DATABASE {place} ALLOW_CONNECTIONS true"))
        .await;
    assert_eq!(newest(&shards, 50, i64::MAX, false).await.unwrap().rows.len(), 20);
    bench.admin(&killed).await;
    tokio::time::sleep(Duration::from_millis(50)).await;
    assert_eq!(newest(&shards, 50, i64::MAX, false).await.unwrap().rows.len(), 20);
}
