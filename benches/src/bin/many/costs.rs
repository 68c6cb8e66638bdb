//! Cost against work, without system calls: the length of messages, the length of files, the number of transfers.

use std::collections::BTreeMap;
use std::time::{self, Duration};

use bowline_core::connection::{Config, Event};
use bowline_core::transfer::{self, Answer, Digest, Offer, SafeName, TransferId};
use bowline_core::{Connection, Instant, Message, Role, Transfers};
use bytes::Bytes;

use crate::machine::{self, Stopwatch};
use crate::table::{Table, bytes};

const READ: usize = 64 << 10;

pub(crate) fn messages(quick: bool) -> Table {
    let mut table = Table::new(
        "messages",
        "Cost against the length of a message",
        "From a client to a server, in memory, one at a time, read in pieces of 64 KiB; both ends together.",
        &["length", "ns per message", "GiB/s", "peak MiB"],
    );
    let total: usize = if quick { 64 << 20 } else { 512 << 20 };
    // Each looks at the clock when it wakes up, like a host.
    let start = time::Instant::now();
    let clock = || Instant::from(start.elapsed());
    let (mut client, mut server) = pair(clock());
    for len in [16, 128, 1 << 10, 16 << 10, 128 << 10, 1 << 20, 8 << 20, 64 << 20] {
        let count = (total / len).clamp(1, 200_000);
        let message = Message::Binary(Bytes::from(vec![7; len]));
        machine::reset_peak();
        let before = machine::memory();
        let watch = Stopwatch::of_thread();
        for _ in 0..count {
            pass(&clock, &mut client, &mut server, message.clone());
        }
        let time = watch.elapsed();
        let peak = machine::peak("self").saturating_sub(before);
        table.row([
            bytes(len as u64),
            (time.as_nanos() / count as u128).to_string(),
            rate((count * len) as u64, time),
            mib(peak),
        ]);
    }
    table
}

fn pair(now: Instant) -> (Connection, Connection) {
    (Connection::client(Config::default(), [1; 32], now), Connection::server(Config::default(), [2; 32], now))
}

fn pass(clock: &impl Fn() -> Instant, from: &mut Connection, to: &mut Connection, message: Message) {
    let mut is_there = false;
    assert!(from.send(clock(), message).is_ok());
    while !from.output().is_empty() {
        let now = clock();
        let piece = from.output();
        let n = piece.len().min(READ);
        to.handle_input(now, &piece[..n]);
        from.handle_written(now, n);
        while let Some(event) = to.poll_event() {
            is_there |= matches!(event, Event::Message(_));
        }
    }
    assert!(is_there, "the message is whole");
}

pub(crate) fn files(quick: bool) -> Table {
    let mut table = Table::new(
        "files",
        "Cost against the length of a file",
        "The machines of both ends in one thread, with checksums, without a network, a disk, or the digest of the file; nothing of it \
         is in memory but what is under way.",
        &["length", "CPU s", "GiB/s", "peak MiB"],
    );
    for len in [1 << 20, 64 << 20, 1 << 30, 8 << 30, if quick { 16 << 30 } else { 64 << 30 }] {
        let before = machine::memory();
        machine::reset_peak();
        let watch = Stopwatch::of_thread();
        Ends::new(1, len).run();
        let time = watch.elapsed();
        let peak = machine::peak("self").saturating_sub(before);
        table.row([bytes(len), format!("{:.3}", time.as_secs_f64()), rate(len, time), mib(peak)]);
    }
    table
}

pub(crate) fn transfers(quick: bool) -> Table {
    let mut table = Table::new(
        "transfers",
        "Cost against the number of transfers of one connection",
        "Files of 4 KiB, all of them open at once; the machines of both ends in one thread, without a network or a disk.",
        &["transfers", "CPU µs for each", "peak KiB for each"],
    );
    for count in [1, 10, 100, 1_000, if quick { 3_000 } else { 10_000 }] {
        // A few are repeated again and again, so that the clock has something to measure.
        let times = (1_000 / count).max(1);
        let before = machine::memory();
        machine::reset_peak();
        let watch = Stopwatch::of_thread();
        for _ in 0..times {
            Ends::new(count, 4 << 10).run();
        }
        let time = watch.elapsed();
        let peak = machine::peak("self").saturating_sub(before);
        table.row([
            count.to_string(),
            format!("{:.1}", time.as_secs_f64() * 1e6 / f64::from(times * count)),
            format!("{:.1}", peak as f64 / 1024.0 / f64::from(count)),
        ]);
    }
    table
}

/// A sender of this many files, and their receiver.
struct Ends {
    now: Instant,
    sender: Transfers,
    receiver: Transfers,
    written: BTreeMap<TransferId, u64>,
    body: Bytes,
}

impl Ends {
    fn new(count: u32, len: u64) -> Self {
        let now = Instant::ZERO;
        let mut config = transfer::Config::default();
        config.max_transfers = count.max(256);
        config.max_offers_per_second = u32::MAX;
        let mut sender = Transfers::new(Role::Client, config.clone(), now);
        let mut receiver = Transfers::new(Role::Server, config, now);
        for n in 0..count {
            let mut id = [7; 16];
            id[..4].copy_from_slice(&n.to_be_bytes());
            let name = SafeName::parse(&format!("file {n}")).expect("a safe name");
            assert!(sender.offer(now, Offer::new(TransferId::from_bytes(id), name, len)).is_ok());
        }
        sender.handle_link_up(now, None);
        receiver.handle_link_up(now, None);
        Self { now, sender, receiver, written: BTreeMap::new(), body: Bytes::from(vec![7; 1 << 20]) }
    }

    /// Until everything is done.
    fn run(mut self) {
        while !self.sender.is_empty() {
            self.now += Duration::from_millis(1);
            while self.step() {}
            self.sender.handle_timeout(self.now);
            self.receiver.handle_timeout(self.now);
        }
    }

    fn step(&mut self) -> bool {
        let now = self.now;
        let mut is_busy = false;
        while let Some(event) = self.sender.poll_event() {
            is_busy = true;
            self.feed(event);
        }
        if let Some(message) = self.sender.poll_message(now, 1) {
            is_busy = true;
            self.receiver.handle_message(now, message.into_bytes());
        }
        while let Some(event) = self.receiver.poll_event() {
            is_busy = true;
            self.store(event);
        }
        if let Some(message) = self.receiver.poll_message(now, 1) {
            is_busy = true;
            self.sender.handle_message(now, message.into_bytes());
        }
        is_busy
    }

    fn feed(&mut self, event: transfer::Event) {
        match event {
            transfer::Event::Read { id, offset, len } => {
                let data = self.body.slice(..len.min(self.body.len()));
                self.sender.provide(self.now, id, offset, data);
            }
            transfer::Event::Hash { id, upto } => {
                self.sender.provide_digest(self.now, id, upto, Digest::of(b"left out"));
            }
            transfer::Event::Check { id } => self.sender.confirm(self.now, id),
            transfer::Event::Failed { failure, .. } => panic!("{failure:?}"),
            _ => {}
        }
    }

    fn store(&mut self, event: transfer::Event) {
        let now = self.now;
        match event {
            transfer::Event::Offered(offered) => {
                let answer = Answer::Take { from: 0, prefix: Digest::of(b""), epoch: 1, expires: None };
                self.receiver.answer(now, offered.id, answer);
            }
            transfer::Event::Write { id, offset, data } => {
                let upto = offset + data.len() as u64;
                self.written.insert(id, upto);
                self.receiver.written(now, id, upto);
            }
            transfer::Event::Sync { id } => {
                let upto = self.written.get(&id).copied().unwrap_or(0);
                self.receiver.commit(now, id, upto);
            }
            transfer::Event::Finish { id, .. } => self.receiver.finish(now, id),
            transfer::Event::Failed { failure, .. } => panic!("{failure:?}"),
            _ => {}
        }
    }
}

fn rate(bytes: u64, time: Duration) -> String {
    format!("{:.2}", bytes as f64 / f64::from(1 << 30) / time.as_secs_f64())
}

fn mib(bytes: u64) -> String {
    format!("{:.1}", bytes as f64 / f64::from(1 << 20))
}
