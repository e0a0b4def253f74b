//! JSON against protobuf: the time to write and to read one order of 1, 10 and 100 lines, typed on both sides.
//!
//! Question: what does a service save by protobuf, before any network? Expected, from the public
//! `rust_serialization_benchmark` (log data: 3.7 to 1.0 ms written, 6.2 to 3.4 ms read): about 3 to 4 times less to
//! write, and 1.5 to 2 times less to read, where both sides pay for the same strings.
//!
//! JSON is serde_json over plain structs: the fastest JSON that a service can have, without the checks of ProtoJSON.
//! `cargo bench -p millrace-benches --bench payload`; the sizes are printed by the example `payload_sizes`.

use std::hint::black_box;

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use millrace_benches::corpus::{SAMPLES, Sample};
use millrace_benches::json;
use millrace_proto::ordering::v1 as proto;
use prost::Message;

/// One order in all the forms that the benches need.
struct Forms {
    lines: usize,
    json: json::Order,
    json_bytes: Vec<u8>,
    protobuf: proto::Order,
    protobuf_bytes: Vec<u8>,
}

impl Forms {
    fn of(sample: &Sample) -> Self {
        let json = sample.order().expect("the corpus is tested");
        let protobuf = proto::Order::try_from(&json).expect("the corpus is tested");
        Self {
            lines: sample.lines,
            json_bytes: serde_json::to_vec(&json).expect("an order is JSON"),
            protobuf_bytes: protobuf.encode_to_vec(),
            json,
            protobuf,
        }
    }
}

fn write(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("payload/encode");
    for forms in SAMPLES.iter().map(Forms::of) {
        group.bench_with_input(BenchmarkId::new("json", forms.lines), &forms.json, |bencher, order| {
            bencher.iter(|| serde_json::to_vec(black_box(order)));
        });
        group.bench_with_input(
            BenchmarkId::new("protobuf", forms.lines),
            &forms.protobuf,
            |bencher, order| {
                bencher.iter(|| black_box(order).encode_to_vec());
            },
        );
    }
    group.finish();
}

fn read(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("payload/decode");
    for forms in SAMPLES.iter().map(Forms::of) {
        group.bench_with_input(
            BenchmarkId::new("json", forms.lines),
            &forms.json_bytes,
            |bencher, bytes| {
                bencher.iter(|| serde_json::from_slice::<json::Order>(black_box(bytes)));
            },
        );
        group.bench_with_input(
            BenchmarkId::new("protobuf", forms.lines),
            &forms.protobuf_bytes,
            |bencher, bytes| {
                bencher.iter(|| proto::Order::decode(black_box(bytes.as_slice())));
            },
        );
    }
    group.finish();
}

criterion_group!(benches, write, read);
criterion_main!(benches);
