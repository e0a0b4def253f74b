//! The fence: a bucket given away, a stale map, leftovers.

use std::sync::atomic::{AtomicU32, Ordering};

use diesel::prelude::*;
use diesel_async::RunQueryDsl;

use super::bench::{Bench, note, read_note, run, write_note};
use crate::on;
use crate::shard::{DatabaseName, ShardId, Shards, StoreError, UserId};

super::on_both_engines!(
    a_bucket_given_away_is_refused,
    a_stale_map_is_refreshed,
    scatter_reads_what_is_readable,
);

/// User 7 lives in bucket 7, shard 1 of 3.
const USER: i64 = 7;

fn home() -> DatabaseName {
    DatabaseName::Shard(ShardId(1))
}

async fn all_notes(shards: &Shards) -> Vec<(i64, i64)> {
    let gathered = shards
        .scatter()
        .gather(
            100,
            false,
            |row: &(i64, i64)| *row,
            |mut conn| async move {
                on!(conn, c => note::table
                .filter(crate::readable!(note::bucket))
                .order((note::user_id, note::note_id))
                .select((note::user_id, note::note_id))
                .load(c)
                .await)
            },
        )
        .await
        .unwrap();
    assert!(gathered.missed.is_empty());
    gathered.rows
}

async fn a_bucket_given_away_is_refused(bench: &mut Bench) {
    let shards = bench.with_notes().await;
    let scope = shards.for_user(UserId::new(USER).unwrap());
    let mut conn = scope.write().await.unwrap();
    write_note(&mut conn, 1, "x").await.unwrap();
    drop(conn);
    for state in [2, 3] {
        run(
            &shards,
            home(),
            &format!("UPDATE bucket_fence SET state = {state} WHERE bucket = 7"),
        )
        .await
        .unwrap();
        let read = scope
            .fenced(async |scope| read_note(&mut scope.read().await?, 1).await)
            .await;
        assert!(
            matches!(read, Err(StoreError::WrongEpoch(ShardId(1)))),
            "{state}: {read:?}"
        );
        let write = scope
            .fenced(async |scope| write_note(&mut scope.write().await?, 2, "x").await)
            .await;
        assert!(
            matches!(write, Err(StoreError::WrongEpoch(ShardId(1)))),
            "{state}: {write:?}"
        );
    }
    // Another bucket of the same shard is not touched.
    let neighbour = shards.for_user(UserId::new(USER + 3).unwrap());
    write_note(&mut neighbour.write().await.unwrap(), 1, "x").await.unwrap();
    // A missing row in an owned bucket is a missing row.
    run(&shards, home(), "UPDATE bucket_fence SET state = 1 WHERE bucket = 7")
        .await
        .unwrap();
    let mut conn = scope.read().await.unwrap();
    assert_eq!(read_note(&mut conn, 2).await.unwrap(), None);
}

async fn a_stale_map_is_refreshed(bench: &mut Bench) {
    let shards = bench.with_notes().await;
    let scope = shards.for_user(UserId::new(USER).unwrap());
    // The bucket moves to shard 2; this process does not know.
    run(&shards, home(), "DELETE FROM bucket_fence WHERE bucket = 7")
        .await
        .unwrap();
    let target = DatabaseName::Shard(ShardId(2));
    run(
        &shards,
        target,
        "INSERT INTO bucket_fence (bucket, epoch, state) VALUES (7, 2, 1)",
    )
    .await
    .unwrap();
    run(
        &shards,
        DatabaseName::Global,
        "UPDATE bucket SET shard = 2, epoch = 2 WHERE bucket = 7",
    )
    .await
    .unwrap();
    assert_eq!(scope.shard(), ShardId(1));
    // As in a handler, the future can be sent to another thread.
    let task = tokio::spawn({
        let scope = scope.clone();
        async move {
            let (calls, body) = (AtomicU32::new(0), "moved".to_owned());
            let written = scope.fenced(async |scope| {
                calls.fetch_add(1, Ordering::Relaxed);
                let mut conn = scope.write().await?;
                conn.transaction(async |conn| write_note(conn, 1, &body).await).await
            });
            written.await.map(|()| calls.into_inner())
        }
    });
    assert_eq!(task.await.unwrap().unwrap(), 2);
    assert_eq!(scope.shard(), ShardId(2));
    let mut conn = shards.scatter().shard(ShardId(2)).unwrap().read().await.unwrap();
    let notes: i64 = on!(conn, c => note::table.count().get_result(c).await).unwrap();
    assert_eq!(notes, 1);
}

async fn scatter_reads_what_is_readable(bench: &mut Bench) {
    let shards = bench.with_notes().await;
    for user in 1..=12 {
        let mut conn = shards.for_user(UserId::new(user).unwrap()).write().await.unwrap();
        write_note(&mut conn, 1, "x").await.unwrap();
    }
    let all: Vec<(i64, i64)> = (1..=12).map(|user| (user, 1)).collect();
    assert_eq!(all_notes(&shards).await, all);
    // Bucket 7 is on its way: the source is still read, the unfinished copy at the target is not.
    let copy = "INSERT INTO note (user_id, bucket, note_id, body) VALUES (7, 7, 1, 'copy'), (7, 7, 2, 'half');
                INSERT INTO bucket_fence (bucket, epoch, state) VALUES (7, 2, 3)";
    let target = DatabaseName::Shard(ShardId(2));
    run(&shards, target, copy).await.unwrap();
    run(&shards, home(), "UPDATE bucket_fence SET state = 2 WHERE bucket = 7")
        .await
        .unwrap();
    assert_eq!(all_notes(&shards).await, all);
    // The target took over and the source does not yet know: both are read, each row comes once.
    run(
        &shards,
        target,
        "DELETE FROM note WHERE note_id = 2; UPDATE bucket_fence SET state = 1 WHERE bucket = 7",
    )
    .await
    .unwrap();
    assert_eq!(all_notes(&shards).await, all);
    // The source is done; its leftovers are not found, the target's rows are.
    run(
        &shards,
        home(),
        "DELETE FROM bucket_fence WHERE bucket = 7; UPDATE note SET note_id = 9 WHERE user_id = 7",
    )
    .await
    .unwrap();
    assert_eq!(all_notes(&shards).await, all);
}
