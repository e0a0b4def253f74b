//! The codec against what else there is: pbjson, which knows the types at compile time, and prost-reflect, which is
//! told them at run time as the codec is; and against JSON without any protobuf.
//!
//! Question: is one pass over bytes by a plan faster than code that was generated for the type? Expected, from a
//! prototype for one schema: 0.2 of pbjson's time to read and 0.3 to write, 0.06 and 0.09 of prost-reflect's; all rules
//! of ProtoJSON cost some of that. The bounds are 0.45 and 0.18; they are asserted on instructions, in `instructions`.
//!
//! And is the cost of a byte the same in a large message? Expected: yes, but for caches, which 4 MiB do not fit into.
//!
//! Before anything is measured, each side is shown to say the same. `cargo bench -p millrace-bench-codec --bench codec`

use std::hint::black_box;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use millrace_bench_codec::CORPUS;
use millrace_bench_codec::order::{Contract, Sample, pbjson_read, pbjson_write, serde_both_ways, tokenize};

/// Lines of an order of about 16 kB, and of about 4 MiB.
const SIZES: [usize; 2] = [125, 32_000];

fn against_others(criterion: &mut Criterion) {
    let contract = Contract::load();
    for (lines, text) in CORPUS {
        let sample = contract.sample(text);
        let (json, wire) = (sample.json.as_slice(), sample.wire.as_slice());

        let mut group = criterion.benchmark_group("codec/json_to_wire");
        group.throughput(Throughput::Bytes(json.len() as u64));
        group.bench_function(BenchmarkId::new("plan", lines), |bencher| {
            bencher.iter(|| contract.codec_read(black_box(json)));
        });
        group.bench_function(BenchmarkId::new("pbjson", lines), |bencher| {
            bencher.iter(|| pbjson_read(black_box(json)));
        });
        group.bench_function(BenchmarkId::new("prost_reflect", lines), |bencher| {
            bencher.iter(|| contract.reflect_read(black_box(json)));
        });
        group.bench_function(BenchmarkId::new("ignored_any", lines), |bencher| {
            bencher.iter(|| tokenize(black_box(json)));
        });
        group.finish();

        let mut group = criterion.benchmark_group("codec/wire_to_json");
        group.throughput(Throughput::Bytes(json.len() as u64));
        group.bench_function(BenchmarkId::new("plan", lines), |bencher| {
            bencher.iter(|| contract.codec_write(black_box(wire)));
        });
        group.bench_function(BenchmarkId::new("pbjson", lines), |bencher| {
            bencher.iter(|| pbjson_write(black_box(wire)));
        });
        group.bench_function(BenchmarkId::new("prost_reflect", lines), |bencher| {
            bencher.iter(|| contract.reflect_write(black_box(wire)));
        });
        group.finish();

        let mut group = criterion.benchmark_group("codec/both_ways");
        group.throughput(Throughput::Bytes(json.len() as u64));
        group.bench_function(BenchmarkId::new("plan", lines), |bencher| {
            bencher.iter(|| contract.codec_write(&contract.codec_read(black_box(json))));
        });
        group.bench_function(BenchmarkId::new("serde", lines), |bencher| {
            bencher.iter(|| serde_both_ways(black_box(json)));
        });
        group.finish();
    }
}

fn size(criterion: &mut Criterion) {
    let contract = Contract::load();
    let mut group = criterion.benchmark_group("codec/size");
    for lines in SIZES {
        let sample = Sample::repeated(CORPUS[2].1, lines);
        group.throughput(Throughput::Bytes(sample.json.len() as u64));
        group.bench_function(BenchmarkId::new("json_to_wire", sample.json.len()), |bencher| {
            bencher.iter(|| contract.codec_read(black_box(&sample.json)));
        });
        group.bench_function(BenchmarkId::new("wire_to_json", sample.json.len()), |bencher| {
            bencher.iter(|| contract.codec_write(black_box(&sample.wire)));
        });
    }
    group.finish();
}

criterion_group!(benches, against_others, size);
criterion_main!(benches);
