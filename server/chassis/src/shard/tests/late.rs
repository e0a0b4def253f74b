//! Shards that are down when a cluster is opened for serving, and connections that a server cuts.

use std::time::Duration;

use super::bench::{Bench, NOTES_SCHEMA, read_note, run, write_note};
use crate::config::Database;
use crate::shard::{Closed, DatabaseName, OpenError, PoolLimits, ShardId, Shards, StoreError, UserId};
use crate::status::causes;

super::on_both_engines!(
    a_shard_that_is_down_is_left_out_until_it_is_back,
    a_shard_that_comes_back_wrong_stays_closed,
    what_is_wrong_rather_than_down_is_refused,
    a_cut_connection_is_not_lent_again,
    an_address_that_leads_elsewhere_later_is_refused,
    a_server_that_only_reads_is_refused_until_it_writes_again,
    a_shard_that_only_reads_at_the_start_is_left_out,
);

/// User 7 lives in bucket 7, shard 1 of 3.
const SHARD_1: DatabaseName = DatabaseName::Shard(ShardId(1));

async fn write(shards: &Shards, user: i64) -> Result<(), StoreError> {
    let mut conn = shards.for_user(UserId::new(user).unwrap()).write().await?;
    write_note(&mut conn, 1, "x").await
}

/// Says why calls for a database are refused.
async fn closed(shards: &Shards, name: DatabaseName) -> Option<Closed> {
    let answers = shards.ping().await;
    let (_, answer) = answers.into_iter().find(|(database, _)| *database == name).unwrap();
    answer.err().and_then(|error| error.closed())
}

async fn a_shard_that_is_down_is_left_out_until_it_is_back(bench: &mut Bench) {
    if !bench.is_postgres() {
        return;
    }
    drop(bench.with_notes().await);
    bench.stop(SHARD_1).await;
    // Who does not serve wants all or nothing.
    let error = bench.open().await.unwrap_err();
    assert!(
        error.is_down() && error.to_string().starts_with("shard 1 ("),
        "{error:?}"
    );

    let shards = bench.open_for_serving().await.unwrap();
    write(&shards, 6).await.unwrap();
    for _ in 0..2 {
        let refused = write(&shards, 7).await.unwrap_err();
        assert_eq!(refused.to_string(), "shard 1 cannot be reached");
        assert_eq!(closed(&shards, SHARD_1).await, Some(Closed::Down));
        shards.admit(&[NOTES_SCHEMA]).await;
    }
    bench.start(SHARD_1).await;
    shards.admit(&[NOTES_SCHEMA]).await;
    assert_eq!(closed(&shards, SHARD_1).await, None);
    write(&shards, 7).await.unwrap();
}

async fn a_shard_that_comes_back_wrong_stays_closed(bench: &mut Bench) {
    if !bench.is_postgres() {
        return;
    }
    let other = bench.with_notes().await;
    bench.stop(SHARD_1).await;
    let shards = bench.open_for_serving().await.unwrap();
    bench.start(SHARD_1).await;
    // Which statement the shard came back with, and what it is closed for then.
    for (change, undo, why) in [
        (
            "UPDATE identity_row SET shard_number = 2",
            "UPDATE identity_row SET shard_number = 1",
            Closed::Wrong,
        ),
        (
            "UPDATE schema_ledger SET name = '0000_x' WHERE module = 'notes'",
            "UPDATE schema_ledger SET name = '0001_note' WHERE module = 'notes'",
            Closed::Schema,
        ),
        (
            "UPDATE schema_ledger SET module = 'unheard' WHERE module = 'notes'",
            "UPDATE schema_ledger SET module = 'notes' WHERE module = 'unheard'",
            Closed::Schema,
        ),
        (
            "DELETE FROM schema_ledger WHERE module = 'notes'; DROP TABLE note",
            "SELECT 1",
            Closed::Schema,
        ),
    ] {
        run(&other, SHARD_1, change).await.unwrap();
        shards.admit(&[NOTES_SCHEMA]).await;
        assert_eq!(closed(&shards, SHARD_1).await, Some(why), "{change}");
        assert!(matches!(write(&shards, 7).await, Err(StoreError::Unavailable { .. })));
        run(&other, SHARD_1, undo).await.unwrap();
    }
    // As its remedy says.
    drop(bench.with_notes().await);
    shards.admit(&[NOTES_SCHEMA]).await;
    write(&shards, 7).await.unwrap();
}

async fn what_is_wrong_rather_than_down_is_refused(bench: &mut Bench) {
    drop(bench.open().await.unwrap());
    match &mut bench.database {
        Database::Embedded { data_dir, .. } => {
            std::fs::write(data_dir.join("shard-001.db"), "this is no database".repeat(100)).unwrap();
        }
        Database::Postgres { shards, .. } => shards[1].push_str("_that_nobody_made"),
    }
    let error = bench.open_for_serving().await.unwrap_err();
    assert!(matches!(error, OpenError::Unusable { .. }), "{error:?}");
    if let Database::Postgres { global, .. } = &mut bench.database {
        // And nothing is served without the global database.
        *global = "postgres://somebody@127.0.0.1:1/x".to_owned();
        let error = bench.open_for_serving().await.unwrap_err();
        assert!(error.to_string().starts_with("global database ("), "{error}");
    }
}

async fn a_cut_connection_is_not_lent_again(bench: &mut Bench) {
    if !bench.is_postgres() {
        return;
    }
    let limits = PoolLimits {
        size: 2,
        wait: Duration::from_secs(10),
        ..PoolLimits::default()
    };
    let shards = bench.with_notes_and(limits).await;
    for round in 0..3 {
        // Both connections of the pool are there, and then cut.
        let scope = shards.for_user(UserId::new(7).unwrap());
        let (one, two) = tokio::join!(scope.write(), scope.write());
        drop((one.unwrap(), two.unwrap()));
        let place = bench.place(SHARD_1);
        let cut = format!("SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname = '{place}'");
        bench.admin(&cut).await;
        // A call that comes before the news of it may meet one of them; it gives it up, and says that a retry helps.
        let mut met = 0;
        for note in 1..20 {
            let mut conn = scope.write().await.unwrap();
            match write_note(&mut conn, round * 100 + note, "x").await {
                Ok(()) => assert_eq!(
                    read_note(&mut conn, round * 100 + note).await.unwrap().as_deref(),
                    Some("x")
                ),
                Err(StoreError::Unavailable { .. }) => met += 1,
                Err(error) => panic!("{error:?}"),
            }
        }
        assert!(met <= 2, "{met} calls met two cut connections");
    }
}

async fn an_address_that_leads_elsewhere_later_is_refused(bench: &mut Bench) {
    if !bench.is_postgres() {
        return;
    }
    let shards = bench.with_notes().await;
    write(&shards, 7).await.unwrap();
    // Which statement makes it another database while it is served, and which undoes that.
    for (change, undo) in [
        (
            "UPDATE identity_row SET shard_number = 2",
            "UPDATE identity_row SET shard_number = 1",
        ),
        (
            "UPDATE identity_row SET cluster_id = cluster_id || 'x'",
            "UPDATE identity_row SET cluster_id = rtrim(cluster_id, 'x')",
        ),
        (
            "ALTER TABLE identity_row RENAME TO aside",
            "ALTER TABLE aside RENAME TO identity_row",
        ),
    ] {
        bench.stop(SHARD_1).await;
        bench.start(SHARD_1).await;
        bench.repair(SHARD_1, change).await;
        // The pools have noticed that their connections are gone at the second call, at the latest.
        let _ = write(&shards, 7).await;
        assert!(
            matches!(write(&shards, 7).await, Err(StoreError::Unavailable { .. })),
            "{change}"
        );
        let _ = shards.ping().await;
        let answers = shards.ping().await;
        let (_, answer) = answers.iter().find(|(database, _)| *database == SHARD_1).unwrap();
        assert_eq!(answer.as_ref().unwrap_err().closed(), Some(Closed::Wrong), "{change}");
        let (_, others) = answers.iter().find(|(database, _)| *database != SHARD_1).unwrap();
        assert!(others.is_ok(), "{others:?}");
        bench.repair(SHARD_1, undo).await;
    }
    let mut conn = shards.for_user(UserId::new(7).unwrap()).read().await.unwrap();
    assert_eq!(read_note(&mut conn, 1).await.unwrap().as_deref(), Some("x"));
}

/// Lets new sessions of a database read only, or write again; the sessions that are there end.
async fn only_read(bench: &mut Bench, name: DatabaseName, on: bool) {
    bench.stop(name).await;
    let (place, change) = (bench.place(name), if on { "SET" } else { "RESET" });
    let value = if on { " = on" } else { "" };
    bench
        .admin(&format!(
            "ALTER DATABASE {place} {change} default_transaction_read_only{value}"
        ))
        .await;
    bench.start(name).await;
}

async fn a_server_that_only_reads_is_refused_until_it_writes_again(bench: &mut Bench) {
    if !bench.is_postgres() {
        return;
    }
    let shards = bench.with_notes().await;
    write(&shards, 7).await.unwrap();
    only_read(bench, SHARD_1, true).await;
    // The pools have noticed that their connections are gone at the second call, at the latest.
    let _ = (write(&shards, 7).await, shards.ping().await);
    for _ in 0..2 {
        let refused = write(&shards, 7).await.unwrap_err();
        assert_eq!(refused.closed(), Some(Closed::ReadOnly), "{refused:?}");
        for (name, answer) in shards.ping().await {
            let expected = (name == SHARD_1).then_some(Closed::ReadOnly);
            assert_eq!(
                answer.as_ref().err().and_then(StoreError::closed),
                expected,
                "{name}: {answer:?}"
            );
            assert_eq!(answer.is_err(), expected.is_some(), "{name}: {answer:?}");
        }
    }
    // What is there can be read: it is the primary.
    let mut conn = shards.for_user(UserId::new(7).unwrap()).read().await.unwrap();
    assert_eq!(read_note(&mut conn, 1).await.unwrap().as_deref(), Some("x"));
    drop(conn);
    only_read(bench, SHARD_1, false).await;
    let _ = (write(&shards, 7).await, shards.ping().await);
    assert!(matches!(write(&shards, 7).await, Err(StoreError::Duplicate { .. })));
    assert!(shards.ping().await.iter().all(|(_, answer)| answer.is_ok()));
}

async fn a_shard_that_only_reads_at_the_start_is_left_out(bench: &mut Bench) {
    if !bench.is_postgres() {
        return;
    }
    drop(bench.with_notes().await);
    only_read(bench, SHARD_1, true).await;
    let error = bench.open().await.unwrap_err();
    assert!(error.is_down() && causes(&error).contains("only reads"), "{error:?}");
    let shards = bench.open_for_serving().await.unwrap();
    write(&shards, 6).await.unwrap();
    for _ in 0..2 {
        assert_eq!(closed(&shards, SHARD_1).await, Some(Closed::ReadOnly));
        let refused = write(&shards, 7).await.unwrap_err();
        assert!(causes(&refused).contains("read-only"), "{refused:?}");
        shards.admit(&[NOTES_SCHEMA]).await;
    }
    only_read(bench, SHARD_1, false).await;
    shards.admit(&[NOTES_SCHEMA]).await;
    assert_eq!(closed(&shards, SHARD_1).await, None);
    write(&shards, 7).await.unwrap();
}
