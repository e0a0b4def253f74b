//! Opening: a new set, a set that was being made when the process was killed, and every set that is not right.

use std::process::{Command, Stdio};
use std::time::Duration;

use super::bench::{Bench, SHARDS, read_note, run, shard_ids, write_note};
use crate::clock::Clock;
use crate::config::Database;
use crate::id::Ids;
use crate::shard::{DatabaseName, OpenError, ShardId, Shards, UserId, migrate};

super::on_both_engines!(
    a_new_set_becomes_a_cluster,
    two_processes_may_start_at_once,
    a_kill_at_any_point_is_harmless,
    an_unfinished_set_is_finished,
    another_number_of_shards_is_refused,
    a_lost_database_is_refused,
    databases_in_the_wrong_order_are_refused,
    one_database_twice_is_refused,
    a_set_in_use_is_opened_beside_its_server,
    a_database_of_another_cluster_is_refused,
    a_database_with_other_tables_is_refused,
    a_newer_schema_is_refused,
    an_unusable_database_is_named,
);

const FIRST: DatabaseName = DatabaseName::Shard(ShardId(0));
const LAST: DatabaseName = DatabaseName::Shard(ShardId(SHARDS - 1));

async fn refused(bench: &Bench) -> OpenError {
    bench.open().await.expect_err("the set is not right")
}

async fn a_new_set_becomes_a_cluster(bench: &mut Bench) {
    let shards = bench.open().await.unwrap();
    assert_eq!(shards.count(), SHARDS);
    for number in 1..2_000 {
        let user = UserId::new(number).unwrap();
        assert_eq!(i64::from(shards.locate(user).0), number % 960 % i64::from(SHARDS));
    }
    assert!(migrate::pending(&shards, &[]).await.unwrap().is_empty());
    assert!(shards.ping().await.iter().all(|(_, answer)| answer.is_ok()));
    assert_eq!(shards.ping().await.len(), usize::from(SHARDS) + 1);
}

async fn two_processes_may_start_at_once(bench: &mut Bench) {
    let (one, two) = tokio::join!(bench.open(), bench.open());
    if bench.is_postgres() {
        assert!(one.unwrap().ping().await.iter().all(|(_, answer)| answer.is_ok()));
        assert!(two.unwrap().ping().await.iter().all(|(_, answer)| answer.is_ok()));
    } else {
        assert!(one.is_ok() != two.is_ok(), "{one:?} {two:?}");
        assert!(matches!(one.and(two), Err(OpenError::InUse { .. })));
    }
}

/// The settings in one text, for the child process.
fn encode(database: &Database) -> String {
    match database {
        Database::Embedded { data_dir, shards } => format!("sqlite|{}|{shards}", data_dir.display()),
        Database::Postgres { global, shards } => format!("pg|{global}|{}", shards.join("|")),
    }
}

fn decode(text: &str) -> Database {
    let parts: Vec<String> = text.split('|').map(str::to_owned).collect();
    match parts[0].as_str() {
        "sqlite" => Database::Embedded {
            data_dir: parts[1].clone().into(),
            shards: parts[2].parse().unwrap(),
        },
        _ => Database::Postgres {
            global: parts[1].clone(),
            shards: parts[2..].to_vec(),
        },
    }
}

/// Not a test of its own: the process that [`a_kill_at_any_point_is_harmless`] kills.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "started by another test"]
async fn child() {
    #[expect(clippy::disallowed_methods, reason = "tests have no configuration")]
    let Ok(database) = std::env::var("MILLRACE_TEST_CHILD") else {
        return;
    };
    let clock = Clock::system();
    let ids = Ids::system(clock.clone());
    Shards::open(&decode(&database), clock, ids).await.unwrap();
}

async fn a_kill_at_any_point_is_harmless(bench: &mut Bench) {
    let mut finished = 0;
    for round in 0..8 {
        for name in std::iter::once(DatabaseName::Global).chain(shard_ids().map(DatabaseName::Shard)) {
            bench.lose(name).await;
        }
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "shard::tests::opening::child", "--ignored"])
            .env("MILLRACE_TEST_CHILD", encode(&bench.database))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        // From before its first statement until about its last.
        tokio::time::sleep(Duration::from_millis(8 + 7 * round)).await;
        finished += u32::from(child.try_wait().unwrap().is_some());
        child.kill().unwrap();
        child.wait().unwrap();
        let shards = bench.with_notes().await;
        for user in 1..=i64::from(SHARDS) {
            let mut conn = shards.for_user(UserId::new(user).unwrap()).write().await.unwrap();
            write_note(&mut conn, 1, "x").await.unwrap();
            assert_eq!(read_note(&mut conn, 1).await.unwrap().as_deref(), Some("x"));
        }
    }
    assert!(finished < 8, "no process was killed before its end");
}

async fn an_unfinished_set_is_finished(bench: &mut Bench) {
    let shards = bench.open().await.unwrap();
    run(&shards, DatabaseName::Global, "UPDATE cluster SET state = 1")
        .await
        .unwrap();
    drop(shards);
    bench.lose(LAST).await;
    bench.lose(DatabaseName::Shard(ShardId(1))).await;
    let shards = bench.with_notes().await;
    for user in 1..=i64::from(SHARDS) {
        let mut conn = shards.for_user(UserId::new(user).unwrap()).write().await.unwrap();
        write_note(&mut conn, 1, "x").await.unwrap();
    }
    drop(shards);
    // It is finished: what is lost now is lost.
    bench.lose(LAST).await;
    assert!(matches!(refused(bench).await, OpenError::Missing(_)));
}

async fn another_number_of_shards_is_refused(bench: &mut Bench) {
    drop(bench.open().await.unwrap());
    bench.one_more_shard().await;
    let error = refused(bench).await;
    assert!(
        matches!(error, OpenError::OtherCount { given: 4, stored: 3 }),
        "{error:?}"
    );
    assert!(error.to_string().contains("new cluster on empty databases"), "{error}");
    for shards in [0, 65] {
        let database = Database::Embedded {
            data_dir: "/nowhere".into(),
            shards,
        };
        let clock = Clock::manual(0);
        let error = Shards::open(&database, clock.clone(), Ids::system(clock))
            .await
            .err()
            .unwrap();
        assert!(matches!(error, OpenError::Count(_)), "{error:?}");
    }
}

async fn a_lost_database_is_refused(bench: &mut Bench) {
    drop(bench.open().await.unwrap());
    bench.lose(LAST).await;
    // Twice: the refusal itself makes nothing.
    for _ in 0..2 {
        let error = refused(bench).await;
        assert!(matches!(error, OpenError::Missing(_)), "{error:?}");
        assert!(error.to_string().starts_with("shard 2 ("), "{error}");
    }
    bench.lose(DatabaseName::Global).await;
    for _ in 0..2 {
        let error = refused(bench).await;
        assert!(matches!(error, OpenError::GlobalMissing { .. }), "{error:?}");
    }
}

async fn databases_in_the_wrong_order_are_refused(bench: &mut Bench) {
    drop(bench.open().await.unwrap());
    bench.swap(FIRST, LAST);
    let error = refused(bench).await;
    assert!(
        matches!(&error, OpenError::Swapped { holds, .. } if *holds == LAST),
        "{error:?}"
    );
    bench.swap(FIRST, LAST);
    bench.swap(DatabaseName::Global, FIRST);
    let error = refused(bench).await;
    assert!(
        matches!(&error, OpenError::Swapped { holds, .. } if *holds == FIRST),
        "{error:?}"
    );
    bench.swap(DatabaseName::Global, FIRST);
    bench.open().await.unwrap();
}

async fn one_database_twice_is_refused(bench: &mut Bench) {
    if let Database::Embedded { data_dir, .. } = &bench.database {
        // A copy or a link of a file.
        let data_dir = data_dir.clone();
        drop(bench.open().await.unwrap());
        std::fs::copy(data_dir.join("shard-000.db"), data_dir.join("shard-002.db")).unwrap();
    } else {
        // The same address in other words; it is found while the set is made.
        let Database::Postgres { shards, .. } = &mut bench.database else {
            return;
        };
        let again = shards[0].replace("127.0.0.1", "localhost");
        let right = std::mem::replace(&mut shards[2], again);
        let error = refused(bench).await;
        assert!(
            matches!(&error, OpenError::Repeated { other, .. } if *other == FIRST),
            "{error:?}"
        );
        let Database::Postgres { shards, .. } = &mut bench.database else {
            return;
        };
        shards[2] = right;
        drop(bench.open().await.unwrap());
        let Database::Postgres { shards, .. } = &mut bench.database else {
            return;
        };
        shards[2] = shards[0].clone();
    }
    let error = refused(bench).await;
    assert!(
        matches!(&error, OpenError::Repeated { other, .. } if *other == FIRST),
        "{error:?}"
    );
}

async fn a_set_in_use_is_opened_beside_its_server(bench: &mut Bench) {
    let clock = Clock::system();
    let beside =
        async |bench: &Bench| Shards::open_beside(&bench.database, clock.clone(), Ids::system(clock.clone())).await;
    // Neither it nor a server makes anything of a set that is empty: the addresses may be wrong.
    for error in [
        beside(bench).await.unwrap_err(),
        bench.open_for_serving().await.unwrap_err(),
    ] {
        assert!(matches!(error, OpenError::Unmade(_)), "{error:?}");
        assert!(error.to_string().contains("millrace migrate"), "{error}");
    }
    drop(bench.open().await.unwrap());
    drop(beside(bench).await.unwrap());
    let server = bench.open().await.unwrap();
    let guest = beside(bench).await.unwrap();
    for name in guest.names().collect::<Vec<_>>() {
        run(&guest, name, "CREATE TABLE by_the_guest (x integer)")
            .await
            .unwrap();
        run(&server, name, "INSERT INTO by_the_guest VALUES (1)").await.unwrap();
    }
    drop(guest);
    // The server still has what it had.
    if !bench.is_postgres() {
        assert!(matches!(refused(bench).await, OpenError::InUse { .. }));
    }
    // What the server is still making is its own.
    run(&server, DatabaseName::Global, "UPDATE cluster SET state = 1")
        .await
        .unwrap();
    if !bench.is_postgres() {
        assert!(matches!(beside(bench).await, Err(OpenError::InUse { .. })));
    }
}

async fn a_database_of_another_cluster_is_refused(bench: &mut Bench) {
    let shards = bench.open().await.unwrap();
    run(&shards, LAST, "UPDATE identity_row SET cluster_id = 'another'")
        .await
        .unwrap();
    drop(shards);
    let error = refused(bench).await;
    assert!(matches!(error, OpenError::Foreign(_)), "{error:?}");
}

async fn a_database_with_other_tables_is_refused(bench: &mut Bench) {
    let shards = bench.open().await.unwrap();
    run(
        &shards,
        LAST,
        "CREATE TABLE somebody (x integer); DROP TABLE identity_row",
    )
    .await
    .unwrap();
    drop(shards);
    let error = refused(bench).await;
    assert!(matches!(error, OpenError::Others(_)), "{error:?}");
    // Not even when the rest of the set is new: nothing is written anywhere.
    for name in [DatabaseName::Global, FIRST, DatabaseName::Shard(ShardId(1))] {
        bench.lose(name).await;
    }
    let error = refused(bench).await;
    if bench.is_postgres() {
        assert!(matches!(error, OpenError::Others(_)), "{error:?}");
    } else {
        // A shard's file is there, the global one is not.
        assert!(matches!(error, OpenError::GlobalMissing { .. }), "{error:?}");
    }
}

async fn a_newer_schema_is_refused(bench: &mut Bench) {
    let shards = bench.open().await.unwrap();
    let newer = "INSERT INTO schema_ledger (module, name, digest, applied_at) VALUES ('chassis', '9999_future', '', 1)";
    run(&shards, LAST, newer).await.unwrap();
    drop(shards);
    let error = refused(bench).await;
    let OpenError::Schema { source, .. } = &error else {
        panic!("{error:?}")
    };
    assert!(source.to_string().contains("9999_future"), "{source}");
}

async fn an_unusable_database_is_named(bench: &mut Bench) {
    drop(bench.open().await.unwrap());
    match &mut bench.database {
        Database::Embedded { data_dir, .. } => {
            let (folder, file) = (data_dir.clone(), data_dir.join("shard-002.db"));
            let held = bench.open().await.unwrap();
            let error = refused(bench).await;
            let here = Some(std::process::id());
            assert!(
                matches!(&error, OpenError::InUse { folder: at, pid } if *at == folder && *pid == here),
                "{error:?}"
            );
            drop(held);
            std::fs::write(&file, "this is no database".repeat(100)).unwrap();
        }
        Database::Postgres { shards, .. } => {
            shards[2] = "postgres://somebody:s3cr3t@127.0.0.1:1/x".to_owned();
        }
    }
    let error = refused(bench).await;
    let text = format!("{error} {error:?}");
    assert!(matches!(error, OpenError::Unusable { .. }), "{text}");
    assert!(text.starts_with("shard 2 ("), "{text}");
    assert!(!text.contains("s3cr3t"), "{text}");
    if let Database::Postgres { shards, .. } = &mut bench.database {
        shards[2] = "postgres://somebody:s3cr3t#@127.0.0.1:port/x".to_owned();
        let error = refused(bench).await;
        let text = format!("{error} {error:?}");
        assert!(matches!(error, OpenError::Url(..)), "{text}");
        assert!(!text.contains("s3cr3t"), "{text}");
    }
}
