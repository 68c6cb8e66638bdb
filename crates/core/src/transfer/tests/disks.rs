//! A disk that lets a file be opened, and then accepts no writes, or none for a while.

use super::super::*;
use super::world::*;
use crate::Instant;
use core::cell::RefCell;
use core::time::Duration;
use std::vec::Vec;

const SECOND: Duration = Duration::from_secs(1);

/// How often, and for how long, a file is offered to which this happens each time after it has arrived in part.
fn offered(code: Code, retry_after: Duration) -> (usize, Duration) {
    let mut world = World::new();
    world.send(id(1), "file", contents(7, 200_000));
    world.link_up();
    let mut count = 0;
    loop {
        // What arrives is acknowledged before it is written.
        let is_write = |effect: &Event| matches!(effect, Event::Write { .. });
        world.settle_with(|effect, _, _| is_write(effect));
        if let Some(given_up) = world.client.failure(id(1)) {
            assert_eq!(given_up, code);
            return (count, world.now.since_start());
        }
        if let Some(1..) = world.client.transfers.progress(id(1)).map(|progress| progress.received) {
            if world.server.transfers.progress(id(1)).is_some() {
                let failure = Failure { retry_after, ..Failure::local(code, "") };
                world.server.transfers.fail(world.now, id(1), failure);
                count += 1;
                continue;
            }
        }
        assert!(world.now < Instant::from_secs(2 * 3600), "it goes on for ever");
        assert!(world.jump(), "it waits for something");
    }
}

#[test]
fn a_file_that_gets_no_further_fails_after_a_few_tries() {
    let (count, _) = offered(Code::StoreFailed, Duration::from_secs(5));
    assert_eq!(count as u32, 1 + Config::default().attempts);
}

#[test]
fn a_full_disk_that_lets_each_try_begin_is_retried_for_a_limited_time() {
    let (_, took) = offered(Code::NoSpace, Duration::from_secs(30));
    let most = Config::default().space_timeout;
    assert!(took >= most && took < most + Duration::from_secs(30), "{took:?}");
}

/// A file of this many bytes, whose receiver writes nothing for this long, or until it gives up.
fn hanging(length: usize, time: Duration) -> World {
    let mut world = World::new();
    world.send(id(1), "file", contents(7, length));
    world.link_up();
    let (end, held) = (world.now + time, RefCell::new(Vec::new()));
    loop {
        world.settle_with(|effect, _, _| {
            let is_write = matches!(effect, Event::Write { .. });
            held.borrow_mut().extend(is_write.then(|| effect.clone()));
            is_write
        });
        if world.now >= end || world.server.transfers.is_empty() {
            break;
        }
        assert!(world.jump(), "it waits for something");
    }
    world.server.effects.extend(held.take());
    world
}

fn was_put_off(world: &World) -> bool {
    let is_put_off = |event: &Event| matches!(event, Event::Retrying { .. } | Event::Failed { .. });
    world.client.told.iter().chain(&world.server.told).any(is_put_off)
}

#[test]
fn a_disk_that_takes_nothing_for_minutes_costs_no_attempt() {
    // One that waits for credit, and one whose FIN has arrived.
    for length in [20_000_000, 200_000] {
        let mut world = hanging(length, 580 * SECOND);
        assert!(!was_put_off(&world), "{:?} {:?}", world.client.told, world.server.told);
        world.run(600 * SECOND);
        assert!(world.client.done(id(1)) && !was_put_off(&world), "{length}: {:?}", world.client.told);
    }
}

#[test]
fn a_disk_that_never_recovers_is_named_in_the_failure_after_ten_minutes() {
    for (length, waiting) in [(20_000_000, 3 << 20), (200_000, 200_000)] {
        let mut world = hanging(length, 3600 * SECOND);
        assert_eq!(world.now, Instant::from_secs(601));
        world.server.effects.clear();
        world.settle();
        let text = std::format!(
            "the receiver's disk has taken nothing for 10 min, and {waiting} bytes are waiting for it"
        );
        for (end, by_peer) in [(&world.server, false), (&world.client, true)] {
            let failure = end.told.iter().find_map(|event| match event {
                Event::Failed { failure, .. } => Some((failure.code, failure.by_peer, failure.text.clone())),
                _ => None,
            });
            assert_eq!(failure, Some((Code::StoreFailed, by_peer, text.clone())));
        }
    }
}

#[test]
fn a_disk_is_not_blamed_for_a_process_that_did_not_run() {
    let mut world = hanging(200_000, 100 * SECOND);
    world.now += 3600 * SECOND;
    world.server.transfers.handle_timeout(world.now);
    world.run(600 * SECOND);
    assert!(
        world.client.done(id(1)) && !was_put_off(&world),
        "{:?} {:?}",
        world.client.told,
        world.server.told
    );
}
