//! The fence: a row per bucket in every shard, which says whether this shard owns the bucket, and since which epoch.
//!
//! It is the authority; the map of a process may be stale. The first statement of every single-user read and write
//! carries the predicate [`owned!`](crate::owned), in the same snapshot as the rows. It takes no lock (2 % of a
//! write's throughput, where `FOR SHARE` costs 31 %); whoever moves a bucket waits for the transactions that began
//! before the flip. Reads over all shards carry [`readable!`](crate::readable) instead.

use diesel::backend::Backend;
use diesel::expression::{AppearsOnTable, Expression, SelectableExpression, ValidGrouping, is_aggregate};
use diesel::query_builder::{AstPass, QueryFragment, QueryId};
use diesel::serialize::ToSql;
use diesel::sql_types::{Bool, HasSqlType, Integer};
use diesel::{ExpressionMethods, OptionalExtension, QueryDsl};
use diesel_async::RunQueryDsl;

use crate::shard::{Bucket, Conn, StoreError, UserScope};

diesel::table! {
    /// One row per bucket that this shard owns, gives away or takes over.
    bucket_fence (bucket) {
        /// Bucket number, 0 to 959.
        bucket -> Integer,
        /// Rises with every change of owner.
        epoch -> BigInt,
        /// 1 owned, 2 fenced, 3 incoming.
        state -> Integer,
    }
}

/// State of a bucket that this shard owns.
pub const OWNED: i32 = 1;
/// State of a bucket that this shard gives away: no single-user call, but reads over all shards still find it here.
pub const FENCED: i32 = 2;
/// State of a bucket that this shard takes over; its rows are not all there.
pub const INCOMING: i32 = 3;

/// The predicate "this shard owns the bucket". It stands in a filter of any table; see [`owned!`](crate::owned).
#[derive(Debug, Clone, Copy)]
pub struct Owned {
    bucket: i32,
}

/// Makes the predicate of [`owned!`](crate::owned).
pub fn owned(bucket: Bucket) -> Owned {
    Owned {
        bucket: i32::from(bucket.number()),
    }
}

impl Expression for Owned {
    type SqlType = Bool;
}

impl<From> AppearsOnTable<From> for Owned {}

impl<From> SelectableExpression<From> for Owned {}

impl<Grouping> ValidGrouping<Grouping> for Owned {
    type IsAggregate = is_aggregate::Never;
}

impl QueryId for Owned {
    type QueryId = Self;
}

impl<DB> QueryFragment<DB> for Owned
where
    DB: Backend + HasSqlType<Integer>,
    i32: ToSql<Integer, DB>,
{
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, DB>) -> diesel::QueryResult<()> {
        out.push_sql("EXISTS (SELECT 1 FROM bucket_fence WHERE bucket_fence.bucket = ");
        out.push_bind_param::<Integer, _>(&self.bucket)?;
        out.push_sql(" AND bucket_fence.state = 1)");
        Ok(())
    }
}

/// The predicate "the column's bucket may be read here". See [`readable!`](crate::readable).
#[derive(Debug, Clone, Copy)]
pub struct Readable<Column> {
    column: Column,
}

/// Makes the predicate of [`readable!`](crate::readable).
pub fn readable<Column>(column: Column) -> Readable<Column>
where
    Column: Expression<SqlType = Integer>,
{
    Readable { column }
}

impl<Column> Expression for Readable<Column> {
    type SqlType = Bool;
}

impl<Column, From> AppearsOnTable<From> for Readable<Column> where Column: AppearsOnTable<From> {}

impl<Column, From> SelectableExpression<From> for Readable<Column> where Column: SelectableExpression<From> {}

impl<Column, Grouping> ValidGrouping<Grouping> for Readable<Column>
where
    Column: ValidGrouping<Grouping>,
{
    type IsAggregate = Column::IsAggregate;
}

impl<Column: QueryId> QueryId for Readable<Column> {
    type QueryId = Readable<Column::QueryId>;
    const HAS_STATIC_QUERY_ID: bool = Column::HAS_STATIC_QUERY_ID;
}

impl<Column, DB> QueryFragment<DB> for Readable<Column>
where
    DB: Backend,
    Column: QueryFragment<DB>,
{
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, DB>) -> diesel::QueryResult<()> {
        self.column.walk_ast(out.reborrow())?;
        out.push_sql(" IN (SELECT bucket_fence.bucket FROM bucket_fence WHERE bucket_fence.state IN (1, 2))");
        Ok(())
    }
}

/// The one fence row of a bucket if this shard owns it, else no row: the source of an `INSERT .. SELECT` under the
/// fence.
pub type OwnedRow = diesel::dsl::Filter<
    diesel::dsl::Filter<bucket_fence::table, diesel::dsl::Eq<bucket_fence::bucket, i32>>,
    diesel::dsl::Eq<bucket_fence::state, i32>,
>;

/// Returns the query for the fence row of an owned bucket.
///
/// ```text
/// on!(conn, c => owned_row(bucket).select((user.into_sql::<BigInt>(), name.into_sql::<Text>()))
///     .insert_into(users::table).into_columns((users::user_id, users::name)).execute(c).await)
/// ```
pub fn owned_row(bucket: Bucket) -> OwnedRow {
    bucket_fence::table
        .filter(bucket_fence::bucket.eq(i32::from(bucket.number())))
        .filter(bucket_fence::state.eq(OWNED))
}

/// Tells the two meanings of "no row" apart, after a fenced statement found none: the shard owns the bucket and there
/// is no such row (`Ok`), or it does not own it.
///
/// # Errors
/// [`StoreError::WrongEpoch`] if this shard does not own the bucket, or the store failed.
pub async fn check(conn: &mut Conn<UserScope>) -> Result<(), StoreError> {
    let bucket = conn.scope().bucket();
    let found = crate::on!(conn, c => owned_row(bucket)
        .select(bucket_fence::epoch)
        .first::<i64>(c)
        .await
        .optional())?;
    match (found, conn.database()) {
        (None, crate::shard::DatabaseName::Shard(shard)) => Err(StoreError::WrongEpoch(shard)),
        _ => Ok(()),
    }
}

/// The predicate "this shard owns the bucket", for the first statement of every single-user read and write:
/// `.filter(owned!(bucket))`.
#[macro_export]
macro_rules! owned {
    ($bucket:expr) => {
        $crate::shard::fence::owned($bucket)
    };
}

/// The predicate "this row's bucket may be read here", for reads over all shards: `.filter(readable!(orders::bucket))`.
/// Without it a read finds the leftovers of a bucket that has moved away.
#[macro_export]
macro_rules! readable {
    ($column:expr) => {
        $crate::shard::fence::readable($column)
    };
}
