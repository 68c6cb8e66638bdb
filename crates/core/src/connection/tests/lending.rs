//! Short messages that are borrowed.

use super::*;
use crate::connection::inbox::Inbox;
use proptest::prelude::*;

/// The lent item, as an event of its own.
fn owned(lent: Lent<'_>) -> Event {
    match lent {
        Lent::Text(text) => Event::Message(Message::text(text)),
        Lent::Binary(bytes) => Event::Message(Message::Binary(Bytes::copy_from_slice(bytes))),
        Lent::Event(event) => event,
    }
}

fn binary(len: usize) -> Message {
    Message::Binary(Bytes::from(vec![7; len]))
}

/// Sends a message, and lets all of it arrive.
fn deliver(from: &mut Connection, to: &mut Connection, message: Message) {
    from.send(T0, message).unwrap();
    while !from.output().is_empty() {
        let bytes = from.output().to_vec();
        to.handle_input(T0, &bytes);
        from.handle_written(T0, bytes.len());
    }
}

#[test]
fn short_messages_are_lent_and_long_ones_are_given_away() {
    let (mut client, mut server) = (client(), server());
    for message in [Message::text("grün"), binary(1024), binary(1025), Message::text("")] {
        deliver(&mut client, &mut server, message);
    }
    assert_eq!(server.poll_lent(), Some(Lent::Text("grün")));
    assert_eq!(server.poll_lent(), Some(Lent::Binary(&[7; 1024])));
    assert_eq!(server.poll_lent(), Some(Lent::Event(Event::Message(binary(1025)))));
    assert_eq!(server.poll_lent(), Some(Lent::Text("")));
    assert_eq!(server.poll_lent(), None);
}

#[test]
fn a_message_too_long_for_the_short_queue_is_an_ordinary_event() {
    let mut inbox = Inbox::new(1 << 20);
    let (text, bytes) = ("x".repeat(70_000), vec![7; 65_536]);
    inbox.push_text(&text);
    inbox.push_text(&text[..65_535]);
    inbox.push_binary(&bytes);
    inbox.push_binary(&bytes[..65_535]);
    assert_eq!(inbox.lend(), Some(Lent::Event(Event::Message(Message::text(&*text)))));
    assert_eq!(inbox.lend(), Some(Lent::Text(&text[..65_535])));
    assert_eq!(inbox.lend(), Some(Lent::Event(Event::Message(binary(65_536)))));
    assert_eq!(inbox.lend(), Some(Lent::Binary(&bytes[..65_535])));
    assert!(!inbox.has_messages());
}

#[test]
fn a_short_text_that_arrives_byte_by_byte_is_checked_from_its_start() {
    let mut server = server();
    for text in ["grün", "rot"] {
        for byte in frame(Role::Server, 0x81, text.as_bytes()) {
            server.handle_input(T0, &[byte]);
        }
        assert_eq!(server.poll_lent(), Some(Lent::Text(text)));
    }
    server.handle_input(T0, &frame(Role::Server, 0x81, b"gr\xfcn"));
    let last = core::iter::from_fn(|| server.poll_event()).last();
    assert!(matches!(last, None | Some(Event::Closed(_))), "{last:?}");
    server.handle_timeout(T0);
    assert!(!server.is_open());
}

#[test]
fn the_buffer_limit_applies_to_short_messages_too() {
    let mut config = config();
    config.limits.message = Some(10);
    let mut server = Connection::server(config, [2; 32], T0);
    server.handle_input(T0, &frame(Role::Server, 0x82, &[0; 10]));
    assert_eq!(server.poll_lent(), Some(Lent::Binary(&[0; 10])));
    assert_eq!(server.poll_lent(), None);
    server.handle_input(T0, &frame(Role::Server, 0x82, &[0; 11]));
    assert!(!server.is_open());
}

#[test]
fn a_queue_that_never_runs_empty_does_not_grow() {
    for message in [binary(500), Message::text("x".repeat(500))] {
        let (mut client, mut server) = (client(), server());
        deliver(&mut client, &mut server, message.clone());
        for _ in 0..1000 {
            deliver(&mut client, &mut server, message.clone());
            assert!(server.poll_lent().is_some());
            assert!(server.inbox.memory() < 24 << 10, "{} bytes", server.inbox.memory());
        }
    }
}

#[test]
fn waiting_short_messages_take_little_more_than_their_bytes() {
    let (mut client, mut server) = (client(), server());
    for _ in 0..1000 {
        deliver(&mut client, &mut server, binary(10));
    }
    assert!(server.inbox.memory() < 40_000, "{} bytes", server.inbox.memory());
}

#[test]
fn memory_is_given_back_when_there_is_nothing_to_read() {
    let (mut client, mut server) = (client(), server());
    for _ in 0..10 {
        deliver(&mut client, &mut server, binary(500));
    }
    server.handle_read(T0);
    for _ in 0..10 {
        assert_eq!(server.poll_lent(), Some(Lent::Binary(&[7; 500])));
    }
    server.handle_read(T0);
    assert_eq!(server.inbox.memory(), 0);
}

proptest! {
    #[test]
    fn both_ways_to_take_events_give_the_same(
        messages in prop::collection::vec((any::<bool>(), 0..3000_usize), 0..20),
        choices in prop::collection::vec((any::<bool>(), 0..4_usize), 0..20),
    ) {
        let (mut client, mut one, mut other) = (client(), server(), server());
        let mut choices = choices.into_iter().cycle();
        let mut both = |one: &mut Connection, other: &mut Connection, all: bool| {
            let (lends, count) = choices.next().unwrap_or((true, 9));
            for _ in 0..if all { 99 } else { count } {
                let lent = if lends { one.poll_lent().map(owned) } else { one.poll_event() };
                assert_eq!(lent, other.poll_event());
            }
        };
        for (is_text, len) in messages {
            let message = if is_text { Message::text("ä".repeat(len)) } else { binary(len) };
            client.send(T0, message).unwrap();
            while !client.output().is_empty() {
                let bytes = client.output().to_vec();
                one.handle_input(T0, &bytes);
                other.handle_input(T0, &bytes);
                client.handle_written(T0, bytes.len());
            }
            prop_assert_eq!(one.wants_input(), other.wants_input());
            both(&mut one, &mut other, false);
        }
        both(&mut one, &mut other, true);
        prop_assert_eq!(one.has_events(), false);
    }
}
