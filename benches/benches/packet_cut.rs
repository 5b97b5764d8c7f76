//! Cutting packets out of a byte stream: how fast, by packet size.

#![allow(
    clippy::unwrap_used,
    missing_docs,
    reason = "a bench stops at the first surprise, and criterion writes `main`"
)]

use bytes::BytesMut;
use criterion::{BatchSize, BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use std::hint::black_box;
use tds::packet::{self, Framing, PacketKind};

/// Bytes of the message that is cut.
const BODY_BYTES: usize = 1 << 20;

fn cut(c: &mut Criterion) {
    let mut group = c.benchmark_group("packet_cut");
    for packet_bytes in [512, 4096, 8000, 16_383] {
        let mut stream = BytesMut::new();
        packet::put_message(&mut stream, Framing::new(PacketKind::TabularResult, packet_bytes), &vec![7; BODY_BYTES]);
        // Packets, not bytes: cutting copies none.
        group.throughput(Throughput::Elements(BODY_BYTES.div_ceil(packet_bytes - packet::HEADER_BYTES) as u64));
        group.bench_function(BenchmarkId::from_parameter(packet_bytes), |b| {
            let drain = |mut stream: BytesMut| {
                while let Some(packet) = packet::take(&mut stream, packet_bytes).unwrap() {
                    black_box(packet);
                }
                // Given back so that freeing the megabyte is not measured.
                stream
            };
            b.iter_batched(|| stream.clone(), drain, BatchSize::SmallInput);
        });
    }
    group.finish();
}

criterion_group!(benches, cut);
criterion_main!(benches);
