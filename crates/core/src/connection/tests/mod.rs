//! A connection against hand-made frames, and against another connection.

mod ending;
mod farewell;
mod faults;
mod idle;
mod laws;
mod lending;
mod liveness;
mod miscounts;
mod pieces;
mod pings;
mod queues;
mod record;
mod refusal;
mod short;
mod stalls;
mod trickling;

use super::*;
use crate::closing::{Close, CloseCode, Cut, Disconnect, Kind};
use crate::frame::{Header, Limits, Opcode};
use crate::mask;
use crate::message::{Message, Parts};
use alloc::string::ToString;
use alloc::vec;
use alloc::vec::Vec;
use bytes::Bytes;

const T0: Instant = Instant::ZERO;

fn at(millis: u64) -> Instant {
    Instant::from_millis(millis)
}

/// Pings after 20 s to the millisecond.
fn config() -> Config {
    let mut config = Config::default();
    config.heartbeat.jitter_percent = 0;
    config
}

fn client() -> Connection {
    Connection::client(config(), [1; 32], T0)
}

fn server() -> Connection {
    Connection::server(config(), [2; 32], T0)
}

/// A frame as the peer of `role` sends it.
fn frame(role: Role, first: u8, payload: &[u8]) -> Vec<u8> {
    let opcode = Opcode::from_u8(first & 15).unwrap();
    let header = Header { fin: first & 0x80 != 0, ..Header::new(opcode, payload.len() as u64) };
    match role {
        Role::Client => [&header.encode(), payload].concat(),
        Role::Server => {
            let key = [3, 1, 4, 1];
            let mut masked = payload.to_vec();
            mask::apply(&mut masked, key, 0);
            [&header.masked(key).encode(), &masked[..]].concat()
        }
    }
}

fn to_client(first: u8, payload: &[u8]) -> Vec<u8> {
    frame(Role::Client, first, payload)
}

fn to_server(first: u8, payload: &[u8]) -> Vec<u8> {
    frame(Role::Server, first, payload)
}

fn close_payload(code: u16, reason: &str) -> Vec<u8> {
    [&code.to_be_bytes(), reason.as_bytes()].concat()
}

/// All frames in what a connection in `role` has sent.
fn frames(role: Role, bytes: &[u8]) -> Vec<(Opcode, Bytes)> {
    let peer = if role == Role::Client { Role::Server } else { Role::Client };
    let mut decoder = Decoder::new(peer, &Limits::default());
    decoder.push(bytes);
    let mut frames = Vec::new();
    while let Some(header) = decoder.decode().unwrap() {
        frames.push((header.opcode, decoder.take()));
    }
    assert!(decoder.is_between_frames());
    frames
}

/// Lets the transport accept everything, and returns it.
fn drain(connection: &mut Connection, now: Instant) -> Vec<u8> {
    let mut bytes = Vec::new();
    loop {
        let pieces: Vec<_> = connection.outputs().collect();
        let more = pieces.concat();
        if more.is_empty() {
            return bytes;
        }
        bytes.extend(&more);
        connection.handle_written(now, more.len());
    }
}

fn events(connection: &mut Connection) -> Vec<Event> {
    core::iter::from_fn(|| connection.poll_event()).collect()
}

/// The last event, which must be the end.
fn end(connection: &mut Connection) -> Disconnect {
    match events(connection).pop() {
        Some(Event::Closed(disconnect)) => disconnect,
        other => panic!("no end but {other:?}"),
    }
}

/// Moves what both have to send until they are silent.
fn converse(now: Instant, a: &mut Connection, b: &mut Connection) {
    loop {
        let (from_a, from_b) = (drain(a, now), drain(b, now));
        if from_a.is_empty() && from_b.is_empty() {
            return;
        }
        b.handle_input(now, &from_a);
        a.handle_input(now, &from_b);
    }
}

#[test]
fn messages_arrive_as_they_were_sent() {
    let (mut client, mut server) = (client(), server());
    let large = Bytes::from(vec![7; 100_000]);
    let parts = Parts { head: "a".into(), body: large.clone(), tail: "z".into() };
    client.send(T0, Message::text("gr\u{fc}n")).unwrap();
    client.send(T0, Message::binary("")).unwrap();
    client.send_parts(T0, parts.clone()).unwrap();
    converse(T0, &mut client, &mut server);
    let expected = [Message::text("gr\u{fc}n"), Message::binary(""), Message::Binary(parts.into_bytes())];
    assert_eq!(events(&mut server), expected.map(Event::Message));

    server.send(T0, Message::Binary(large.clone())).unwrap();
    converse(T0, &mut client, &mut server);
    assert_eq!(events(&mut client), [Event::Message(Message::Binary(large))]);
    assert_eq!((client.stats().messages_sent, client.stats().messages_received), (3, 1));
    assert_eq!(client.stats().bytes_sent, server.stats().bytes_received);
}

#[test]
fn bytes_can_be_read_into_the_lent_buffer() {
    let mut server = server();
    let bytes = [to_server(0x82, &[9; 5000]), to_server(0x81, b"b")].concat();
    let mut rest = &bytes[..];
    while !rest.is_empty() {
        let place = server.input();
        let n = rest.len().min(place.capacity() - place.len());
        place.extend_from_slice(&rest[..n]);
        rest = &rest[n..];
        server.handle_read(T0);
    }
    assert_eq!(server.stats().bytes_received, bytes.len() as u64);
    assert_eq!(events(&mut server), [Message::binary(vec![9; 5000]), Message::text("b")].map(Event::Message));
}

#[test]
fn an_idle_connection_owns_little_memory() {
    let mut server = server();
    server.handle_input(T0, &to_server(0x82, &[9; 10_000]));
    server.input();
    assert!(server.decoder.memory() > 1000);
    server.handle_read(T0);
    assert_eq!(server.decoder.memory(), 0);

    // Memory for sending is reused, and freed when the heartbeat finds nothing going on.
    for (last_heard, beat) in [(0, 20_000), (20_000, 25_000)] {
        let body = Bytes::from(vec![0; 20_000]);
        let mut client = client();
        client.send(T0, Message::Binary(body.clone())).unwrap();
        drain(&mut client, T0);
        assert!(client.outbox.memory() > 20_000);
        client.handle_input(at(last_heard), &to_client(0x82, b"x"));
        client.handle_timeout(at(beat));
        assert_eq!(drain(&mut client, at(beat)).len(), if last_heard == 0 { 14 } else { 6 });
        assert!(client.outbox.memory() < 500, "{}", client.outbox.memory());
    }
    assert!(size_of::<Connection>() <= 1704, "{}", size_of::<Connection>());
}

#[test]
fn buffers_of_large_messages_are_kept_on_demand_until_the_connection_is_idle() {
    for keep in [false, true] {
        let mut server = server();
        server.keep_places(keep);
        let message = to_server(0x82, &vec![9; 100_000]);
        let mut held = Vec::new();
        for _ in 0..3 {
            server.handle_input(T0, &message);
            held.extend(server.poll_event());
        }
        server.handle_read(T0);
        assert_eq!(server.decoder.memory() > 0, keep);
        server.handle_timeout(at(20_000));
        assert_eq!(server.decoder.memory(), 0);
    }
}

#[test]
fn debug_output_shows_no_payload() {
    let mut client = client();
    client.send(T0, Message::text("secret")).unwrap();
    let text = alloc::format!("{client:?}");
    assert!(text.starts_with("Connection { now: 0.000s") && !text.contains("secret"), "{text}");
}
