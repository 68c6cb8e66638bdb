//! A disk that lets a file begin, and then takes nothing of it.

use super::super::*;
use super::world::*;
use crate::Instant;
use core::time::Duration;

/// How often, and for how long, a file is offered that comes to this each time it has arrived in part.
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
fn a_file_that_gets_no_further_than_before_is_given_up_after_a_few_tries() {
    let (count, _) = offered(Code::StoreFailed, Duration::from_secs(5));
    assert_eq!(count as u32, 1 + Config::default().attempts);
}

#[test]
fn a_full_disk_that_lets_each_try_begin_is_given_up_after_its_time() {
    let (_, took) = offered(Code::NoSpace, Duration::from_secs(30));
    let most = Config::default().space_timeout;
    assert!(took >= most && took < most + Duration::from_secs(30), "{took:?}");
}
