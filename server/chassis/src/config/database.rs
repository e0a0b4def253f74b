//! Where the rows are: the section as written, and the engine that it names.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize, Serializer};

use crate::config::{ConfigError, Problems, server_url};
use crate::shard::PoolLimits;
use crate::shard::open::SHARDS_MAX;

/// `[database]`: either files in a folder (`data_dir`, `shard_count`), or PostgreSQL (`global`, `shards`).
/// `Debug` shows no URL: they hold passwords.
#[derive(Clone, Default, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct DatabaseSection {
    /// Folder of the SQLite files.
    pub data_dir: Option<PathBuf>,
    /// Number of SQLite shards, 1 to 64; `None` is 4.
    pub shard_count: Option<u16>,
    /// URL of the global PostgreSQL database.
    pub global: Option<String>,
    /// URLs of the PostgreSQL shards, in order; 1 to 64.
    pub shards: Vec<String>,
    /// Connections per database and role (writer, reader), 1 to 1,000; `None` is 5. With four shards a process holds at
    /// most 50. A SQLite file has one writer whatever this says.
    #[serde(serialize_with = "pool_size")]
    pub pool_size: Option<u32>,
    /// Seconds after which a connection to PostgreSQL is replaced, at least 60; `None` is 1,800. So a process finds the
    /// servers again that a name stands for now.
    #[serde(serialize_with = "age_max")]
    pub connection_age_max_s: Option<u64>,
    /// Seconds after which an unused connection to PostgreSQL is closed, but for one per pool, at least 10; `None` is
    /// 600.
    #[serde(serialize_with = "idle_max")]
    pub connection_idle_max_s: Option<u64>,
}

impl fmt::Debug for DatabaseSection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DatabaseSection")
            .field("data_dir", &self.data_dir)
            .field("shard_count", &self.shard_count)
            .field("shards", &self.shards.len())
            .field("pool_size", &self.pool_size)
            .finish_non_exhaustive()
    }
}

impl DatabaseSection {
    /// Returns the bounds of the pools.
    ///
    /// # Errors
    /// A bound is out of range.
    pub fn pool_limits(&self) -> Result<PoolLimits, ConfigError> {
        let mut limits = PoolLimits::default();
        let fail = |key: &str, problem: &str| Err(ConfigError::value(format!("database.{key}"), problem));
        match self.pool_size {
            None => {}
            Some(size @ 1..=1_000) => limits.size = size,
            Some(_) => return fail("pool_size", "must be 1 to 1000"),
        }
        match self.connection_age_max_s {
            None => {}
            Some(seconds @ 60..) => limits.age_max = Duration::from_secs(seconds),
            Some(_) => return fail("connection_age_max_s", "must be at least 60"),
        }
        match self.connection_idle_max_s {
            None => {}
            Some(seconds @ 10..) => limits.idle_max = Duration::from_secs(seconds),
            Some(_) => return fail("connection_idle_max_s", "must be at least 10"),
        }
        Ok(limits)
    }

    /// Decides which engine the section names.
    ///
    /// # Errors
    /// The section mixes both engines, is incomplete, or counts less than 1 or more than [`SHARDS_MAX`] shards.
    pub fn database(&self) -> Result<Database, ConfigError> {
        let fail = |key: &str, problem: &str| Err(ConfigError::value(format!("database.{key}"), problem));
        let Some(global) = &self.global else {
            let Some(data_dir) = &self.data_dir else {
                return Err(ConfigError::Missing {
                    key: "database.global".to_owned(),
                    remedy: "set the URL of the global database, or `database.data_dir`".to_owned(),
                });
            };
            if !self.shards.is_empty() {
                return fail("shards", "needs `database.global`, the URL of the global database");
            }
            return match self.shard_count.unwrap_or(4) {
                shards @ 1..=SHARDS_MAX => Ok(Database::Embedded {
                    data_dir: data_dir.clone(),
                    shards,
                }),
                _ => fail("shard_count", &format!("must be 1 to {SHARDS_MAX}")),
            };
        };
        if self.data_dir.is_some() {
            return fail(
                "data_dir",
                "contradicts `database.global`: rows are in files or in PostgreSQL, not both",
            );
        }
        if self.shard_count.is_some() {
            return fail(
                "shard_count",
                "contradicts `database.global`: `database.shards` lists the shards",
            );
        }
        if !(1..=usize::from(SHARDS_MAX)).contains(&self.shards.len()) {
            let problem = format!("must list 1 to {SHARDS_MAX} URLs, one for each shard");
            return fail("shards", &problem);
        }
        Ok(Database::Postgres {
            global: global.clone(),
            shards: self.shards.clone(),
        })
    }

    /// Checks that the section names one engine, and that each URL can be read and names a database of its own. No
    /// database is touched.
    pub fn check(&self, problems: &mut Problems) {
        if let Err(error) = self.database() {
            problems.push(error);
        }
        if let Err(error) = self.pool_limits() {
            problems.push(error);
        }
        let global = self.global.iter().map(|url| ("database.global", String::new(), url));
        let shards = self.shards.iter().enumerate();
        let shards = shards.map(|(number, url)| ("database.shards", format!("in its entry for shard {number} "), url));
        let mut seen: Vec<(String, String)> = Vec::new();
        for (key, entry, url) in global.chain(shards) {
            let config = match server_url::read(url) {
                Ok(config) => config,
                Err(problem) => {
                    problems.hidden(key, format_args!("{entry}{problem}"));
                    continue;
                }
            };
            let place = server_url::place(&config);
            if let Some((_, first)) = seen.iter().find(|(known, _)| *known == place) {
                let problem = "each needs a database of its own";
                problems.hidden(key, format_args!("{entry}names {place}, as {first} does; {problem}"));
            }
            let name = if entry.is_empty() {
                "`database.global`".to_owned()
            } else {
                entry.replace("in its entry for ", "").trim().to_owned()
            };
            seen.push((place, name));
        }
    }
}

// Written settings are for people: they show what holds, also where nobody has set it.

fn pool_size<S: Serializer>(size: &Option<u32>, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_u32(size.unwrap_or(PoolLimits::default().size))
}

fn age_max<S: Serializer>(seconds: &Option<u64>, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_u64(seconds.unwrap_or(PoolLimits::default().age_max.as_secs()))
}

fn idle_max<S: Serializer>(seconds: &Option<u64>, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_u64(seconds.unwrap_or(PoolLimits::default().idle_max.as_secs()))
}

/// Where the rows are. `Debug` shows no URL: they hold passwords.
#[derive(Clone)]
pub enum Database {
    /// SQLite files in a folder: `global.db`, `shard-000.db` and so on.
    Embedded {
        /// The folder.
        data_dir: PathBuf,
        /// Number of shards, 1 to 64.
        shards: u16,
    },
    /// PostgreSQL: one URL for the global database and one per shard.
    Postgres {
        /// URL of the global database.
        global: String,
        /// URLs of the shards, in order.
        shards: Vec<String>,
    },
}

impl fmt::Debug for Database {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Embedded { data_dir, shards } => f
                .debug_struct("Embedded")
                .field("data_dir", data_dir)
                .field("shards", shards)
                .finish(),
            Self::Postgres { shards, .. } => f
                .debug_struct("Postgres")
                .field("shards", &shards.len())
                .finish_non_exhaustive(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bounds_of_the_pools_are_checked() {
        let section = |size, age, idle| DatabaseSection {
            pool_size: size,
            connection_age_max_s: age,
            connection_idle_max_s: idle,
            ..DatabaseSection::default()
        };
        let limits = section(Some(7), Some(60), Some(10)).pool_limits().unwrap();
        assert_eq!(
            (limits.size, limits.age_max, limits.idle_max),
            (7, Duration::from_secs(60), Duration::from_secs(10))
        );
        assert_eq!(section(None, None, None).pool_limits().unwrap().size, 5);
        for (refused, key) in [
            (section(Some(0), None, None), "database.pool_size"),
            (section(Some(1_001), None, None), "database.pool_size"),
            (section(None, Some(59), None), "database.connection_age_max_s"),
            (section(None, None, Some(9)), "database.connection_idle_max_s"),
        ] {
            let error = refused.pool_limits().unwrap_err();
            assert!(error.to_string().contains(key), "{error}");
        }
    }

    #[test]
    fn all_urls_are_checked_at_once_and_none_is_shown() {
        let section = DatabaseSection {
            global: Some("postgres://u:hush@h/one".into()),
            shards: vec![
                "postgres://u:hush@h/two".into(),
                "mysql://u:hush@h/three".into(),
                "postgres://v:hush@H:5432/one".into(),
                "postgres://u:hush@h/two?application_name=x".into(),
            ],
            ..DatabaseSection::default()
        };
        let mut problems = Problems::default();
        section.check(&mut problems);
        let found = problems.done().unwrap_err().to_string();
        for part in [
            "3 settings are wrong",
            "shard 1 must begin with `postgres://`",
            "shard 2 names h:5432/one, as `database.global` does",
            "shard 3 names h:5432/two, as shard 0 does",
        ] {
            assert!(found.contains(part), "{found} lacks {part}");
        }
        assert!(!found.contains("hush"), "{found}");
    }

    #[test]
    fn a_database_section_names_one_engine() {
        let files = || DatabaseSection {
            data_dir: Some("d".into()),
            ..DatabaseSection::default()
        };
        let urls = || DatabaseSection {
            global: Some("postgres://g".into()),
            shards: vec!["postgres://s".into()],
            ..DatabaseSection::default()
        };
        let cases: [(DatabaseSection, Result<&str, &str>); 8] = [
            (files(), Ok("Embedded { data_dir: \"d\", shards: 4 }")),
            (
                DatabaseSection {
                    shard_count: Some(64),
                    ..files()
                },
                Ok("Embedded { data_dir: \"d\", shards: 64 }"),
            ),
            (urls(), Ok("Postgres { shards: 1, .. }")),
            (DatabaseSection::default(), Err("database.global")),
            (
                DatabaseSection {
                    shard_count: Some(65),
                    ..files()
                },
                Err("database.shard_count"),
            ),
            (
                DatabaseSection {
                    data_dir: Some("d".into()),
                    ..urls()
                },
                Err("database.data_dir"),
            ),
            (
                DatabaseSection {
                    shards: vec![],
                    ..urls()
                },
                Err("database.shards"),
            ),
            (
                DatabaseSection {
                    global: None,
                    data_dir: Some("d".into()),
                    ..urls()
                },
                Err("database.shards"),
            ),
        ];
        for (section, expected) in cases {
            match (section.database(), expected) {
                (Ok(database), Ok(expected)) => assert_eq!(format!("{database:?}"), expected),
                (Err(error), Err(key)) => assert!(error.to_string().contains(key), "{error}"),
                (result, expected) => panic!("{section:?}: {result:?}, expected {expected:?}"),
            }
        }
    }
}
