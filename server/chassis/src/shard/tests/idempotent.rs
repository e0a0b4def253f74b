//! Request ids: replay, another body, two at the same time, sweeping.

use std::time::Duration;

use super::bench::{Bench, NOW_US, read_note, run, write_note};
use crate::idempotency::{Claim, ClaimError, Key, claim_global, claim_user, store_global, store_user, sweep};
use crate::shard::{DatabaseName, Global, ShardId, StoreError, UserId, UserScope};

super::on_both_engines!(
    a_repeated_request_gets_the_first_answer,
    a_duplicate_waits_for_the_first,
    a_failed_first_call_frees_its_id,
    a_claim_is_fenced,
    global_requests_too,
    expired_rows_are_swept,
    a_backlog_is_swept_whole_around_a_database_that_fails,
);

fn key(request_id: &str) -> Key<'_> {
    Key {
        method: "notes.v1.Notes/CreateNote",
        request_id,
        request_hash: b"hash",
        expires_at_us: NOW_US,
    }
}

/// Writes a note once per request id and answers with `answer`.
async fn create(
    scope: &UserScope,
    key: Key<'_>,
    note: i64,
    answer: &str,
    pause: Duration,
) -> Result<Vec<u8>, ClaimError> {
    let mut conn = scope.write().await?;
    conn.transaction(async |conn| {
        if let Claim::Replay(earlier) = claim_user(conn, key).await? {
            return Ok(earlier);
        }
        write_note(conn, note, answer).await?;
        tokio::time::sleep(pause).await;
        store_user(conn, key, answer.as_bytes()).await?;
        Ok(answer.as_bytes().to_vec())
    })
    .await
}

async fn a_repeated_request_gets_the_first_answer(bench: &mut Bench) {
    let shards = bench.with_notes().await;
    let scope = shards.for_user(UserId::new(7).unwrap());
    let first = create(&scope, key("a"), 1, "one", Duration::ZERO).await.unwrap();
    let again = create(&scope, key("a"), 2, "two", Duration::ZERO).await.unwrap();
    assert_eq!((first, again), (b"one".to_vec(), b"one".to_vec()));
    let mut conn = scope.read().await.unwrap();
    assert_eq!(read_note(&mut conn, 2).await.unwrap(), None);
    let other_body = Key {
        request_hash: b"other",
        ..key("a")
    };
    let refused = create(&scope, other_body, 3, "three", Duration::ZERO).await;
    assert!(matches!(refused, Err(ClaimError::Reused)), "{refused:?}");
    // Another method, another user: another request.
    let other_method = Key {
        method: "notes.v1.Notes/Other",
        ..key("a")
    };
    assert_eq!(
        create(&scope, other_method, 4, "four", Duration::ZERO).await.unwrap(),
        b"four"
    );
    let neighbour = shards.for_user(UserId::new(10).unwrap());
    assert_eq!(
        create(&neighbour, key("a"), 1, "five", Duration::ZERO).await.unwrap(),
        b"five"
    );
}

async fn a_duplicate_waits_for_the_first(bench: &mut Bench) {
    let shards = bench.with_notes().await;
    let scope = shards.for_user(UserId::new(7).unwrap());
    let calls = (0..4).map(|call| {
        let scope = scope.clone();
        async move {
            create(
                &scope,
                key("a"),
                call,
                &format!("by {call}"),
                Duration::from_millis(100),
            )
            .await
        }
    });
    let answers = futures_util::future::join_all(calls).await;
    let first = answers[0].as_ref().unwrap().clone();
    for answer in answers {
        assert_eq!(answer.unwrap(), first);
    }
}

async fn a_failed_first_call_frees_its_id(bench: &mut Bench) {
    let shards = bench.with_notes().await;
    let scope = shards.for_user(UserId::new(7).unwrap());
    create(&scope, key("a"), 1, "one", Duration::ZERO).await.unwrap();
    let clash = create(&scope, key("b"), 1, "clash", Duration::ZERO).await;
    assert!(
        matches!(clash, Err(ClaimError::Store(StoreError::Duplicate { .. }))),
        "{clash:?}"
    );
    // The same, its future dropped in the middle.
    let dropped = tokio::time::timeout(
        Duration::from_millis(50),
        create(&scope, key("b"), 2, "x", Duration::from_secs(9)),
    );
    assert!(dropped.await.is_err());
    assert_eq!(
        create(&scope, key("b"), 2, "two", Duration::ZERO).await.unwrap(),
        b"two"
    );
}

async fn a_claim_is_fenced(bench: &mut Bench) {
    let shards = bench.with_notes().await;
    let scope = shards.for_user(UserId::new(7).unwrap());
    create(&scope, key("a"), 1, "one", Duration::ZERO).await.unwrap();
    let home = DatabaseName::Shard(ShardId(1));
    run(&shards, home, "UPDATE bucket_fence SET state = 2 WHERE bucket = 7")
        .await
        .unwrap();
    for id in ["a", "new"] {
        let refused = scope
            .fenced(async |scope| create(scope, key(id), 2, "x", Duration::ZERO).await)
            .await;
        assert!(
            matches!(refused, Err(ClaimError::Store(StoreError::WrongEpoch(_)))),
            "{id}: {refused:?}"
        );
    }
}

async fn global_requests_too(bench: &mut Bench) {
    let shards = bench.open().await.unwrap();
    let call = async |scope: Global, key: Key<'static>, answer: &'static [u8]| -> Result<Vec<u8>, ClaimError> {
        let mut conn = scope.write().await?;
        conn.transaction(async |conn| {
            if let Claim::Replay(earlier) = claim_global(conn, key).await? {
                return Ok(earlier);
            }
            tokio::time::sleep(Duration::from_millis(30)).await;
            store_global(conn, key, answer).await?;
            Ok(answer.to_vec())
        })
        .await
    };
    let (one, two) = tokio::join!(
        call(shards.global(), key("a"), b"1"),
        call(shards.global(), key("a"), b"2")
    );
    assert_eq!(one.unwrap(), two.unwrap());
    let other_body = Key {
        request_hash: b"other",
        ..key("a")
    };
    assert!(matches!(
        call(shards.global(), other_body, b"3").await,
        Err(ClaimError::Reused)
    ));
}

async fn expired_rows_are_swept(bench: &mut Bench) {
    let shards = bench.with_notes().await;
    for user in 1..=6 {
        let scope = shards.for_user(UserId::new(user).unwrap());
        let expires_at_us = NOW_US + user;
        create(
            &scope,
            Key {
                expires_at_us,
                ..key("a")
            },
            1,
            "x",
            Duration::ZERO,
        )
        .await
        .unwrap();
    }
    for (now_us, rows) in [(NOW_US + 1, 0), (NOW_US + 4, 3), (NOW_US + 9, 3)] {
        let swept = sweep(&shards, now_us, || true).await;
        assert_eq!((swept.rows, swept.failed.len()), (rows, 0));
    }
    // A swept id is new again.
    let scope = shards.for_user(UserId::new(1).unwrap());
    assert_eq!(
        create(&scope, key("a"), 2, "again", Duration::ZERO).await.unwrap(),
        b"again"
    );
}

async fn a_backlog_is_swept_whole_around_a_database_that_fails(bench: &mut Bench) {
    let shards = bench.open().await.unwrap();
    let (broken, full) = (DatabaseName::Shard(ShardId(0)), DatabaseName::Shard(ShardId(2)));
    // User 2 lives on the last shard of three.
    let backlog = format!(
        "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 12345) \
         INSERT INTO idempotency (user_id, bucket, method, key, request_hash, expires_at) \
         SELECT 2, 2, 'm', CAST(i AS text), {hash}, {NOW_US} FROM n",
        hash = if bench.is_postgres() { "''::bytea" } else { "x''" },
    );
    run(&shards, full, &backlog).await.unwrap();
    run(&shards, broken, "DROP TABLE idempotency").await.unwrap();
    // It stops when it is told to.
    let stopped = sweep(&shards, NOW_US + 1, || false).await;
    assert_eq!((stopped.rows, stopped.failed.len()), (0, 0));
    let swept = sweep(&shards, NOW_US + 1, || true).await;
    assert_eq!((swept.rows, swept.failed), (12_345, vec![broken]));
}
