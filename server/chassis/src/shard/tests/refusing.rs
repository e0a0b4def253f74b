//! What is refused before or besides the databases themselves: a damaged map, a URL for TLS; and a preview of
//! migrating.

use super::bench::{Bench, NOTES, SHARDS, run};
use crate::clock::Clock;
use crate::config::Database;
use crate::id::Ids;
use crate::shard::{DatabaseName, MapDamage, ModuleSchema, OpenError, ShardId, Shards, UserId, open};

super::on_both_engines!(a_damaged_map_is_refused, a_preview_changes_nothing);

const FIRST: DatabaseName = DatabaseName::Shard(ShardId(0));
const LAST: DatabaseName = DatabaseName::Shard(ShardId(SHARDS - 1));

async fn refused(bench: &Bench) -> OpenError {
    bench.open().await.expect_err("the set is not right")
}

async fn a_damaged_map_is_refused(bench: &mut Bench) {
    let on_no_shard = MapDamage::NoShard {
        bucket: 17,
        shard: 9,
        count: SHARDS,
    };
    for (damage, repair, expected) in [
        (
            "DELETE FROM bucket WHERE bucket = 17",
            "INSERT INTO bucket VALUES (17, 2, 1, 1)",
            MapDamage::Missing(17),
        ),
        (
            "INSERT INTO shard VALUES (9, 1); UPDATE bucket SET shard = 9 WHERE bucket = 17",
            "UPDATE bucket SET shard = 2 WHERE bucket = 17",
            on_no_shard,
        ),
    ] {
        let shards = bench.open().await.unwrap();
        run(&shards, DatabaseName::Global, damage).await.unwrap();
        // Who is open goes on with the map that it has: the shards' own fences rule.
        shards.refresh_map().await.unwrap();
        assert_eq!(shards.locate(UserId::new(17).unwrap()), ShardId(2));
        drop(shards);
        let error = refused(bench).await;
        assert!(
            matches!(&error, OpenError::Map { damage, .. } if *damage == expected),
            "{error:?}"
        );
        let text = error.to_string();
        assert!(
            text.starts_with("global database (") && text.contains("restore the table"),
            "{text}"
        );
        bench.repair(DatabaseName::Global, repair).await;
    }
    bench.open().await.unwrap();
}

async fn a_preview_changes_nothing(bench: &mut Bench) {
    let schema = ModuleSchema {
        module: "notes",
        global: &[],
        shard: NOTES,
    };
    // Of an empty set: all, and it stays empty.
    for _ in 0..2 {
        let changes = open::preview(&bench.database, &[schema]).await.unwrap();
        let lines: Vec<String> = changes.iter().map(ToString::to_string).collect();
        assert_eq!(
            lines[..3],
            [
                "global database: chassis 0001_cluster",
                "shard 0: chassis 0001_shard",
                "shard 0: notes 0001_note"
            ]
        );
        assert_eq!(lines.len(), 1 + 2 * usize::from(SHARDS));
    }
    if let Database::Embedded { data_dir, .. } = &bench.database {
        assert!(!data_dir.exists(), "not even the folder is made");
    }
    let shards = bench.open().await.unwrap();
    assert_eq!(shards.made().len(), 1 + usize::from(SHARDS));
    drop(shards);
    for _ in 0..2 {
        let changes = open::preview(&bench.database, &[schema]).await.unwrap();
        let lines: Vec<String> = changes.iter().map(ToString::to_string).collect();
        assert_eq!(lines.len(), usize::from(SHARDS));
        assert_eq!(lines[2], "shard 2: notes 0001_note");
    }
    drop(bench.with_notes().await);
    assert_eq!(open::preview(&bench.database, &[schema]).await.unwrap(), []);
    // What opening refuses, it refuses.
    bench.swap(FIRST, LAST);
    let error = open::preview(&bench.database, &[schema]).await.unwrap_err();
    assert!(matches!(error, OpenError::Swapped { .. }), "{error:?}");
}

/// No engine is needed: the URLs are read before anything is opened.
#[tokio::test]
async fn a_url_that_asks_for_tls_is_refused() {
    for (query, tls) in [
        ("?sslmode=require", true),
        ("?sslmode=verify-ca", true),
        ("?sslmode=verify-full&sslrootcert=/x.pem", true),
        ("?application_name=x&sslmode=require", true),
        ("?sslrootcert=/x.pem", true),
        ("?channel_binding=require", true),
        ("?sslmode=disable", false),
        ("?sslmode=prefer", false),
        ("", false),
    ] {
        let url = |database: &str, query: &str| format!("postgres://u:s3cr3t@127.0.0.1:1/{database}{query}");
        let database = Database::Postgres {
            global: url("g", ""),
            shards: vec![url("s", query)],
        };
        let clock = Clock::manual(0);
        let error = Shards::open(&database, clock.clone(), Ids::system(clock))
            .await
            .err()
            .unwrap();
        assert_eq!(
            matches!(error, OpenError::Url(name, problem) if name == FIRST && problem.contains("TLS")),
            tls,
            "{query}: {error}"
        );
        assert!(!error.to_string().contains("s3cr3t"), "{error}");
    }
}
