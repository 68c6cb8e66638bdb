//! A live peer stays connected, and a dead one is found dead in time: with complete connections, in virtual time.

use bowline_core::closing::Kind;
use bowline_core::connection::{Config, Event};
use bowline_core::heartbeat::Mode;
use bowline_core::{Instant, Role};
use bowline_tests::sim::{Host, Link, Pair, Path, Then, World, contents};
use std::time::Duration;

const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_secs(60);
/// How much an application that sends in bulk hands over at once.
const MESSAGE: usize = 256 << 10;

fn heartbeat(interval: Duration, timeout: Duration) -> Config {
    let mut config = Config::default();
    config.heartbeat.interval = interval;
    config.heartbeat.timeout = timeout;
    config
}

/// 500 kB/s, with buffers on the path that absorb this many bytes.
fn slow(buffers: usize) -> Path {
    Path { segment: 8 << 10, send_buffer: buffers, ..Path::new(Duration::from_millis(20), Some(500_000)) }
}

fn pair(config: &Config, path: Path, seed: u64) -> Pair {
    Pair::new(config.clone(), config.clone(), Link::new(path, Instant::ZERO), seed)
}

/// The longest time for the answer to a ping.
fn slowest_pong(host: &Host) -> Option<Duration> {
    let rtts = host.events.iter().filter_map(|(_, event)| match event {
        Event::Pong { rtt } => Some(*rtt),
        _ => None,
    });
    rtts.max()
}

fn assert_alive(pair: &Pair) {
    for host in [&pair.client, &pair.server] {
        assert!(host.closed().is_none(), "{:?} at {}", host.closed(), pair.now());
    }
}

/// Both ends find the other one dead, not later than allowed.
fn assert_dead_in_time(pair: &mut Pair, hole: Instant, allowed: Duration) {
    assert!(pair.run_until_closed(allowed + MINUTE), "nobody noticed: {pair:#?}");
    for host in [&pair.client, &pair.server] {
        let (at, disconnect) = host.closed().expect("closed");
        assert!(
            matches!(disconnect.kind(), Kind::KeepaliveTimeout | Kind::WriteStall),
            "{disconnect} at {at}, dead since {hole}"
        );
        assert!(at > hole && at - hole <= allowed, "{disconnect} at {at}, dead since {hole}");
    }
}

#[test]
fn a_busy_upload_does_not_kill_the_connection() {
    let mut pair = pair(&heartbeat(SECOND, SECOND), slow(4 << 20), 1);
    pair.client.bulk = Some(MESSAGE);
    pair.run_for(MINUTE);
    assert_alive(&pair);
    // The buffers were full, so pings took their time: more than the timeout, which is the point.
    assert!(slowest_pong(&pair.client) > Some(5 * SECOND), "{:?}", slowest_pong(&pair.client));
    let slandered = pair.client.events.iter().any(|(_, event)| *event == Event::PeerDoesNotPong);
    assert!(!slandered, "it pongs, only late");
    assert!(pair.link.passed(Role::Client) > 29_000_000);
}

#[test]
fn a_busy_upload_lives_by_nothing_but_its_own_progress() {
    // The server sends nothing but Pongs, and each of them is eight seconds late.
    let config = heartbeat(SECOND, SECOND);
    let mut silent = config.clone();
    silent.heartbeat.mode = Mode::Off;
    let mut pair = Pair::new(config, silent, Link::new(slow(4 << 20), Instant::ZERO), 11);
    // Full before the first ping is due.
    pair.client.bulk = Some(MESSAGE);
    pair.run_for(MINUTE);
    assert_alive(&pair);
    assert!(slowest_pong(&pair.client) > Some(5 * SECOND), "{:?}", slowest_pong(&pair.client));
}

#[test]
fn a_busy_download_does_not_kill_the_connection() {
    let mut pair = pair(&heartbeat(SECOND, SECOND), slow(4 << 20), 2);
    pair.server.bulk = Some(MESSAGE);
    pair.run_for(MINUTE);
    assert_alive(&pair);
    assert!(pair.link.passed(Role::Server) > 29_000_000);
}

#[test]
fn bulk_in_both_directions_does_not_kill_the_connection() {
    let mut pair = pair(&heartbeat(SECOND, SECOND), slow(4 << 20), 3);
    pair.client.bulk = Some(MESSAGE);
    pair.server.bulk = Some(MESSAGE);
    pair.run_for(MINUTE);
    assert_alive(&pair);
    for role in [Role::Client, Role::Server] {
        assert!(pair.link.passed(role) > 29_000_000);
    }
}

#[test]
fn outages_shorter_than_the_timeout_do_not_kill_a_busy_connection() {
    let config = heartbeat(2 * SECOND, 2 * SECOND);
    // Every 4 s nothing passes for 1.5 s.
    let stalls = (1..16).map(|n| (Instant::from_secs(4 * n), Instant::from_millis(4000 * n + 1500)));
    let mut pair = pair(&config, Path { stalls: stalls.collect(), ..slow(128 << 10) }, 4);
    pair.client.bulk = Some(MESSAGE);
    pair.run_for(MINUTE);
    assert_alive(&pair);
}

#[test]
fn a_transfer_lives_through_buffers_that_are_never_full() {
    // Such buffers accept everything silently. Only because the transfer holds data back does a ping have a short way.
    let mut world = World::new(5);
    world.connection = heartbeat(SECOND, SECOND);
    world.handshake = Duration::from_millis(40);
    world.dialler = Box::new(|_, now| Some(Link::new(slow(64 << 20), now)));
    let data = contents(5, 20_000_000);
    world.upload("file", data.clone());
    assert!(world.run(2 * MINUTE), "{:?}", world.past);
    assert!(world.server_disk.file("file") == data);
    assert_eq!(world.dials(), 1, "{:?}", world.past);
    // At 500 kB/s it takes 40 s; the window must not cost more than a few per cent of that.
    assert!(world.now() < Instant::from_secs(43), "took until {}", world.now());
}

#[test]
fn a_black_hole_is_found_in_time_while_nothing_happens() {
    for seed in 0..20 {
        let mut pair = pair(&Config::default(), Path::default(), seed);
        let hole = Instant::from_secs(100 + 3 * seed);
        pair.link.swallow(Role::Client, hole);
        pair.link.swallow(Role::Server, hole);
        pair.run_until(hole);
        assert_dead_in_time(&mut pair, hole, 41 * SECOND);
    }
}

#[test]
fn a_black_hole_is_found_in_time_while_we_send() {
    for seed in 0..5 {
        let mut pair = pair(&Config::default(), slow(64 << 10), seed);
        let hole = Instant::from_secs(30 + seed);
        pair.link.swallow(Role::Client, hole);
        pair.link.swallow(Role::Server, hole);
        pair.client.bulk = Some(MESSAGE);
        pair.run_until(hole);
        assert_dead_in_time(&mut pair, hole, 41 * SECOND);
    }
}

#[test]
fn a_black_hole_is_found_in_time_while_both_send() {
    let config = heartbeat(SECOND, SECOND);
    for seed in 0..5 {
        let mut pair = pair(&config, slow(64 << 10), seed);
        let hole = Instant::from_secs(10 + seed);
        pair.link.swallow(Role::Client, hole);
        pair.link.swallow(Role::Server, hole);
        pair.client.bulk = Some(MESSAGE);
        pair.server.bulk = Some(MESSAGE);
        pair.run_until(hole);
        assert_dead_in_time(&mut pair, hole, 3 * SECOND);
    }
}

#[test]
fn a_path_that_is_dead_in_one_direction_is_found_by_both_ends() {
    for seed in 0..5 {
        let mut pair = pair(&Config::default(), Path::default(), seed);
        let hole = Instant::from_secs(100);
        // Nothing arrives at the server. Its last message, the Close of its own heartbeat, still gets through.
        pair.link.swallow(Role::Client, hole);
        pair.run_until(hole);
        assert!(pair.run_until_closed(41 * SECOND), "{pair:#?}");
        let (_, server) = pair.server.closed().expect("closed");
        assert_eq!(server.kind(), Kind::KeepaliveTimeout, "{server}");
        let (_, client) = pair.client.closed().expect("closed");
        assert!(matches!(client.kind(), Kind::PeerTimedUsOut | Kind::KeepaliveTimeout), "{client}");
    }
}

#[test]
fn the_default_heartbeat_passes_every_known_idle_limit() {
    for (after, then) in [
        (Duration::from_secs(30), Then::Finish),
        (Duration::from_secs(55), Then::Reset),
        (Duration::from_secs(60), Then::Finish),
        (Duration::from_secs(100), Then::Swallow),
        (Duration::from_secs(350), Then::ResetLater),
    ] {
        let mut pair = pair(&Config::default(), Path::default(), 6);
        pair.link.drop_idle(after, then);
        pair.run_for(60 * MINUTE);
        assert_alive(&pair);
    }
}

#[test]
fn the_quicker_of_two_heartbeats_saves_the_other_its_pings() {
    let (mut quick, mut slow) = (heartbeat(9 * SECOND, SECOND), heartbeat(10 * SECOND, SECOND));
    (quick.heartbeat.jitter_percent, slow.heartbeat.jitter_percent) = (0, 0);
    let link = Link::new(Path::default(), Instant::ZERO);
    let mut pair = Pair::new(quick, slow, link, 15);
    pair.run_for(MINUTE);
    assert_alive(&pair);
    let (client, server) = (pair.client.connection.stats(), pair.server.connection.stats());
    assert_eq!((client.pings, client.pongs, server.pings_received), (6, 6, 6));
    assert_eq!(server.pings, 0);
}

#[test]
fn an_application_that_does_not_listen_is_not_taken_for_dead() {
    let mut pair = pair(&heartbeat(SECOND, SECOND), slow(128 << 10), 7);
    pair.client.bulk = Some(MESSAGE);
    pair.run_for(2 * SECOND);
    pair.server.listens = false;
    pair.run_for(10 * MINUTE);
    assert_alive(&pair);
    let before = pair.link.passed(Role::Client);
    pair.server.listens = true;
    pair.run_for(10 * SECOND);
    assert_alive(&pair);
    assert!(pair.link.passed(Role::Client) - before > 4_000_000, "it goes on");
}

#[test]
fn a_host_whose_timers_are_a_little_late_stays_connected() {
    let mut pair = pair(&Config::default(), Path::default(), 8);
    pair.client.late = Duration::from_millis(1900);
    pair.server.late = Duration::from_millis(1500);
    pair.run_for(10 * MINUTE);
    assert_alive(&pair);
    assert!(!pair.client.events.iter().any(|(_, event)| matches!(event, Event::Stalled { .. })));
}

#[test]
fn a_host_that_did_not_run_asks_before_it_judges() {
    // A peer that neither pings nor judges, so that only our own mistake could end this.
    let mut patient = Config::default();
    patient.heartbeat.mode = Mode::Off;
    let mut pair = Pair::new(Config::default(), patient, Link::new(Path::default(), Instant::ZERO), 9);
    pair.run_for(15 * SECOND);
    pair.client.sleep(Instant::from_secs(300));
    pair.run_for(10 * MINUTE);
    assert_alive(&pair);
    assert!(pair.client.events.iter().any(|(_, event)| matches!(event, Event::Stalled { .. })));
}

#[test]
fn a_host_that_reads_too_late_does_not_take_its_peer_for_dead() {
    // What waits in the receive buffer is a sign of life, even for a host that looks at the clock first.
    let mut pair = pair(&heartbeat(SECOND, SECOND), slow(4 << 20), 10);
    pair.client.writes_first = true;
    pair.server.writes_first = true;
    pair.client.bulk = Some(MESSAGE);
    pair.run_for(MINUTE);
    assert_alive(&pair);
}
