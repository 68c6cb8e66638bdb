//! Files.

use std::hint::black_box;
use std::time::Duration;

use bowline_core::transfer::wire::{self, Data, Frame};
use bowline_core::transfer::{Answer, Config, Digest, Event, Hasher, Offer, SafeName, TransferId};
use bowline_core::{Instant, Role, Transfers};
use bytes::Bytes;

use super::{HotPath, Make};

/// The smallest chunk that a sender cuts.
const CHUNK: u32 = 16 << 10;

pub(super) const PATHS: &[Make] = &[
    || encode(64 << 10),
    || decode(64 << 10),
    || digest(64 << 10),
    || digest(1 << 20),
    || plain_digest(1 << 20),
    chunk,
];

/// A chunk to a message, checksum included.
fn encode(len: usize) -> HotPath {
    let payload = Bytes::from(vec![7; len]);
    HotPath::new(format!("transfer/encode/{len}"), len, move || {
        let data = Data { offset: 5, seq: 6, payload: payload.clone() };
        black_box(Frame::Data(1, data).encode());
    })
}

/// A message to a chunk, its checksum compared.
fn decode(len: usize) -> HotPath {
    let payload = Bytes::from(vec![7; len]);
    let frame = Frame::Data(1, Data { offset: 5, seq: 6, payload }).encode().into_bytes();
    HotPath::new(format!("transfer/decode/{len}"), len, move || {
        assert!(wire::decode(black_box(frame.clone())).is_ok());
    })
}

/// The digest that can be interrupted and continued.
fn digest(len: usize) -> HotPath {
    let data = vec![7; len];
    HotPath::new(format!("digest/resumable/{len}"), len, move || {
        let mut hasher = Hasher::new();
        hasher.update(black_box(&data));
        black_box(hasher.digest());
    })
}

fn plain_digest(len: usize) -> HotPath {
    let data = vec![7; len];
    HotPath::new(format!("digest/plain/{len}"), len, move || {
        black_box(Digest::of(black_box(&data)));
    })
}

/// A chunk of the smallest length: read, cut, sent, received, written and acknowledged, with the deadlines of both
/// ends.
fn chunk() -> HotPath {
    let (mut sender, mut receiver, id) = under_way();
    let mut now = Instant::from_secs(1);
    let mut written = 0;
    let body = Bytes::from(vec![7; 1 << 20]);
    HotPath::new("transfer/chunk there and back", CHUNK as usize, move || {
        now += Duration::from_millis(1);
        while let Some(event) = sender.poll_event() {
            if let Event::Read { id, offset, len } = event {
                sender.provide(now, id, offset, body.slice(..len.min(body.len())));
            }
        }
        if let Some(message) = sender.poll_message(now, 1) {
            receiver.handle_message(now, message.into_bytes());
        }
        while let Some(event) = receiver.poll_event() {
            match event {
                Event::Write { offset, data, .. } => {
                    written = offset + data.len() as u64;
                    receiver.written(now, id, written);
                }
                Event::Sync { .. } => receiver.commit(now, id, written),
                _ => {}
            }
        }
        while let Some(message) = receiver.poll_message(now, 1) {
            sender.handle_message(now, message.into_bytes());
        }
        sender.handle_timeout(now);
        receiver.handle_timeout(now);
        black_box((sender.poll_timeout(), receiver.poll_timeout()));
    })
}

/// A transfer that is longer than anybody will wait for.
fn under_way() -> (Transfers, Transfers, TransferId) {
    let now = Instant::ZERO;
    let id = TransferId::from_bytes([7; 16]);
    let mut config = Config::default();
    config.max_chunk = CHUNK;
    let mut sender = Transfers::new(Role::Client, config.clone(), now);
    let mut receiver = Transfers::new(Role::Server, config, now);
    let name = SafeName::parse("file").expect("a safe name");
    sender.offer(now, Offer::new(id, name, 1 << 50)).expect("new");
    sender.handle_link_up(now, None);
    receiver.handle_link_up(now, None);
    while receiver.is_empty() {
        while let Some(message) = receiver.poll_message(now, 1) {
            sender.handle_message(now, message.into_bytes());
        }
        while let Some(message) = sender.poll_message(now, 1) {
            receiver.handle_message(now, message.into_bytes());
        }
    }
    receiver.answer(now, id, Answer::Take { from: 0, prefix: Digest::of(b""), epoch: 1, expires: None });
    (sender, receiver, id)
}
