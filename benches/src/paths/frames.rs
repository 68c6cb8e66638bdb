//! Messages to frames and back.

use std::hint::black_box;

use bowline_core::connection::{Config, Event, Lent};
use bowline_core::frame::{Decoder, Encoder, Header, Limits, Opcode};
use bowline_core::mask::Keys;
use bowline_core::{Connection, Instant, Message, Rng, Role, mask};
use bytes::Bytes;

use super::{HotPath, Make};

const NOW: Instant = Instant::ZERO;

pub(super) const PATHS: &[Make] = &[
    || decoder(Role::Server, 16),
    || decoder(Role::Server, 1 << 10),
    || decoder(Role::Server, 64 << 10),
    || decoder(Role::Client, 16),
    || decoder(Role::Client, 64 << 10),
    || encoder(Role::Server, 16, 1),
    || encoder(Role::Server, 16, 64),
    || encoder(Role::Server, 1 << 10, 64),
    || encoder(Role::Client, 16, 64),
    || encoder(Role::Client, 125, 64),
    || receive(Role::Server, Opcode::Binary, 16),
    || receive_many(Role::Server, Opcode::Binary, 16),
    || receive(Role::Server, Opcode::Binary, 125),
    || lend(Role::Server, 16),
    || receive(Role::Server, Opcode::Binary, 1 << 10),
    || receive(Role::Server, Opcode::Binary, 64 << 10),
    || receive(Role::Server, Opcode::Text, 125),
    || receive(Role::Server, Opcode::Text, 64 << 10),
    || receive(Role::Client, Opcode::Binary, 125),
    || receive(Role::Client, Opcode::Binary, 64 << 10),
    || push(Role::Server, 16),
    || push(Role::Server, 64 << 10),
    || receive(Role::Server, Opcode::Ping, 4),
    || send(Role::Server, 16, 1),
    || send(Role::Server, 1 << 10, 1),
    || send(Role::Server, 64 << 10, 1),
    || send(Role::Server, 16, 64),
    || send(Role::Client, 16, 1),
    || send(Role::Client, 1 << 10, 1),
    || send(Role::Client, 64 << 10, 1),
    || send(Role::Client, 16, 64),
];

/// Consecutive frames in a read of at most 64 KiB, or one frame that is longer.
struct Wire {
    bytes: Vec<u8>,
    frames: usize,
}

/// What one read returns from a busy peer.
const BUSY: usize = 64;

fn wire(to: Role, opcode: Opcode, len: usize, most: usize) -> Wire {
    let mut header = Header::new(opcode, len as u64);
    if to == Role::Server {
        header = header.masked([0x37, 0xfa, 0x21, 0x3d]);
    }
    let mut frame = header.encode().to_vec();
    let start = frame.len();
    frame.resize(start + len, b'a');
    if let Some(key) = header.mask {
        mask::apply(&mut frame[start..], key, 0);
    }
    let frames = ((32 << 10) / frame.len()).clamp(1, most);
    Wire { bytes: frame.repeat(frames), frames }
}

fn name(role: Role) -> &'static str {
    match role {
        Role::Client => "client",
        Role::Server => "server",
    }
}

/// A read, and the frames in it.
fn decoder(role: Role, len: usize) -> HotPath {
    let wire = wire(role, Opcode::Binary, len, BUSY);
    let mut decoder = Decoder::new(role, &Limits::default());
    HotPath::new(format!("decode/{}/{len} x {}", name(role), wire.frames), len * wire.frames, move || {
        decoder.input().extend_from_slice(&wire.bytes);
        while decoder.decode().expect("a wire without a fault").is_some() {
            black_box(decoder.take());
        }
    })
}

/// This many frames, written together.
fn encoder(role: Role, len: usize, batch: usize) -> HotPath {
    let mut encoder = match role {
        Role::Client => Encoder::client(Keys::new(Rng::from_seed([1; 32]))),
        Role::Server => Encoder::server(),
    };
    let payload = vec![b'a'; len];
    HotPath::new(format!("encode/{}/{len} x {batch}", name(role)), len * batch, move || {
        for _ in 0..batch {
            encoder.encode(Opcode::Binary, black_box(&payload)).expect("a whole message");
        }
        encoder.handle_written(black_box(encoder.output()).len());
    })
}

/// A read, and the messages in it.
fn receive(role: Role, opcode: Opcode, len: usize) -> HotPath {
    receive_wire(role, opcode, len, BUSY)
}

/// The same from a peer that sends nothing else for a while, so that very many messages wait at once.
fn receive_many(role: Role, opcode: Opcode, len: usize) -> HotPath {
    receive_wire(role, opcode, len, usize::MAX)
}

fn receive_wire(role: Role, opcode: Opcode, len: usize, most: usize) -> HotPath {
    let wire = wire(role, opcode, len, most);
    let mut connection = connection(role);
    let kind = match opcode {
        Opcode::Text => "text",
        Opcode::Ping => "ping",
        _ => "binary",
    };
    let title = format!("receive/{}/{kind}/{len} x {}", name(role), wire.frames);
    HotPath::new(title, len * wire.frames, move || {
        connection.input().extend_from_slice(&wire.bytes);
        connection.handle_read(NOW);
        while let Some(event) = connection.poll_event() {
            assert!(matches!(black_box(event), Event::Message(_)));
        }
        write(&mut connection);
    })
}

/// Bytes that arrived in a foreign buffer, and the messages in them.
fn push(role: Role, len: usize) -> HotPath {
    let wire = wire(role, Opcode::Binary, len, BUSY);
    let mut connection = connection(role);
    let title = format!("push/{}/binary/{len} x {}", name(role), wire.frames);
    HotPath::new(title, len * wire.frames, move || {
        connection.handle_input(NOW, &wire.bytes);
        while let Some(event) = connection.poll_event() {
            assert!(matches!(black_box(event), Event::Message(_)));
        }
    })
}

/// A read, and the messages in it, looked at in place.
fn lend(role: Role, len: usize) -> HotPath {
    let wire = wire(role, Opcode::Binary, len, BUSY);
    let mut connection = connection(role);
    let title = format!("lend/{}/binary/{len} x {}", name(role), wire.frames);
    HotPath::new(title, len * wire.frames, move || {
        connection.input().extend_from_slice(&wire.bytes);
        connection.handle_read(NOW);
        while let Some(lent) = connection.poll_lent() {
            assert!(matches!(black_box(lent), Lent::Binary(_)));
        }
    })
}

/// This many messages that are also held by somebody else, written together.
fn send(role: Role, len: usize, batch: usize) -> HotPath {
    let mut connection = connection(role);
    let message = Message::Binary(Bytes::from(vec![b'a'; len]));
    HotPath::new(format!("send/{}/{len} x {batch}", name(role)), len * batch, move || {
        for _ in 0..batch {
            connection.send(NOW, message.clone()).expect("there is room");
        }
        write(&mut connection);
    })
}

fn connection(role: Role) -> Connection {
    match role {
        Role::Client => Connection::client(Config::default(), [1; 32], NOW),
        Role::Server => Connection::server(Config::default(), [1; 32], NOW),
    }
}

fn write(connection: &mut Connection) {
    while !connection.output().is_empty() {
        let n = connection.outputs().map(black_box).map(<[u8]>::len).sum();
        connection.handle_written(NOW, n);
    }
}
