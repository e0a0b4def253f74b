//! Sample data, so that there is something to look at: products, users and orders, the same for one seed.
//!
//! A row in the global database says that seeding began and with which seed. Every step may be repeated, so a start
//! after a kill goes on where the last one stopped, and ends with the same rows.

mod content;
mod entropy;
mod schema;

use diesel::prelude::*;
use diesel_async::RunQueryDsl;
use millrace_chassis::clock::Clock;
use millrace_chassis::id::Ids;
use millrace_chassis::shard::{Conn, Global, StoreError};
use millrace_chassis::{Module, Platform, on};

use crate::{catalog, identity, ordering};
use content::Content;
use entropy::Seeded;
use schema::sample_data;

/// E-mail of the sample user whose key `dev` hands out.
pub const SHOPPER_EMAIL: &str = "shopper@example.com";

/// Why sample data cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum SampleError {
    /// A product was refused.
    #[error("sample products")]
    Catalog(#[from] catalog::Error),
    /// A user was refused.
    #[error("sample users")]
    Identity(#[from] identity::Error),
    /// An order was refused.
    #[error("sample orders")]
    Ordering(#[from] ordering::Error),
    /// The store failed.
    #[error("sample data")]
    Store(#[from] StoreError),
}

/// What sample data there is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Seeding {
    /// The seed; the one of the first start, whatever later ones say.
    pub seed: u64,
    /// Products.
    pub products: usize,
    /// Users.
    pub users: usize,
    /// Orders.
    pub orders: usize,
    /// Whether this call made them.
    pub new: bool,
}

/// Returns the module that owns the mark of seeding; it has no service.
pub fn module() -> Module {
    Module::new("sample", millrace_proto::FILE_DESCRIPTOR_SET).global_schema(schema::GLOBAL)
}

/// Makes the sample data of a seed, or what a killed call left to make; does nothing where it is all there.
///
/// # Errors
/// The store failed.
pub async fn seed(platform: &Platform, seed: u64) -> Result<Seeding, SampleError> {
    let mut conn = platform.shards.global().write().await?;
    let (seed, finished) = begin(&mut conn, seed).await?;
    drop(conn);

    let clock = Clock::manual(content::BEGIN_US);
    let ids = Ids::new(clock.clone(), Seeded::new(seed).entropy());
    let content = Content::draw(&mut Seeded::new(seed), &ids, &clock);
    let seeding = Seeding {
        seed,
        products: content.products.len(),
        users: content.users.len(),
        orders: content.users.iter().map(|user| user.orders.len()).sum(),
        new: !finished,
    };
    if !finished {
        catalog::import(platform, &content.products, content::BEGIN_US).await?;
        let accounts: Vec<_> = content.users.iter().map(|user| user.account.clone()).collect();
        identity::import(platform, &accounts, content::BEGIN_US).await?;
        for user in &content.users {
            ordering::import(platform, user.account.user, &user.orders).await?;
        }
        let mut conn = platform.shards.global().write().await?;
        finish(&mut conn).await?;
    }
    Ok(seeding)
}

/// Notes that seeding began; returns the seed that counts, and whether it is finished.
async fn begin(conn: &mut Conn<Global>, seed: u64) -> Result<(u64, bool), StoreError> {
    on!(conn, c => diesel::insert_into(sample_data::table)
        .values((
            sample_data::id.eq(1),
            sample_data::seed.eq(seed.cast_signed()),
            sample_data::finished.eq(0),
        ))
        .on_conflict_do_nothing()
        .execute(c)
        .await)?;
    let (seed, finished) = on!(conn, c => sample_data::table
        .select((sample_data::seed, sample_data::finished))
        .first::<(i64, i32)>(c)
        .await)?;
    Ok((seed.cast_unsigned(), finished == 1))
}

async fn finish(conn: &mut Conn<Global>) -> Result<(), StoreError> {
    on!(conn, c => diesel::update(sample_data::table.find(1)).set(sample_data::finished.eq(1)).execute(c).await)?;
    Ok(())
}
