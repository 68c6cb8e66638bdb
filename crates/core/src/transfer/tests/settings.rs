//! Extreme settings, which the other end does not know.

use super::super::wire::Frame;
use super::super::*;
use super::script::Scripted;
use super::world::*;
use std::vec::Vec;

const SECOND: Duration = Duration::from_secs(1);

/// The least of everything that limits something.
fn least() -> Config {
    Config {
        max_chunk: 0,
        credit: 0,
        link_credit: 0,
        read_ahead: 0,
        max_transfers: 0,
        max_offers_per_second: 0,
        ack_delay: Duration::ZERO,
        sync_bytes: 0,
        sync_delay: Duration::ZERO,
        stall_timeout: Duration::ZERO,
        min_rate: Some(0),
        pause_timeout: Duration::ZERO,
        space_timeout: Duration::ZERO,
        ..Config::default()
    }
}

/// The most of everything that limits something.
fn most() -> Config {
    Config {
        max_chunk: u32::MAX,
        credit: u64::MAX,
        link_credit: u64::MAX,
        read_ahead: u64::MAX,
        max_transfers: u32::MAX,
        max_offers_per_second: u32::MAX,
        sync_bytes: u64::MAX,
        sync_delay: Duration::MAX,
        stall_timeout: Duration::MAX,
        pause_timeout: Duration::MAX,
        space_timeout: Duration::MAX,
        attempts: u32::MAX,
        limit_rate: Some(u64::MAX),
        ..Config::default()
    }
}

#[test]
fn files_cross_whatever_the_settings_of_the_other_end() {
    for client in [least(), Config::default(), most()] {
        for server in [least(), Config::default(), most()] {
            let mut world = World::with(server);
            world.client = End::new(Role::Client, client.clone());
            for n in 1..=3 {
                world.send(id(n), "up", contents(n, 300_000));
            }
            let down: Vec<_> = (4..=6).map(id).collect();
            world.server.present.insert(name("down"), contents(4, 300_000));
            for which in &down {
                world.client.transfers.request(world.now, *which, name("down")).expect("new");
            }
            world.link_up();
            world.run(600 * SECOND);
            for n in 1..=6 {
                assert!(world.client.done(id(n)), "{n}: {:?} {:?}", world.client.told, world.config);
            }
        }
    }
}

/// Ends without any patience, with an end that has some and with each other.
const PATIENCES: [[Duration; 2]; 3] = [
    [Duration::ZERO, Duration::from_secs(60)],
    [Duration::from_secs(60), Duration::ZERO],
    [Duration::ZERO; 2],
];

fn with_patience(stall_timeout: Duration, limit_rate: Option<u64>) -> Config {
    Config { stall_timeout, limit_rate, ..Config::default() }
}

/// One file is uploaded, and neither end has to retry.
fn assert_patient(mut world: World, time: Duration) {
    world.run(time);
    assert!(world.client.done(id(1)), "{:?} {:?}", world.client.told, world.server.told);
    let is_put_off = |event: &Event| matches!(event, Event::Retrying { .. } | Event::Failed { .. });
    assert!(!world.client.told.iter().chain(&world.server.told).any(is_put_off), "{:?}", world.client.told);
}

#[test]
fn a_rate_limit_does_not_exhaust_impatient_peers() {
    for [client, server] in PATIENCES {
        let mut world = World::with(with_patience(server, Some(1000)));
        world.client = End::new(Role::Client, with_patience(client, None));
        world.send(id(1), "up", contents(1, 100_000));
        world.link_up();
        assert_patient(world, 600 * SECOND);
    }
}

#[test]
fn a_wait_for_the_turns_of_others_does_not_exhaust_impatient_peers() {
    for [client, server] in PATIENCES {
        let mut world = World::with(with_patience(server, None));
        world.client =
            End::new(Role::Client, Config { min_rate: None, ..with_patience(client, Some(1 << 20)) });
        world.server = End::new(Role::Server, Config { min_rate: None, ..with_patience(server, None) });
        world.send(id(1), "up", contents(1, 1_000_000));
        world.link_up();
        world.settle();
        let turn = world.now + 300 * SECOND;
        world.client.transfers.hold_back(world.now, turn, world.now);
        assert_patient(world, 400 * SECOND);
    }
}

#[test]
fn a_silent_peer_gets_at_least_the_minimum_patience() {
    let mut world = World::with(with_patience(Duration::ZERO, None));
    world.send(id(1), "up", contents(1, 100));
    world.link_up();
    assert_eq!(world.client.transfers.poll_timeout(), Some(world.now + 30 * SECOND));
}

/// Sets one number to its least, or to its most.
type Set = fn(&mut Config, bool);

/// Every number that there is.
const NUMBERS: [(&str, Set); 15] = [
    ("max_chunk", |config, most| config.max_chunk = if most { u32::MAX } else { 0 }),
    ("credit", |config, most| config.credit = if most { u64::MAX } else { 0 }),
    ("link_credit", |config, most| config.link_credit = if most { u64::MAX } else { 0 }),
    ("read_ahead", |config, most| config.read_ahead = if most { u64::MAX } else { 0 }),
    ("max_transfers", |config, most| config.max_transfers = if most { u32::MAX } else { 0 }),
    ("max_offers_per_second", |config, most| {
        config.max_offers_per_second = if most { u32::MAX } else { 0 };
    }),
    ("ack_delay", |config, most| config.ack_delay = time(most)),
    ("sync_bytes", |config, most| config.sync_bytes = if most { u64::MAX } else { 0 }),
    ("sync_delay", |config, most| config.sync_delay = time(most)),
    ("stall_timeout", |config, most| config.stall_timeout = time(most)),
    ("min_rate", |config, most| config.min_rate = Some(if most { u64::MAX } else { 0 })),
    ("pause_timeout", |config, most| config.pause_timeout = time(most)),
    ("space_timeout", |config, most| config.space_timeout = time(most)),
    ("attempts", |config, most| config.attempts = if most { u32::MAX } else { 0 }),
    ("limit_rate", |config, most| config.limit_rate = Some(if most { u64::MAX } else { 0 })),
];

fn time(most: bool) -> Duration {
    if most { Duration::MAX } else { Duration::ZERO }
}

#[test]
fn no_setting_keeps_files_from_crossing() {
    for (field, set) in NUMBERS {
        for most in [false, true] {
            for ends in [[true, true], [true, false], [false, true]] {
                let [client, server] = ends.map(|is_set| {
                    let mut config = Config::default();
                    if is_set {
                        set(&mut config, most);
                    }
                    config
                });
                let mut world = World::with(server);
                world.client = End::new(Role::Client, client);
                world.send(id(1), "up", contents(1, 100_000));
                world.send_pipe(id(2), "pipe", contents(2, 100_000));
                world.link_up();
                world.run(24 * 3600 * SECOND);
                let is_done = [1, 2].map(|n| world.client.done(id(n)));
                assert_eq!(is_done, [true; 2], "{field}, {most}, {ends:?}: {:?}", world.client.told);
            }
        }
    }
}

#[test]
fn unlimited_promises_do_not_overflow() {
    let most = Config { credit: u64::MAX, link_credit: u64::MAX, ..Config::default() };
    let by_command = Config { credit: u64::MAX, ..Config::default() };
    for config in [most, by_command] {
        let mut server = Scripted::new(Role::Server, config);
        server.0.set_link_credit(u64::MAX);
        // They are far away, nothing limits what each may be promised, and whoever comes first is promised most.
        let mut now = Instant::ZERO;
        for n in 1..=4 {
            let handle = 2 * u32::from(n) - 1;
            let offer = wire::Offer { length: None, ..plain_offer(id(n), "pipe", 0) };
            server.hear_at(now, Frame::Offer(handle, offer));
            server.take(n);
            for offset in [0, 65_536, 131_072] {
                now += SECOND;
                server.hear_data_at(now, handle, offset, 65_536);
                server.0.written(now, id(n), offset + 65_536);
                server.say_at(now);
            }
        }
        assert_eq!(server.0.len(), 4, "nobody has done anything wrong");
    }
}
