//! A process that did not run, or a machine that slept, is never held against the peer.

use super::*;
use crate::heartbeat::Mode;

fn without_heartbeat() -> Connection {
    let mut config = config();
    config.heartbeat.mode = Mode::Off;
    Connection::client(config, [1; 32], T0)
}

fn stalled(late: u64) -> Event {
    Event::Stalled { late: Duration::from_secs(late) }
}

#[test]
fn a_late_timer_is_reported_without_a_heartbeat_too() {
    let mut client = without_heartbeat();
    client.close(T0, Close::normal()).unwrap();
    drain(&mut client, T0);
    client.handle_timeout(at(300_000));
    let events = events(&mut client);
    assert_eq!(events[..2], [Event::CloseSent(Close::normal()), stalled(295)]);
}

#[test]
fn a_sleep_is_reported_without_a_heartbeat_too() {
    let mut client = without_heartbeat();
    client.handle_wake(at(5000), Duration::from_secs(10));
    assert_eq!(events(&mut client), []);
    client.handle_wake(at(5000), Duration::from_secs(300));
    assert_eq!(events(&mut client), [Event::Resumed { slept: Duration::from_secs(300) }]);
    client.handle_end(at(6000), End::Reset);
    assert_eq!(end(&mut client).kind(), Kind::LocalSuspend);
}

#[test]
fn a_sleep_is_reported_once_with_a_heartbeat() {
    let mut client = client();
    client.handle_wake(at(5000), Duration::from_secs(300));
    assert_eq!(events(&mut client), [Event::Resumed { slept: Duration::from_secs(300) }]);
    assert_eq!(drain(&mut client, at(5000)).len(), 14, "and the peer is asked");
}

#[test]
fn an_end_that_is_found_late_shows_no_idle_limit() {
    // The clock kept running while the machine slept. Reading comes before the timers, and finds the end.
    let mut client = client();
    client.handle_end(at(300_000), End::Reset);
    let events = events(&mut client);
    assert_eq!(events[0], stalled(280));
    let Event::Closed(disconnect) = &events[1] else { panic!("{events:?}") };
    assert_eq!(disconnect.kind(), Kind::LocalSuspend, "{disconnect}");
}

#[test]
fn a_stall_that_several_deadlines_notice_is_reported_once() {
    let mut config = config();
    config.message_timeout = Some(Duration::from_secs(30));
    let mut client = Connection::client(config, [1; 32], T0);
    client.handle_input(T0, &to_client(0x02, b"begun"));
    client.handle_read(at(300_000));
    client.handle_timeout(at(300_500));
    assert_eq!(events(&mut client), [stalled(280)]);
    assert!(client.is_open(), "the time was ours");
}

#[test]
fn a_second_stall_is_reported_too() {
    let mut client = client();
    client.handle_timeout(at(30_000));
    drain(&mut client, at(30_000));
    client.handle_timeout(at(60_000));
    assert_eq!(events(&mut client)[..2], [stalled(10), stalled(25)]);
}

#[test]
fn a_delay_of_two_seconds_is_no_stall() {
    let mut client = client();
    client.handle_timeout(at(22_000));
    assert_eq!(events(&mut client), []);
    let mut client = without_heartbeat();
    client.close(T0, Close::normal()).unwrap();
    drain(&mut client, T0);
    client.handle_timeout(at(7000));
    assert!(!events(&mut client).contains(&stalled(2)));
}

#[test]
fn a_host_that_takes_its_events_late_has_not_stalled() {
    let mut config = config();
    config.receive_buffer = 10;
    config.heartbeat.mode = Mode::Off;
    let mut client = Connection::client(config, [1; 32], T0);
    client.handle_input(T0, &to_client(0x82, &[0; 10]));
    assert_eq!(events(&mut client).len(), 1);
    // The heartbeat must learn at once that there is room, but no deadline has passed.
    client.handle_timeout(at(60_000));
    assert_eq!(events(&mut client), []);
}

#[test]
fn a_message_is_not_too_slow_because_we_did_not_run() {
    let mut config = config();
    config.message_timeout = Some(Duration::from_secs(40));
    let mut client = Connection::client(config, [1; 32], T0);
    client.handle_input(T0, &to_client(0x02, b"begun"));
    // The ping was due at 20 s.
    client.handle_read(at(39_000));
    assert_eq!(events(&mut client), [stalled(19)]);
    client.handle_timeout(at(40_000));
    assert!(client.is_open());
}

/// The payload of the last Ping in these bytes of a client.
fn last_ping(bytes: &[u8]) -> Bytes {
    let pings = frames(Role::Client, bytes).into_iter().filter(|(opcode, _)| *opcode == Opcode::Ping);
    pings.last().expect("a ping").1
}

/// 64 KiB every 1.3 s, and a known round trip of 80 ms.
#[test]
fn an_upload_over_a_slow_path_survives_a_stall() {
    let mut client = client();
    client.handle_timeout(at(20_000));
    let ping = last_ping(&drain(&mut client, at(20_000)));
    client.handle_input(at(20_080), &to_client(0x8a, &ping));
    client.send(at(30_000), Message::binary(vec![0; 10_000_000])).unwrap();
    // It does not run after the last of these, so the next ping is late.
    let before = (30_000..=39_100).step_by(1300);
    let after = (47_500..80_000).step_by(1300);
    for now in before.chain(after) {
        let n = client.outputs().map(<[u8]>::len).sum::<usize>().min(64 << 10);
        client.handle_written(at(now), n);
        client.handle_blocked(at(now));
        while let Some(due) = client.poll_timeout().filter(|due| now != 39_100 && *due < at(now + 1300)) {
            client.handle_timeout(due.max(at(now)));
        }
    }
    let events = events(&mut client);
    assert!(events.iter().any(|event| matches!(event, Event::Stalled { .. })), "{events:?}");
    assert!(!events.iter().any(|event| matches!(event, Event::Closed(_))), "{events:?}");
}
/// A client that has found that it did not run, and whose peer answered the next ping at once.
fn stalled_and_answered(stall: impl FnOnce(&mut Connection)) -> Connection {
    let mut client = client();
    stall(&mut client);
    let ping = last_ping(&drain(&mut client, at(25_000)));
    client.handle_input(at(25_080), &to_client(0x8a, &ping));
    client
}

#[test]
fn an_answer_to_the_ping_after_a_stall_proves_survival() {
    let late = |client: &mut Connection| client.handle_timeout(at(25_000));
    let slept = |client: &mut Connection| client.handle_wake(at(25_000), Duration::from_secs(3600));
    for mut client in [stalled_and_answered(late), stalled_and_answered(slept)] {
        client.handle_end(at(34_000), End::Reset);
        assert_eq!(end(&mut client).kind(), Kind::Reset);
    }
}

#[test]
fn an_answer_to_a_ping_before_a_stall_proves_nothing() {
    let mut client = client();
    client.handle_timeout(at(20_000));
    let ping = last_ping(&drain(&mut client, at(20_000)));
    client.handle_wake(at(25_000), Duration::from_secs(3600));
    drain(&mut client, at(25_000));
    client.handle_input(at(25_010), &to_client(0x8a, &ping));
    client.handle_end(at(25_020), End::Reset);
    assert_eq!(end(&mut client).kind(), Kind::LocalSuspend);
}

#[test]
fn an_answer_to_an_application_ping_after_a_stall_proves_survival() {
    let mut client = without_heartbeat();
    client.handle_wake(at(25_000), Duration::from_secs(3600));
    client.ping(at(25_000), b"still there?").unwrap();
    drain(&mut client, at(25_000));
    client.handle_input(at(25_080), &to_client(0x8a, b"still there?"));
    client.handle_end(at(34_000), End::Reset);
    assert_eq!(end(&mut client).kind(), Kind::Reset);
}

/// A client without a heartbeat. At `at(0)`, its Close waits behind a message of which the transport has accepted
/// nothing.
fn closing_behind_a_full_transport() -> Connection {
    let mut client = without_heartbeat();
    client.send(T0, Message::binary(vec![0; 1000])).unwrap();
    client.handle_blocked(T0);
    client.close(T0, Close::normal()).unwrap();
    client.handle_timeout(at(1000));
    assert_eq!(events(&mut client), [Event::WriteBlocked { lasted: Duration::from_secs(1) }]);
    client
}

#[test]
fn a_transport_is_not_blamed_for_bytes_that_were_not_offered() {
    let late = |client: &mut Connection| client.handle_timeout(at(500_000));
    let slept = |client: &mut Connection| client.handle_wake(at(19_000), Duration::from_secs(300));
    for (wake_up, woken) in [(late as fn(&mut Connection), 500_000), (slept, 19_000)] {
        let mut client = closing_behind_a_full_transport();
        wake_up(&mut client);
        client.handle_timeout(at(woken + 19_999));
        assert!(!drain(&mut client, at(woken + 19_999)).is_empty(), "it is offered once more");
        assert!(events(&mut client).contains(&Event::CloseSent(Close::normal())));
    }
}

#[test]
fn a_transport_that_is_offered_bytes_again_gets_its_time_again() {
    let mut client = closing_behind_a_full_transport();
    client.handle_timeout(at(500_000));
    client.handle_timeout(at(519_999));
    assert_eq!(events(&mut client)[0], stalled(480));
    client.handle_timeout(at(520_000));
    let end = end(&mut client);
    assert_eq!(end.kind(), Kind::WriteStall, "{end}");
    assert!(end.to_string().contains("nothing accepted for 20 s"), "{end}");
}

#[test]
fn a_host_that_is_always_late_still_reaches_the_end() {
    let mut client = closing_behind_a_full_transport();
    client.handle_timeout(at(30_000));
    assert!(!client.closing.is_over());
    client.handle_timeout(at(60_000));
    assert_eq!(end(&mut client).kind(), Kind::WriteStall);
}

#[test]
fn a_jam_gets_its_time_again_only_once() {
    let mut config = config();
    config.heartbeat.mode = Mode::Off;
    config.write_timeout = Some(Duration::from_secs(60));
    let mut client = Connection::client(config, [1; 32], T0);
    client.send(T0, Message::binary(vec![0; 1000])).unwrap();
    client.handle_wake(T0, Duration::from_secs(300));
    client.handle_blocked(T0);
    client.handle_timeout(at(1000));
    client.handle_timeout(at(70_000));
    assert!(client.is_open());
    client.handle_timeout(at(140_000));
    assert!(!client.is_open());
}

#[test]
fn each_sleep_is_forgiven_while_bytes_leave_in_between() {
    let mut client = closing_behind_a_full_transport();
    for night in 1..10 {
        let morning = at(night * 500_000);
        client.handle_timeout(morning);
        client.handle_written(morning, 1);
        client.handle_blocked(morning);
    }
    assert!(!client.closing.is_over());
}

#[test]
fn only_one_stall_is_forgiven_once_just_a_close_is_left_to_send() {
    let mut client = closing_behind_a_full_transport();
    client.handle_written(at(1000), 1);
    client.handle_blocked(at(1000));
    client.handle_input(at(1000), b"\xc1\0");
    let mut now = at(1000);
    // The first stall of 3 s restarts its 15 s.
    while !client.closing.is_over() {
        now += Duration::from_secs(4);
        client.handle_timeout(now);
        client.handle_written(now, 1);
        client.handle_blocked(now);
    }
    assert_eq!(now, at(21_000));
}
