//! Migrations: in order, once, all or nothing, never backwards.

use super::bench::{Bench, NOTES, SHARDS, run, shard_ids};
use crate::shard::{DatabaseName, MigrateError, Migration, ModuleSchema, OpenError, ShardId, migrate, open};

super::on_both_engines!(
    changes_are_applied_once,
    a_failed_change_leaves_nothing,
    a_newer_or_edited_ledger_is_refused,
    a_module_that_the_program_does_not_have_is_refused,
);

const fn same(name: &'static str, sql: &'static str) -> Migration {
    Migration {
        name,
        pg: sql,
        sqlite: sql,
    }
}

const WORDS: &[Migration] = &[same("0001_word", "CREATE TABLE word (word text PRIMARY KEY)")];
const MORE_WORDS: &[Migration] = &[
    WORDS[0],
    same(
        "0002_count",
        "ALTER TABLE word ADD COLUMN n integer; CREATE INDEX word_n ON word (n)",
    ),
];
const BROKEN: &[Migration] = &[
    WORDS[0],
    same("0002_good", "CREATE TABLE good (x integer)"),
    same(
        "0003_bad",
        "CREATE TABLE half (x integer); CREATE TABLE word (x integer)",
    ),
];

const EDITED: &[Migration] = &[same("0001_word", "CREATE TABLE word (word text)"), MORE_WORDS[1]];
const OTHER: ModuleSchema = ModuleSchema {
    module: "other",
    global: &[same("0001_word", "CREATE TABLE other (x integer)")],
    shard: &[],
};

const fn m(global: &'static [Migration], shard: &'static [Migration]) -> ModuleSchema {
    ModuleSchema {
        module: "m",
        global,
        shard,
    }
}

async fn changes_are_applied_once(bench: &mut Bench) {
    let shards = bench.open().await.unwrap();
    let pending = migrate::pending(&shards, &[m(WORDS, NOTES)]).await.unwrap();
    let names: Vec<String> = pending.iter().map(ToString::to_string).collect();
    assert_eq!(names[0], "global database: m 0001_word");
    assert_eq!(names[1], "shard 0: m 0001_note");
    assert_eq!(pending.len(), usize::from(SHARDS) + 1);
    // Two processes at the same time: each change is applied by one of them.
    let modules = [m(WORDS, NOTES)];
    let (one, two) = tokio::join!(migrate::apply(&shards, &modules), migrate::apply(&shards, &modules));
    let mut applied = [one.unwrap(), two.unwrap()].concat();
    applied.sort_by_key(|change| change.database);
    assert_eq!(applied, pending);
    assert!(migrate::pending(&shards, &[m(WORDS, NOTES)]).await.unwrap().is_empty());
    // A later release brings one more; another module's names are its own.
    let later = migrate::apply(&shards, &[m(MORE_WORDS, NOTES)]).await.unwrap();
    assert_eq!(
        later.iter().map(ToString::to_string).collect::<Vec<_>>(),
        ["global database: m 0002_count"]
    );
    run(
        &shards,
        DatabaseName::Global,
        "INSERT INTO word (word, n) VALUES ('a', 1)",
    )
    .await
    .unwrap();
    let both = [m(MORE_WORDS, NOTES), OTHER];
    assert_eq!(migrate::apply(&shards, &both).await.unwrap().len(), 1);
}

async fn a_failed_change_leaves_nothing(bench: &mut Bench) {
    let shards = bench.open().await.unwrap();
    migrate::apply(&shards, &[m(WORDS, &[])]).await.unwrap();
    let error = migrate::apply(&shards, &[m(BROKEN, &[])]).await.unwrap_err();
    assert!(
        matches!(&error, MigrateError::Failed { migration, .. } if migration == "0003_bad"),
        "{error:?}"
    );
    for table in ["good", "half"] {
        let gone = run(&shards, DatabaseName::Global, &format!("SELECT * FROM {table}")).await;
        assert!(gone.is_err(), "{table}");
    }
    assert_eq!(migrate::pending(&shards, &[m(MORE_WORDS, &[])]).await.unwrap().len(), 1);
    migrate::apply(&shards, &[m(MORE_WORDS, &[])]).await.unwrap();
}

async fn a_newer_or_edited_ledger_is_refused(bench: &mut Bench) {
    let shards = bench.open().await.unwrap();
    migrate::apply(&shards, &[m(MORE_WORDS, NOTES)]).await.unwrap();
    for error in [
        migrate::apply(&shards, &[m(WORDS, NOTES)]).await.unwrap_err(),
        migrate::pending(&shards, &[m(WORDS, NOTES)]).await.unwrap_err(),
    ] {
        assert!(
            matches!(&error, MigrateError::Newer { migration, .. } if migration == "0002_count"),
            "{error:?}"
        );
    }
    let error = migrate::pending(&shards, &[m(EDITED, NOTES)]).await.unwrap_err();
    assert!(matches!(error, MigrateError::Edited { .. }), "{error:?}");
    // One shard behind the others is brought up.
    let last = shard_ids().last().unwrap();
    run(
        &shards,
        DatabaseName::Shard(last),
        "DROP TABLE note; DELETE FROM schema_ledger WHERE module = 'm'",
    )
    .await
    .unwrap();
    let applied = migrate::apply(&shards, &[m(MORE_WORDS, NOTES)]).await.unwrap();
    assert_eq!(applied.len(), 1);
    assert_eq!(applied[0].database, DatabaseName::Shard(ShardId(SHARDS - 1)));
}

async fn a_module_that_the_program_does_not_have_is_refused(bench: &mut Bench) {
    let shards = bench.open().await.unwrap();
    let both = [m(WORDS, NOTES), OTHER];
    migrate::apply(&shards, &both).await.unwrap();
    for error in [
        migrate::apply(&shards, &both[..1]).await.unwrap_err(),
        migrate::pending(&shards, &both[..1]).await.unwrap_err(),
    ] {
        assert!(matches!(error, MigrateError::UnknownModule { .. }), "{error:?}");
        let text = error.to_string();
        assert!(
            text.starts_with("global database: schema change other 0001_word ") && text.contains("schema_ledger"),
            "{text}"
        );
    }
    let error = open::preview(&bench.database, &both[..1]).await.unwrap_err();
    assert!(matches!(error, OpenError::Schema { .. }), "{error:?}");
    // As the remedy says.
    let given_up = "DELETE FROM schema_ledger WHERE module = 'other'";
    run(&shards, DatabaseName::Global, given_up).await.unwrap();
    assert!(migrate::pending(&shards, &both[..1]).await.unwrap().is_empty());
}
