//! What the REST door adds to a call: an order's JSON to a request message, and a message to the answer's JSON, by the
//! descriptors alone.
//!
//! Question: how dear is it to know no type at compile time? To be read beside `payload`: what a service with serde
//! types *and* prost types pays for the same is `decode/json + encode/protobuf` and `decode/protobuf + encode/json`.
//! Expected: over prost-reflect's message tree, as it is today, 5 to 8 times that; the field plan that replaces the
//! tree is to be faster than it.
//!
//! `cargo bench -p millrace-benches --bench transcode`

use std::hint::black_box;

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use millrace_benches::corpus::SAMPLES;
use millrace_proto::ordering::v1 as proto;
use millrace_transcode::{HeaderFields, Schema};
use prost::Message;

const CREATE: (&str, &str) = ("POST", "/v1/users/2612804094800205616/orders");
const GET: (&str, &str) = ("GET", "/v1/users/2612804094800205616/orders/859827825691651782");

fn schema() -> Schema {
    let builder = Schema::builder().descriptors(millrace_proto::FILE_DESCRIPTOR_SET);
    builder.build().expect("the contract loads: the server's tests show it")
}

fn find(criterion: &mut Criterion) {
    let schema = schema();
    criterion.bench_function("transcode/find", |bencher| {
        bencher.iter(|| {
            schema
                .find(black_box(GET.0), black_box(GET.1))
                .map(|matched| matched.method().grpc_path())
        });
    });
}

fn bind(criterion: &mut Criterion) {
    let schema = schema();
    let create = schema.find(CREATE.0, CREATE.1).expect("the contract binds it");
    let mut group = criterion.benchmark_group("transcode/bind");
    for sample in SAMPLES {
        let order = sample.order().expect("the corpus is tested");
        let body = serde_json::to_vec(&order).expect("an order is JSON");
        let headers = HeaderFields::default();
        let bound = create.bind(None, &body, &headers).expect("the corpus binds");
        let request = proto::CreateOrderRequest::decode(bound).expect("what is bound is a request");
        assert_eq!(request.order, proto::Order::try_from(&order).ok());
        group.bench_function(BenchmarkId::from_parameter(sample.lines), |bencher| {
            bencher.iter(|| create.bind(None, black_box(&body), &headers).map_err(drop));
        });
    }
    group.finish();
}

fn render(criterion: &mut Criterion) {
    let schema = schema();
    let get = schema.find(GET.0, GET.1).expect("the contract binds it");
    let mut group = criterion.benchmark_group("transcode/render");
    for sample in SAMPLES {
        let order = sample.order().expect("the corpus is tested");
        let message = proto::Order::try_from(&order)
            .expect("the corpus is tested")
            .encode_to_vec();
        let mut json = Vec::new();
        get.render(&message, &mut json).expect("an order has a JSON form");
        assert_eq!(
            serde_json::from_slice::<millrace_benches::json::Order>(&json).ok(),
            Some(order)
        );
        group.bench_function(BenchmarkId::from_parameter(sample.lines), |bencher| {
            bencher.iter(|| {
                let mut json = Vec::new();
                get.render(black_box(&message), &mut json).map(|()| json)
            });
        });
    }
    group.finish();
}

criterion_group!(benches, find, bind, render);
criterion_main!(benches);
