//! Pings that the application asks for.

use super::*;

fn pings(bytes: &[u8]) -> Vec<Bytes> {
    let pings = frames(Role::Client, bytes).into_iter().filter(|(opcode, _)| *opcode == Opcode::Ping);
    pings.map(|(_, payload)| payload).collect()
}

fn answered(ping: u64, millis: u64) -> Event {
    Event::Answered { ping, rtt: Duration::from_millis(millis) }
}

#[test]
fn a_ping_is_answered_by_its_number() {
    let mut client = client();
    assert_eq!((client.ping(T0, b"a"), client.ping(T0, b"")), (Ok(1), Ok(2)));
    assert_eq!(pings(&drain(&mut client, at(100))), ["a", ""]);
    client.handle_input(at(150), &to_client(0x8a, b"a"));
    client.handle_input(at(170), &to_client(0x8a, b""));
    assert_eq!(events(&mut client), [answered(1, 50), answered(2, 70)]);
    client.handle_input(at(180), &to_client(0x8a, b"a"));
    assert_eq!(events(&mut client), []);
    // The heartbeat measures and counts only its own pings.
    assert_eq!((client.rtt(), client.stats().pings), (None, 0));
}

#[test]
fn an_answer_may_be_taken_before_earlier_events() {
    let mut client = client();
    let _ = (client.ping(T0, b"a"), client.ping(T0, b"b"), client.ping(T0, b"c"));
    drain(&mut client, T0);
    let come = [(0x82, "one"), (0x8a, "a"), (0x82, "two"), (0x8a, "b"), (0x81, "three"), (0x8a, "c")];
    for (head, payload) in come {
        client.handle_input(at(5), &to_client(head, payload.as_bytes()));
    }
    let rtt = Duration::from_millis(5);
    assert_eq!(client.poll_answered(), Some((1, rtt)));
    assert_eq!(client.poll_answered(), Some((2, rtt)));
    let message = |message| Event::Message(message);
    let (one, two) = (message(Message::binary("one")), message(Message::binary("two")));
    assert_eq!(events(&mut client), [one, two, message(Message::text("three")), answered(3, 5)]);
    assert_eq!(client.poll_answered(), None, "it was told");
    for number in 4..200 {
        client.ping(at(5), b"d").unwrap();
        drain(&mut client, at(5));
        client.handle_input(at(5), &to_client(0x8a, b"d"));
        assert_eq!(client.poll_answered(), Some((number, Duration::ZERO)), "however many have been");
    }
    assert!(!client.has_events());
}

#[test]
fn an_answer_is_not_lost_among_old_events() {
    let mut client = client();
    for n in 1..=100 {
        let now = at(n * 20_000);
        client.handle_timeout(now);
        let beat = pings(&drain(&mut client, now))[0].clone();
        client.handle_input(now, &to_client(0x8a, &beat));
    }
    let now = at(2_010_000);
    client.ping(now, b"a").unwrap();
    drain(&mut client, now);
    client.handle_input(now, &to_client(0x8a, b"a"));
    let told = events(&mut client);
    assert!(told.len() < 100 && told.last() == Some(&answered(1, 0)), "{told:?}");
}

#[test]
fn a_ping_overtakes_data_and_leaves_the_heartbeat_alone() {
    let mut client = client();
    client.send(T0, Message::binary(vec![0; 100_000])).unwrap();
    let begun = client.output()[..5].to_vec();
    client.handle_written(T0, 5);
    client.ping(T0, b"first").unwrap();
    client.handle_timeout(at(20_000));
    client.ping(at(20_000), b"third").unwrap();
    let sent = [begun, drain(&mut client, at(20_000))].concat();
    let kinds: Vec<_> = frames(Role::Client, &sent).into_iter().map(|(opcode, _)| opcode).take(4).collect();
    assert_eq!(kinds[1..], [Opcode::Ping; 3], "behind the fragment under way");
    assert_eq!((client.heartbeat.pings(), client.heartbeat.poll_timeout()), (1, Some(at(40_000))));
    client.handle_input(at(20_100), &to_client(0x8a, b"third"));
    assert_eq!(events(&mut client), [answered(1, 100), answered(2, 100)]);
    assert_eq!((client.stats().pongs, client.rtt()), (0, None));
}

#[test]
fn each_ping_is_timed_from_when_it_has_left() {
    let mut client = client();
    client.handle_timeout(at(20_000));
    client.ping(at(20_000), b"mine").unwrap();
    let beat = pings(client.output())[0].clone();
    // The heartbeat's is 14 bytes long, the other one 10.
    client.handle_written(at(21_000), 14);
    client.handle_written(at(22_000), 9);
    client.handle_input(at(22_500), &to_client(0x8a, b"mine"));
    assert_eq!(events(&mut client), [], "it has not left");
    client.handle_written(at(23_000), 1);
    client.handle_input(at(23_500), &to_client(0x8a, &beat));
    client.handle_input(at(23_600), &to_client(0x8a, b"mine"));
    let rtt = Duration::from_millis(2500);
    assert_eq!(events(&mut client), [Event::Pong { rtt }, answered(1, 600)]);
    assert_eq!(client.rtt(), Some(rtt));
}

#[test]
fn a_pong_answers_the_pings_before_its_own() {
    let mut client = client();
    for payload in [b"a", b"b", b"c"] {
        client.ping(T0, payload).unwrap();
    }
    drain(&mut client, T0);
    client.handle_input(at(30), &to_client(0x8a, b"b"));
    assert_eq!(events(&mut client), [answered(1, 30), answered(2, 30)]);

    // A Pong for the heartbeat also answers the pings that left before its own.
    client.handle_timeout(at(20_030));
    client.ping(at(20_030), b"d").unwrap();
    let beat = pings(&drain(&mut client, at(20_030)))[0].clone();
    client.handle_input(at(20_130), &to_client(0x8a, &beat));
    let rtt = Duration::from_millis(100);
    assert_eq!(events(&mut client), [answered(3, 20_130), Event::Pong { rtt }]);
    client.handle_input(at(20_150), &to_client(0x8a, b"d"));
    assert_eq!(events(&mut client), [answered(4, 120)]);
}

#[test]
fn pings_that_cannot_be_sent_are_refused() {
    let mut client = client();
    assert_eq!(client.ping(T0, &[0; 126]), Err(PingError::TooLong(126)));
    client.ping(T0, &[0; 125]).unwrap();
    for _ in 1..8 {
        client.ping(T0, b"x").unwrap();
    }
    assert_eq!(client.ping(T0, b"x"), Err(PingError::TooMany(8)));
    drain(&mut client, T0);
    client.ping(T0, b"y").unwrap();
    client.close(T0, Close::normal()).unwrap();
    assert_eq!(client.ping(T0, b"x"), Err(PingError::Closing));
}

#[test]
fn only_the_latest_unanswered_pings_are_remembered() {
    let mut client = client();
    for number in 0..20_u8 {
        client.ping(at(number.into()), &[number]).unwrap();
        drain(&mut client, at(number.into()));
    }
    client.handle_input(at(100), &to_client(0x8a, &[11]));
    assert_eq!(events(&mut client), []);
    client.handle_input(at(100), &to_client(0x8a, &[12]));
    assert_eq!(events(&mut client), [answered(13, 88)]);
    client.handle_input(at(100), &to_client(0x8a, &[19]));
    assert_eq!(events(&mut client).len(), 7);
}

#[test]
fn answering_only_the_latest_ping_counts_as_answering() {
    let mut client = client();
    for round in 1..=5 {
        let now = at(round * 20_000);
        client.handle_timeout(now);
        client.ping(now, b"mine").unwrap();
        let all = pings(&drain(&mut client, now));
        assert_eq!(all.len(), 2);
        client.handle_input(now, &to_client(0x8a, b"mine"));
    }
    assert_eq!(events(&mut client), [1, 2, 3, 4, 5].map(|ping| answered(ping, 0)));
}

#[test]
fn debug_output_of_a_ping_shows_only_its_length() {
    let mut client = client();
    client.ping(T0, b"secret").unwrap();
    let text = alloc::format!("{:?}", client.asked);
    assert!(text.contains("bytes: 6") && !text.contains("secret"), "{text}");
}
