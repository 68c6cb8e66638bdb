//! The machines of the core in isolation, per byte that they move.

use std::hint::black_box;

use bowline_core::connection::Config;
use bowline_core::transfer::wire::{self, Data, Frame};
use bowline_core::transfer::{Digest, Hasher};
use bowline_core::{Connection, Instant, Message};
use bytes::Bytes;
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};

const SIZES: [usize; 4] = [125, 1024, 64 * 1024, 1024 * 1024];
const NOW: Instant = Instant::ZERO;

/// A message from a client to a server, through both connections: masked, framed, read, unmasked.
fn connections(c: &mut Criterion) {
    let mut group = c.benchmark_group("connection/client-to-server");
    for size in SIZES {
        group.throughput(Throughput::Bytes(size as u64));
        group.bench_function(BenchmarkId::from_parameter(size), |b| {
            let mut client = Connection::client(Config::default(), [1; 32], NOW);
            let mut server = Connection::server(Config::default(), [2; 32], NOW);
            let message = Message::Binary(Bytes::from(vec![7; size]));
            b.iter(|| {
                client.send(NOW, message.clone()).expect("room");
                while !client.output().is_empty() {
                    let n = client.output().len();
                    server.handle_input(NOW, client.output());
                    client.handle_written(NOW, n);
                }
                black_box(server.poll_event());
            });
        });
    }
    group.finish();
}

/// A chunk to a frame of the transfer protocol and back, checksum included.
fn chunks(c: &mut Criterion) {
    let mut group = c.benchmark_group("transfer/chunk");
    for size in SIZES {
        group.throughput(Throughput::Bytes(size as u64));
        let payload = Bytes::from(vec![7; size]);
        group.bench_function(BenchmarkId::new("encode", size), |b| {
            b.iter(|| Frame::Data(1, Data { offset: 5, seq: 6, payload: payload.clone() }).encode());
        });
        let frame =
            Frame::Data(1, Data { offset: 5, seq: 6, payload: payload.clone() }).encode().into_bytes();
        group.bench_function(BenchmarkId::new("decode", size), |b| b.iter(|| wire::decode(frame.clone())));
    }
    group.finish();
}

/// The digest that can stop and go on, beside the plain one.
fn digests(c: &mut Criterion) {
    let mut group = c.benchmark_group("digest/1MiB");
    let data = vec![7; 1024 * 1024];
    group.throughput(Throughput::Bytes(data.len() as u64));
    group.bench_function("plain", |b| b.iter(|| Digest::of(&data)));
    group.bench_function("resumable", |b| {
        b.iter(|| {
            let mut hasher = Hasher::new();
            hasher.update(&data);
            hasher.digest()
        });
    });
    group.finish();
}

criterion_group!(machines, connections, chunks, digests);
criterion_main!(machines);
