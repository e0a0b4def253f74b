//! Where rows are: one user's rows on one shard, `user_id mod N`, and users spread evenly. Read from the files.

use std::path::Path;

use diesel::connection::SimpleConnection;
use diesel::prelude::*;
use diesel::sql_query;
use diesel::sql_types::{BigInt, Text};
use futures_util::{StreamExt, stream};
use http::Method;
use millrace_tests::platform::{Folder, TestPlatform, millrace};
use millrace_tests::shop::{self, Shopper, text};

const BUCKETS: i64 = 960;

#[derive(QueryableByName)]
struct Name {
    #[diesel(sql_type = Text)]
    name: String,
}

#[derive(QueryableByName)]
struct Count {
    #[diesel(sql_type = BigInt)]
    count: i64,
}

fn open(file: &Path) -> SqliteConnection {
    let mut connection = SqliteConnection::establish(&format!("file:{}?mode=ro", file.display())).unwrap();
    connection.batch_execute("PRAGMA query_only = 1").unwrap();
    connection
}

fn count(connection: &mut SqliteConnection, query: &str) -> i64 {
    sql_query(query)
        .get_result::<Count>(connection)
        .unwrap_or_else(|error| panic!("{query}: {error}"))
        .count
}

/// The tables of a database that have a column of this name.
fn tables_with(connection: &mut SqliteConnection, column: &str) -> Vec<String> {
    let query = "SELECT m.name AS name FROM sqlite_schema m JOIN pragma_table_info(m.name) c \
                 WHERE m.type = 'table' AND c.name = ? ORDER BY 1";
    let names: Vec<Name> = sql_query(query).bind::<Text, _>(column).load(connection).unwrap();
    names.into_iter().map(|row| row.name).collect()
}

fn shard_file(folder: &Folder, shard: u16) -> std::path::PathBuf {
    folder.path().join(format!("shard-{shard:03}.db"))
}

#[tokio::test]
async fn the_rows_of_a_user_are_on_one_shard() {
    let platform = TestPlatform::dev().await;
    let operator = shop::operator(&platform);
    let product = shop::product(&operator).await;
    for _ in 0..20 {
        let shopper = Shopper::new(&operator).await;
        let order = text(&shopper.order(&product, 1).await, "name");
        shopper
            .rest
            .post_keyed(&format!("/v1/{order}:cancel"), "", &serde_json::json!({}))
            .await
            .expect(200);
    }

    let mut tables_seen = 0;
    for shard in 0..4 {
        let mut connection = open(&shard_file(platform.folder(), shard));
        let tables = tables_with(&mut connection, "user_id");
        assert!(tables.len() >= 4, "users, keys, orders, events: {tables:?}");
        for table in tables {
            let rows = count(&mut connection, &format!("SELECT count(*) AS count FROM \"{table}\""));
            tables_seen += i64::from(rows > 0);
            let foreign = format!("SELECT count(*) AS count FROM \"{table}\" WHERE user_id % 4 <> {shard}");
            assert_eq!(count(&mut connection, &foreign), 0, "shard {shard}, table {table}");
            if tables_with(&mut connection, "bucket").contains(&table) {
                let wrong = format!("SELECT count(*) AS count FROM \"{table}\" WHERE bucket <> user_id % {BUCKETS}");
                assert_eq!(count(&mut connection, &wrong), 0, "shard {shard}, table {table}");
            }
        }
    }
    assert!(tables_seen >= 12, "the rows that were checked are there: {tables_seen}");
}

#[tokio::test]
async fn ten_thousand_users_spread_evenly() {
    let platform = TestPlatform::dev_with(&Folder::new(), &["--no-sample-data"]).await;
    let operator = shop::operator(&platform);
    let mut before = 0;
    for shard in 0..4 {
        before += users_on(platform.folder(), shard);
    }
    let made = stream::iter(0..10_000)
        .map(|_| {
            let operator = operator.clone();
            async move {
                operator
                    .send(Method::POST, "/v1/users", &[], shop::new_user().to_string())
                    .await
            }
        })
        .buffer_unordered(32);
    made.for_each(|reply| async move { drop(reply.expect(201)) }).await;

    let counts: Vec<i64> = (0..4).map(|shard| users_on(platform.folder(), shard)).collect();
    assert_eq!(counts.iter().sum::<i64>() - before, 10_000);
    for (shard, users) in counts.iter().enumerate() {
        assert!(
            (2_300..=2_700).contains(users),
            "shard {shard} holds {users} of 10,000: {counts:?}"
        );
    }
}

fn users_on(folder: &Folder, shard: u16) -> i64 {
    count(
        &mut open(&shard_file(folder, shard)),
        "SELECT count(*) AS count FROM users",
    )
}

#[tokio::test]
async fn other_databases_than_the_map_knows_are_refused() {
    let platform = TestPlatform::dev().await;
    let folder = platform.kill();
    let data = folder.path().to_str().unwrap().to_owned();
    let refused = |flags: &[&str], parts: &[&str]| {
        let arguments = [
            "dev",
            "--data-dir",
            &data,
            "--listen",
            "127.0.0.1:0",
            "--admin-listen",
            "off",
        ];
        let printed = millrace(&[&arguments[..], flags].concat(), &[]);
        assert!(!printed.success, "{printed:?}");
        for part in parts {
            assert!(
                printed.err.to_lowercase().contains(part),
                "no {part:?} in {}",
                printed.err
            );
        }
    };
    // Another number of shards than the stored map.
    refused(&["--shards", "5"], &["4", "5", "shard"]);

    // Two shards swapped, and one missing.
    let swap = || {
        move_shard(&folder, "shard-001", "aside");
        move_shard(&folder, "shard-002", "shard-001");
        move_shard(&folder, "aside", "shard-002");
    };
    swap();
    refused(&[], &["shard"]);
    swap();
    move_shard(&folder, "shard-001", "aside");
    refused(&[], &["shard-001.db"]);
    assert!(!shard_file(&folder, 1).exists(), "a missing shard is not made anew");

    // A shard of another platform.
    let stranger = TestPlatform::dev().await.kill();
    for file in files_of(&stranger, "shard-001") {
        std::fs::copy(&file, folder.path().join(file.file_name().unwrap())).unwrap();
    }
    refused(&[], &["shard"]);
    for file in files_of(&folder, "shard-001") {
        std::fs::remove_file(file).unwrap();
    }
    move_shard(&folder, "aside", "shard-001");

    // And all is well again.
    TestPlatform::dev_with(&folder, &[]).await;
}

/// The files of a SQLite database: after a crash, its log holds what is not yet in the main file.
fn files_of(folder: &Folder, database: &str) -> Vec<std::path::PathBuf> {
    let names = ["db", "db-wal", "db-shm"].map(|extension| folder.path().join(format!("{database}.{extension}")));
    names.into_iter().filter(|file| file.exists()).collect()
}

fn move_shard(folder: &Folder, from: &str, to: &str) {
    for file in files_of(folder, from) {
        let extension = file.extension().unwrap().to_str().unwrap().to_owned();
        std::fs::rename(file, folder.path().join(format!("{to}.{extension}"))).unwrap();
    }
}
