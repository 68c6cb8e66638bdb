//! Masks, text, and time.

use std::hint::black_box;
use std::time::Duration;

use bowline_core::heartbeat::{self, Heartbeat};
use bowline_core::utf8::Validator;
use bowline_core::{Connection, Instant, Rng, connection, mask};

use super::{HotPath, Make};

const KEY: mask::Key = [0x37, 0xfa, 0x21, 0x3d];

pub(super) const PATHS: &[Make] = &[
    || mask_in_place(125),
    || mask_in_place(64 << 10),
    || mask_copy(64 << 10),
    || utf8("ascii", "a", 64 << 10),
    || utf8("greek", "λ", 64 << 10),
    heartbeat,
    heartbeat_of_a_connection,
];

fn mask_in_place(len: usize) -> HotPath {
    let mut bytes = vec![7; len];
    HotPath::new(format!("mask/in place/{len}"), len, move || mask::apply(black_box(&mut bytes), KEY, 1))
}

fn mask_copy(len: usize) -> HotPath {
    let (from, mut to) = (vec![7; len], vec![0; len]);
    HotPath::new(format!("mask/copy/{len}"), len, move || mask::copy(black_box(&mut to), &from, KEY, 1))
}

fn utf8(kind: &str, piece: &str, len: usize) -> HotPath {
    let text = piece.repeat(len / piece.len());
    HotPath::new(format!("utf8/{kind}/{len}"), len, move || {
        let mut validator = Validator::new();
        validator.push(black_box(text.as_bytes())).expect("text");
        validator.finish().expect("whole");
    })
}

/// A message arrived and one left, and the deadline was requested.
fn heartbeat() -> HotPath {
    let mut now = Instant::ZERO;
    let mut heartbeat = Heartbeat::new(heartbeat::Config::default(), &mut Rng::from_seed([1; 32]), now);
    HotPath::new("heartbeat/step", 0, move || {
        now += Duration::from_micros(10);
        heartbeat.handle_received(now);
        heartbeat.handle_sent(now);
        black_box(heartbeat.handle_timeout(now));
        black_box(heartbeat.poll_timeout());
    })
}

/// An idle connection: a ping leaves, its Pong arrives, and the next deadline is requested.
fn heartbeat_of_a_connection() -> HotPath {
    let now = Instant::ZERO;
    let mut client = Connection::client(connection::Config::default(), [1; 32], now);
    let mut server = Connection::server(connection::Config::default(), [2; 32], now);
    HotPath::new("heartbeat/connection", 0, move || {
        let now = client.poll_timeout().expect("a heartbeat");
        client.handle_timeout(now);
        cross(now, &mut client, &mut server);
        cross(now, &mut server, &mut client);
        black_box(client.poll_timeout());
    })
}

fn cross(now: Instant, from: &mut Connection, to: &mut Connection) {
    while !from.output().is_empty() {
        let n = from.output().len();
        to.handle_input(now, from.output());
        from.handle_written(now, n);
    }
    while to.poll_event().is_some() {}
}
