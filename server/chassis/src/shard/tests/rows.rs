//! Rows: where they lie, transactions, waits.

use std::time::Duration;

use diesel::prelude::*;
use diesel_async::{RunQueryDsl, SimpleAsyncConnection};
use tokio::time::Instant;

use super::bench::{Bench, note, read_note, shard_ids, write_note};
use crate::on;
use crate::shard::{DatabaseName, PoolLimits, StoreError, UserId, UserScope};

super::on_both_engines!(
    rows_lie_in_their_users_shard,
    transactions_are_all_or_nothing,
    a_read_transaction_sees_one_state,
    readers_cannot_write,
    a_full_disk_writes_nothing,
    a_wait_is_bounded,
    a_wait_ends_with_its_call,
    the_server_speaks_english,
);

async fn rows_lie_in_their_users_shard(bench: &mut Bench) {
    let shards = bench.with_notes().await;
    let users: Vec<UserId> = (0..60).map(|_| shards.0.ids.user_id()).collect();
    for user in &users {
        let mut conn = shards.for_user(*user).write().await.unwrap();
        write_note(&mut conn, 1, "x").await.unwrap();
    }
    // The settings are gone and the databases opened again: the rows are still found.
    drop(shards);
    let shards = bench.open().await.unwrap();
    let mut found = 0;
    for shard in shard_ids() {
        let mut conn = shards.scatter().shard(shard).unwrap().read().await.unwrap();
        let rows: Vec<(i64, i32)> =
            on!(conn, c => note::table.select((note::user_id, note::bucket)).load(c).await).unwrap();
        for (user, bucket) in &rows {
            assert_eq!(user % i64::from(shards.count()), i64::from(shard.0));
            assert_eq!(user % 960, i64::from(*bucket));
        }
        found += rows.len();
    }
    assert_eq!(found, users.len());
    // A row in the wrong bucket is refused by the table itself.
    let mut conn = shards.for_user(users[0]).write().await.unwrap();
    let wrong = (
        note::user_id.eq(961),
        note::bucket.eq(2),
        note::note_id.eq(1),
        note::body.eq("x"),
    );
    let refused = on!(conn, c => diesel::insert_into(note::table).values(wrong).execute(c).await);
    assert!(refused.is_err());
}

async fn transactions_are_all_or_nothing(bench: &mut Bench) {
    let shards = bench.with_notes().await;
    let scope = shards.for_user(UserId::new(7).unwrap());
    // The future of a transaction can be sent to another thread.
    let task = tokio::spawn({
        let scope = scope.clone();
        async move {
            let mut conn = scope.write().await?;
            conn.transaction(async |conn| {
                write_note(conn, 1, "kept").await?;
                write_note(conn, 2, "kept").await
            })
            .await
        }
    });
    task.await.unwrap().unwrap();

    let mut conn = scope.write().await.unwrap();
    let failed: Result<(), StoreError> = conn
        .transaction(async |conn| {
            write_note(conn, 3, "lost").await?;
            write_note(conn, 1, "a second one").await
        })
        .await;
    assert!(matches!(failed, Err(StoreError::Duplicate { .. })), "{failed:?}");
    assert_eq!(read_note(&mut conn, 2).await.unwrap().as_deref(), Some("kept"));
    assert_eq!(read_note(&mut conn, 3).await.unwrap(), None);

    let nested: Result<(), StoreError> = conn
        .transaction(async |conn| conn.transaction(async |_| Ok(())).await)
        .await;
    assert!(matches!(nested, Err(StoreError::Query { .. })), "{nested:?}");
    // The connection is still good.
    write_note(&mut conn, 4, "after").await.unwrap();
}

async fn a_read_transaction_sees_one_state(bench: &mut Bench) {
    let shards = bench.with_notes().await;
    let scope = shards.for_user(UserId::new(7).unwrap());
    let mut reader = scope.read().await.unwrap();
    let seen: Result<_, StoreError> = reader
        .transaction(async |reader| {
            let before = read_note(reader, 1).await?;
            let mut writer = reader.scope().write().await?;
            write_note(&mut writer, 1, "new").await?;
            Ok((before, read_note(reader, 1).await?))
        })
        .await;
    assert_eq!(seen.unwrap(), (None, None));
    assert_eq!(read_note(&mut reader, 1).await.unwrap().as_deref(), Some("new"));
}

async fn readers_cannot_write(bench: &mut Bench) {
    let shards = bench.with_notes().await;
    let mut conn = shards.for_user(UserId::new(7).unwrap()).read().await.unwrap();
    let refused = write_note(&mut conn, 1, "x").await;
    assert!(matches!(refused, Err(StoreError::Unavailable { .. })), "{refused:?}");
}

async fn a_full_disk_writes_nothing(bench: &mut Bench) {
    if bench.is_postgres() {
        return; // PostgreSQL's disk cannot be filled from here; its words are in the table of `error.rs`.
    }
    let shards = bench.with_notes().await;
    let scope = shards.for_user(UserId::new(7).unwrap());
    let mut conn = scope.write().await.unwrap();
    // The same error as of a full disk, without filling one.
    on!(conn, c => c.batch_execute("PRAGMA max_page_count = 40").await).unwrap();
    let refused: Result<(), StoreError> = conn
        .transaction(async |conn| {
            write_note(conn, 1, "small").await?;
            write_note(conn, 2, &"x".repeat(1 << 20)).await
        })
        .await;
    let Err(StoreError::Unavailable { database, source }) = refused else {
        panic!("{refused:?}")
    };
    assert_eq!(
        (database.to_string().as_str(), source.to_string().as_str()),
        ("shard 1", "database or disk is full")
    );
    assert_eq!(read_note(&mut conn, 1).await.unwrap(), None);
    write_note(&mut conn, 3, "small").await.unwrap();
}

async fn a_wait_is_bounded(bench: &mut Bench) {
    let limits = PoolLimits {
        size: 1,
        wait: Duration::from_secs(5),
        file_wait: Duration::from_secs(5),
        ..PoolLimits::default()
    };
    let shards = bench.with_notes_and(limits).await;
    let scope = shards.for_user(UserId::new(7).unwrap());
    let held = scope.write().await.unwrap();
    // The first connection may have been waited for.
    let name = DatabaseName::Shard(scope.shard());
    let waits = shards.database(name).writer.figures().waits;
    let started = Instant::now();
    let waiting = scope.clone().until(started + Duration::from_millis(60));
    let busy = waiting.write().await.err().unwrap();
    assert!(matches!(busy, StoreError::Busy { .. }), "{busy}");
    assert_eq!(
        busy.to_string(),
        format!("{} is busy", DatabaseName::Shard(scope.shard()))
    );
    assert!(started.elapsed() >= Duration::from_millis(50));
    assert!(started.elapsed() < Duration::from_secs(1), "{:?}", started.elapsed());
    // A wait that ends in time gets the connection.
    let next = tokio::spawn({
        let scope = scope.clone();
        async move { scope.write().await.is_ok() }
    });
    while shards.database(name).writer.figures().waiting == 0 {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    drop(held);
    assert!(next.await.unwrap());

    let mut text = String::new();
    let mut registry = prometheus_client::registry::Registry::default();
    registry.register_collector(shards.pool_metrics());
    prometheus_client::encoding::text::encode(&mut text, &registry).unwrap();
    let labels = format!("{{database=\"shard-{}\",role=\"writer\"}}", scope.shard());
    for line in [
        format!("store_pool_waits_total{labels} {}", waits + 2),
        format!("store_pool_timeouts_total{labels} 1"),
        format!("store_pool_waiting_calls{labels} 0"),
        "store_pool_used_connections{database=\"global\",role=\"reader\"} 0".to_owned(),
    ] {
        assert!(text.lines().any(|l| l == line), "{line}\n{text}");
    }
}

/// A simulation runs everything on one thread: statements of SQLite run in line.
#[tokio::test(flavor = "current_thread")]
async fn one_thread_is_enough() {
    super::bench::sqlite(async |bench| {
        transactions_are_all_or_nothing(bench).await;
        let shards = bench.open().await.unwrap();
        let user = UserId::new(7).unwrap();
        let mut request = tonic::Request::new(());
        request.extensions_mut().insert(shards.for_user(user));
        let scope = UserScope::of(&request).unwrap();
        assert_eq!((scope.user(), scope.bucket().number(), scope.shard().0), (user, 7, 1));
        assert_eq!(
            read_note(&mut scope.read().await.unwrap(), 4).await.unwrap().as_deref(),
            Some("after")
        );
    })
    .await;
}

async fn a_wait_ends_with_its_call(bench: &mut Bench) {
    let limits = PoolLimits {
        size: 1,
        wait: Duration::from_secs(3_600),
        file_wait: Duration::from_secs(3_600),
        ..PoolLimits::default()
    };
    let shards = bench.with_notes_and(limits).await;
    let user = UserId::new(7).unwrap();
    let _held = (
        shards.for_user(user).write().await.unwrap(),
        shards.global().write().await.unwrap(),
    );
    // Nobody sets the deadline on the scope: it is the call's. The wait ends by itself just before the call would be
    // cut.
    let deadline = Some(crate::stack::Deadline(Instant::now() + Duration::from_millis(100)));
    let call = async {
        let (of_user, global) = (shards.for_user(user), shards.global());
        let of_shard = shards.scatter().shard(shards.locate(user)).unwrap();
        let waits = tokio::join!(of_user.write(), global.write(), of_shard.write());
        for busy in [waits.0.err(), waits.1.err(), waits.2.err()] {
            assert!(matches!(busy, Some(StoreError::Busy { .. })), "{busy:?}");
        }
    };
    crate::stack::with_deadline(deadline, call).await;
}

async fn the_server_speaks_english(bench: &mut Bench) {
    if !bench.is_postgres() {
        return;
    }
    let place = bench.place(DatabaseName::Global);
    bench
        .admin(&format!("ALTER DATABASE {place} SET lc_messages = 'C.UTF-8'"))
        .await;
    let shards = bench.open().await.unwrap();
    let mut conn = shards.global().read().await.unwrap();
    on!(conn, c => c.batch_execute(
        "DO $$ BEGIN ASSERT current_setting('lc_messages') = 'C', current_setting('lc_messages'); END $$").await)
    .unwrap();
    bench.admin(&format!("ALTER DATABASE {place} RESET lc_messages")).await;
    // Somebody who may not choose the language still gets in.
    let plain = format!("millrace_plain_{}", std::process::id());
    bench.admin(&format!("CREATE ROLE {plain} LOGIN")).await;
    let crate::config::Database::Postgres { global, .. } = &bench.database else {
        return;
    };
    let config = global.replace("postgres@", &format!("{plain}@")).parse().unwrap();
    let location = crate::shard::pool::Location::Server(Box::new(config));
    let pool = crate::shard::pool::Pool::new(
        &location,
        DatabaseName::Global,
        crate::shard::pg::Role::Admin,
        &PoolLimits::default(),
    );
    pool.get(None).await.unwrap();
    drop(pool);
    bench.admin(&format!("DROP ROLE {plain}")).await;
}
