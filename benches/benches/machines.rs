//! The core's machines in isolation, per byte that they move.

use std::hint::black_box;
use std::time::Duration;

use bowline_benches::paths;
use bowline_core::transfer::wire::{Data, Frame};
use bowline_core::transfer::{Answer, Config, Digest, Offer, SafeName, TransferId};
use bowline_core::{Connection, Instant, Message, Role, Transfers, connection};
use bytes::Bytes;
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};

const SIZES: [usize; 4] = [125, 1024, 64 * 1024, 1024 * 1024];
const NOW: Instant = Instant::ZERO;

/// Each hot path by itself.
fn hot(c: &mut Criterion) {
    for make in paths::all() {
        let mut path = make();
        let mut group = c.benchmark_group("hot");
        if path.bytes > 0 {
            group.throughput(Throughput::Bytes(path.bytes));
        }
        group.bench_function(path.name.clone(), |b| b.iter(|| path.step()));
        group.finish();
    }
}

/// A message from a client to a server, through both connections: masked, framed, read, unmasked.
fn connections(c: &mut Criterion) {
    let mut group = c.benchmark_group("connection/client-to-server");
    for size in SIZES {
        group.throughput(Throughput::Bytes(size as u64));
        group.bench_function(BenchmarkId::from_parameter(size), |b| {
            let mut client = Connection::client(connection::Config::default(), [1; 32], NOW);
            let mut server = Connection::server(connection::Config::default(), [2; 32], NOW);
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

/// A small chunk for a receiver with this many open transfers, and what an adapter does after it: none of it should
/// depend on their number.
fn open_transfers(c: &mut Criterion) {
    let mut group = c.benchmark_group("transfer/open");
    for open in [100, 10_000] {
        group.bench_function(BenchmarkId::from_parameter(open), |b| {
            let mut receiver = receiver(open);
            let mut n = 0;
            b.iter(|| {
                let (which, offset) = (n % open, 512 * u64::from(n / open));
                n += 1;
                let payload = Bytes::from_static(&[7; 512]);
                hear(&mut receiver, Frame::Data(2 * which + 1, Data { offset, seq: 0, payload }));
                receiver.written(NOW, id(which), offset + 512);
                settle(&mut receiver);
            });
        });
    }
    group.finish();
}

/// A server that has accepted this many files of a terabyte.
fn receiver(open: u32) -> Transfers {
    let mut config = Config::default();
    (config.max_transfers, config.max_offers_per_second) = (open, u32::MAX);
    let mut sender = Transfers::new(Role::Client, config.clone(), NOW);
    let mut receiver = Transfers::new(Role::Server, config, NOW);
    for n in 0..open {
        let name = SafeName::parse("file").expect("a safe name");
        sender.offer(NOW, Offer::new(id(n), name, 1 << 40)).expect("new");
    }
    sender.handle_link_up(NOW, None);
    receiver.handle_link_up(NOW, None);
    while receiver.len() < open as usize {
        let later = NOW + Duration::from_secs(1);
        while let Some(message) = receiver.poll_message(later, 1) {
            sender.handle_message(later, message.into_bytes());
        }
        while let Some(message) = sender.poll_message(later, 1) {
            receiver.handle_message(later, message.into_bytes());
        }
    }
    for n in 0..open {
        let answer = Answer::Take { from: 0, prefix: Digest::of(b""), epoch: 1, expires: None };
        receiver.answer(NOW, id(n), answer);
    }
    settle(&mut receiver);
    receiver
}

fn id(n: u32) -> TransferId {
    let mut bytes = [7; 16];
    bytes[..4].copy_from_slice(&n.to_be_bytes());
    TransferId::from_bytes(bytes)
}

fn hear(transfers: &mut Transfers, frame: Frame) {
    transfers.handle_message(NOW, frame.encode().into_bytes());
    settle(transfers);
}

/// What an adapter does after each message.
fn settle(transfers: &mut Transfers) {
    while transfers.poll_event().is_some() {}
    while transfers.poll_message(NOW, 1).is_some() {}
    black_box(transfers.poll_timeout());
    transfers.handle_timeout(NOW);
}

criterion_group!(machines, hot, connections, open_transfers);
criterion_main!(machines);
