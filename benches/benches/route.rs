//! From a user to its shard, for one shard and for 64.
//!
//! Question: what does sharding cost a call before the database? Expected: a 64-bit remainder by a constant (a multiply
//! and shifts, 2 ns) and one load from a table of 1,920 bytes (in the first cache, 1 ns), so 3 ns and the same for
//! every number of shards. The bound is 20 ns, without an allocation: that half is a test, `tests/allocations.rs`.
//!
//! `cargo bench -p millrace-benches --bench route`

use std::hint::black_box;

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use millrace_benches::shards::{TestShards, users};

fn route(criterion: &mut Criterion) {
    let users = users();
    let mut group = criterion.benchmark_group("shard/route");
    for count in [1, 4, 64] {
        let open = TestShards::open(count).expect("empty shards open in a temporary folder");
        let mut user = users.iter().cycle();
        group.bench_function(BenchmarkId::from_parameter(count), |bencher| {
            bencher.iter(|| user.next().map(|user| open.shards.locate(black_box(*user))));
        });
    }
    group.finish();
}

criterion_group!(benches, route);
criterion_main!(benches);
