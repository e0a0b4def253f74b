//! What must not allocate, by a counting allocator (which is why this is a binary of its own).

use std::hint::black_box;

use millrace_benches::shards::{TestShards, USERS, users};

#[test]
fn routing_a_user_to_its_shard_allocates_nothing() {
    let users = users();
    for count in [1, 64] {
        let open = TestShards::open(count).unwrap();
        let mut load = vec![0; usize::from(count)];
        let allocations = allocation_counter::measure(|| {
            for user in &users {
                load[usize::from(open.shards.locate(black_box(*user)).0)] += 1;
            }
        });
        assert_eq!(allocations.count_total, 0, "{count} shards");
        // Every shard was routed to: nothing was optimised away.
        assert!(
            load.iter().all(|users| *users > 0) && load.iter().sum::<usize>() == USERS,
            "{load:?}"
        );
    }
}

#[test]
fn the_counter_counts() {
    let allocations = allocation_counter::measure(|| drop(black_box(vec![1_u8; 10])));
    assert_eq!(allocations.count_total, 1);
}
