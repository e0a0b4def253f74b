//! Finding the route of a request among 10, 100, 1,000 and 10,000.
//!
//! Question: does a look-up know how many routes there are? Expected: a segment of the path with a thousand literals to
//! choose from costs ten comparisons instead of none, some hundred instructions of a look-up's thousand, and a miss of
//! the cache for some of them; the rest is the same. The bounds, from 10 to 10,000: 1.5 times the instructions
//! (asserted, in `instructions`), 3 times the time, no allocation (asserted, in `tests/allocations.rs`).
//!
//! `hit` is a spread over all bindings; `miss` and `other_method` are refused, with what their 404 and 405 say;
//! `backtrack` is found by the last template after another was tried to its last segment.
//! `cargo bench -p millrace-bench-codec --bench router`

use std::hint::black_box;

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use millrace_bench_codec::routes::{self, COUNTS, Requests};

fn router(criterion: &mut Criterion) {
    for count in COUNTS {
        let schema = routes::schema(count);
        let mut group = criterion.benchmark_group("router");
        for (kind, requests) in Requests::of(count).kinds() {
            // The order of a shuffled pack, so that a look-up finds little of the one before in the caches.
            let mut at = 0;
            group.bench_function(BenchmarkId::new(kind, count), |bencher| {
                bencher.iter(|| {
                    at = (at + routes::STRIDE) % requests.len();
                    let (method, path) = &requests[at];
                    schema.find(black_box(method), black_box(path)).is_ok()
                });
            });
        }
        group.finish();
    }
}

criterion_group!(benches, router);
criterion_main!(benches);
