//! §7.2, abnormal closures, and what a client does after one.
//!
//! How the opening handshake is aborted (§7.2.1, §7.2.2) is tested with §4.
//!
//! Binds no endpoint of ours: nothing.

use crate::wire::{Endpoint, FIN, PONG};
use bowline_core::closing::Transport;
use bowline_core::connection::Event;
use bowline_core::reconnect::{Config, Next};
use bowline_core::{End, Instant, Reconnect, Retry, Rng};
use core::time::Duration;

/// A client with this seed whose link was lost after an hour, and the time at which it will dial.
fn lost(seed: u8) -> (Reconnect, Instant, Duration) {
    let mut client = Reconnect::new(Config::default(), &mut Rng::from_seed([seed; 32]), Instant::ZERO);
    client.handle_timeout(Instant::ZERO);
    client.handle_open(Instant::ZERO);
    let lost = Instant::from_secs(3600);
    match client.handle_lost(lost, Retry::Backoff) {
        Some(Next::DialAt(at)) => (client, at, at - lost),
        other => panic!("{other:?}"),
    }
}

/// The waits before the next `n` attempts, all of which fail.
fn waits(mut client: Reconnect, mut at: Instant, n: u32) -> Vec<Duration> {
    let mut waits = Vec::new();
    for _ in 0..n {
        client.handle_timeout(at);
        match client.handle_dial_failed(at, Retry::Backoff, None) {
            Some(Next::DialAt(next)) => {
                waits.push(next - at);
                at = next;
            }
            other => panic!("{other:?}"),
        }
    }
    waits
}

#[test]
fn a_transport_that_is_lost_fails_the_connection() {
    for end in [End::Eof, End::Reset, End::TimedOut] {
        for mut us in Endpoint::both() {
            us.connection.handle_end(us.now, end);
            assert!(matches!(us.connection.poll_event(), Some(Event::Closed(_))));
            assert_eq!(us.connection.transport(), Transport::Drop);
        }
    }
}

#[test]
fn an_endpoint_does_not_close_unless_it_has_to() {
    // A day with a peer that sends nothing except answers.
    for mut us in Endpoint::both() {
        for _ in 0..24 * 60 * 6 {
            us.waits(Duration::from_secs(10));
            for frame in us.says() {
                assert_ne!(frame.opcode(), crate::wire::CLOSE);
                us.hears(FIN | PONG, &frame.payload);
            }
        }
        assert!(us.connection.is_open());
    }
}

#[test]
fn the_first_attempt_is_delayed_by_a_random_time() {
    let mut delays: Vec<Duration> = (0..100).map(|seed| lost(seed).2).collect();
    delays.sort_unstable();
    assert!(delays.iter().all(|delay| (Duration::from_millis(100)..=Duration::from_secs(1)).contains(delay)));
    assert!(delays[25] < Duration::from_millis(400) && delays[75] > Duration::from_millis(600), "{delays:?}");
}

#[test]
fn the_delay_of_the_first_attempt_can_be_spread_over_5_seconds() {
    let mut config = Config::default();
    config.first_window = Duration::from_secs(5);
    let longest = (0..100).filter_map(|seed| {
        let mut client = Reconnect::new(config, &mut Rng::from_seed([seed; 32]), Instant::ZERO);
        client.handle_timeout(Instant::ZERO);
        client.handle_open(Instant::ZERO);
        client.handle_lost(Instant::from_secs(3600), Retry::Backoff);
        client.poll_timeout()
    });
    let longest = longest.max().expect("attempts") - Instant::from_secs(3600);
    assert!((Duration::from_secs(4)..=Duration::from_secs(5)).contains(&longest), "{longest:?}");
}

#[test]
fn later_attempts_are_delayed_by_increasingly_longer_times() {
    // Truncated binary exponential backoff: the mean of the waits doubles until it has reached its bound.
    let clients: Vec<Vec<Duration>> =
        (0..200).map(lost).map(|(client, at, _)| waits(client, at, 8)).collect();
    let mean = |attempt: usize| clients.iter().map(|waits| waits[attempt]).sum::<Duration>() / 200;
    for attempt in 0..3 {
        let growth = mean(attempt + 1).as_secs_f64() / mean(attempt).as_secs_f64();
        assert!((1.6..2.5).contains(&growth), "{growth} after attempt {attempt}");
    }
    for attempt in 5..8 {
        assert!((12.0..18.0).contains(&mean(attempt).as_secs_f64()), "{:?}", mean(attempt));
    }
    assert!(clients.iter().flatten().all(|wait| *wait <= Duration::from_secs(30)));
}
