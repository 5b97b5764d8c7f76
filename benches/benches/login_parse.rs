//! Reading and writing LOGIN7 as a driver sends it.

#![allow(
    clippy::unwrap_used,
    missing_docs,
    reason = "a bench stops at the first surprise, and criterion writes `main`"
)]

use criterion::{Criterion, criterion_group, criterion_main};
use std::hint::black_box;
use tds::login7::{Feature, FeatureId, Login7, Password};

fn login() -> Login7 {
    let text = str::to_owned;
    Login7 {
        host_name: text("workstation-17"),
        application_name: text("Core Microsoft SqlClient Data Provider"),
        server_name: text("sql.example.com,11433"),
        library_name: text("Core Microsoft SqlClient Data Provider"),
        database: text("SalesDB"),
        features: Some(vec![Feature { id: FeatureId::Utf8Support, data: bytes::Bytes::new() }]),
        ..Login7::new("app", Password::from("correct horse battery staple".to_owned()))
    }
}

fn parse(c: &mut Criterion) {
    let message = login().encode().unwrap();
    let mut group = c.benchmark_group("login");
    group.bench_function("decode", |b| b.iter(|| Login7::decode(black_box(&message)).unwrap()));
    let login = login();
    group.bench_function("encode", |b| b.iter(|| black_box(&login).encode().unwrap()));
    group.finish();
}

criterion_group!(benches, parse);
criterion_main!(benches);
