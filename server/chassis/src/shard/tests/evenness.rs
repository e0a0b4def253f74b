//! Ids are spread evenly over any number of shards. An id scheme whose low bits start at zero would put every row on
//! one shard of 64.

use crate::clock::Clock;
use crate::id::Ids;
use crate::shard::open::SHARDS_MAX;
use crate::shard::{Bucket, UserId};

/// Ids drawn from a fixed seed: the test cannot fail by chance.
fn ids(clock: Clock) -> Ids {
    let state = std::sync::Mutex::new(0x6d69_6c6c_7261_6365_u64);
    Ids::new(
        clock,
        std::sync::Arc::new(move |buffer: &mut [u8]| {
            let mut state = state.lock().unwrap();
            for byte in buffer {
                // SplitMix64.
                *state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
                let z = (*state ^ (*state >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
                let z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
                *byte = (z ^ (z >> 31)) as u8;
            }
        }),
    )
}

/// How many standard deviations the chi-square of the counts lies above its mean.
fn z(counts: &[u32]) -> f64 {
    let total: u32 = counts.iter().sum();
    let expected = f64::from(total) / counts.len() as f64;
    let chi: f64 = counts
        .iter()
        .map(|n| (f64::from(*n) - expected).powi(2) / expected)
        .sum();
    let freedom = (counts.len() - 1) as f64;
    (chi - freedom) / (2.0 * freedom).sqrt()
}

#[test]
fn user_ids_are_even() {
    let ids = ids(Clock::manual(super::bench::NOW_US));
    let users: Vec<UserId> = (0..100_000).map(|_| ids.user_id()).collect();
    for shards in 2..=usize::from(SHARDS_MAX) {
        let mut counts = vec![0; shards];
        for user in &users {
            counts[(user.get() % shards as i64) as usize] += 1;
        }
        assert!(z(&counts) < 4.0, "{shards}: {counts:?}");
    }
    let mut quarter = [0; 4];
    for user in &users[..10_000] {
        quarter[usize::from(user.bucket().number() % 4)] += 1;
    }
    assert!(quarter.iter().all(|n| (2_300..=2_700).contains(n)), "{quarter:?}");
}

#[test]
fn row_ids_are_even() {
    let clock = Clock::manual(super::bench::NOW_US);
    let ids = ids(clock.clone());
    let rows: Vec<i64> = (0..100_000)
        .map(|_| {
            clock.advance_us(20_000);
            ids.row_id(ids.user_id().bucket())
        })
        .collect();
    for shards in 2..=usize::from(SHARDS_MAX) {
        let mut counts = vec![0; shards];
        for row in &rows {
            counts[(row % shards as i64) as usize] += 1;
        }
        assert!(z(&counts) < 4.0, "{shards}: {counts:?}");
    }
    // They rise with time and tell their bucket.
    assert!(rows.windows(2).all(|pair| pair[0] < pair[1]));
    let row = ids.row_id(Bucket::new(959).unwrap());
    assert_eq!((row >> 12) & 0x3FF, 959);
}

#[test]
fn the_measure_can_fail() {
    assert!(z(&[1_000, 0, 0, 0]) > 100.0);
    assert!(z(&[300, 200, 250, 250]) > 4.0);
    assert!(z(&[250, 251, 249, 250]) < 0.0);
}
