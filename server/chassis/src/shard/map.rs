//! The map from buckets to shards, as this process knows it. It may be stale: the authority is the fence row in the
//! shard, so a wrong entry costs a retry and nothing else.

use std::sync::atomic::{AtomicU16, Ordering};

use crate::shard::{BUCKETS, Bucket, ShardId};

/// What is wrong with the rows of a map.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MapDamage {
    /// A row is of no bucket.
    #[error("there is no bucket {0}")]
    NoBucket(i32),
    /// A bucket is in no row.
    #[error("bucket {0} is missing")]
    Missing(u16),
    /// A bucket is in two rows.
    #[error("bucket {0} is there twice")]
    Twice(u16),
    /// A bucket is on a shard that the cluster does not have.
    #[error("bucket {bucket} is on shard {shard}, and there are {count} from 0")]
    NoShard {
        /// The bucket.
        bucket: u16,
        /// The shard, as stored.
        shard: i32,
        /// Number of shards.
        count: u16,
    },
}

/// One number per bucket. Entries are read and replaced one by one: a reader only ever wants one of them, so there is
/// nothing that a lock or a swapped pointer would keep together.
pub(crate) struct BucketMap(Box<[AtomicU16; BUCKETS as usize]>);

impl BucketMap {
    /// The first map of a new cluster: `bucket mod shards`, which is `user_id mod shards` for every number of shards
    /// up to 64 that divides 960.
    pub(crate) fn first(shards: u16) -> Self {
        Self(Box::new(std::array::from_fn(|bucket| {
            AtomicU16::new(bucket as u16 % shards.max(1))
        })))
    }

    /// Returns the shard of a bucket: one load.
    #[inline]
    pub(crate) fn shard(&self, bucket: Bucket) -> ShardId {
        ShardId(self.0[usize::from(bucket.number())].load(Ordering::Relaxed))
    }

    /// Replaces the entries by stored rows of (bucket, shard), as far as they make sense.
    ///
    /// # Errors
    /// The first thing that is wrong with the rows; every other row has been taken over.
    pub(crate) fn take_over(&self, rows: &[(i32, i32)], count: u16) -> Result<(), MapDamage> {
        let mut seen = [false; BUCKETS as usize];
        let mut damage = None;
        for &(number, shard) in rows {
            let Some(bucket) = u16::try_from(number).ok().and_then(Bucket::new) else {
                damage.get_or_insert(MapDamage::NoBucket(number));
                continue;
            };
            let bucket_number = bucket.number();
            if std::mem::replace(&mut seen[usize::from(bucket_number)], true) {
                damage.get_or_insert(MapDamage::Twice(bucket_number));
            }
            match u16::try_from(shard).ok().filter(|shard| *shard < count) {
                Some(shard) => self.set(bucket, ShardId(shard)),
                None => {
                    damage.get_or_insert(MapDamage::NoShard {
                        bucket: bucket_number,
                        shard,
                        count,
                    });
                }
            }
        }
        let missing = (0..BUCKETS).find(|bucket| !seen[usize::from(*bucket)]);
        damage.or(missing.map(MapDamage::Missing)).map_or(Ok(()), Err)
    }

    /// Replaces one entry.
    pub(crate) fn set(&self, bucket: Bucket, shard: ShardId) {
        self.0[usize::from(bucket.number())].store(shard.0, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::shard::UserId;
    use crate::shard::open::SHARDS_MAX;

    #[test]
    fn the_first_map_is_the_user_id_modulo_the_shards() {
        for shards in (1..=SHARDS_MAX).filter(|n| BUCKETS.is_multiple_of(*n)) {
            let map = BucketMap::first(shards);
            for bits in (0..10_000_u64).map(|i| i.wrapping_mul(0x9E37_79B9_7F4A_7C15)) {
                let user = UserId::from_bits(bits);
                assert_eq!(i64::from(map.shard(user.bucket()).0), user.get() % i64::from(shards));
            }
        }
    }

    #[test]
    fn damage_is_named() {
        let whole: Vec<(i32, i32)> = (0..i32::from(BUCKETS)).map(|bucket| (bucket, bucket % 4)).collect();
        let changed = |bucket: usize, row: (i32, i32)| {
            let mut rows = whole.clone();
            rows[bucket] = row;
            rows
        };
        let no_shard = |shard| MapDamage::NoShard {
            bucket: 17,
            shard,
            count: 4,
        };
        for (rows, expected) in [
            (whole.clone(), Ok(())),
            (changed(17, (17, 0)), Ok(())),
            (changed(17, (16, 0)), Err(MapDamage::Twice(16))),
            (changed(17, (960, 0)), Err(MapDamage::NoBucket(960))),
            (changed(17, (-1, 0)), Err(MapDamage::NoBucket(-1))),
            (changed(17, (17, 4)), Err(no_shard(4))),
            (changed(17, (17, -1)), Err(no_shard(-1))),
            (whole[..959].to_vec(), Err(MapDamage::Missing(959))),
            (Vec::new(), Err(MapDamage::Missing(0))),
        ] {
            let map = BucketMap::first(4);
            assert_eq!(map.take_over(&rows, 4), expected);
            // What makes sense was taken over, and nothing leads out of the shards.
            let shards = (0..BUCKETS).filter_map(Bucket::new).map(|bucket| map.shard(bucket).0);
            assert!(shards.max() < Some(4));
        }
    }

    #[test]
    fn one_entry_can_move() {
        let map = BucketMap::first(4);
        let bucket = Bucket::new(7).unwrap();
        map.set(bucket, ShardId(9));
        assert_eq!(map.shard(bucket), ShardId(9));
        assert_eq!(map.shard(Bucket::new(8).unwrap()), ShardId(0));
    }
}
