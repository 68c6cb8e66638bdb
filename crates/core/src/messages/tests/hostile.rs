//! Peers that break the rules: a clear error, bounded memory, and no harm to anyone else.

use super::*;
use crate::transfer::Code;
use alloc::vec;

fn window(messages: u32, bytes: u32) -> Config {
    let mut config = Config::default();
    config.replay.window = Window { messages, bytes };
    config
}

#[test]
fn a_server_may_not_speak_before_its_answer() {
    let mut client = Client::asked(small());
    client.hear_message(1, "a");
    let (code, text) = client.broken();
    assert_eq!(code, Code::Protocol);
    assert_eq!(text, "unexpected DATA with number 1 while the session is not resumed");
    client.hear_message(1, "a");
    assert_eq!((client.taken().as_str(), client.messages.poll_event()), ("", None), "it is not listened to");
}

#[test]
fn a_server_may_not_answer_an_unasked_question() {
    let mut client = Client::new(small());
    client.messages.handle_link_up(client.now);
    client.resumed(0);
    assert_eq!(client.broken().1, "unexpected RESUMED with epoch 1 while no session was asked for");
    let mut client = Client::up(small());
    client.resumed(0);
    assert_eq!(client.broken().1, "unexpected RESUMED with epoch 2 while the session is up");
    let mut client = Client::up(small());
    client.link_up();
    client.epoch = 0;
    client.resumed(0);
    assert_eq!(client.broken().1, "epoch 1 after 1");
}

#[test]
fn a_server_may_not_acknowledge_what_was_not_sent() {
    for (ack, sent) in [(2, "a"), (u64::MAX, "a")] {
        let mut client = Client::up(small());
        client.send(sent).expect("room");
        client.said();
        client.hear(Frame::Ack(ack));
        assert_eq!(client.broken().1, format!("ack of unsent: {ack}, but 1 was the last one sent"));
        assert_eq!(client.messages.unacknowledged(), 1, "nothing is lost by it");
    }
    let mut client = Client::up(small());
    client.hear(Frame::Data(Data { number: Some(1), ack: 9, message: text("x") }));
    assert_eq!(client.broken().1, "ack of unsent: 9, but 0 was the last one sent");
    assert_eq!(client.taken(), "");
}

#[test]
fn a_client_may_not_speak_before_it_has_a_session() {
    let data = |number| Frame::Data(Data { number, ack: 0, message: text("a") });
    for (frame, words) in [
        (Frame::Ack(7), "ACK of 7"),
        (data(Some(1)), "DATA with number 1"),
        (data(None), "DATA without a number"),
    ] {
        let mut server = Server::new(sessions_config(small()));
        let link = server.link(b"me");
        server.hear(link, frame.clone());
        let text = server.broken(link);
        assert_eq!(text, format!("unexpected {words} while there is no session"));
        server.hear(link, frame);
        assert_eq!((server.sessions.poll_end(link), server.taken().as_str()), (None, ""));
    }
}

#[test]
fn a_client_may_not_ask_twice_or_answer() {
    let mut server = Server::new(sessions_config(small()));
    let (link, known) = server.resume(Known::new(1), 0);
    server.ask(link, known, 0);
    assert_eq!(server.broken(link), "unexpected RESUME with epoch 1 while the session is up");
    server.resume(known, 0);
    let link = server.link(b"me");
    server.hear(link, Frame::NewSession { why: Why::Busy, retry_after: Duration::ZERO });
    assert_eq!(server.broken(link), "unexpected NEWSESSION with reason 6 while there is no session");
}

#[test]
fn a_session_survives_whatever_breaks_its_link() {
    let gap = Frame::Data(Data { number: Some(7), ack: 0, message: text("g") });
    let cases = [
        (gap, "gap: expected 2, got 7"),
        (Frame::Ack(u64::MAX), "ack of unsent: 18446744073709551615, but 1 was the last one sent"),
        (Frame::Unsupported(0x5e), "frame type 0x5e"),
    ];
    for (frame, expected) in cases {
        let mut server = Server::new(sessions_config(small()));
        let (link, known) = server.resume(Known::new(1), 0);
        server.say(link, 1, "a");
        server.sessions.send(server.now, known.session, text("x")).expect("room");
        server.said(link);
        server.hear(link, frame);
        assert_eq!(server.broken(link), expected);
        assert_eq!(server.sessions.link(known.session), None, "it waits as if the link were gone");
        let (link, _) = server.resume(known, 0);
        assert_eq!((server.taken().as_str(), server.said(link).as_str()), ("a", "1:x+ack1"));
    }
}

#[test]
fn damage_is_found_and_costs_only_the_link() {
    let mut server = Server::new(sessions_config(small()));
    let (link, known) = server.resume(Known::new(1), 0);
    let mut frame = encoded(Frame::Data(Data { number: Some(1), ack: 0, message: text("a") })).to_vec();
    frame[36] ^= 1;
    server.sessions.handle_frame(server.now, link, frame.into());
    assert_eq!(server.broken(link), "frame type 0x50, handle 0: checksum mismatch");
    let (link, _) = server.resume(known, 0);
    server.say(link, 1, "a");
    assert_eq!(server.taken(), "a");
}

#[test]
fn messages_beyond_the_window_are_refused() {
    for (config, most) in [(window(3, 1000), 3), (window(100, 20), 2)] {
        let mut server = Server::new(sessions_config(config));
        let (link, _) = server.resume(Known::new(1), 0);
        for number in 1..=4 {
            server.say(link, number, "0123456789");
        }
        assert!(server.broken(link).starts_with("more than the window"));
        assert_eq!(server.taken().split(' ').count(), most);
    }
}

#[test]
fn only_messages_that_were_not_taken_count_against_the_window() {
    let mut server = Server::new(sessions_config(window(2, 1000)));
    let (link, _) = server.resume(Known::new(1), 0);
    for number in 1..=50 {
        server.say(link, number, "x");
        if number % 2 == 0 {
            server.taken();
        }
    }
    assert_eq!(server.sessions.poll_end(link), None);
}

#[test]
fn a_single_message_may_be_larger_than_the_window() {
    let mut server = Server::new(sessions_config(window(10, 5)));
    let (link, _) = server.resume(Known::new(1), 0);
    server.say(link, 1, "0123456789");
    assert_eq!(server.taken(), "0123456789");
}

#[test]
fn a_flood_of_volatile_messages_takes_bounded_memory() {
    let config = Config { max_volatile_bytes: 10_000, ..Config::default() };
    let mut server = Server::new(sessions_config(config));
    let (link, known) = server.resume(Known::new(1), 0);
    for _ in 0..1000 {
        let message = Message::binary(vec![0; 1000]);
        server.hear(link, Frame::Data(Data { number: None, ack: 0, message }));
    }
    server.sessions.handle_link_down(server.now, link, false);
    assert!(server.sessions.detached_bytes() <= 10_000 + 64 * 64, "{}", server.sessions.detached_bytes());
    let (link, _) = server.resume(known, 0);
    assert_eq!(server.sessions.poll_end(link), None);
}

#[test]
fn a_flood_of_sessions_takes_bounded_memory() {
    let config = SessionsConfig { max_sessions: 10, ..sessions_config(small()) };
    let mut server = Server::new(config);
    for n in 0..1000_u32 {
        let mut id = [0; 16];
        id[..4].copy_from_slice(&n.to_be_bytes());
        let known = Known { session: SessionId::from_bytes(id), secret: Secret::from_bytes(id), epoch: 0 };
        let link = server.link(b"me");
        server.ask(link, known, 0);
        server.say(link, 1, "x");
        server.sessions.handle_link_down(server.now, link, false);
        assert!(server.sessions.len() <= 10);
        while server.sessions.poll_event().is_some() {}
    }
    assert_eq!(server.taken().split(' ').count(), 10, "what is gone is not delivered any more");
}

#[test]
fn endless_requests_take_bounded_memory() {
    let mut server = Server::new(sessions_config(small()));
    let link = server.link(b"me");
    for n in 0..1000 {
        server.ask(link, Known { epoch: n + 1, ..Known::new(1) }, u64::from(n));
    }
    assert_eq!(server.said(link), "new session(Unknown)", "one answer waits");
    assert_eq!(server.sessions.poll_event(), None);
}

#[test]
fn the_last_epoch_does_not_overflow() {
    let mut client = Client::asked(small());
    client.epoch = u32::MAX - 1;
    client.resumed(0);
    assert!(matches!(client.messages.poll_event(), Some(Event::Began(_))));
    assert_eq!(client.link_up().epoch, u32::MAX);
    client.epoch = 0;
    client.resumed(0);
    assert_eq!(client.broken().1, format!("epoch 1 after {}", u32::MAX));
}

#[test]
fn calls_for_unknown_links_do_nothing() {
    let mut server = Server::new(sessions_config(small()));
    let nobody = LinkId(99);
    server.ask(nobody, Known::new(1), 0);
    server.sessions.handle_link_down(server.now, nobody, true);
    assert_eq!((server.said(nobody).as_str(), server.sessions.poll_end(nobody)), ("", None));
    assert_eq!((server.sessions.link_timeout(nobody), server.sessions.len()), (None, 0));
}

/// On one link as on many: a session that the server does not know under these numbers begins, is lost, and begins
/// again.
#[test]
fn peers_cannot_pile_up_events_that_the_application_does_not_read() {
    let mut config = sessions_config(small());
    config.max_sessions = 4;
    let mut server = Server::new(config);
    let (mut link, mut known) = server.resume(Known::new(1), 0);
    server.sessions.send(server.now, known.session, text("x")).expect("room");
    server.said(link);
    server.sessions.close_all(server.now);
    known = Known::new(2);
    for _ in 0..100 {
        (link, known) = server.resume(known, 0);
        server.sessions.handle_link_down(server.now, link, false);
    }
    let events: Vec<_> = core::iter::from_fn(|| server.sessions.poll_event()).collect();
    assert_eq!(events.len(), 16, "four for each session that may be");
    let lost = |event: &SessionsEvent| matches!(event, SessionsEvent::Session(_, Event::Lost { .. }));
    assert!(lost(&events[0]) && !lost(&events[1]), "what hands messages back is not forgotten");
    assert_eq!(events[15], SessionsEvent::Detached(known.session), "the latest is there");
}

#[test]
fn a_server_cannot_pile_up_events_that_the_application_does_not_read() {
    let mut client = Client::up(small());
    client.send("x").expect("room");
    client.said();
    client.hear(Frame::NewSession { why: Why::Expired, retry_after: Duration::ZERO });
    for _ in 0..100 {
        client.said();
        client.epoch = 0;
        client.resumed(0);
        client.hear(Frame::NewSession { why: Why::Expired, retry_after: Duration::ZERO });
    }
    let events: Vec<_> = core::iter::from_fn(|| client.messages.poll_event()).collect();
    assert_eq!(events.len(), 64);
    assert!(matches!(&events[0], Event::Lost { messages, .. } if messages.len() == 1), "{:?}", events[0]);
    assert!(matches!(&events[63], Event::Lost { messages, .. } if messages.is_empty()));
    assert!(matches!(&events[62], Event::Began(session) if *session != client.messages.session()));
}
