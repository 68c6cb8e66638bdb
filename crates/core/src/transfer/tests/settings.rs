//! Settings at their extremes, of which the other end knows nothing.

use super::super::*;
use super::world::*;
use std::vec::Vec;

const SECOND: Duration = Duration::from_secs(1);

/// The least of everything that bounds something.
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
        min_rate: Some(0),
        pause_timeout: Duration::ZERO,
        space_timeout: Duration::ZERO,
        ..Config::default()
    }
}

/// The most of it.
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
fn whatever_the_settings_of_the_other_end_files_cross() {
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

#[test]
fn a_limit_is_borne_by_ends_of_little_patience() {
    let config = |limit_rate| Config { limit_rate, stall_timeout: 5 * SECOND, ..Config::default() };
    let mut world = World::with(config(Some(1000)));
    world.client = End::new(Role::Client, config(None));
    world.send(id(1), "up", contents(1, 100_000));
    world.link_up();
    world.run(600 * SECOND);
    assert!(world.client.done(id(1)), "{:?} {:?}", world.client.told, world.server.told);
    assert!(world.client.told.iter().all(|event| !matches!(event, Event::Retrying { .. })));
}
