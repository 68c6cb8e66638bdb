//! A transport that accepts very little, after everything important has been sent.

use super::*;

/// Takes a byte from `server` every 4.9 s from `now` on; returns for how long.
fn trickles(server: &mut Connection, from: Instant) -> Duration {
    let mut now = from;
    while server.transport() != Transport::Drop && now - from < Duration::from_secs(600) {
        now += Duration::from_millis(4900);
        while let Some(due) = server.poll_timeout().filter(|due| *due <= now) {
            server.handle_timeout(due);
        }
        server.handle_written(now, 1);
        server.handle_blocked(now);
    }
    now - from
}

/// A server in the middle of a fragment that does not leave.
fn full_server() -> Connection {
    let mut server = server();
    server.send(T0, Message::binary(vec![0; 60_000])).unwrap();
    server.handle_written(T0, 10);
    server.handle_blocked(T0);
    server
}

#[test]
fn a_peer_that_broke_the_protocol_gains_no_time_by_trickling() {
    let mut server = full_server();
    server.handle_input(at(1000), b"\xc1\x80\0\0\0\0");
    assert_eq!(trickles(&mut server, at(1000)), Duration::from_millis(4 * 4900));
}

#[test]
fn a_peer_that_has_closed_gains_no_time_by_trickling() {
    let mut server = full_server();
    server.handle_input(at(1000), &to_server(0x88, b""));
    events(&mut server);
    assert_eq!(trickles(&mut server, at(1000)), Duration::from_millis(4 * 4900));
}

#[test]
fn data_sent_before_our_close_may_leave_slowly() {
    let mut server = full_server();
    server.close(at(1000), Close::normal()).unwrap();
    assert!(trickles(&mut server, at(1000)) >= Duration::from_secs(600));
}

#[test]
fn a_close_that_crosses_ours_after_a_long_time_still_gets_its_time() {
    let mut server = full_server();
    server.close(at(1000), Close::normal()).unwrap();
    let now = at(1000) + trickles(&mut server, at(1000));
    server.handle_input(now, &to_server(0x88, &close_payload(1000, "")));
    let stall_timeout = config().closing.stall_timeout;
    assert!(trickles(&mut server, now) >= stall_timeout * 3, "as if it had closed just now");
    assert_eq!(server.transport(), Transport::Drop);
}

#[test]
fn a_fault_after_a_long_time_still_gets_its_time() {
    let mut server = full_server();
    server.close(at(1000), Close::normal()).unwrap();
    let now = at(1000) + trickles(&mut server, at(1000));
    server.handle_input(now, b"\xc1\x80\0\0\0\0");
    assert_eq!(trickles(&mut server, now), Duration::from_millis(4 * 4900));
}

/// A server in the middle of a fragment that does not leave, and which waits a minute for that.
fn full_server_with_a_limit() -> Connection {
    let mut config = config();
    config.write_timeout = Some(Duration::from_secs(60));
    let mut server = Connection::server(config, [2; 32], T0);
    server.send(T0, Message::binary(vec![0; 60_000])).unwrap();
    server.handle_written(T0, 10);
    server.handle_blocked(T0);
    server
}

/// The peer pings every second and accepts nothing, until then or the end; returns when that was.
fn takes_nothing(server: &mut Connection, from: Instant, until: Instant) -> Instant {
    let mut now = from;
    while server.transport() != Transport::Drop && now < until {
        now += Duration::from_secs(1);
        server.handle_input(now, &to_server(0x89, b"?"));
        server.handle_timeout(now);
    }
    now
}

#[test]
fn a_live_peer_may_take_nothing_for_any_length_of_time() {
    let mut server = full_server();
    takes_nothing(&mut server, T0, at(3_600_000));
    assert!(server.is_open());
}

#[test]
fn a_write_limit_ends_a_live_peer_that_takes_nothing() {
    let mut server = full_server_with_a_limit();
    takes_nothing(&mut server, T0, at(59_000));
    assert!(server.is_open());
    assert_eq!(server.poll_timeout(), Some(at(60_000)));
    let over = takes_nothing(&mut server, at(59_000), at(3_600_000));
    assert_eq!(over, at(65_000));
    let why =
        "sent 1008 (policy violation) takes nothing; no close frame received; our close frame had not left";
    assert_eq!(end(&mut server).to_string(), why);
}

#[test]
fn an_occasional_byte_satisfies_the_write_limit() {
    let mut server = full_server_with_a_limit();
    for minute in 0..60 {
        takes_nothing(&mut server, at(minute * 60_000), at(minute * 60_000 + 59_000));
        server.handle_written(at(minute * 60_000 + 59_500), 1);
        server.handle_blocked(at(minute * 60_000 + 59_500));
    }
    assert!(server.is_open());
}

#[test]
fn a_stall_of_ours_does_not_count_against_the_write_limit() {
    let mut server = full_server_with_a_limit();
    takes_nothing(&mut server, T0, at(30_000));
    takes_nothing(&mut server, at(299_000), at(359_000));
    assert!(server.is_open(), "300 s were ours");
    takes_nothing(&mut server, at(359_000), at(360_000));
    assert!(!server.is_open());
}

#[test]
fn time_before_a_sleep_does_not_count_against_the_write_limit() {
    let mut server = full_server_with_a_limit();
    takes_nothing(&mut server, T0, at(30_000));
    server.handle_wake(at(30_000), Duration::from_secs(300));
    takes_nothing(&mut server, at(30_000), at(89_000));
    assert!(server.is_open(), "it may have taken all of it meanwhile");
    takes_nothing(&mut server, at(89_000), at(90_000));
    assert!(!server.is_open());
}
