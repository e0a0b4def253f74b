//! Sets of databases on the PostgreSQL server of this run, and `millrace serve` told of them.

use std::sync::atomic::{AtomicU32, Ordering};

use millrace_tests::parts::{self, Printed};
use millrace_tests::platform::{Folder, TestPlatform, millrace};
use tokio_postgres::NoTls;

pub(super) const SHARDS: u16 = 4;

/// A set of empty databases on the server of this run.
pub(super) struct Databases {
    pub(super) global: String,
    pub(super) shards: Vec<String>,
}

impl Databases {
    pub(super) async fn new() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let prefix = format!("t{}_{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        let (global, shards) = (
            format!("{prefix}_global"),
            (0..SHARDS).map(|shard| format!("{prefix}_{shard}")),
        );
        let databases = Self {
            global,
            shards: shards.collect(),
        };
        for database in std::iter::once(&databases.global).chain(&databases.shards) {
            // Another order than that of bytes, in which `a-c` comes after `ab`: no query may rely on the default.
            let order = "TEMPLATE template0 LOCALE_PROVIDER icu ICU_LOCALE 'en-US-u-ka-shifted'";
            execute("postgres", &format!("CREATE DATABASE {database} {order}")).await;
        }
        databases
    }

    /// The settings that name these databases.
    pub(super) fn settings(&self) -> Settings {
        let url = |database: &String| parts::postgres(database);
        Settings {
            global: url(&self.global),
            shards: self.shards.iter().map(url).collect(),
        }
    }

    /// A cluster with its tables.
    pub(super) async fn migrated() -> Self {
        let databases = Self::new().await;
        let migrated = databases.settings().run(&["migrate"]);
        assert!(migrated.success, "{migrated:?}");
        databases
    }
}

/// What `serve` is told.
#[derive(Clone)]
pub(super) struct Settings {
    pub(super) global: String,
    pub(super) shards: Vec<String>,
}

impl Settings {
    pub(super) fn environment(&self) -> [(&'static str, String); 3] {
        let shards: Vec<String> = self.shards.iter().map(|url| format!("{url:?}")).collect();
        [
            ("MILLRACE_DATABASE__GLOBAL", self.global.clone()),
            ("MILLRACE_DATABASE__SHARDS", format!("[{}]", shards.join(", "))),
            (
                "MILLRACE_SECRETS__PAGE_TOKEN",
                "[\"0123456789abcdef0123456789abcdef\"]".to_owned(),
            ),
        ]
    }

    pub(super) fn run(&self, arguments: &[&str]) -> Printed {
        let environment = self.environment();
        millrace(
            arguments,
            &environment.each_ref().map(|(name, value)| (*name, value.as_str())),
        )
    }

    /// The same with free ports, for servers that are expected to refuse.
    pub(super) fn refuses(&self, code: i32, says: &[&str]) {
        let printed = self.run(&["serve", "--listen", "127.0.0.1:0", "--admin-listen", "off"]);
        assert_eq!(printed.code, code, "{says:?}: {printed:?}");
        for part in says {
            assert!(
                printed.err.to_lowercase().contains(part),
                "no {part:?} in {}",
                printed.err
            );
        }
        assert!(!printed.err.contains("sekret"), "a password is in {}", printed.err);
    }

    pub(super) async fn serve(&self) -> TestPlatform {
        let environment = self.environment();
        let environment = environment.each_ref().map(|(name, value)| (*name, value.as_str()));
        TestPlatform::start(&Folder::new(), &["serve"], &environment).await
    }

    /// The first key of an installation.
    pub(super) fn first_key(&self) -> String {
        let printed = self.run(&["key", "create", "--admin"]);
        assert!(printed.success, "{printed:?}");
        let key = printed.out.split_whitespace().find(|word| word.starts_with("mr_"));
        key.unwrap_or_else(|| panic!("no key in {printed:?}")).to_owned()
    }
}

pub(super) async fn execute(database: &str, statement: &str) -> Vec<tokio_postgres::SimpleQueryMessage> {
    let (client, connection) = tokio_postgres::connect(&parts::postgres(database), NoTls)
        .await
        .unwrap();
    let connection = tokio::spawn(connection);
    let answer = client
        .simple_query(statement)
        .await
        .unwrap_or_else(|error| panic!("{statement}: {error:?}"));
    drop(client);
    connection.await.unwrap().unwrap();
    answer
}

pub(super) async fn count(database: &str, query: &str) -> u64 {
    let messages = execute(database, query).await;
    let row = messages.iter().find_map(|message| match message {
        tokio_postgres::SimpleQueryMessage::Row(row) => row.get(0),
        _ => None,
    });
    row.unwrap().parse().unwrap()
}
