//! A client's session with a well-behaved server.

use super::*;

#[test]
fn acknowledgements_free_the_buffer_and_the_rest_is_sent_again() {
    let mut client = Client::up(small());
    assert_eq!((client.send("a"), client.send("b")), (Ok(1), Ok(2)));
    assert_eq!(client.said(), "1:a 2:b");
    client.hear(Frame::Ack(1));
    assert_eq!((client.send("c"), client.send("d")), (Ok(3), Ok(4)));
    assert_eq!(client.said(), "3:c 4:d");
    assert_eq!(client.send("e"), Err(SendError::Full(text("e"))), "and handed back");
    client.link_up();
    client.resumed(2);
    assert_eq!(client.messages.poll_event(), Some(Event::Resumed { replayed: 2, duplicates: 0 }));
    assert_eq!(client.said(), "3:c 4:d");
    assert_eq!((client.messages.unacknowledged(), client.messages.unacknowledged_bytes()), (2, 2));
}

#[test]
fn a_resumed_client_shows_at_once_that_it_has_the_session() {
    let mut client = Client::up(small());
    assert_eq!(client.said(), "", "once");
    client.hear_message(1, "a");
    assert_eq!(client.taken(), "a");
    client.link_up();
    client.resumed(0);
    assert_eq!((client.said().as_str(), client.said().as_str()), ("ack1", ""));
    assert_eq!(client.messages.poll_timeout(), None, "it is told by that");
    client.link_up();
    client.send("x").expect("room");
    client.resumed(0);
    assert_eq!((client.said().as_str(), client.said().as_str()), ("1:x+ack1", ""), "a message shows it, too");
}

#[test]
fn messages_are_delivered_once_and_in_order() {
    let mut client = Client::up(small());
    for (number, message) in [(1, "a"), (2, "b"), (2, "b"), (1, "a"), (3, "c")] {
        client.hear_message(number, message);
    }
    assert_eq!((client.messages.has_received(), client.messages.carried()), (true, 5));
    assert_eq!(client.taken(), "a b c");
    assert!(!client.messages.has_received());
    client.hear_message(5, "e");
    assert_eq!(client.broken().1, "gap: expected 4, got 5");
    client.link_up();
    client.resumed(0);
    assert_eq!(client.messages.poll_event(), Some(Event::Resumed { replayed: 0, duplicates: 2 }));
}

#[test]
fn messages_sent_offline_wait_in_the_same_buffer() {
    let mut client = Client::new(small());
    assert_eq!((client.send("a"), client.send("b"), client.send("c")), (Ok(1), Ok(2), Ok(3)));
    assert!(matches!(client.send("d"), Err(SendError::Full(_))));
    assert_eq!(client.link_up().last, 0);
    assert_eq!(client.said(), "", "nothing before the answer");
    client.resumed(0);
    assert_eq!(client.said(), "1:a 2:b 3:c");
}

#[test]
fn a_server_that_remembers_less_than_it_acknowledged_has_lost_the_session() {
    let mut client = Client::up(small());
    for message in ["a", "b", "c"] {
        client.send(message).expect("room");
    }
    client.said();
    client.hear(Frame::Ack(3));
    client.send("d").expect("room");
    client.said();
    client.link_up();
    client.resumed(1);
    let Some(Event::Lost { why, messages }) = client.messages.poll_event() else { panic!("not lost") };
    assert_eq!((why, &*handed_back(&messages)), (Why::Numbers, "d?"));
    assert_eq!(client.broken().1, "the server does not remember the same messages");
    let new = client.link_up();
    assert_eq!((new.epoch, new.last), (0, 0));
    client.epoch = 0;
    client.resumed(0);
    client.hear(Frame::Ack(5));
    assert!(matches!(client.messages.poll_event(), Some(Event::Began(_))));
    assert_eq!(client.broken().1, "ack of unsent: 5, but 0 was the last one sent");
}

#[test]
fn a_client_hands_everything_back_if_the_server_has_forgotten_it() {
    let mut client = Client::up(small());
    client.send("a").expect("room");
    client.send("b").expect("room");
    client.said();
    client.hear(Frame::Ack(1));
    client.messages.handle_link_down(client.now);
    client.send("c").expect("room");
    let old = client.link_up();
    assert_eq!((old.epoch, old.secret), (1, Secret::from_bytes([1; 16])), "what the server has given");
    client.hear(Frame::NewSession { why: Why::Expired, retry_after: Duration::ZERO });
    let Some(Event::Lost { why, messages }) = client.messages.poll_event() else { panic!("not lost") };
    assert_eq!((why, &*handed_back(&messages)), (Why::Expired, "b? c"));
    client.send("d").expect("room");
    let Some(Frame::Resume(new)) = client.messages.poll_frame(client.now).map(decoded) else { panic!() };
    assert_eq!((new.epoch, new.last), (0, 0));
    assert!(new.session != old.session && new.secret != old.secret);
    client.epoch = 0;
    client.resumed(0);
    assert_eq!(client.said(), "1:d");
}

#[test]
fn a_session_that_the_server_ends_hands_back_its_messages() {
    let mut client = Client::up(small());
    client.send("a").expect("room");
    client.said();
    client.hear(Frame::NewSession { why: Why::Closed, retry_after: Duration::ZERO });
    let Some(Event::Lost { why, messages }) = client.messages.poll_event() else { panic!("not lost") };
    assert_eq!((why, &*handed_back(&messages)), (Why::Closed, "a?"));
    assert_eq!(client.said(), "resume(epoch 0, last 0)");
}

#[test]
fn a_client_asks_again_within_an_hour_whatever_the_server_says() {
    let mut client = Client::new(small());
    client.link_up();
    client.hear(Frame::NewSession { why: Why::Busy, retry_after: Duration::from_millis(u32::MAX.into()) });
    let hour = Duration::from_secs(3600);
    assert_eq!(client.messages.poll_event(), Some(Event::Refused { retry_after: hour }));
    assert_eq!(client.messages.poll_timeout(), Some(client.now + hour));
}

#[test]
fn a_client_asks_again_when_a_server_without_room_says_so() {
    let mut client = Client::new(small());
    client.send("a").expect("room");
    client.link_up();
    client.hear(Frame::NewSession { why: Why::Busy, retry_after: Duration::from_secs(5) });
    assert_eq!(client.messages.poll_event(), Some(Event::Refused { retry_after: Duration::from_secs(5) }));
    client.wait(4999);
    assert_eq!(client.said(), "");
    assert_eq!(client.messages.poll_timeout(), Some(client.now + Duration::from_millis(1)));
    client.wait(1);
    assert_eq!(client.said(), "resume(epoch 0, last 0)");
    client.resumed(0);
    assert_eq!(client.said(), "1:a", "it has waited");
}

#[test]
fn a_client_gives_up_on_a_server_that_never_answers() {
    let mut client = Client::asked(small());
    assert_eq!(client.messages.poll_timeout(), Some(client.now + Duration::from_secs(30)));
    client.wait(29_999);
    assert_eq!(client.messages.poll_event(), None);
    client.wait(1);
    assert_eq!(client.broken().0, crate::transfer::Code::Stalled);
    assert_eq!(client.messages.poll_timeout(), None);
}

#[test]
fn a_server_without_message_support_is_sent_no_messages() {
    let mut client = Client::new(small());
    client.send("a").expect("room");
    client.messages.handle_link_up(client.now);
    client.messages.handle_peer(client.now, false);
    assert_eq!((client.said().as_str(), client.messages.poll_event()), ("", Some(Event::Unsupported)));
    client.link_up();
    client.resumed(0);
    assert_eq!(client.said(), "1:a", "on the next link it may");
}

#[test]
fn acknowledgements_wait_a_while_or_ride_along_with_a_message() {
    let mut client = Client::up(small());
    client.hear_message(1, "a");
    assert_eq!((client.taken().as_str(), client.said().as_str()), ("a", ""));
    assert_eq!(client.messages.poll_timeout(), Some(client.now + Duration::from_millis(200)));
    client.wait(199);
    assert_eq!(client.said(), "");
    client.wait(1);
    assert_eq!(client.said(), "ack1");
    client.hear_message(2, "b");
    client.taken();
    client.send("x").expect("room");
    assert_eq!(client.messages.poll_timeout(), None, "it is there to be taken");
    assert_eq!(client.said(), "1:x+ack2");
    client.hear_message(3, "c");
    client.hear_message(4, "d");
    assert_eq!((client.taken().as_str(), client.said().as_str()), ("c d", "ack4"), "two are many");
    assert_eq!(client.messages.poll_timeout(), None);
}

#[test]
fn messages_that_the_application_has_not_taken_are_not_acknowledged() {
    let mut client = Client::up(small());
    client.hear_message(1, "a");
    client.hear_message(2, "b");
    client.wait(1000);
    assert_eq!(client.said(), "");
    assert_eq!(client.link_up().last, 0);
    client.resumed(0);
    client.hear_message(1, "a");
    assert_eq!(client.taken(), "a b");
    assert_eq!(client.said(), "ack2");
}

#[test]
fn messages_that_need_confirmation_are_acknowledged_once_confirmed() {
    let mut config = small();
    config.replay.ack_on = crate::replay::AckOn::Confirmation;
    let mut client = Client::up(config);
    client.hear_message(1, "a");
    client.hear_message(2, "b");
    let first = client.messages.poll_received(client.now).and_then(|received| received.receipt);
    let first = first.expect("numbered");
    client.wait(1000);
    assert_eq!(client.said(), "");
    client.messages.confirm(client.now, Receipt { number: 2, ..first });
    client.wait(200);
    assert_eq!(client.said(), "ack1", "what was not taken cannot be confirmed");
    client.hear(Frame::NewSession { why: Why::Closed, retry_after: Duration::ZERO });
    client.said();
    client.epoch = 0;
    client.resumed(0);
    assert_eq!(client.said(), "ack0");
    client.hear_message(1, "x");
    assert_eq!(client.taken(), "x", "b is gone with its session");
    client.messages.confirm(client.now, first);
    client.wait(200);
    assert_eq!(client.said(), "", "a receipt of another session says nothing");
}

#[test]
fn volatile_messages_leave_on_the_current_link_or_not_at_all() {
    let mut client = Client::new(small());
    let volatile =
        |client: &mut Client, message: &str| client.messages.send_volatile(client.now, text(message));
    assert_eq!(volatile(&mut client, "x"), Err(SendError::Down(text("x"))));
    client.link_up();
    assert_eq!(volatile(&mut client, "x"), Err(SendError::Down(text("x"))), "the session is not resumed");
    assert!(!client.messages.is_up());
    client.resumed(0);
    assert!(client.messages.is_up());
    client.send("a").expect("room");
    client.send("b").expect("room");
    for message in ["x", "y"] {
        assert_eq!(volatile(&mut client, message), Ok(()));
    }
    assert_eq!(volatile(&mut client, "z"), Err(SendError::Full(text("z"))), "two may wait");
    assert_eq!(client.said(), "!x 1:a !y 2:b", "both go forward");
    assert_eq!(volatile(&mut client, "z"), Ok(()));
    client.link_up();
    client.resumed(0);
    assert_eq!(client.said(), "1:a 2:b", "it went with its link");
}

#[test]
fn volatile_messages_beyond_the_limit_are_dropped() {
    let mut client = Client::up(small());
    for message in ["x", "y", "z"] {
        client.hear(Frame::Data(Data { number: None, ack: 0, message: text(message) }));
    }
    client.hear_message(1, "a");
    assert_eq!(client.taken(), "x y a");
    client.hear(Frame::Data(Data { number: None, ack: 0, message: text("w") }));
    assert_eq!(client.taken(), "w");
}

#[test]
fn the_room_of_volatile_messages_is_free_once_they_have_left() {
    let mut client = Client::up(Config { max_volatile_bytes: 10, ..Config::default() });
    let long = "0123456789";
    for round in 0..3 {
        let sent = client.messages.send_volatile(client.now, text(long));
        assert_eq!(sent, Ok(()), "{round}");
        let second = client.messages.send_volatile(client.now, text(long));
        assert_eq!(second, Err(SendError::Full(text(long))), "{round}");
        assert_eq!(client.said(), "!0123456789");
        for _ in 0..2 {
            client.hear(Frame::Data(Data { number: None, ack: 0, message: text(long) }));
        }
        assert_eq!(client.taken(), long, "one is dropped");
    }
}

#[test]
fn a_message_that_is_too_long_is_handed_back() {
    let mut client = Client::up(Config { max_volatile_bytes: MAX_MESSAGE, ..Config::default() });
    let long = Message::binary(alloc::vec![0; MAX_MESSAGE + 1]);
    assert_eq!(client.messages.send(client.now, long.clone()), Err(SendError::TooLong(long.clone())));
    assert_eq!(client.messages.send_volatile(client.now, long.clone()), Err(SendError::TooLong(long)));
    let longest = Message::binary(alloc::vec![0; MAX_MESSAGE]);
    assert!(client.messages.send(client.now, longest.clone()).is_ok());
    assert!(client.messages.send_volatile(client.now, longest).is_ok());
}

#[test]
fn a_client_sends_no_more_than_the_server_has_a_window_for() {
    let mut client = Client::asked(Config::default());
    for message in ["a", "b", "c"] {
        client.send(message).expect("room");
    }
    let secret = Secret::from_bytes([0; 16]);
    let window = Window { messages: 2, bytes: 9 };
    client.hear(Frame::Resumed(Resumed { epoch: 1, window, keep: Duration::ZERO, secret, last: 0 }));
    assert_eq!(client.said(), "1:a 2:b");
    client.hear(Frame::Ack(1));
    assert_eq!(client.said(), "3:c");
}

#[test]
fn the_longest_message_does_not_wait_for_late_acknowledgements() {
    let config = Config::default();
    let (mut client, mut peer) = (Client::up(config), Client::up(config));
    // This much does not yet require an acknowledgement from a peer that processes it at once.
    let short = Message::binary(alloc::vec![0; config.replay.ack_bytes - 1]);
    for message in [short, Message::binary(alloc::vec![0; MAX_MESSAGE])] {
        client.messages.send(client.now, message).expect("room");
        let frame = client.messages.poll_frame(client.now).expect("the peer takes it");
        peer.messages.handle_frame(peer.now, frame.into_bytes());
        assert!(peer.messages.poll_received(peer.now).is_some());
    }
}

#[test]
fn an_abandoned_session_hands_back_its_messages() {
    let mut client = Client::up(small());
    client.send("a").expect("room");
    client.said();
    client.send("b").expect("room");
    let before = client.messages.session();
    assert_eq!(handed_back(&client.messages.reset(client.now)), "a? b");
    assert_eq!((client.said().as_str(), client.messages.unacknowledged()), ("", 0));
    let new = client.link_up();
    assert!(new.session != before && new.epoch == 0);
}

#[test]
fn debug_output_hides_messages_and_secrets() {
    let mut client = Client::up(small());
    client.send("geheim").expect("room");
    client.hear_message(1, "geheim");
    let frame = format!("{:?}", decoded(client.messages.poll_frame(client.now).expect("a message")));
    let resume = format!("{:?}", client.link_up());
    for shown in [format!("{:?}", client.messages), frame, resume] {
        assert!(!shown.contains("geheim") && !shown.contains("[1, 1"), "{shown}");
    }
}
