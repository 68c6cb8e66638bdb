//! How a limit on what comes in is shared.

use super::super::*;
use super::world::*;
use std::vec::Vec;

/// How much of each file has come after so many seconds, if the server takes 200 kB a second.
fn shares(priorities: &[u16], seconds: u64) -> Vec<u64> {
    let mut world = World::with(Config { limit_rate: Some(200_000), ..Config::default() });
    // The sender has no limit, so it is the receiver's that decides.
    world.client = End::new(Role::Client, Config::default());
    let ids: Vec<_> = (1..).take(priorities.len()).map(id).collect();
    for (which, priority) in ids.iter().zip(priorities) {
        let data = contents(1, 20_000_000);
        let mut offer = Offer::new(*which, name("file"), data.len() as u64);
        offer.priority = *priority;
        world.client.sources.insert(*which, (name("file"), data));
        world.client.transfers.offer(world.now, offer).expect("new");
    }
    world.link_up();
    let end = world.now + Duration::from_secs(seconds);
    world.settle();
    while world.now < end && world.jump() {
        world.settle();
    }
    let received = |which: &TransferId| world.server.transfers.progress(*which).map_or(0, |p| p.received);
    ids.iter().map(received).collect()
}

#[test]
fn equal_files_get_equal_shares_of_a_limit() {
    let shares = shares(&[0, 0, 0, 0], 40);
    let sum: u64 = shares.iter().sum();
    assert!((7_900_000..=8_300_000).contains(&sum), "{shares:?}");
    for share in &shares {
        assert!(share.abs_diff(sum / 4) <= 50_000, "{shares:?}");
    }
}

#[test]
fn a_preferred_file_gets_more_of_a_limit() {
    let shares = shares(&[0, 2], 40);
    assert!(shares[1] > shares[0] * 5 / 2 && shares[1] < shares[0] * 7 / 2, "{shares:?}");
}
