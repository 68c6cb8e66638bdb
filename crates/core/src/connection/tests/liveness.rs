//! Pings, pongs and silence, as seen from outside.

use super::*;
use crate::closing::{Retry, Why};

fn pings(role: Role, bytes: &[u8]) -> Vec<Bytes> {
    let pings = frames(role, bytes).into_iter().filter(|(opcode, _)| *opcode == Opcode::Ping);
    pings.map(|(_, payload)| payload).collect()
}

#[test]
fn the_round_trip_is_measured_from_when_the_ping_left() {
    let mut client = client();
    assert_eq!(client.poll_timeout(), Some(at(20_000)));
    client.handle_timeout(at(20_000));
    let pings = pings(Role::Client, &drain(&mut client, at(21_000)));
    assert_eq!((client.rtt(), pings.len()), (None, 1));
    client.handle_input(at(21_080), &to_client(0x8a, &pings[0]));
    assert_eq!(events(&mut client), [Event::Pong { rtt: Duration::from_millis(80) }]);
    assert_eq!(client.rtt(), Some(Duration::from_millis(80)));
    assert_eq!((client.stats().pings, client.stats().pongs), (1, 1));
}

#[test]
fn a_ping_overtakes_queued_data() {
    let mut client = client();
    client.send(T0, Message::binary(vec![0; 1_000_000])).unwrap();
    client.handle_written(at(19_000), 1000);
    client.handle_blocked(at(19_000));
    client.handle_timeout(at(20_000));
    let rest = 16_384 + 8 - 1000;
    client.handle_written(at(20_500), rest);
    assert_eq!((client.output()[0], client.output().len()), (0x89, 14));
}

#[test]
fn silence_ends_the_connection_and_a_last_close_is_offered_once() {
    let mut client = client();
    client.handle_timeout(at(20_000));
    drain(&mut client, at(20_000));
    assert_eq!(client.poll_timeout(), Some(at(40_000)));
    client.handle_timeout(at(40_000));
    assert_eq!(client.transport(), Transport::Drop);
    let last_words = drain(&mut client, at(40_000));
    assert_eq!(frames(Role::Client, &last_words)[0].1, b"\x03\xf3keepalive ping timeout"[..]);
    let disconnect = end(&mut client);
    assert_eq!(disconnect.kind(), Kind::KeepaliveTimeout);
    assert_eq!(
        disconnect.to_string().split("; ").nth(2),
        Some("nothing received for 40 s, ping unanswered for 20 s")
    );
    assert_eq!(client.poll_timeout(), None);
}

#[test]
fn one_that_gives_way_says_so_to_the_peer_and_in_its_record() {
    let mut client = client();
    client.set_impatient(T0, true);
    client.handle_timeout(at(3000));
    drain(&mut client, at(3000));
    assert!(!client.give_way(at(3000)), "nobody doubts it");
    let doubt = client.poll_timeout().expect("a doubt");
    client.handle_timeout(doubt);
    assert!(client.give_way(doubt));
    assert_eq!(client.transport(), Transport::Drop);
    let last_words = drain(&mut client, doubt);
    assert_eq!(frames(Role::Client, &last_words)[0].1, b"\x03\xe9replaced by a new connection"[..]);
    let disconnect = end(&mut client);
    let text = disconnect.to_string();
    assert!(text.contains("sent 1001 (going away) replaced by a new connection"), "{text}");
    assert_eq!(
        disconnect.retry(),
        Retry::No(Why::Replaced),
        "a host that follows this does not dial once more"
    );
    let record = client.timeline(doubt).to_string();
    assert!(record.contains("a new connection takes its place"), "{record}");
    assert!(!client.give_way(doubt), "it has");
}

#[test]
fn a_ping_that_cannot_leave_is_a_write_stall() {
    let mut client = client();
    client.send(T0, Message::binary(vec![0; 60_000])).unwrap();
    client.handle_written(T0, 10);
    client.handle_blocked(T0);
    client.handle_timeout(at(1000));
    client.handle_timeout(at(20_000));
    client.handle_timeout(at(40_000));
    assert_eq!(end(&mut client).kind(), Kind::WriteStall);
}

#[test]
fn a_busy_upload_does_not_kill_the_connection() {
    let mut client = client();
    for second in 0..200_u64 {
        let now = Instant::from_secs(second);
        let _ = client.send(now, Message::binary(vec![0; 10_000]));
        // 2 kB/s leave a full transport; nothing comes back.
        client.handle_written(now, 2000);
        client.handle_blocked(now);
        client.handle_timeout(now);
    }
    assert_eq!(events(&mut client), []);
    assert!(client.closing.is_open());
}

#[test]
fn pings_are_answered_with_their_payload() {
    let mut server = server();
    server.handle_input(T0, &[to_server(0x89, b"one"), to_server(0x89, &[7; 125])].concat());
    let pongs = [(Opcode::Pong, "one".into()), (Opcode::Pong, Bytes::from(vec![7; 125]))];
    assert_eq!(frames(Role::Server, &drain(&mut server, T0)), pongs);
    assert_eq!(server.stats().pings_received, 2);
}

#[test]
fn ten_pings_get_ten_pongs_and_a_thousand_get_sixteen() {
    let mut server = server();
    server.handle_input(T0, &to_server(0x89, b"x").repeat(10));
    assert_eq!(frames(Role::Server, &drain(&mut server, T0)).len(), 10);
    server.handle_input(T0, &to_server(0x89, b"x").repeat(1000));
    assert_eq!(frames(Role::Server, &drain(&mut server, T0)).len(), 16);
}

#[test]
fn an_unsolicited_pong_is_a_sign_of_life_and_not_reported() {
    let mut server = server();
    server.handle_input(at(15_000), &to_server(0x8a, b"hello"));
    assert_eq!(events(&mut server), []);
    assert_eq!(server.poll_timeout(), Some(at(25_000))); // 1.25 intervals after we last spoke
    server.handle_timeout(at(25_000));
    assert_eq!(frames(Role::Server, &drain(&mut server, at(25_000))), [(Opcode::Pong, Bytes::new())]);
    assert_eq!(server.poll_timeout(), Some(at(35_000)));
}

#[test]
fn silence_while_the_application_does_not_read_is_not_the_peers() {
    let mut config = config();
    config.receive_buffer = 1000;
    let mut client = Connection::client(config, [1; 32], T0);
    client.handle_input(at(5000), &to_client(0x82, &[0; 1000]));
    assert!(!client.wants_input());
    for millis in (15_000..=95_000).step_by(10_000) {
        assert_eq!(client.poll_timeout(), Some(at(millis)));
        client.handle_timeout(at(millis));
        assert_eq!(frames(Role::Client, &drain(&mut client, at(millis))), [(Opcode::Pong, Bytes::new())]);
    }
    assert_eq!(events(&mut client).len(), 1);
    assert!(client.wants_input());
    // The heartbeat has to learn of it now, whenever now is.
    assert!(client.poll_timeout() <= Some(at(95_000)));
    client.handle_timeout(at(97_000));
    assert_eq!(client.poll_timeout(), Some(at(117_000)));
}

#[test]
fn a_late_timer_does_not_blame_the_peer() {
    let mut client = client();
    client.handle_timeout(at(20_000));
    drain(&mut client, at(20_000));
    client.handle_timeout(at(100_000));
    assert_eq!(events(&mut client), [Event::Stalled { late: Duration::from_secs(60) }]);
    let pings = pings(Role::Client, &drain(&mut client, at(100_000)));
    client.handle_input(at(100_200), &to_client(0x8a, &pings[0]));
    assert_eq!(client.poll_timeout(), Some(at(120_200)));
}

#[test]
fn a_sleep_is_followed_by_a_ping() {
    let mut client = client();
    client.handle_wake(at(3000), Duration::from_secs(10));
    assert_eq!((events(&mut client), client.output()), (vec![], &b""[..]));
    client.handle_wake(at(4000), Duration::from_secs(300));
    assert_eq!(events(&mut client), [Event::Resumed { slept: Duration::from_secs(300) }]);
    assert_eq!(pings(Role::Client, &drain(&mut client, at(4000))).len(), 1);
    client.handle_end(at(4100), End::Reset);
    assert_eq!(end(&mut client).kind(), Kind::LocalSuspend);
}

#[test]
fn a_peer_that_answers_with_data_only_is_reported_once() {
    let mut client = client();
    let mut told = Vec::new();
    for round in 1..=6 {
        client.handle_timeout(Instant::from_secs(21 * round - 1));
        drain(&mut client, Instant::from_secs(21 * round - 1));
        client.handle_input(Instant::from_secs(21 * round), &to_client(0x81, b""));
        told.extend(events(&mut client).into_iter().filter(|event| *event == Event::PeerDoesNotPong));
    }
    assert_eq!(told, [Event::PeerDoesNotPong]);
}

#[test]
fn no_pings_are_sent_after_our_close_has_left() {
    let mut client = client();
    client.close(T0, Close::normal()).unwrap();
    drain(&mut client, T0);
    client.handle_input(at(4900), &to_client(0x81, b"still talking"));
    client.handle_input(at(9700), &to_client(0x81, b"still talking"));
    assert_eq!(client.poll_timeout(), Some(at(14_700)));
    client.handle_timeout(at(14_699));
    assert_eq!(client.output(), b"");
}

#[test]
fn a_clock_that_steps_back_stands_still() {
    let (mut stepping, mut standing) = (client(), client());
    for (millis, stands) in
        [(20_000, 20_000), (5000, 20_000), (25_000, 25_000), (0, 25_000), (46_000, 46_000)]
    {
        for (client, now) in [(&mut stepping, at(millis)), (&mut standing, at(stands))] {
            client.handle_timeout(now);
            client.handle_input(now, &to_client(0x81, b"x"));
            client.handle_written(now, client.output().len());
        }
        assert_eq!(stepping.poll_timeout(), standing.poll_timeout());
        assert_eq!(stepping.output(), standing.output());
    }
    assert_eq!(events(&mut stepping), events(&mut standing));
    assert_eq!(stepping.stats().clock_regressions, 6);
}

#[test]
fn commands_advance_the_clock_too() {
    let mut client = client();
    client.send(at(10), Message::text("a")).unwrap();
    client.send_parts(at(9), Parts::default()).unwrap();
    client.send(at(8), Message::text("b")).unwrap();
    client.set_reading(at(7), true);
    client.send_parts(at(20), Parts::default()).unwrap();
    client.close(at(19), Close::normal()).unwrap();
    assert_eq!(client.stats().clock_regressions, 4);
}
