//! The map from buckets to shards, as this process knows it. It may be stale: the authority is the fence row in the
//! shard, so a wrong entry costs a retry and nothing else.

use std::sync::atomic::{AtomicU16, Ordering};

use crate::shard::{BUCKETS, Bucket, ShardId};

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

    /// Replaces one entry.
    pub(crate) fn set(&self, bucket: Bucket, shard: ShardId) {
        self.0[usize::from(bucket.number())].store(shard.0, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::shard::UserId;

    #[test]
    fn the_first_map_is_the_user_id_modulo_the_shards() {
        for shards in (1..=64).filter(|n| BUCKETS.is_multiple_of(*n)) {
            let map = BucketMap::first(shards);
            for bits in (0..10_000_u64).map(|i| i.wrapping_mul(0x9E37_79B9_7F4A_7C15)) {
                let user = UserId::from_bits(bits);
                assert_eq!(i64::from(map.shard(user.bucket()).0), user.get() % i64::from(shards));
            }
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
