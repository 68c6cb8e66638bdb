//! Contenders that work without a stream.

use std::hint::black_box;
use std::rc::Rc;
use std::time::Duration;

use bowline_blocking::Clock;
use bowline_core::connection::{Config, Event, Lent};
use bowline_core::frame::{Decoder, Encoder, Limits, Opcode};
use bowline_core::mask::Keys;
use bowline_core::{Connection, Instant, Message, Rng, Role};
use bowline_host::gather;
use bytes::BytesMut;
use tokio_util::codec::{Decoder as _, Encoder as _};

use super::parse::Job;
use super::serialise::Job as Out;
use crate::cpu;
use crate::stream::{AT_ONCE, Memory};

const LIMIT: usize = 64 << 20;

fn connection_of(role: Role, now: Instant) -> Connection {
    match role {
        Role::Client => Connection::client(Config::default(), [1; 32], now),
        Role::Server => Connection::server(Config::default(), [1; 32], now),
    }
}

pub(super) fn connection(job: &Job) -> Duration {
    received(job, read, take)
}

/// Short messages are looked at in place.
pub(super) fn connection_lending(job: &Job) -> Duration {
    received(job, read, |conn| {
        Some(match conn.poll_lent()? {
            Lent::Binary(bytes) => Some(bytes.len()),
            Lent::Event(Event::Message(message)) => Some(message.len()),
            _ => None,
        })
    })
}

/// For a host that has received bytes in a buffer of its own.
pub(super) fn connection_pushed(job: &Job) -> Duration {
    received(job, |conn, now, memory| conn.handle_input(now, memory.lend(AT_ONCE)), take)
}

fn read(conn: &mut Connection, now: Instant, memory: &mut Memory) {
    memory.fill(conn.input());
    conn.handle_read(now);
}

/// Takes the next event, and returns how long it was if it was a message.
fn take(conn: &mut Connection) -> Option<Option<usize>> {
    Some(match conn.poll_event()? {
        Event::Message(message) => Some(message.len()),
        _ => None,
    })
}

/// With a connection to which `bring` gives bytes, and whose next event `take` takes.
fn received(
    job: &Job,
    bring: impl Fn(&mut Connection, Instant, &mut Memory),
    take: impl Fn(&mut Connection) -> Option<Option<usize>>,
) -> Duration {
    let mut memory = Memory::new(Rc::clone(&job.wire));
    let clock = Clock::start();
    let mut conn = connection_of(job.role, clock.now());
    let before = cpu::thread();
    let mut left = job.messages;
    while left > 0 {
        bring(&mut conn, clock.now(), &mut memory);
        while let Some(len) = take(&mut conn) {
            if let Some(len) = len {
                black_box(len);
                left = left.saturating_sub(1);
            }
        }
    }
    cpu::thread() - before
}

pub(super) fn decoder(job: &Job) -> Duration {
    decoded(job, |decoder| drop(black_box(decoder.take())))
}

/// Payloads are looked at in place.
pub(super) fn decoder_lending(job: &Job) -> Duration {
    decoded(job, |decoder| {
        black_box(decoder.payload());
    })
}

/// With a decoder, where `look` does something with each complete frame.
fn decoded(job: &Job, look: impl Fn(&mut Decoder)) -> Duration {
    let mut memory = Memory::new(Rc::clone(&job.wire));
    let mut decoder = Decoder::new(job.role, &Limits::default());
    let before = cpu::thread();
    let mut left = job.messages;
    while left > 0 {
        memory.fill(decoder.input());
        while decoder.decode().expect("a wire without a fault").is_some() {
            look(&mut decoder);
            left = left.saturating_sub(1);
        }
    }
    cpu::thread() - before
}

/// Received bytes are in a buffer of their own.
pub(super) fn decoder_pushed(job: &Job) -> Duration {
    let mut memory = Memory::new(Rc::clone(&job.wire));
    let mut decoder = Decoder::new(job.role, &Limits::default());
    let before = cpu::thread();
    let mut left = job.messages;
    while left > 0 {
        let mut bytes = memory.lend(AT_ONCE);
        while !bytes.is_empty() {
            let n = decoder.push_part(bytes);
            bytes = &bytes[n..];
            while decoder.decode().expect("a wire without a fault").is_some() {
                drop(black_box(decoder.take()));
                left = left.saturating_sub(1);
            }
        }
    }
    cpu::thread() - before
}

pub(super) fn tungstenite(job: &Job) -> Duration {
    let mut socket = tungstenite_on(Memory::new(Rc::clone(&job.wire)), job.role);
    let before = cpu::thread();
    for _ in 0..job.messages {
        black_box(socket.read().expect("a message"));
    }
    cpu::thread() - before
}

pub(super) fn yawc(job: &Job) -> Duration {
    let mut memory = Memory::new(Rc::clone(&job.wire));
    let mut decoder = yawc::codec::Decoder::new(yawc_role(job.role), LIMIT);
    let mut input = BytesMut::new();
    let before = cpu::thread();
    let mut left = job.messages;
    while left > 0 {
        // Like `FramedRead` of tokio-util.
        input.reserve(1);
        memory.fill(&mut input);
        while let Some(frame) = decoder.decode(&mut input).expect("a wire without a fault") {
            black_box(frame);
            left = left.saturating_sub(1);
        }
    }
    cpu::thread() - before
}

pub(super) fn sockudo(job: &Job) -> Duration {
    let mut memory = Memory::new(Rc::clone(&job.wire));
    let mut protocol = sockudo_ws::protocol::Protocol::new(sockudo_role(job.role), LIMIT, LIMIT);
    let mut input = BytesMut::with_capacity(sockudo_ws::RECV_BUFFER_SIZE);
    let mut messages = Vec::new();
    let before = cpu::thread();
    let mut left = job.messages;
    while left > 0 {
        input.reserve(1);
        memory.fill(&mut input);
        protocol.process_into(&mut input, &mut messages).expect("a wire without a fault");
        left = left.saturating_sub(messages.len());
        black_box(messages.drain(..).count());
    }
    cpu::thread() - before
}

// Sending.

/// For a host that looks at its clock for each flush.
pub(super) fn connection_out(job: Out) -> Duration {
    let clock = Clock::start();
    sent(job, || clock.now())
}

/// For a host that wakes up once, and then has all the messages.
pub(super) fn connection_out_at_once(job: Out) -> Duration {
    sent(job, || Instant::ZERO)
}

fn sent(job: Out, clock: impl Fn() -> Instant) -> Duration {
    let mut memory = Memory::new([].into());
    let mut now = clock();
    let mut conn = connection_of(job.role, now);
    let before = cpu::thread();
    for (n, body) in job.bodies.into_iter().enumerate() {
        if n % job.batch == 0 {
            now = clock();
        }
        let mut message = Message::Binary(body.into_bytes());
        while let Err(error) = conn.send(now, message) {
            message = error.into_inner();
            leave(&mut conn, now, &mut memory);
        }
        if (n + 1) % job.batch == 0 {
            leave(&mut conn, now, &mut memory);
        }
    }
    leave(&mut conn, now, &mut memory);
    cpu::thread() - before
}

/// Like an adapter: everything that is ready in one write.
fn leave(conn: &mut Connection, now: Instant, memory: &mut Memory) {
    while let Some(n) = gather(conn, |slices, _| memory.take_all(slices)) {
        conn.handle_written(now, n);
    }
}

pub(super) fn encoder_out(job: Out) -> Duration {
    let mut memory = Memory::new([].into());
    let mut encoder = match job.role {
        Role::Client => Encoder::client(Keys::new(Rng::from_seed([1; 32]))),
        Role::Server => Encoder::server(),
    };
    let before = cpu::thread();
    for (n, body) in job.bodies.into_iter().enumerate() {
        encoder.encode(Opcode::Binary, &body.into_bytes()).expect("a whole message");
        if (n + 1) % job.batch == 0 {
            write(&mut encoder, &mut memory);
        }
    }
    write(&mut encoder, &mut memory);
    cpu::thread() - before
}

fn write(encoder: &mut Encoder, memory: &mut Memory) {
    while !encoder.output().is_empty() {
        let n = memory.put(encoder.output());
        encoder.handle_written(n);
    }
}

pub(super) fn tungstenite_out(job: Out) -> Duration {
    let mut socket = tungstenite_on(Memory::new([].into()), job.role);
    let before = cpu::thread();
    for (n, body) in job.bodies.into_iter().enumerate() {
        socket.write(tungstenite::Message::Binary(body.into_bytes())).expect("room");
        if (n + 1) % job.batch == 0 {
            socket.flush().expect("a stream that takes everything");
        }
    }
    socket.flush().expect("a stream that takes everything");
    cpu::thread() - before
}

pub(super) fn yawc_out(job: Out) -> Duration {
    let mut memory = Memory::new([].into());
    let mut encoder = yawc::codec::Encoder::new(yawc_role(job.role));
    let mut output = BytesMut::new();
    let before = cpu::thread();
    for (n, body) in job.bodies.into_iter().enumerate() {
        encoder.encode(yawc::Frame::binary(body.into_bytes()), &mut output).expect("a frame");
        if (n + 1) % job.batch == 0 {
            memory.take_buffer(&mut output);
        }
    }
    memory.take_buffer(&mut output);
    cpu::thread() - before
}

pub(super) fn sockudo_out(job: Out) -> Duration {
    let mut memory = Memory::new([].into());
    let mut protocol = sockudo_ws::protocol::Protocol::new(sockudo_role(job.role), LIMIT, LIMIT);
    let mut output = BytesMut::new();
    let before = cpu::thread();
    for (n, body) in job.bodies.into_iter().enumerate() {
        let message = sockudo_ws::Message::Binary(body.into_bytes());
        protocol.encode_message(&message, &mut output).expect("a message");
        if (n + 1) % job.batch == 0 {
            memory.take_buffer(&mut output);
        }
    }
    memory.take_buffer(&mut output);
    cpu::thread() - before
}

fn tungstenite_on(memory: Memory, role: Role) -> tungstenite::WebSocket<Memory> {
    let role = match role {
        Role::Client => tungstenite::protocol::Role::Client,
        Role::Server => tungstenite::protocol::Role::Server,
    };
    tungstenite::WebSocket::from_raw_socket(memory, role, None)
}

fn yawc_role(role: Role) -> yawc::Role {
    match role {
        Role::Client => yawc::Role::Client,
        Role::Server => yawc::Role::Server,
    }
}

fn sockudo_role(role: Role) -> sockudo_ws::Role {
    match role {
        Role::Client => sockudo_ws::Role::Client,
        Role::Server => sockudo_ws::Role::Server,
    }
}
