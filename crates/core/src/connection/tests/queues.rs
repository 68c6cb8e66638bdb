//! Limits on what is queued for sending and for receiving.

use super::*;
use crate::message::Piece;

#[test]
fn one_message_is_taken_whole_while_there_is_room() {
    let mut client = client();
    assert_eq!(client.room(), 64 << 10);
    client.send(T0, Message::binary(vec![0; 10])).unwrap();
    assert!(client.room() < 64 << 10);
    client.send(T0, Message::binary(vec![1; 1 << 20])).unwrap();
    assert_eq!(client.room(), 0);
    let more = Message::text("more");
    let refused = client.send(T0, more.clone()).unwrap_err();
    assert_eq!(refused.to_string(), "no room in the send queue: 1048640 of 65536 are taken");
    assert_eq!(refused.into_inner(), more);
    let parts = Parts::from(Bytes::from("more"));
    assert_eq!(client.send_parts(T0, parts.clone()).unwrap_err().into_inner(), parts);
    while client.room() == 0 {
        client.handle_written(T0, client.output().len());
    }
    client.send(T0, more).unwrap();
    assert_eq!(client.stats().messages_sent, 3);
}

#[test]
fn empty_messages_fill_the_queue_too() {
    let mut server = server();
    server.send(T0, Message::binary(vec![0; 50_000])).unwrap();
    let accepted = (0..1_000_000).take_while(|_| server.send(T0, Message::binary("")).is_ok()).count();
    assert!((10..40_000).contains(&accepted), "{accepted}");
}

#[test]
fn messages_that_wait_for_the_application_stop_the_reading() {
    let mut config = config();
    config.receive_buffer = 10_000;
    let mut server = Connection::server(config, [2; 32], T0);
    let mut taken = 0;
    while server.wants_input() {
        server.handle_input(T0, &to_server(0x82, &[0; 900]));
        taken += 1;
    }
    assert_eq!(taken, 11);
    // What still arrives is not lost, and pings are answered.
    server.handle_input(T0, &[to_server(0x82, &[0; 900]), to_server(0x89, b"")].concat());
    assert_eq!(frames(Role::Server, &drain(&mut server, T0)).len(), 1);
    assert_eq!(events(&mut server).len(), 12);
    assert!(server.wants_input());
}

#[test]
fn a_buffer_is_full_when_its_limit_is_reached() {
    let mut config = config();
    config.receive_buffer = 164;
    let mut server = Connection::server(config, [2; 32], T0);
    server.handle_input(T0, &to_server(0x82, &[0; 99]));
    assert!(server.wants_input());
    events(&mut server);
    server.handle_input(T0, &to_server(0x82, &[0; 100]));
    assert!(!server.wants_input());
}

#[test]
fn empty_messages_count_as_received() {
    let mut config = config();
    config.receive_buffer = 10_000;
    let mut server = Connection::server(config, [2; 32], T0);
    server.handle_input(T0, &to_server(0x82, b"").repeat(200));
    assert!(!server.wants_input());
}

#[test]
fn the_end_is_read_even_if_messages_wait() {
    let mut config = config();
    config.receive_buffer = 1;
    let mut server = Connection::server(config, [2; 32], T0);
    server.handle_input(T0, &[to_server(0x82, b"x"), to_server(0x88, b"")].concat());
    assert!(server.wants_input());
    server.handle_end(T0, End::Eof);
    assert_eq!(events(&mut server).len(), 3);
}

#[test]
fn news_that_is_not_taken_does_not_pile_up() {
    let mut client = client();
    for round in 0..1000_u64 {
        client.handle_wake(Instant::from_secs(round), Duration::from_secs(60));
        drain(&mut client, Instant::from_secs(round));
        client.handle_input(Instant::from_secs(round), &to_client(0x8a, b""));
    }
    client.abort(Instant::from_secs(1000));
    let events = events(&mut client);
    assert!(events.len() < 100);
    assert!(matches!(events.last(), Some(Event::Closed(_))));
}

#[test]
fn fragments_grow_with_the_rate_that_was_measured() {
    let mut server = server();
    server.send(T0, Message::binary(vec![0; 40_000_000])).unwrap();
    let mut longest = 0;
    for millis in (0..1000).step_by(10) {
        // 20 MB/s leave a transport that is always full.
        let mut allowance = 200_000;
        while allowance > 0 {
            longest = server.outputs().map(<[u8]>::len).fold(longest, usize::max);
            let n = allowance.min(server.output().len());
            server.handle_written(at(millis), n);
            allowance -= n;
        }
        server.handle_blocked(at(millis));
    }
    assert!((38_000..=40_000).contains(&longest), "{longest}");
    assert_eq!(server.stats().drain_rate, Some(20_000_000));
    assert_eq!(server.stats().blocked, 100);
}

#[test]
fn fragments_grow_on_a_transport_that_takes_much_and_is_never_full() {
    let mut server = server();
    let mut longest = |millis| {
        server.send(at(millis), Message::binary(vec![0; 1 << 20])).unwrap();
        let sent = frames(Role::Server, &drain(&mut server, at(millis)));
        sent.iter().map(|(_, payload)| payload.len()).max()
    };
    assert_eq!(longest(0), Some(16 << 10));
    assert!((1..20).filter_map(longest).max() > Some(1 << 18));
}

#[test]
fn a_message_can_be_kept_in_one_frame() {
    let mut config = config();
    config.fragment = Some(usize::MAX);
    let mut client = Connection::client(config, [1; 32], T0);
    client.send(T0, Message::binary(vec![0; 1 << 20])).unwrap();
    assert_eq!(frames(Role::Client, &drain(&mut client, T0)).len(), 1);
}

#[test]
fn answers_to_one_read_leave_in_one_write() {
    let mut server = server();
    server.handle_input(T0, &to_server(0x81, b"echo").repeat(50));
    for event in events(&mut server) {
        if let Event::Message(message) = event {
            server.send(T0, message).unwrap();
        }
    }
    assert_eq!(server.output().len(), 50 * 6);
}

/// A server with a short message that has left, and something to do.
fn talking() -> Connection {
    let mut server = server();
    server.send(T0, Message::text("left")).unwrap();
    drain(&mut server, T0);
    server
}

#[test]
fn no_message_is_lost_if_everything_has_left() {
    for end in [End::Eof, End::Reset, End::WriteFailed, End::WriteReset, End::LocalAbort] {
        let mut server = talking();
        server.handle_end(T0, end);
        assert!(!server.has_lost_messages(), "{end:?}");
    }
    let (mut client, mut server) = (client(), talking());
    client.send(T0, Message::text("hello")).unwrap();
    client.close(T0, Close::normal()).unwrap();
    converse(T0, &mut client, &mut server);
    events(&mut server);
    server.handle_timeout(T0);
    converse(T0, &mut client, &mut server);
    for one in [&mut client, &mut server] {
        one.handle_end(T0, End::Eof);
        assert_eq!(end(one).kind(), Kind::Clean);
        assert!(!one.has_lost_messages());
    }
}

#[test]
fn messages_that_wait_at_the_end_are_lost() {
    for end in [End::Eof, End::Reset, End::WriteFailed, End::WriteReset, End::LocalAbort] {
        for message in [Message::text("waits"), Message::binary(vec![7; 1 << 20])] {
            let mut server = talking();
            server.send(T0, message).unwrap();
            assert!(!server.has_lost_messages());
            server.handle_end(T0, end);
            assert!(server.has_lost_messages(), "{end:?}");
        }
    }
}

#[test]
fn messages_that_a_close_replaces_are_lost() {
    for len in [1, 1 << 20] {
        let mut server = talking();
        server.send(T0, Message::binary(vec![7; len])).unwrap();
        server.fail(T0, CloseCode::POLICY, "");
        assert!(server.has_lost_messages());
    }
    let mut server = talking();
    server.fail(T0, CloseCode::POLICY, "");
    server.handle_end(T0, End::Reset);
    assert!(!server.has_lost_messages(), "only a Close has not left");
}

#[test]
fn a_message_that_has_begun_to_leave_is_lost_by_an_end_but_not_by_a_close() {
    let mut server = talking();
    server.send(T0, Message::text("begun")).unwrap();
    server.handle_written(T0, 1);
    server.fail(T0, CloseCode::POLICY, "");
    assert!(!server.has_lost_messages(), "the rest leaves");
    server.handle_end(T0, End::WriteFailed);
    assert!(server.has_lost_messages());
}

#[test]
fn a_close_or_a_pong_that_has_not_left_is_no_lost_message() {
    for (mut one, header) in [(client(), 6), (server(), 2)] {
        one.send(T0, Message::text("leaves")).unwrap();
        one.close(T0, Close::normal()).unwrap();
        one.handle_written(T0, header + 5);
        assert!(!one.output().is_empty());
        let mut other = Connection::server(config(), [3; 32], T0);
        other.handle_input(T0, &to_server(0x89, b"?"));
        assert!(!other.output().is_empty());
        one.handle_written(T0, 1);
        for one in [one, other] {
            let mut one = one;
            one.handle_end(T0, End::WriteFailed);
            assert!(!one.has_lost_messages());
        }
    }
}

#[test]
fn a_close_and_its_last_message_are_accepted_without_room() {
    let (mut client, mut server) = (client(), server());
    server.send(T0, Message::binary(vec![7; 1 << 20])).unwrap();
    assert_eq!(server.room(), 0);
    let last = |text: &str| [Piece::text(text).last()];
    server.close_behind(T0, last("last"), Close::normal()).unwrap();
    assert!(server.close_behind(T0, last("late"), Close::normal()).is_err(), "the first Close stands");
    converse(T0, &mut client, &mut server);
    let mut messages = events(&mut client).into_iter().filter_map(|event| match event {
        Event::Message(message) => Some(message),
        _ => None,
    });
    assert_eq!(messages.next().map(|message| message.len()), Some(1 << 20));
    assert_eq!(messages.next(), Some(Message::text("last")));
    assert_eq!(messages.next(), None);
}

#[test]
fn a_message_queued_behind_others_needs_no_new_clock_reading() {
    let mut server = server();
    assert_eq!(server.time_to_send(), None, "its wait begins with it");
    server.send(at(10), Message::text("first")).unwrap();
    server.send(at(20), Message::text("second")).unwrap();
    assert_eq!(server.time_to_send(), Some(at(20)));
    server.handle_written(at(30), 1);
    assert_eq!(server.time_to_send(), Some(at(30)), "not all has left");
    server.handle_written(at(40), server.output().len());
    assert_eq!(server.time_to_send(), None);
}

#[test]
fn a_connection_with_catching_up_to_do_needs_a_new_clock_reading() {
    let mut server = server();
    server.send(T0, Message::text("waits")).unwrap();
    server.set_reading(T0, false);
    assert_eq!(server.time_to_send(), None, "reading may begin again with what is sent");
    server.set_reading(T0, true);
    assert_eq!(server.time_to_send(), Some(T0));
    server.handle_input(T0, &to_server(0x88, b""));
    assert_eq!(server.time_to_send(), None, "an answer to a Close may be due");
}
