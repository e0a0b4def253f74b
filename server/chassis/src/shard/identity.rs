//! Whose database is this? Every database holds one identity row: the cluster, and which of its databases it is.

use diesel::prelude::*;
use diesel::sql_types::{BigInt, Bool, Text};
use diesel_async::{AsyncPgConnection, RunQueryDsl};

use crate::id::Ids;
use crate::on;
use crate::shard::fence::{OWNED, bucket_fence};
use crate::shard::{BUCKETS, Conn, DatabaseName, MigrateError, ShardId, StoreError, base, migrate};

/// The number of the global database in its identity row.
const GLOBAL_NUMBER: i32 = -1;
/// State of a cluster whose databases are being made.
const MAKING: i32 = 1;
/// State of a cluster whose databases were all made.
const READY: i32 = 2;

/// What a database turned out to be.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Found {
    /// It has no tables.
    Empty,
    /// It has tables, none of them ours.
    Others,
    /// It is one of a cluster's databases.
    Ours { cluster_id: String, name: DatabaseName },
}

/// The cluster as the global database knows it.
#[derive(Debug)]
pub(super) struct Cluster {
    pub(super) id: String,
    pub(super) shards: u16,
    /// Whether every shard was made; until then an empty one is made now.
    pub(super) ready: bool,
}

/// Which database of which cluster a connection must lead to. What a URL names can become another database while a
/// process runs: by a name server, a restored backup, a rename.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Expected {
    pub(super) cluster_id: String,
    pub(super) name: DatabaseName,
}

impl Expected {
    /// Tells whether a new connection leads there. A database without our table is another one.
    pub(super) async fn is_at(&self, conn: &mut AsyncPgConnection) -> diesel::QueryResult<bool> {
        let present: Presence = diesel::sql_query("SELECT to_regclass('identity_row') IS NOT NULL AS present")
            .get_result(conn)
            .await?;
        if !present.present {
            return Ok(false);
        }
        let found: Option<(String, i32)> = base::identity_row::table
            .select((base::identity_row::cluster_id, base::identity_row::shard_number))
            .first(conn)
            .await
            .optional()?;
        Ok(found.is_some_and(|(cluster_id, number)| cluster_id == self.cluster_id && number == number_of(self.name)))
    }
}

#[derive(QueryableByName)]
struct Presence {
    #[diesel(sql_type = Bool)]
    present: bool,
}

/// The number of a database in its identity row.
fn number_of(name: DatabaseName) -> i32 {
    match name {
        DatabaseName::Global => GLOBAL_NUMBER,
        DatabaseName::Shard(shard) => i32::from(shard.0),
    }
}

#[derive(QueryableByName)]
struct Tables {
    #[diesel(sql_type = BigInt)]
    tables: i64,
    #[diesel(sql_type = BigInt)]
    ours: i64,
}

/// Looks what a database is.
pub(super) async fn look(conn: &mut Conn<DatabaseName>) -> Result<Found, StoreError> {
    let counts: Tables = on!(conn,
        pg c => diesel::sql_query(
            "SELECT count(*) AS tables, count(*) FILTER (WHERE tablename = 'identity_row') AS ours \
             FROM pg_tables WHERE schemaname = current_schema()")
            .get_result(c)
            .await,
        sqlite c => diesel::sql_query(
            "SELECT count(*) AS tables, count(*) FILTER (WHERE name = 'identity_row') AS ours \
             FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\'")
            .get_result(c)
            .await)?;
    if counts.ours == 0 {
        return Ok(if counts.tables == 0 {
            Found::Empty
        } else {
            Found::Others
        });
    }
    let (cluster_id, number): (String, i32) = on!(conn, c => base::identity_row::table
        .select((base::identity_row::cluster_id, base::identity_row::shard_number))
        .first(c)
        .await)?;
    let name = u16::try_from(number).map_or(DatabaseName::Global, |n| DatabaseName::Shard(ShardId(n)));
    Ok(Found::Ours { cluster_id, name })
}

/// Reads the cluster's row.
pub(super) async fn cluster(conn: &mut Conn<DatabaseName>) -> Result<Cluster, StoreError> {
    use base::cluster::dsl;
    let (id, shards, state): (String, i32, i32) = on!(conn, c => dsl::cluster
        .select((dsl::cluster_id, dsl::shards, dsl::state))
        .first(c)
        .await)?;
    Ok(Cluster {
        id,
        shards: u16::try_from(shards).unwrap_or_default(),
        ready: state == READY,
    })
}

/// Makes the global database of a new cluster, in one transaction. The cluster is ready when its shards are made too.
pub(super) async fn make_global(
    conn: &mut Conn<DatabaseName>,
    shards: u16,
    ids: &Ids,
    now_us: i64,
) -> Result<(), MigrateError> {
    let cluster_id = ids.random_hex();
    conn.transaction(async |conn| {
        migrate::apply_in_transaction(conn, &base::SCHEMA, now_us).await?;
        write_identity(conn, &cluster_id, GLOBAL_NUMBER).await?;
        {
            use base::cluster::dsl;
            let row = (
                dsl::only_row.eq(1),
                dsl::cluster_id.eq(&cluster_id),
                dsl::shards.eq(i32::from(shards)),
                dsl::state.eq(MAKING),
            );
            on!(conn, c => diesel::insert_into(dsl::cluster).values(row).execute(c).await)?;
        }
        for shard in 0..i32::from(shards) {
            let row = (base::shard::number.eq(shard), base::shard::state.eq(1));
            on!(conn, c => diesel::insert_into(base::shard::table).values(row).execute(c).await)?;
        }
        for bucket in 0..i32::from(BUCKETS) {
            use base::bucket::dsl;
            let row = (
                dsl::number.eq(bucket),
                dsl::shard.eq(bucket % i32::from(shards)),
                dsl::epoch.eq(1_i64),
                dsl::state.eq(1),
            );
            on!(conn, c => diesel::insert_into(base::bucket::table).values(row).execute(c).await)?;
        }
        Ok(())
    })
    .await
}

/// Makes one shard of a new cluster, in one transaction.
pub(super) async fn make_shard(
    conn: &mut Conn<DatabaseName>,
    shard: ShardId,
    cluster: &Cluster,
    now_us: i64,
) -> Result<(), MigrateError> {
    conn.transaction(async |conn| {
        migrate::apply_in_transaction(conn, &base::SCHEMA, now_us).await?;
        write_identity(conn, &cluster.id, i32::from(shard.0)).await?;
        for bucket in (0..i32::from(BUCKETS)).filter(|b| b % i32::from(cluster.shards) == i32::from(shard.0)) {
            use bucket_fence::dsl;
            let row = (dsl::bucket.eq(bucket), dsl::epoch.eq(1_i64), dsl::state.eq(OWNED));
            on!(conn, c => diesel::insert_into(dsl::bucket_fence).values(row).execute(c).await)?;
        }
        Ok(())
    })
    .await
}

/// Marks the cluster as made.
pub(super) async fn set_ready(conn: &mut Conn<DatabaseName>) -> Result<(), StoreError> {
    use base::cluster::dsl;
    on!(conn, c => diesel::update(dsl::cluster).set(dsl::state.eq(READY)).execute(c).await)?;
    Ok(())
}

/// Writes the identity row as it is: shows a full disk or a read-only file at the start instead of at the first call.
pub(super) async fn probe_writing(conn: &mut Conn<DatabaseName>) -> Result<(), StoreError> {
    use base::identity_row::dsl;
    on!(conn, c => diesel::update(dsl::identity_row).set(dsl::only_row.eq(1)).execute(c).await)?;
    Ok(())
}

#[derive(QueryableByName)]
struct Language {
    #[diesel(sql_type = Text)]
    language: String,
}

/// Tells if the server answers in another language and this role may not choose. Then what is only known by its words,
/// as a lock that could not be had in time, is taken for a defect: its caller gets INTERNAL instead of UNAVAILABLE, and
/// is not told that a retry helps. What the SQLSTATE tells (a duplicate, a conflict, a read-only server) and why no
/// connection could be made are known in every language.
pub(super) async fn warn_of_language(conn: &mut Conn<DatabaseName>) -> Result<(), StoreError> {
    let found: Language = on!(conn,
        pg c => diesel::sql_query("SELECT current_setting('lc_messages') AS language").get_result(c).await,
        sqlite _c => Ok(Language { language: "C".to_owned() }))?;
    let english = ["C", "POSIX", "en"]
        .iter()
        .any(|start| found.language.starts_with(start));
    if !english {
        tracing::warn!(
            database = %conn.database(),
            lc_messages = found.language,
            "the server does not answer in English, so a lock or a statement that runs out of time is answered INTERNAL: \
             ALTER DATABASE .. SET lc_messages = 'C', or GRANT SET ON PARAMETER lc_messages to the role"
        );
    }
    Ok(())
}

async fn write_identity(conn: &mut Conn<DatabaseName>, cluster_id: &str, number: i32) -> Result<(), StoreError> {
    use base::identity_row::dsl;
    let row = (
        dsl::only_row.eq(1),
        dsl::cluster_id.eq(cluster_id),
        dsl::shard_number.eq(number),
    );
    on!(conn, c => diesel::insert_into(dsl::identity_row).values(row).execute(c).await)?;
    Ok(())
}
