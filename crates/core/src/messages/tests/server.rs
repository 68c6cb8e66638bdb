//! A server's sessions with well-behaved clients.

use super::*;

const KEEP: Duration = Duration::from_secs(120);

#[test]
fn a_session_waits_for_its_client() {
    let mut server = Server::new(sessions_config(small()));
    let (link, known) = server.resume(Known::new(1), 0);
    assert_eq!(
        server.sessions.poll_event(),
        Some(SessionsEvent::Session(known.session, Event::Began(known.session)))
    );
    server.say(link, 1, "a");
    server.sessions.send(server.now, known.session, text("x")).expect("room");
    assert!(server.sessions.has_received());
    assert_eq!((server.taken().as_str(), server.said(link).as_str()), ("a", "1:x+ack1"));
    assert!(!server.sessions.has_received());
    assert_eq!(server.sessions.unacknowledged(known.session), 1);
    server.sessions.handle_link_down(server.now, link, false);
    assert_eq!(server.sessions.poll_event(), Some(SessionsEvent::Detached(known.session)));
    server.sessions.send(server.now, known.session, text("y")).expect("room");
    server.wait(Duration::from_millis(119_999));
    let (link, _) = server.resume(known, 1);
    let resumed = Event::Resumed { replayed: 0, duplicates: 0 };
    assert_eq!(server.sessions.poll_event(), Some(SessionsEvent::Session(known.session, resumed)));
    assert_eq!(server.said(link), "2:y+ack1");
    server.wait(KEEP * 2);
    assert_eq!(
        (server.sessions.len(), server.sessions.poll_timeout()),
        (1, None),
        "it is not without a link"
    );
}

#[test]
fn a_session_without_a_link_expires() {
    let mut server = Server::new(sessions_config(small()));
    let (link, known) = server.resume(Known::new(1), 0);
    for message in ["x", "y"] {
        server.sessions.send(server.now, known.session, text(message)).expect("room");
    }
    assert_eq!(server.said(link), "1:x 2:y");
    server.sessions.handle_link_down(server.now, link, false);
    server.sessions.send(server.now, known.session, text("z")).expect("room");
    assert_eq!(server.sessions.poll_timeout(), Some(server.now + KEEP));
    server.wait(KEEP);
    assert_eq!(server.lost(), Some((known.session, Why::Expired, "x? y? z".into())));
    let unknown = server.sessions.send(server.now, known.session, text("w"));
    assert_eq!(unknown, Err(SendError::Unknown(text("w"))));
    assert_eq!(server.refused(known, 0), Why::Expired);
    assert_eq!((server.sessions.len(), server.sessions.detached_bytes()), (0, 0));
    assert!(server.sessions.is_empty());
}

#[test]
fn resuming_a_session_fences_off_its_previous_link() {
    let mut server = Server::new(sessions_config(small()));
    let (old, known) = server.resume(Known::new(1), 0);
    server.say(old, 1, "a");
    server.sessions.send(server.now, known.session, text("x")).expect("room");
    let (new, _) = server.resume(known, 0);
    assert_eq!((server.sessions.poll_stirred(), server.sessions.poll_stirred()), (Some(old), None));
    assert_eq!(server.sessions.poll_end(old), Some(Ended::Superseded));
    assert_eq!(server.sessions.poll_end(old), None, "told once");
    server.say(old, 2, "late");
    server.hear(old, Frame::Ack(77));
    server.sessions.handle_link_down(server.now, old, false);
    assert_eq!((server.said(old).as_str(), server.taken().as_str()), ("", "a"));
    assert_eq!(server.sessions.link(known.session), Some(new));
    assert_eq!(server.said(new), "1:x+ack1");
    server.say(new, 2, "b");
    assert_eq!(server.taken(), "b");
}

#[test]
fn the_secret_changes_with_each_resume() {
    let mut server = Server::new(sessions_config(small()));
    let (link, first) = server.resume(Known::new(1), 0);
    server.say(link, 1, "a");
    let (link, second) = server.resume(first, 0);
    assert!(second.secret != first.secret && second.epoch == 2);
    server.say(link, 2, "b");
    assert_eq!(server.refused(first, 0), Why::Epoch, "somebody else was here");
    assert_eq!(server.refused(Known { secret: first.secret, ..second }, 0), Why::Unknown);
    assert_eq!(server.sessions.link(first.session), Some(link), "and nobody was fenced off");
    server.resume(second, 0);
}

#[test]
fn a_lost_answer_does_not_cost_the_session() {
    let mut server = Server::new(sessions_config(small()));
    // The client never learns of the first two attachments, so it asks the same question.
    let (_, _) = server.resume(Known::new(1), 0);
    let (_, unheard) = server.resume(Known::new(1), 0);
    let (_, known) = server.resume(Known::new(1), 0);
    assert_eq!((known.epoch, server.sessions.len()), (3, 1));
    // It may have learned of one on the way.
    let (_, _) = server.resume(unheard, 0);
    assert_eq!(server.refused(Known::new(1), 0), Why::Epoch, "it knows better by now");
    let (link, known) = server.resume(known, 0);
    server.say(link, 1, "a");
    assert_eq!(server.refused(unheard, 0), Why::Epoch);
    assert_eq!(server.taken(), "a");
    server.resume(known, 0);
}

#[test]
fn a_session_belongs_to_the_identity_that_began_it() {
    let mut server = Server::new(sessions_config(small()));
    let (link, known) = server.resume(Known::new(1), 0);
    let other = server.link(b"somebody else");
    server.ask(other, known, 0);
    assert_eq!(server.said(other), "new session(Unknown)");
    assert_eq!(server.sessions.link(known.session), Some(link));
    let guess = Known { secret: Secret::from_bytes([0; 16]), ..known };
    assert_eq!(server.refused(guess, 0), Why::Unknown);
    assert_eq!(server.refused(Known { epoch: 0, ..guess }, 0), Why::Unknown, "the name alone opens nothing");
    assert_eq!(server.refused(Known::new(7).at(3), 0), Why::Unknown, "nor is one told that a name is known");
}

#[test]
fn a_client_that_remembers_other_numbers_gets_a_new_session() {
    let mut server = Server::new(sessions_config(small()));
    let (link, known) = server.resume(Known::new(1), 0);
    server.sessions.send(server.now, known.session, text("x")).expect("room");
    assert_eq!(server.said(link), "1:x");
    assert_eq!(server.refused(known, 2), Why::Numbers);
    assert_eq!(server.lost(), Some((known.session, Why::Numbers, "x?".into())));
    assert_eq!(server.sessions.len(), 0);
}

#[test]
fn a_refused_link_may_begin_a_new_session() {
    let mut server = Server::new(sessions_config(small()));
    let link = server.link(b"me");
    server.ask(link, Known::new(1).at(4), 9);
    assert_eq!(server.said(link), "new session(Unknown)");
    server.ask(link, Known::new(2), 0);
    assert_eq!(server.said(link), "resumed(epoch 1, last 0)");
}

#[test]
fn a_server_does_not_wait_for_a_client_that_says_goodbye() {
    let mut server = Server::new(sessions_config(small()));
    let (link, known) = server.resume(Known::new(1), 0);
    server.sessions.send(server.now, known.session, text("x")).expect("room");
    server.sessions.handle_link_down(server.now, link, true);
    assert_eq!(server.lost(), Some((known.session, Why::Closed, "x".into())));
    assert_eq!(server.refused(known, 0), Why::Closed);
}

#[test]
fn a_session_that_the_application_closes_is_over_at_once() {
    let mut server = Server::new(sessions_config(small()));
    let (link, known) = server.resume(Known::new(1), 0);
    server.sessions.send(server.now, known.session, text("x")).expect("room");
    assert_eq!(server.said(link), "1:x");
    assert_eq!(handed_back(&server.sessions.close(server.now, known.session)), "x?");
    assert_eq!(server.said(link), "new session(Closed)");
    server.say(link, 1, "late");
    server.hear(link, Frame::Ack(1));
    assert_eq!(server.sessions.poll_end(link), None, "it had not heard of the end");
    server.ask(link, Known::new(2), 0);
    assert_eq!(server.said(link), "resumed(epoch 1, last 0)");
    assert_eq!(server.taken(), "");
}

#[test]
fn a_server_that_stops_ends_all_sessions_and_hands_back_their_messages() {
    let mut server = Server::new(sessions_config(small()));
    let (here, first) = server.resume(Known::new(1), 0);
    let (gone, second) = server.resume(Known::new(2), 0);
    server.sessions.send(server.now, first.session, text("x")).expect("room");
    server.sessions.send(server.now, second.session, text("y")).expect("room");
    assert_eq!(server.said(here), "1:x");
    server.sessions.handle_link_down(server.now, gone, false);
    server.sessions.close_all(server.now);
    assert_eq!(server.lost(), Some((first.session, Why::Closed, "x?".into())));
    assert_eq!(server.lost(), Some((second.session, Why::Closed, "y".into())));
    assert_eq!(server.lost(), None);
    assert_eq!(server.said(here), "new session(Closed)");
    assert_eq!((server.sessions.len(), server.sessions.detached_bytes()), (0, 0));
}

#[test]
fn the_session_that_has_waited_longest_goes_when_there_are_too_many() {
    let mut server = Server::new(SessionsConfig { max_sessions: 2, ..sessions_config(small()) });
    let (first, known) = server.resume(Known::new(1), 0);
    let (second, _) = server.resume(Known::new(2), 0);
    assert_eq!(server.refused(Known::new(3), 0), Why::Busy, "all have links");
    server.sessions.handle_link_down(server.now, second, false);
    server.sessions.handle_link_down(server.now, first, false);
    server.resume(Known::new(3), 0);
    assert_eq!(
        server.lost().map(|(session, why, _)| (session, why)),
        Some((SessionId::from_bytes([2; 16]), Why::Overflow))
    );
    assert_eq!(server.refused(Known::new(2).at(1), 0), Why::Overflow);
    server.resume(known, 0);
    assert_eq!(server.sessions.len(), 2);
}

/// Connects as this principal and disconnects, leaving this many bytes behind.
fn come_and_go(server: &mut Server, principal: &[u8], n: u8, len: usize) {
    let link = server.link(principal);
    server.ask(link, Known::new(n), 0);
    server.said(link);
    let session = SessionId::from_bytes([n; 16]);
    server.sessions.send(server.now, session, text(&"x".repeat(len))).expect("room");
    server.sessions.handle_link_down(server.now, link, false);
}

#[test]
fn a_client_that_comes_and_goes_costs_no_other_client_its_session() {
    for max_sessions in [2, 3] {
        let mut server = Server::new(SessionsConfig { max_sessions, ..sessions_config(small()) });
        come_and_go(&mut server, b"alice", 1, 1);
        for n in 2..=5 {
            come_and_go(&mut server, b"mallory", n, 1);
        }
        let lost: Vec<_> = core::iter::from_fn(|| server.lost()).map(|(session, ..)| session).collect();
        assert_eq!(lost.len(), 5 - max_sessions);
        assert!(!lost.contains(&SessionId::from_bytes([1; 16])));
    }
}

#[test]
fn a_client_that_leaves_much_behind_costs_no_other_client_its_session() {
    let config = SessionsConfig { max_detached_bytes: 250, ..sessions_config(small()) };
    let mut server = Server::new(config);
    come_and_go(&mut server, b"alice", 1, 20);
    for n in 2..=6 {
        come_and_go(&mut server, b"mallory", n, 30);
    }
    let lost: Vec<_> = core::iter::from_fn(|| server.lost()).map(|(session, ..)| session).collect();
    assert!(!lost.is_empty() && !lost.contains(&SessionId::from_bytes([1; 16])), "{lost:?}");
}

#[test]
fn a_session_that_ends_over_its_numbers_is_subtracted_once() {
    let mut server = Server::new(sessions_config(small()));
    let (link, known) = server.resume(Known::new(1), 0);
    server.sessions.send(server.now, known.session, text("x")).expect("room");
    server.said(link);
    server.sessions.handle_link_down(server.now, link, false);
    assert_eq!(server.refused(known, 99), Why::Numbers);
    assert_eq!(server.sessions.detached_bytes(), 0);
}

#[test]
fn the_session_that_has_waited_longest_goes_when_too_much_is_kept() {
    let config = SessionsConfig { max_detached_bytes: 250, ..sessions_config(small()) };
    let mut server = Server::new(config);
    let mut links = Vec::new();
    for n in 1..=3 {
        let (link, known) = server.resume(Known::new(n), 0);
        server.sessions.send(server.now, known.session, text("0123456789")).expect("room");
        links.push(link);
    }
    for link in links {
        server.sessions.handle_link_down(server.now, link, false);
    }
    assert_eq!(server.lost(), None);
    let full = |server: &mut Server| {
        (0..20)
            .find_map(|_| server.sessions.send(server.now, SessionId::from_bytes([3; 16]), text("12")).err())
    };
    assert_eq!(full(&mut server), Some(SendError::Full(text("12"))));
    assert!(server.sessions.detached_bytes() <= 250 + 80);
    let (link, known) = server.resume(Known::new(4), 0);
    server.sessions.send(server.now, known.session, text("0123456789")).expect("room");
    server.sessions.handle_link_down(server.now, link, false);
    assert_eq!(server.lost().map(|(_, why, lost)| (why, lost)), Some((Why::Overflow, "0123456789".into())));
    assert!(server.sessions.detached_bytes() <= 250);
}

#[test]
fn messages_kept_without_a_link_are_counted_in_both_directions() {
    let mut server = Server::new(sessions_config(Config::default()));
    let (link, known) = server.resume(Known::new(1), 0);
    assert!(!server.sessions.is_empty());
    server.say(link, 1, "12345");
    server.hear(link, Frame::Data(Data { number: None, ack: 0, message: text("123") }));
    server.sessions.send(server.now, known.session, text("1234567")).expect("room");
    assert_eq!(server.sessions.detached_bytes(), 0, "it has a link");
    server.sessions.handle_link_down(server.now, link, false);
    assert_eq!(server.sessions.detached_bytes(), (64 + 5) + (64 + 3) + (64 + 7));
    server.sessions.poll_received(server.now).expect("it came");
    assert_eq!(server.sessions.detached_bytes(), (64 + 3) + (64 + 7));
    server.sessions.poll_received(server.now).expect("it came");
    server.sessions.send(server.now, known.session, text("1")).expect("room");
    assert_eq!(server.sessions.detached_bytes(), (64 + 7) + (64 + 1));
    server.resume(known, 0);
    assert_eq!(server.sessions.detached_bytes(), 0);
}

#[test]
fn messages_that_fit_exactly_are_kept() {
    let config = SessionsConfig { max_detached_bytes: 64 + 10, ..sessions_config(Config::default()) };
    let mut server = Server::new(config);
    let (link, known) = server.resume(Known::new(1), 0);
    server.sessions.send(server.now, known.session, text("0123456789")).expect("room");
    server.sessions.handle_link_down(server.now, link, false);
    assert_eq!(server.lost(), None);
    let (link, known) = server.resume(known, 0);
    server.hear(link, Frame::Ack(0));
    assert_eq!(server.said(link), "1:0123456789");
    server.hear(link, Frame::Ack(1));
    server.sessions.handle_link_down(server.now, link, false);
    let most = text(&"x".repeat(74));
    assert_eq!(server.sessions.send(server.now, known.session, most), Ok(2));
    assert!(matches!(server.sessions.send(server.now, known.session, text("")), Err(SendError::Full(_))));
}

#[test]
fn as_many_ended_sessions_are_remembered_as_may_be_open() {
    let mut server = Server::new(SessionsConfig { max_sessions: 2, ..sessions_config(small()) });
    for n in 1..=3 {
        let (_, known) = server.resume(Known::new(n), 0);
        server.sessions.close(server.now, known.session);
    }
    let whys = [1, 2, 3].map(|n| server.refused(Known::new(n).at(1), 0));
    assert_eq!(whys, [Why::Unknown, Why::Closed, Why::Closed]);
}

#[test]
fn a_client_without_room_is_told_to_wait_and_others_may_retry_at_once() {
    let mut server = Server::new(SessionsConfig { max_sessions: 1, ..sessions_config(small()) });
    server.resume(Known::new(1), 0);
    for (known, expected, seconds) in [(Known::new(2), Why::Busy, 10), (Known::new(2).at(1), Why::Unknown, 0)]
    {
        let link = server.link(b"me");
        server.ask(link, known, 0);
        let Some(Frame::NewSession { why, retry_after }) = server.answer(link) else { panic!("no answer") };
        assert_eq!((why, retry_after), (expected, Duration::from_secs(seconds)));
    }
}

#[test]
fn sessions_take_turns() {
    let mut server = Server::new(sessions_config(Config::default()));
    let (first, _) = server.resume(Known::new(1), 0);
    let (second, _) = server.resume(Known::new(2), 0);
    for number in 1..=3 {
        server.say(first, number, "a");
    }
    server.say(second, 1, "b");
    assert_eq!(server.taken(), "a b a a");
}

#[test]
fn an_acknowledgement_is_due_for_its_link() {
    let mut server = Server::new(sessions_config(small()));
    let (link, _) = server.resume(Known::new(1), 0);
    server.say(link, 1, "a");
    assert_eq!(server.sessions.poll_stirred(), None, "that came on the link itself");
    assert_eq!((server.taken().as_str(), server.said(link).as_str()), ("a", ""));
    assert_eq!(server.sessions.poll_stirred(), Some(link), "its timer is another one");
    let due = server.now + Duration::from_millis(200);
    assert_eq!((server.sessions.link_timeout(link), server.sessions.poll_timeout()), (Some(due), None));
    server.wait(Duration::from_millis(200));
    assert_eq!(server.sessions.link_timeout(link), None, "it is there to be taken");
    assert_eq!(server.said(link), "ack1");
}

#[test]
fn volatile_messages_need_a_link() {
    let mut server = Server::new(sessions_config(small()));
    let (link, known) = server.resume(Known::new(1), 0);
    assert_eq!(server.sessions.send_volatile(server.now, known.session, text("x")), Ok(()));
    assert_eq!(server.sessions.poll_stirred(), Some(link), "it has something to say");
    assert_eq!(server.said(link), "!x");
    server.sessions.handle_link_down(server.now, link, false);
    let down = server.sessions.send_volatile(server.now, known.session, text("x"));
    assert_eq!(down, Err(SendError::Down(text("x"))));
    let unknown = server.sessions.send_volatile(server.now, SessionId::from_bytes([9; 16]), text("x"));
    assert_eq!(unknown, Err(SendError::Unknown(text("x"))));
}

#[test]
fn debug_output_hides_secrets() {
    let mut server = Server::new(sessions_config(small()));
    server.resume(Known::new(1), 0);
    let shown = format!("{:?} {}", server.sessions, Why::Epoch);
    assert!(!shown.contains("[9, 9") && !shown.contains("[1, 1"), "{shown}");
}

#[test]
fn a_session_is_shown_by_half_its_id_and_an_end_by_its_reason() {
    let mut bytes = [0xab; 16];
    bytes[8..].fill(0xcd);
    let id = SessionId::from_bytes(bytes);
    assert_eq!((format!("{id}"), format!("{id:?}")), ("ab".repeat(8), format!("SessionId({id})")));
    assert_eq!(format!("{}", Why::Expired), "the session was without a link for too long");
    assert_eq!(format!("{}", Why::Other(99)), "the session is gone, for the unknown reason 99");
}

impl Known {
    /// As if it had been resumed this many times.
    fn at(self, epoch: u32) -> Self {
        Self { epoch, ..self }
    }
}
