//! Messages and files on one link.

use super::*;
use crate::messages::{self, LinkId, Sessions, SessionsConfig, wire};
use crate::transfer::wire as files;
use alloc::string::String;
use alloc::vec::Vec;

pub(super) const LINK: LinkId = LinkId(1);

/// A client and a server that support messages, or do not.
fn pair(client: bool, server: bool) -> (Session, Session, Sessions) {
    let config =
        |speaks: bool| Config { messages: speaks.then(messages::Config::default), ..Config::default() };
    pair_with(config(client), config(server), SessionsConfig::default())
}

pub(super) fn pair_with(
    client: Config,
    server: Config,
    sessions: SessionsConfig,
) -> (Session, Session, Sessions) {
    let now = Instant::ZERO;
    let mut client = Session::client(client, SEED, now);
    let mut server = Session::server(server, now);
    let mut sessions = Sessions::new(sessions, SEED, now);
    client.handle_link_up(now, Some(Duration::from_millis(1)));
    server.handle_link_up(now, None);
    sessions.handle_link_up(now, LINK, b"");
    (client, server, sessions)
}

/// What happens on a path that carries everything at once; returns the bytes of messages and of files that went up.
fn settle(client: &mut Session, server: &mut Session, sessions: &mut Sessions) {
    settle_at(Instant::ZERO, client, server, sessions);
}

pub(super) fn settle_at(now: Instant, client: &mut Session, server: &mut Session, sessions: &mut Sessions) {
    loop {
        let mut moved = sessions.serve(now, LINK, server);
        while let Some(message) = client.poll_message(now, 1) {
            assert_eq!(server.handle_message(now, message.into_bytes()), None);
            moved = true;
        }
        while let Some(message) = server.poll_message(now, 1) {
            assert_eq!(client.handle_message(now, message.into_bytes()), None);
            moved = true;
        }
        if !moved {
            return;
        }
    }
}

fn say(client: &mut Session, text: &str) {
    let messages = client.messages_mut().expect("a client that speaks");
    messages.send(Instant::ZERO, Message::text(text)).expect("room");
}

#[test]
fn messages_cross_both_ways() {
    let (mut client, mut server, mut sessions) = pair(true, true);
    say(&mut client, "hello");
    settle(&mut client, &mut server, &mut sessions);
    let (id, received) = sessions.poll_received(Instant::ZERO).expect("it came");
    assert_eq!(received.message, Message::text("hello"));
    sessions.send(Instant::ZERO, id, Message::text("you too")).expect("room");
    settle(&mut client, &mut server, &mut sessions);
    let messages = client.messages_mut().expect("a client that speaks");
    let received = messages.poll_received(Instant::ZERO).expect("it came");
    assert_eq!(received.message, Message::text("you too"));
    assert_eq!(messages.unacknowledged(), 0, "the answer has taken the acknowledgement along");
    let began = Event::Messages(messages::Event::Began(id));
    assert!(events(&mut client).contains(&began));
}

#[test]
fn a_link_without_room_has_no_overdue_deadline() {
    let (mut client, mut server, mut sessions) = pair(true, true);
    let now = Instant::ZERO;
    say(&mut client, "hello");
    settle(&mut client, &mut server, &mut sessions);
    let (id, _) = sessions.poll_received(now).expect("it came");
    for _ in 0..16 {
        sessions.send(now, id, Message::binary([0; 1024].to_vec())).expect("room");
    }
    sessions.serve(now, LINK, &mut server);
    assert!(!server.has_frame_room(), "all of them wait for the connection");
    say(&mut client, "again");
    while let Some(message) = client.poll_message(now, 1) {
        server.handle_message(now, message.into_bytes());
    }
    sessions.serve(now, LINK, &mut server);
    sessions.poll_received(now).expect("it came");
    let due = sessions.link_timeout(LINK).expect("it is to be acknowledged");
    assert!(!sessions.serve(due, LINK, &mut server), "there is no place for that");
    assert_eq!(sessions.link_timeout(LINK), None);
}

#[test]
fn no_messages_are_sent_unless_both_ends_support_them() {
    for (speaks, listens) in [(true, false), (false, true), (false, false)] {
        let (mut client, mut server, mut sessions) = pair(speaks, listens);
        client.transfers_mut().offer(Instant::ZERO, offer(5)).expect("the first");
        if speaks {
            say(&mut client, "hello");
        }
        settle(&mut client, &mut server, &mut sessions);
        assert_eq!((client.poll_close(), server.poll_close()), (None, None));
        assert!(sessions.is_empty());
        let told = events(&mut client).contains(&Event::Messages(messages::Event::Unsupported));
        assert_eq!(told, speaks);
        let offered = |event: &Event| matches!(event, Event::Transfer(transfer::Event::Offered(_)));
        assert!(events(&mut server).iter().any(offered), "files go as ever");
    }
}

#[test]
fn frames_that_were_not_announced_break_the_link() {
    let (mut client, mut server, mut sessions) = pair(false, true);
    settle(&mut client, &mut server, &mut sessions);
    server.handle_message(Instant::ZERO, wire::Frame::Ack(0).encode().into_bytes());
    assert_eq!(server.poll_close().map(|close| close.code()), Some(CloseCode::PROTOCOL_ERROR));
    let (_, mut server, _) = pair(true, true);
    server.handle_message(Instant::ZERO, wire::Frame::Ack(0).encode().into_bytes());
    let reason = server.poll_close().map(|close| String::from(close.reason()));
    assert_eq!(reason.as_deref(), Some("the first frame is not a HELLO"));
}

/// How many frames a server's session keeps if its host polls events but takes no messages, and what ends the link.
fn unserved(frame: wire::Frame, most: usize) -> (usize, String) {
    let now = Instant::ZERO;
    let (mut client, mut server, mut sessions) = pair(true, true);
    settle(&mut client, &mut server, &mut sessions);
    let frame = frame.encode().into_bytes();
    for _ in 0..most {
        assert_eq!(server.handle_message(now, frame.clone()), None);
        while server.poll_event().is_some() {}
    }
    let close = server.poll_close().expect("there is no end of it");
    assert_eq!(close.code(), CloseCode::INTERNAL_ERROR, "the peer has done nothing wrong");
    (core::iter::from_fn(|| server.take_frame()).count(), close.reason().into())
}

#[test]
fn messages_that_a_host_never_serves_take_bounded_memory() {
    let message = Message::binary(alloc::vec![0; 1 << 20]);
    let long = wire::Frame::Data(wire::Data { number: Some(1), ack: 0, message });
    let why = String::from("4 MiB of messages wait, and the host does not serve them");
    assert_eq!(unserved(long, 100), (3, why.clone()));
    let (kept, reason) = unserved(wire::Frame::Ack(0), 100_000);
    assert!((40_000..60_000).contains(&kept), "{kept}");
    assert_eq!(reason, why);
}

#[test]
fn served_messages_no_longer_count() {
    let now = Instant::ZERO;
    let (mut client, mut server, mut sessions) = pair(true, true);
    settle(&mut client, &mut server, &mut sessions);
    let message = Message::binary(alloc::vec![0; 1 << 20]);
    let frame = wire::Frame::Data(wire::Data { number: Some(1), ack: 0, message }).encode().into_bytes();
    for _ in 0..100 {
        server.handle_message(now, frame.clone());
        assert_eq!(server.take_frame().as_ref(), Some(&frame));
    }
    assert_eq!(server.poll_close(), None);
}

#[test]
fn a_host_may_leave_a_whole_window_unserved() {
    let now = Instant::ZERO;
    let (mut client, mut server, mut sessions) = pair(true, true);
    settle(&mut client, &mut server, &mut sessions);
    let messages = client.messages_mut().expect("a client that speaks");
    let mut sent = 0;
    while messages.send(now, Message::binary(alloc::vec![0; 1024])).is_ok() {
        sent += 1;
    }
    while messages.send_volatile(now, Message::binary(alloc::vec![0; 4096])).is_ok() {
        sent += 1;
    }
    while let Some(message) = client.poll_message(now, 1) {
        server.handle_message(now, message.into_bytes());
    }
    settle(&mut client, &mut server, &mut sessions);
    assert_eq!(core::iter::from_fn(|| sessions.poll_received(now)).count(), sent);
}

#[test]
fn a_protocol_error_in_messages_breaks_the_link_with_a_reason() {
    let (mut client, mut server, mut sessions) = pair(true, true);
    settle(&mut client, &mut server, &mut sessions);
    server.handle_message(Instant::ZERO, wire::Frame::Ack(7).encode().into_bytes());
    assert!(sessions.serve(Instant::ZERO, LINK, &mut server));
    let error = core::iter::from_fn(|| server.poll_message(Instant::ZERO, 1)).last().expect("an ERROR");
    let expected = "ack of unsent: 7, but 0 was the last one sent";
    let decoded = files::decode(error.clone().into_bytes());
    assert_eq!(decoded, Ok(files::Frame::Error { code: Code::Protocol, text: expected.into() }));
    assert_eq!(server.poll_close().map(|close| close.code()), Some(CloseCode::PROTOCOL_ERROR));
    client.handle_message(Instant::ZERO, error.into_bytes());
    assert!(client.poll_close().is_some());
}

#[test]
fn a_superseded_link_is_closed_at_once() {
    let (mut client, mut server, mut sessions) = pair(true, true);
    server.transfers_mut().offer(Instant::ZERO, offer(1000)).expect("the first");
    settle(&mut client, &mut server, &mut sessions);
    let id = client.messages().expect("a client that speaks").session();
    // The client reconnects before the server has noticed that its link is gone.
    let mut again = Session::server(
        Config { messages: Some(messages::Config::default()), ..Config::default() },
        Instant::ZERO,
    );
    again.handle_link_up(Instant::ZERO, None);
    client.handle_link_up(Instant::ZERO, None);
    sessions.handle_link_up(Instant::ZERO, LinkId(2), b"");
    for _ in 0..3 {
        while let Some(message) = client.poll_message(Instant::ZERO, 1) {
            again.handle_message(Instant::ZERO, message.into_bytes());
        }
        sessions.serve(Instant::ZERO, LinkId(2), &mut again);
        while let Some(message) = again.poll_message(Instant::ZERO, 1) {
            client.handle_message(Instant::ZERO, message.into_bytes());
        }
    }
    assert_eq!(sessions.link(id), Some(LinkId(2)));
    assert!(sessions.serve(Instant::ZERO, LINK, &mut server));
    server.transfers_mut().provide(Instant::ZERO, ID, 0, Bytes::from_static(&[0; 1000]));
    assert_eq!(server.poll_message(Instant::ZERO, 1), None, "chunks do not go before it");
    assert_eq!(server.poll_close(), Close::new(CloseCode::NORMAL, "superseded").ok());
}

#[test]
fn a_server_takes_messages_from_sessions_only_as_its_link_needs_them() {
    let (mut client, mut server, mut sessions) = pair(true, true);
    settle(&mut client, &mut server, &mut sessions);
    let id = client.messages().expect("a client that speaks").session();
    for _ in 0..10 {
        sessions.send(Instant::ZERO, id, Message::binary(alloc::vec![0; 10_000])).expect("room");
    }
    let mut sent = 0;
    // Two are more than 16 KiB, and each one that leaves makes room for another.
    for expected in [2, 2, 2] {
        sessions.serve(Instant::ZERO, LINK, &mut server);
        assert!(!sessions.serve(Instant::ZERO, LINK, &mut server), "there is no more room");
        assert!(server.poll_message(Instant::ZERO, 1).is_some());
        sent += 1;
        sessions.serve(Instant::ZERO, LINK, &mut server);
        let staged = core::iter::from_fn(|| server.poll_message(Instant::ZERO, 1)).count();
        assert_eq!(staged, expected, "after {sent}");
        sent += staged;
    }
}

/// Sends this many bytes of a file and, from some point on, of messages, neither of which ever ends; returns which
/// frames left, by their first byte.
fn shared(message: usize, alone: usize, most: usize) -> Vec<(u8, usize)> {
    let now = Instant::ZERO;
    let (mut client, mut server, mut sessions) = pair(true, true);
    client.transfers_mut().offer(now, offer(1 << 30)).expect("the first");
    settle(&mut client, &mut server, &mut sessions);
    let accept = files::Accept {
        resume: 0,
        credit: u64::MAX,
        max_chunk: 1 << 20,
        epoch: 1,
        expires: 0,
        ack_ms: 25,
        have: files::Have::Part,
        prefix: None,
    };
    client.handle_message(now, files::Frame::Accept(1, accept).encode().into_bytes());
    let (mut went, mut sent, mut received, mut number) = (Vec::new(), 0, 0, 0);
    while sent < most {
        while let Some(event) = client.poll_event() {
            if let Event::Transfer(transfer::Event::Read { offset, len, .. }) = event {
                client.transfers_mut().provide(now, ID, offset, Bytes::from(alloc::vec![7; len]));
            }
        }
        let messages = client.messages_mut().expect("a client that speaks");
        while sent >= alone && messages.send(now, Message::binary(alloc::vec![0; message])).is_ok() {}
        let frame = client.poll_message(now, 1).expect("there is always something to say");
        sent += frame.len();
        let (kind, len) = (frame.head[0], frame.len());
        went.push((kind, len));
        // The path is short.
        let ack = if kind == 0x50 {
            number += 1;
            wire::Frame::Ack(number).encode()
        } else {
            received += frame.body.len() as u64;
            let credit = u64::MAX;
            let ack = files::Ack { received, durable: 0, credit, last_seq: 0, hold_us: 0, rewind: None };
            files::Frame::Ack(1, ack).encode()
        };
        client.handle_message(now, ack.into_bytes());
    }
    went
}

#[test]
fn messages_and_a_file_share_the_link() {
    for message in [100, 10_000, 500_000] {
        let went = shared(message, 0, 20 << 20);
        let bytes = |kind| went.iter().filter(|(k, _)| *k == kind).map(|(_, len)| len).sum::<usize>();
        let (messages, chunks) = (bytes(0x50), bytes(0x20));
        let share = messages as f64 / (messages + chunks) as f64;
        assert!((0.4..0.6).contains(&share), "{message}: {messages} and {chunks}");
    }
}

#[test]
fn a_file_that_had_the_link_to_itself_owes_messages_at_most_a_mebibyte() {
    let went = shared(10_000, 8 << 20, 16 << 20);
    let first = went.iter().position(|(kind, _)| *kind == 0x50).expect("a message");
    let row: Vec<_> = went[first..].iter().take_while(|(kind, _)| *kind == 0x50).collect();
    let bytes: usize = row.iter().map(|(_, len)| len).sum();
    let most = (1 << 20) + (64 << 10) + 10_100;
    assert!((1 << 20..most).contains(&bytes), "{bytes}");
}

#[test]
fn a_message_does_not_wait_behind_a_file() {
    let now = Instant::ZERO;
    let (mut client, mut server, mut sessions) = pair(true, true);
    client.transfers_mut().offer(now, offer(60_000)).expect("the first");
    settle(&mut client, &mut server, &mut sessions);
    while let Some(event) = client.poll_event() {
        if let Event::Transfer(transfer::Event::Read { id, offset, len }) = event {
            client.transfers_mut().provide(now, id, offset, Bytes::from(alloc::vec![7; len]));
        }
    }
    say(&mut client, "urgent");
    let first = client.poll_message(now, 1).expect("there is something to say");
    assert_eq!(first.head[0], 0x50, "{first:?}");
    let second = client.poll_message(now, 1).expect("there is something to say");
    assert_eq!(second.head[0], 0x20);
}

#[test]
fn a_flood_of_messages_does_not_delay_answers_about_files() {
    let now = Instant::ZERO;
    let (mut client, mut server, mut sessions) = pair(true, true);
    server.transfers_mut().offer(now, offer(10)).expect("the first");
    settle(&mut client, &mut server, &mut sessions);
    for _ in 0..100 {
        say(&mut client, "chatter");
    }
    let refusal = transfer::Failure::local(Code::Rejected, "no");
    client.transfers_mut().fail(now, ID, refusal);
    let first = client.poll_message(now, 1).expect("there is something to say");
    assert_eq!(first.into_bytes()[0], 0x42, "the answer to the offer");
}
