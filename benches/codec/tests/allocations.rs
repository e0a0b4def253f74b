//! The codec allocates its output and nothing else, a look-up of a route the values that it captures, by a counting
//! allocator (which is why this is a binary of its own).

use std::hint::black_box;

use millrace_bench_codec::routes::{self, Requests};
use millrace_bench_codec::{CORPUS, DESCRIPTORS, ORDER};
use millrace_transcode::Schema;
use millrace_transcode::codec::Target;

/// The buffer, and the count that lets bytes be shared.
const READ_MAX: u64 = 2;

#[test]
fn a_message_costs_its_output() {
    let schema = Schema::builder().descriptors(DESCRIPTORS).build().unwrap();
    let message = schema.pool().get_message_by_name(ORDER).unwrap();
    for (lines, text) in CORPUS {
        let target = Target::message(&message);
        let mut wire = None;
        let read = allocation_counter::measure(|| {
            wire = schema.codec().json_to_wire(&target, black_box(text.as_bytes())).ok();
        });
        assert!(
            read.count_total <= READ_MAX,
            "{lines} lines: {} to read",
            read.count_total
        );

        let wire = wire.unwrap();
        let mut json = Vec::with_capacity(2 * text.len());
        let written = allocation_counter::measure(|| {
            schema
                .codec()
                .wire_to_json(&message, None, black_box(&wire), &mut json)
                .unwrap();
        });
        assert_eq!(written.count_total, 0, "{lines} lines: to write where there is room");
        assert!(json.len() > text.len() / 2);
    }
}

/// However many routes there are, and however many variables the path has: their values are parts of it.
#[test]
fn a_look_up_allocates_nothing() {
    for routes in [10, 1_000] {
        let schema = routes::schema(routes);
        let requests = Requests::of(routes);
        for (method, path) in requests.hit.iter().chain(&requests.backtrack) {
            let mut matched = None;
            let found = allocation_counter::measure(|| {
                matched = schema.find(black_box(method), black_box(path)).ok();
            });
            assert!(matched.is_some());
            assert_eq!(found.count_total, 0, "{method} {path} of {routes}");
        }
    }
}
