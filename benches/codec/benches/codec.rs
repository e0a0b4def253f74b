//! The codec against what else there is: pbjson, which knows the types at compile time, and prost-reflect, which is
//! told them at run time as the codec is.
//!
//! Question: is one pass over bytes by a plan faster than code that was generated for the type? Expected, from a
//! prototype for one schema: 0.2 of pbjson's time to read and 0.3 to write, 0.06 and 0.09 of prost-reflect's; all rules
//! of ProtoJSON cost some of that. The bounds are 0.45 and 0.18.
//!
//! Each side goes all the way, from JSON to bytes on the wire and back; before it is measured, each is shown to say the
//! same. `cargo bench -p millrace-bench-codec`

use std::hint::black_box;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use millrace_bench_codec::millrace::ordering::v1::Order;
use millrace_bench_codec::{CORPUS, DESCRIPTORS, ORDER, ORDERS};
use millrace_transcode::Schema;
use millrace_transcode::codec::Target;
use prost::Message;
use prost_reflect::{DynamicMessage, MessageDescriptor};

fn through_pbjson(json: &[u8]) -> Vec<u8> {
    let order: Order = serde_json::from_slice(json).expect("the corpus is an order");
    order.encode_to_vec()
}

fn through_reflection(message: &MessageDescriptor, json: &[u8]) -> Vec<u8> {
    let mut json = serde_json::Deserializer::from_slice(json);
    let order = DynamicMessage::deserialize(message.clone(), &mut json).expect("the corpus is an order");
    order.encode_to_vec()
}

fn codec(criterion: &mut Criterion) {
    let schema = Schema::builder()
        .descriptors(DESCRIPTORS)
        .build()
        .expect("the contract loads");
    let message = schema
        .pool()
        .get_message_by_name(ORDER)
        .expect("the contract has orders");
    let target = Target::message(&message);
    for (lines, text) in CORPUS {
        let value: serde_json::Value = serde_json::from_str(text).expect("the corpus is JSON");
        let json = value.to_string().into_bytes();
        let wire = through_pbjson(&json);
        let order = Order::decode(wire.as_slice()).expect("written above");
        let read = schema.codec().json_to_wire(&target, &json).expect("the corpus binds");
        assert_eq!(Order::decode(read).ok().as_ref(), Some(&order));
        assert_eq!(
            Order::decode(through_reflection(&message, &json).as_slice()).ok(),
            Some(order)
        );

        let mut group = criterion.benchmark_group("codec/json_to_wire");
        group.throughput(Throughput::Bytes(json.len() as u64));
        group.bench_function(BenchmarkId::new("plan", lines), |bencher| {
            bencher.iter(|| schema.codec().json_to_wire(&target, black_box(&json)).map_err(drop));
        });
        group.bench_function(BenchmarkId::new("pbjson", lines), |bencher| {
            bencher.iter(|| through_pbjson(black_box(&json)));
        });
        group.bench_function(BenchmarkId::new("prost_reflect", lines), |bencher| {
            bencher.iter(|| through_reflection(&message, black_box(&json)));
        });
        group.finish();

        let mut group = criterion.benchmark_group("codec/wire_to_json");
        group.throughput(Throughput::Bytes(json.len() as u64));
        group.bench_function(BenchmarkId::new("plan", lines), |bencher| {
            bencher.iter(|| {
                let mut out = Vec::new();
                let written = schema.codec().wire_to_json(&message, None, black_box(&wire), &mut out);
                written.map(|()| out).map_err(drop)
            });
        });
        group.bench_function(BenchmarkId::new("pbjson", lines), |bencher| {
            bencher.iter(|| serde_json::to_vec(&Order::decode(black_box(wire.as_slice())).ok()));
        });
        group.bench_function(BenchmarkId::new("prost_reflect", lines), |bencher| {
            bencher
                .iter(|| serde_json::to_vec(&DynamicMessage::decode(message.clone(), black_box(wire.as_slice())).ok()));
        });
        group.finish();
    }
}

/// An answer of 4 MiB against one of 16 kB: the time for a byte may rise by the caches that it leaves, not by more.
fn size(criterion: &mut Criterion) {
    let schema = Schema::builder()
        .descriptors(DESCRIPTORS)
        .build()
        .expect("the contract loads");
    let message = schema
        .pool()
        .get_message_by_name(ORDERS)
        .expect("the contract has pages of orders");
    let order = schema
        .pool()
        .get_message_by_name(ORDER)
        .expect("the contract has orders");
    let (_, text) = CORPUS[1];
    let order = schema.codec().json_to_wire(&Target::message(&order), text.as_bytes());
    let order = order.expect("the corpus binds");
    let mut group = criterion.benchmark_group("codec/size/wire_to_json");
    for bytes in [16 << 10, 4 << 20] {
        // Field 1, as often as fits.
        let mut wire = Vec::new();
        while wire.len() < bytes / 2 {
            wire.push(1 << 3 | 2);
            prost::encode_length_delimiter(order.len(), &mut wire).expect("a vector grows");
            wire.extend_from_slice(&order);
        }
        let json = |wire: &[u8]| {
            let mut out = Vec::new();
            let written = schema.codec().wire_to_json(&message, None, wire, &mut out);
            written.map(|()| out).expect("the corpus has a JSON form")
        };
        group.throughput(Throughput::Bytes(json(&wire).len() as u64));
        group.bench_function(BenchmarkId::from_parameter(bytes), |bencher| {
            bencher.iter(|| json(black_box(&wire)));
        });
    }
    group.finish();
}

criterion_group!(benches, codec, size);
criterion_main!(benches);
