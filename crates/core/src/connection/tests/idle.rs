//! What a connection holds in memory, and what it still waits for, while it is idle.

use super::*;
use crate::closing::End;
use crate::message::{Delivery, Piece};

#[test]
fn a_piece_counts_as_a_message_and_not_as_news() {
    let mut config = config();
    config.delivery = Delivery::Pieces;
    let mut server = Connection::server(config, [2; 32], T0);
    server.handle_input(T0, &to_server(0x02, b"half"));
    assert!(server.has_messages());
    assert!(!server.has_news(), "what is next is a part of a message");
    assert_eq!(server.poll_event(), Some(Event::Piece(Piece::binary(&b"half"[..]))));
}

#[test]
fn no_answer_is_awaited_after_the_end() {
    let mut client = client();
    let ping = client.ping(T0, b"a").unwrap();
    drain(&mut client, T0);
    client.handle_end(at(10), End::Eof);
    while client.poll_event().is_some() {}
    assert!(!client.is_awaited(ping), "no answer can come any more");
}

#[test]
fn an_answer_is_awaited_until_it_is_taken() {
    let mut client = client();
    let ping = client.ping(T0, b"a").unwrap();
    drain(&mut client, T0);
    client.handle_input(at(5), &to_client(0x8a, b"a"));
    assert!(client.is_awaited(ping), "it is still to be told");
    client.handle_end(at(10), End::Eof);
    assert!(client.is_awaited(ping), "also when nothing more can come");
    assert_eq!(client.poll_answered(), Some((ping, Duration::from_millis(5))));
    assert!(!client.is_awaited(ping));
}

#[test]
fn at_most_eight_answers_are_awaited() {
    let mut client = client();
    for n in 0..8u8 {
        client.ping(T0, &[n]).unwrap();
    }
    drain(&mut client, T0);
    for n in 8..16u8 {
        client.ping(T0, &[n]).unwrap();
    }
    drain(&mut client, T0);
    let awaited = (1..=16).filter(|n| client.is_awaited(*n)).count();
    assert_eq!(awaited, 8);
}

#[test]
fn a_fruitless_read_frees_the_buffer_that_the_last_message_was_joined_in() {
    let mut server = server();
    for first in [0x02, 0x80] {
        server.handle_input(T0, &to_server(first, &vec![7; 100_000]));
    }
    let Some(Event::Message(Message::Binary(message))) = server.poll_event() else { panic!("no message") };
    assert!(!message.is_unique(), "it is kept to serve again");
    server.handle_read(T0);
    assert!(message.is_unique());
}

/// Sends a burst; after it, only the pings of the side with the shorter interval are sent for ten minutes.
fn memory_after_a_burst(ours: u64, theirs: u64) -> (usize, usize) {
    let with = |secs| {
        let mut config = config();
        config.heartbeat.interval = Duration::from_secs(secs);
        config
    };
    let mut client = Connection::client(with(ours), [1; 32], T0);
    let mut server = Connection::server(with(theirs), [2; 32], T0);
    let shared = Bytes::from(vec![7; 1_000_000]);
    client.fragment = Some(1 << 20);
    client.outbox.set_fragment(1 << 20);
    client.send(T0, Message::Binary(shared.clone())).unwrap();
    for _ in 0..50 {
        let _ = server.send(T0, Message::binary(vec![1; 1200]));
    }
    let mut now = T0;
    for _ in 0..2000 {
        while !client.output().is_empty() || !server.output().is_empty() {
            let (up, down) = (client.output().to_vec(), server.output().to_vec());
            client.handle_written(now, up.len());
            server.handle_input(now, &up);
            server.handle_read(now);
            server.handle_written(now, down.len());
            client.handle_input(now, &down);
            client.handle_read(now);
        }
        while client.poll_event().is_some() {}
        while server.poll_event().is_some() {}
        now = [client.poll_timeout(), server.poll_timeout()].into_iter().flatten().min().unwrap();
        if now > at(600_000) {
            break;
        }
        client.handle_timeout(now);
        server.handle_timeout(now);
    }
    (client.outbox.memory(), server.outbox.memory())
}

#[test]
fn an_idle_connection_owns_little_memory_whichever_end_pings() {
    let (a, b) = (memory_after_a_burst(18, 20), memory_after_a_burst(20, 18));
    assert!([a.0, a.1, b.0, b.1].iter().all(|bytes| *bytes < 1000), "{a:?} {b:?}");
}
