//! What the heartbeat learns from the ends of connections.

use super::*;
use crate::closing::{self, CloseCode, Closing, Evidence, Ping};
use crate::{Close, Connection, End, Instant, Message, Role, connection};

const SECOND: Duration = Duration::from_secs(1);

fn config() -> connection::Config {
    let mut config = connection::Config::default();
    config.heartbeat.interval = 10 * SECOND;
    config.heartbeat.jitter_percent = 0;
    config
}

fn client() -> Connection {
    Connection::client(config(), [1; 32], Instant::ZERO)
}

/// Lets everything leave that is queued.
fn write(connection: &mut Connection, millis: u64) {
    while !connection.output().is_empty() {
        let n = connection.output().len();
        connection.handle_written(Instant::from_millis(millis), n);
    }
}

/// A ping after this silence, and its answer a moment later.
fn answered_ping(connection: &mut Connection, millis: u64) {
    connection.handle_timeout(Instant::from_millis(millis));
    write(connection, millis);
    connection.handle_input(Instant::from_millis(millis + 30), &[0x8a, 0]);
}

fn closed(connection: &mut Connection) -> Disconnect {
    core::iter::from_fn(|| connection.poll_event())
        .find_map(|event| match event {
            connection::Event::Closed(disconnect) => Some(disconnect),
            _ => None,
        })
        .expect("it is over")
}

/// The interval after this end, once the next connection has opened.
fn intervals_after(disconnect: &Disconnect) -> (f64, f64) {
    let mut adapt = learner(Mode::Learn, 10 * SECOND);
    adapt.record(START, &mut disconnect.clone());
    let at_once = adapt.interval();
    adapt.handle_open(START + 1);
    (at_once.as_secs_f64(), adapt.interval().as_secs_f64())
}

/// The end of a connection that pings after 10 s of silence and gets no answer.
fn found_dead(connection: &mut Connection) -> Disconnect {
    connection.handle_timeout(Instant::from_secs(10));
    write(connection, 10_000);
    connection.handle_timeout(Instant::from_secs(30));
    let disconnect = closed(connection);
    assert_eq!(disconnect.kind(), Kind::KeepaliveTimeout);
    disconnect
}

/// This end says nothing about the path: what the connection had survived remains valid.
fn assert_no_lesson(disconnect: &Disconnect) {
    assert_eq!(intervals_after(disconnect), (10.0, 10.0), "{disconnect}");
    let mut adapt = learner(Mode::Learn, 10 * SECOND);
    adapt.record(START, &mut disconnect.clone());
    adapt.handle_open(START + 1);
    let survived = disconnect.longest_silence();
    assert_eq!(adapt.path().lo(), (survived >= SECOND).then_some(survived), "{disconnect}");
    assert_eq!(adapt.path().hi(), None, "{disconnect}");
}

#[test]
fn an_unprovoked_end_after_three_seconds_of_silence_is_a_limit() {
    for end in [End::Eof, End::Reset, End::TlsTruncated] {
        let mut connection = client();
        connection.handle_input(Instant::from_secs(2), &[0x81, 1, b'x']);
        connection.handle_end(Instant::from_secs(5), end);
        assert_eq!(intervals_after(&closed(&mut connection)), (2.25, 2.25), "{end:?}");
    }
}

#[test]
fn a_limit_is_certain_even_if_we_sent_the_last_message() {
    let mut connection = client();
    connection.send(Instant::from_secs(2), Message::text("one way")).expect("room");
    write(&mut connection, 2000);
    connection.handle_end(Instant::from_millis(6000), End::Eof);
    assert_eq!(intervals_after(&closed(&mut connection)), (3.0, 3.0));
}

#[test]
fn a_silence_survived_on_the_same_connection_shows_no_limit() {
    let mut connection = client();
    answered_ping(&mut connection, 10_000);
    connection.handle_end(Instant::from_millis(20_030), End::Eof);
    let disconnect = closed(&mut connection);
    assert_eq!(disconnect.longest_silence(), 10 * SECOND);
    assert_no_lesson(&disconnect);
}

#[test]
fn a_silence_of_three_seconds_that_our_ping_ended_counts_as_survived() {
    let mut quick = config();
    quick.heartbeat.interval = 3 * SECOND;
    let mut connection = Connection::client(quick, [1; 32], Instant::ZERO);
    answered_ping(&mut connection, 3000);
    assert_eq!(connection.poll_survived(), Some(3 * SECOND));
    assert_eq!(connection.poll_survived(), None, "told once");
    connection.handle_input(Instant::from_millis(4029), &[0x81, 1, b'x']);
    assert_eq!(connection.poll_survived(), None, "a pause in a conversation");
    connection.handle_input(Instant::from_millis(5029), &[0x81, 1, b'x']);
    assert_eq!(connection.poll_survived(), Some(SECOND));
}

#[test]
fn a_dead_peer_after_a_silence_is_a_limit_once_the_network_works_again() {
    let mut connection = client();
    let disconnect = found_dead(&mut connection);
    assert_eq!(disconnect.unanswered_silence(), Some(10 * SECOND));
    assert_eq!(intervals_after(&disconnect), (10.0, 7.5));
}

/// A connection that was cut while much was under way was not cut for its silence.
#[test]
fn a_dead_peer_with_much_unanswered_data_is_no_limit() {
    for (len, wanted) in [(1 << 10, 7.5), (100 << 10, 10.0)] {
        let mut connection = client();
        connection.send(Instant::ZERO, Message::binary(alloc::vec![7; len])).unwrap();
        write(&mut connection, 0);
        let disconnect = found_dead(&mut connection);
        assert_eq!(intervals_after(&disconnect), (10.0, wanted), "{len}: {disconnect}");
    }
}

/// A silence does not count if the peer owed an answer.
#[test]
fn a_dead_peer_that_owed_an_answer_is_no_limit() {
    for (since, wanted) in [(0, 10.0), (10, 7.5)] {
        let mut connection = client();
        connection.set_awaiting(Instant::from_secs(since), true);
        let disconnect = found_dead(&mut connection);
        assert_eq!(intervals_after(&disconnect), (10.0, wanted), "since {since} s: {disconnect}");
    }
}

/// A reset may answer a retransmission that nobody saw. An orderly end was somebody's decision.
#[test]
fn a_reset_by_a_peer_that_owed_an_answer_is_no_limit() {
    for (end, kind, after) in [(End::Reset, Kind::Reset, 10.0), (End::Eof, Kind::Eof, 6.0)] {
        let mut connection = client();
        connection.set_awaiting(Instant::ZERO, true);
        connection.handle_end(Instant::from_secs(8), end);
        let disconnect = closed(&mut connection);
        assert_eq!(disconnect.kind(), kind);
        assert_eq!(intervals_after(&disconnect), (after, after), "{disconnect}");
    }
}

/// A connection that was cut inside a frame was not cut for its silence: the peer would have continued, and no Pong can
/// arrive there.
#[test]
fn a_dead_peer_in_the_middle_of_a_frame_is_no_limit() {
    let half = [0x82, 4, 1, 2];
    let (mut dead, mut reset) = (client(), client());
    dead.handle_input(Instant::ZERO, &half);
    reset.handle_input(Instant::ZERO, &half);
    reset.handle_end(Instant::from_secs(3), End::Reset);
    let (dead, reset) = (found_dead(&mut dead), closed(&mut reset));
    assert_eq!(reset.kind(), Kind::Reset);
    for disconnect in [dead, reset] {
        assert_eq!(disconnect.unanswered_silence(), None);
        assert_no_lesson(&disconnect);
    }
}

#[test]
fn a_dead_peer_after_survived_silences_is_no_limit() {
    let mut connection = client();
    answered_ping(&mut connection, 10_000);
    connection.handle_timeout(Instant::from_millis(20_030));
    write(&mut connection, 20_400);
    connection.handle_timeout(Instant::from_millis(40_400));
    let disconnect = closed(&mut connection);
    assert_eq!(disconnect.kind(), Kind::KeepaliveTimeout);
    assert_eq!(disconnect.unanswered_silence(), Some(Duration::from_millis(10_370)));
    assert_no_lesson(&disconnect);
}

#[test]
fn a_reset_in_answer_to_our_ping_is_a_guess() {
    let mut connection = client();
    connection.handle_timeout(Instant::from_secs(10));
    write(&mut connection, 10_000);
    connection.handle_end(Instant::from_millis(10_040), End::Reset);
    let disconnect = closed(&mut connection);
    assert!(matches!(disconnect.kind(), Kind::IdleDrop { .. }), "{disconnect}");
    assert_eq!(intervals_after(&disconnect), (10.0, 7.5));
}

#[test]
fn a_timeout_of_unacknowledged_bytes_is_a_guess() {
    let mut connection = client();
    connection.handle_timeout(Instant::from_secs(10));
    write(&mut connection, 10_000);
    connection.handle_end(Instant::from_secs(25), End::TimedOut);
    let disconnect = closed(&mut connection);
    assert_eq!(disconnect.kind(), Kind::TimedOut);
    assert_eq!(intervals_after(&disconnect), (10.0, 7.5));
}

#[test]
fn a_reset_long_after_an_unanswered_ping_is_a_guess_too() {
    let mut connection = client();
    connection.handle_timeout(Instant::from_secs(10));
    write(&mut connection, 10_000);
    connection.handle_end(Instant::from_secs(14), End::Reset);
    assert_eq!(intervals_after(&closed(&mut connection)), (10.0, 7.5));
}

#[test]
fn the_last_of_two_equal_silences_is_the_limit() {
    let mut connection = client();
    connection.handle_timeout(Instant::from_secs(10));
    write(&mut connection, 10_000);
    connection.handle_end(Instant::from_secs(20), End::Reset);
    assert_eq!(intervals_after(&closed(&mut connection)), (7.5, 7.5));
}

#[test]
fn an_end_in_answer_to_a_message_is_no_limit() {
    let mut connection = client();
    connection.send(Instant::from_secs(5), Message::text("quit")).expect("room");
    write(&mut connection, 5000);
    connection.handle_end(Instant::from_millis(5100), End::Eof);
    assert_no_lesson(&closed(&mut connection));
}

#[test]
fn an_end_after_a_close_is_no_limit() {
    let mut connection = client();
    connection.handle_input(Instant::from_secs(5), &[0x88, 2, 0x03, 0xe9]);
    write(&mut connection, 5000);
    connection.handle_end(Instant::from_millis(6500), End::Eof);
    assert_no_lesson(&closed(&mut connection));

    let mut connection = client();
    connection.close(Instant::from_secs(5), Close::normal()).expect("open");
    write(&mut connection, 5000);
    connection.handle_end(Instant::from_millis(8000), End::Eof);
    assert_no_lesson(&closed(&mut connection));
}

#[test]
fn an_end_found_after_a_suspend_teaches_nothing_about_the_path() {
    // The timer reveals the sleep,
    let mut connection = client();
    connection.handle_wake(Instant::from_secs(5), 300 * SECOND);
    connection.handle_end(Instant::from_secs(7), End::Eof);
    let disconnect = closed(&mut connection);
    assert_eq!(disconnect.kind(), Kind::LocalSuspend);
    assert_no_lesson(&disconnect);

    // or the end reveals how late we are.
    let mut connection = client();
    connection.handle_end(Instant::from_secs(70), End::Eof);
    let disconnect = closed(&mut connection);
    assert_eq!(disconnect.kind(), Kind::LocalSuspend, "{disconnect}");
    assert_no_lesson(&disconnect);
}

#[test]
fn bytes_that_arrived_during_a_suspend_prove_no_survived_silence() {
    let mut connection = client();
    connection.handle_input(Instant::from_secs(300), &[0x81, 1, b'x']);
    assert_eq!(connection.poll_survived(), None);
    // What arrives later is proof again.
    connection.handle_timeout(Instant::from_secs(300));
    write(&mut connection, 300_000);
    connection.handle_input(Instant::from_secs(302), &[0x81, 1, b'x']);
    connection.handle_input(Instant::from_secs(306), &[0x81, 1, b'x']);
    assert_eq!(connection.poll_survived(), Some(4 * SECOND));
}

#[test]
fn a_server_that_refuses_frequent_pings_gets_half_as_many() {
    let refused = || {
        let mut closing = Closing::new(closing::Config::default(), Role::Client, Instant::ZERO);
        let close = Close::new(CloseCode::POLICY, "too many pings").expect("a good close");
        closing.handle_close(Instant::from_secs(9), &close.encode());
        closing.handle_end(Instant::from_secs(9), End::Eof);
        closing.poll_disconnect(&Evidence::default()).expect("it is over")
    };
    let mut adapt = learner(Mode::Learn, 10 * SECOND);
    for wanted in [20, 40, 80, 160, 160] {
        adapt.record(START, &mut refused());
        assert_eq!(adapt.interval(), wanted * SECOND);
    }
    // But the path has the last word.
    adapt.handle_killed(START, 60 * SECOND, true);
    assert_eq!(adapt.interval(), 45 * SECOND);
}

#[test]
fn a_write_stall_is_no_silence() {
    let mut closing = Closing::new(closing::Config::default(), Role::Client, Instant::ZERO);
    closing.handle_blocked(Instant::from_secs(1));
    closing.dead(Instant::from_secs(40));
    let evidence = Evidence { ping: Ping::Unsent, ..Evidence::default() };
    let disconnect = closing.poll_disconnect(&evidence).expect("it is over");
    assert_eq!(disconnect.kind(), Kind::WriteStall);
    assert_no_lesson(&disconnect);
}
