//! What a database's ledger says of its schema, compared with what this program knows.

use diesel::prelude::*;
use diesel_async::RunQueryDsl;
use sha2::{Digest, Sha256};

use crate::on;
use crate::shard::base::{self, schema_ledger};
use crate::shard::{Conn, DatabaseName, MigrateError, Migration, ModuleSchema, ShardConn};

/// Refuses a ledger that has a change of a module which is neither the platform's own nor among these.
pub(in crate::shard) async fn check_modules(
    conn: &mut Conn<DatabaseName>,
    modules: &[ModuleSchema],
) -> Result<(), MigrateError> {
    let applied: Vec<(String, String)> = on!(conn, c => schema_ledger::table
        .order((schema_ledger::module, schema_ledger::name))
        .select((schema_ledger::module, schema_ledger::name))
        .load(c)
        .await)?;
    let known = |module: &str| module == base::MODULE || modules.iter().any(|known| known.module == module);
    match applied.into_iter().find(|(module, _)| !known(module)) {
        Some((module, migration)) => Err(MigrateError::UnknownModule {
            database: conn.database(),
            module,
            migration,
        }),
        None => Ok(()),
    }
}

/// Compares a module's list with the ledger and returns the tail that is not applied.
pub(in crate::shard) async fn missing(
    conn: &mut Conn<DatabaseName>,
    module: &ModuleSchema,
) -> Result<&'static [Migration], MigrateError> {
    let database = conn.database();
    let list = module.of(database);
    let applied: Vec<(String, String)> = on!(conn, c => schema_ledger::table
        .filter(schema_ledger::module.eq(module.module))
        .select((schema_ledger::name, schema_ledger::digest))
        .load(c)
        .await)?;
    let digests: Vec<String> = list.iter().map(|migration| digest(conn.engine(), migration)).collect();
    let names: Vec<&str> = list.iter().map(|migration| migration.name).collect();
    compare(&names, &digests, &applied)
        .map(|done| &list[done..])
        .map_err(|(problem, migration)| problem.error(database, module.module, migration))
}

/// What is wrong between a list and a ledger.
#[derive(Debug, PartialEq, Eq)]
enum Problem {
    Newer,
    Edited,
    OutOfOrder,
}

impl Problem {
    fn error(self, database: DatabaseName, module: &str, migration: String) -> MigrateError {
        let module = module.to_owned();
        match self {
            Self::Newer => MigrateError::Newer {
                database,
                module,
                migration,
            },
            Self::Edited => MigrateError::Edited {
                database,
                module,
                migration,
            },
            Self::OutOfOrder => MigrateError::OutOfOrder {
                database,
                module,
                migration,
            },
        }
    }
}

/// Returns how many of a list's changes are applied: they must be its first ones, with the same statements.
fn compare(names: &[&str], digests: &[String], applied: &[(String, String)]) -> Result<usize, (Problem, String)> {
    if let Some(pair) = names.windows(2).find(|pair| pair[0] >= pair[1]) {
        return Err((Problem::OutOfOrder, pair[1].to_owned()));
    }
    for (name, digest) in applied {
        match names.iter().position(|known| known == name) {
            None => return Err((Problem::Newer, name.clone())),
            Some(at) if digests[at] != *digest => return Err((Problem::Edited, name.clone())),
            Some(_) => {}
        }
    }
    match names[..applied.len()]
        .iter()
        .find(|name| !applied.iter().any(|(done, _)| done == *name))
    {
        Some(hole) => Err((Problem::OutOfOrder, (*hole).to_owned())),
        None => Ok(applied.len()),
    }
}

/// Identifies the statements of a change for an engine.
pub(super) fn digest(engine: &ShardConn, migration: &Migration) -> String {
    let statements = match engine {
        ShardConn::Pg(_) => migration.pg,
        ShardConn::Sqlite(_) => migration.sqlite,
    };
    Sha256::digest(statements)
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ledgers_are_compared() {
        let rows = |rows: &[(&str, &str)]| -> Vec<(String, String)> {
            rows.iter().map(|(n, d)| ((*n).to_owned(), (*d).to_owned())).collect()
        };
        let digests: Vec<String> = ["d1", "d2"].map(str::to_owned).to_vec();
        let names = ["0001_a", "0002_b"];
        for (applied, expected) in [
            (&[][..], Ok(0)),
            (&[("0001_a", "d1")], Ok(1)),
            (&[("0002_b", "d2"), ("0001_a", "d1")], Ok(2)),
            (&[("0002_b", "d2")], Err((Problem::OutOfOrder, "0001_a".to_owned()))),
            (&[("0001_a", "other")], Err((Problem::Edited, "0001_a".to_owned()))),
            (
                &[("0001_a", "d1"), ("0003_c", "d3")],
                Err((Problem::Newer, "0003_c".to_owned())),
            ),
        ] {
            assert_eq!(compare(&names, &digests, &rows(applied)), expected, "{applied:?}");
        }
        assert_eq!(
            compare(&["0002_b", "0001_a"], &digests, &[]),
            Err((Problem::OutOfOrder, "0001_a".to_owned()))
        );
    }
}
