//! The ordinary course of transfers, and ordinary interruptions.

use super::super::wire::{Data, Frame};
use super::super::*;
use super::world::*;
use bytes::Bytes;
use std::vec;
use std::vec::Vec;

const MINUTE: Duration = Duration::from_secs(60);

#[test]
fn files_of_every_awkward_size_arrive_whole() {
    for len in [0, 1, 16_383, 65_535, 65_536, 65_537, 131_072, 1_000_003] {
        let mut world = World::new();
        world.send(id(1), "file", contents(7, len));
        world.link_up();
        world.run(MINUTE);
        assert!(world.client.done(id(1)), "{len} bytes: {:?}", world.client.told);
        assert_eq!(world.server.disk[&id(1)].data, contents(7, len), "{len} bytes");
        assert!(world.server.disk[&id(1)].committed);
        assert!(world.server.done(id(1)));
    }
}

#[test]
fn a_file_needs_no_second_try_however_much_of_it_is_there_already() {
    for len in [40_000, 65_536, 200_000] {
        for there in
            (0..=len).step_by(8 * 1024).flat_map(|there| [there, there + 1]).filter(|there| *there <= len)
        {
            let mut world = World::new();
            let (data, safe) = (contents(7, len)[..there].to_vec(), there);
            world.server.disk.insert(id(1), Part { data, safe, epoch: 1, committed: false });
            world.send(id(1), "file", contents(7, len));
            world.link_up();
            // All of this arrives before the file is open.
            world.say_all_unasked();
            while world.deliver(true) {}
            world.run(Duration::from_secs(5));
            assert!(
                world.client.done(id(1)),
                "{there} of {len} bytes: {:?}",
                world.client.transfers.progress(id(1))
            );
            assert_eq!(world.server.disk[&id(1)].data, contents(7, len));
        }
    }
}

#[test]
fn a_small_file_costs_one_round_trip() {
    let mut world = World::new();
    world.send(id(1), "small", contents(1, 1024));
    world.link_up();
    // That is enough for the server to finish.
    world.say_all_unasked();
    while world.deliver(true) {}
    while world.server.carry_out_one(world.now) {}
    assert!(world.server.disk[&id(1)].committed);
}

#[test]
fn many_files_share_a_link() {
    let mut world = World::new();
    for n in 0..100 {
        world.send(id(n), "x", contents(n, 1000 * usize::from(n)));
        world.client.sources.get_mut(&id(n)).expect("just sent").0 = name(&std::format!("file {n}"));
    }
    world.link_up();
    world.run(MINUTE);
    for n in 0..100 {
        assert_eq!(world.server.disk[&id(n)].data, contents(n, 1000 * usize::from(n)));
    }
    assert!(world.client.transfers.is_empty());
}

#[test]
fn a_requested_download_arrives() {
    let mut world = World::new();
    world.server.present.insert(name("there"), contents(3, 500_000));
    world.client.transfers.request(world.now, id(9), name("there")).expect("new");
    world.link_up();
    world.run(MINUTE);
    assert!(world.client.done(id(9)), "{:?}", world.client.told);
    assert_eq!(world.client.disk[&id(9)].data, contents(3, 500_000));
}

#[test]
fn a_file_that_is_not_there_is_refused_at_once() {
    let mut world = World::new();
    world.client.transfers.request(world.now, id(9), name("nowhere")).expect("new");
    world.link_up();
    world.settle();
    assert_eq!(world.client.failure(id(9)), Some(Code::NotFound));
    assert!(world.client.transfers.is_empty());
}

#[test]
fn a_download_continues_after_a_cut() {
    let mut world = World::new();
    world.server.present.insert(name("there"), contents(3, 3_000_000));
    world.client.transfers.request(world.now, id(9), name("there")).expect("new");
    world.link_up();
    world.cut_in_the_middle();
    let safe = world.client.disk[&id(9)].safe;
    assert!(safe > 0 && safe < 3_000_000, "{safe}");
    world.link_up();
    world.run(MINUTE);
    assert_eq!(world.client.disk[&id(9)].data, contents(3, 3_000_000));
    assert_eq!(world.client.disk[&id(9)].epoch, 2);
}

#[test]
fn the_same_transfer_is_done_at_once_the_second_time() {
    let mut world = World::new();
    world.send(id(1), "file", contents(7, 300_000));
    world.link_up();
    world.run(MINUTE);
    world.cut();
    world.client.told.clear();
    world.send(id(1), "file", contents(7, 300_000));
    world.link_up();
    world.run(MINUTE);
    let done = Event::Done {
        id: id(1),
        kind: Kind::File,
        length: 300_000,
        digest: Digest::of(&contents(7, 300_000)),
        deduplicated: true,
        resumed: 300_000,
        resent: 0,
    };
    assert!(world.client.told.contains(&done), "{:?}", world.client.told);
}

#[test]
fn a_file_whose_link_ended_before_done_does_not_count_as_already_there() {
    let mut world = World::new();
    world.send(id(1), "file", contents(7, 300_000));
    world.link_up();
    while !world.server.disk.get(&id(1)).is_some_and(|part| part.committed) {
        world.poll_messages();
        world.deliver(true);
        world.deliver(false);
        world.client.carry_out_one(world.now);
        world.server.carry_out_one(world.now);
    }
    world.cut();
    world.link_up();
    world.run(MINUTE);
    let there = |event: &Event| matches!(event, Event::Done { deduplicated: true, .. });
    assert!(world.client.done(id(1)));
    assert!(!world.client.told.iter().any(there), "{:?}", world.client.told);
}

#[test]
fn an_existing_file_of_that_name_is_enough_only_if_it_is_equal() {
    for len in [1000, 300_000] {
        for (seed, code) in [(7, None), (8, Some(Code::Exists))] {
            let mut world = World::new();
            world.server.present.insert(name("file"), contents(7, len));
            world.send(id(1), "file", contents(seed, len));
            world.link_up();
            world.run(MINUTE);
            assert_eq!(world.client.failure(id(1)), code, "{len} bytes: {:?}", world.client.told);
            let there = |event: &Event| matches!(event, Event::Done { deduplicated: true, .. });
            for end in [&world.client, &world.server] {
                assert_eq!(end.told.iter().any(there), code.is_none(), "{:?}", end.told);
            }
        }
    }
}

#[test]
fn a_changed_beginning_is_noticed_before_anything_is_committed() {
    let mut world = World::new();
    world.send(id(1), "file", contents(7, 2_000_000));
    world.link_up();
    world.cut_in_the_middle();
    assert!(world.server.disk[&id(1)].safe > 0);
    world.client.sources.get_mut(&id(1)).expect("sent").1[5] ^= 1;
    world.link_up();
    world.run(MINUTE);
    assert_eq!(world.client.failure(id(1)), Some(Code::SourceChanged));
    assert!(world.server.disk.get(&id(1)).is_none_or(|part| !part.committed));
}

#[test]
fn a_source_that_shrinks_ends_the_transfer() {
    let mut world = World::new();
    world.send(id(1), "file", contents(7, 2_000_000));
    world.client.sources.get_mut(&id(1)).expect("sent").1.truncate(1_000_000);
    world.link_up();
    world.run(MINUTE);
    assert_eq!(world.client.failure(id(1)), Some(Code::SourceChanged));
    assert_eq!(world.server.failure(id(1)), Some(Code::SourceChanged));
}

#[test]
fn an_offer_to_a_silent_receiver_fails_after_a_few_tries() {
    let mut world = World::new();
    world.send(id(1), "file", contents(7, 200_000));
    world.link_up();
    world.settle();
    // From here on, nothing reaches the client, although its link is up.
    world.client.told.clear();
    world.send(id(2), "other", contents(8, 200_000));
    for _ in 0..200 {
        while world.poll_messages() {}
        world.up.clear();
        world.down.clear();
        if !world.jump() {
            break;
        }
    }
    assert_eq!(world.client.failure(id(2)), Some(Code::Stalled));
    let tries = world
        .client
        .told
        .iter()
        .filter(|e| matches!(e, Event::Retrying { id: i, .. } if *i == id(2)))
        .count();
    assert_eq!(tries as u32, Config::default().attempts);
}

#[test]
fn a_rate_limit_holds_in_both_directions() {
    let config = Config { limit_rate: Some(100_000), ..Config::default() };
    let mut world = World::with(Config::default());
    world.client = End::new(Role::Client, config);
    world.server.present.insert(name("there"), contents(3, 500_000));
    world.client.transfers.request(world.now, id(9), name("there")).expect("new");
    world.link_up();
    let start = world.now;
    world.run(MINUTE);
    assert!(world.client.done(id(9)), "{:?}", world.client.told);
    let took = (world.now - start).as_secs_f64();
    assert!((3.5..6.5).contains(&took), "download: {took} s");

    world.send(id(1), "file", contents(7, 500_000));
    let start = world.now;
    world.run(MINUTE);
    assert!(world.client.done(id(1)), "{:?}", world.client.told);
    let took = (world.now - start).as_secs_f64();
    assert!((3.5..6.5).contains(&took), "upload: {took} s");
}

#[test]
fn a_peer_that_goes_away_gets_no_new_offers_and_finishes_the_old_ones() {
    let mut world = World::new();
    world.send(id(1), "file", contents(7, 400_000));
    world.link_up();
    for _ in 0..10 {
        world.poll_messages();
        world.deliver(true);
        world.server.carry_out_one(world.now);
        world.deliver(false);
    }
    world.server.transfers.go_away(world.now, Duration::from_secs(7));
    world.settle();
    world.send(id(2), "late", vec![1]);
    world.run(MINUTE);
    assert!(world.client.done(id(1)));
    assert!(!world.client.done(id(2)));
    let going = Event::GoingAway { code: Code::ShuttingDown, retry_after: Duration::from_secs(7) };
    assert!(world.client.told.contains(&going));
    world.cut();
    world.link_up();
    world.run(MINUTE);
    assert!(world.client.done(id(2)));
}

#[test]
fn syncs_happen_by_size_and_by_time_and_are_acknowledged() {
    let config = Config { sync_bytes: 100_000, ..Config::default() };
    let mut world = World::with(config);
    world.send(id(1), "file", contents(7, 1_000_000));
    world.link_up();
    for _ in 0..300 {
        world.poll_messages();
        world.deliver(true);
        world.deliver(false);
        world.client.carry_out_one(world.now);
        world.server.carry_out_one(world.now);
        if world.client.transfers.progress(id(1)).is_some_and(|p| p.durable > 100_000) {
            return;
        }
        world.now += Duration::from_millis(1);
    }
    panic!("nothing became durable: {:?}", world.client.transfers.progress(id(1)));
}

#[test]
fn reading_ahead_for_many_large_files_is_bounded_in_total() {
    let mut world = World::new();
    for n in 0..40 {
        world.send(id(n), &std::format!("file {n}"), contents(n, 2_000_000));
    }
    world.link_up();
    // Everything happens except reading.
    let mut asked = vec![];
    for _ in 0..10_000 {
        let moved = world.poll_messages() | world.deliver(true) | world.deliver(false);
        let reads = |effect: &Event| matches!(effect, Event::Read { .. });
        asked.extend(world.client.effects.iter().filter(|effect| reads(effect)).cloned());
        world.client.effects.retain(|effect| !reads(effect));
        if !(moved | world.client.carry_out_one(world.now) | world.server.carry_out_one(world.now)) {
            break;
        }
    }
    let len = |effect: &Event| if let Event::Read { len, .. } = effect { *len as u64 } else { 0 };
    let ahead: u64 = asked.iter().map(len).sum();
    assert!(ahead >= 40 * 65_536, "each has something to send: {ahead}");
    assert!(ahead <= Config::default().read_ahead + 40 * 65_536, "{ahead}");
    world.client.effects.extend(asked);
    world.run(MINUTE);
    assert!((0..40).all(|n| world.client.done(id(n))));
}

#[test]
fn early_chunks_are_taken_whatever_the_rate_limit() {
    let now = Instant::ZERO;
    let config = Config { limit_rate: Some(10_000), ..Config::default() };
    let mut receiver = Transfers::new(Role::Server, config, now);
    receiver.handle_link_up(now, None);
    for frame in [hello(), Frame::Offer(1, plain_offer(id(1), "file", 49_353))] {
        receiver.handle_message(now, frame.encode().into_bytes());
    }
    receiver.answer(now, id(1), Answer::Take { from: 0, prefix: Digest::of(b""), epoch: 1, expires: None });
    let chunk = Data { offset: 0, seq: 0, payload: Bytes::from(contents(0, 49_152)) };
    receiver.handle_message(now, Frame::Data(1, chunk).encode().into_bytes());
    let events: Vec<_> = core::iter::from_fn(|| receiver.poll_event()).collect();
    assert!(matches!(&events[..], [Event::Offered(_), Event::Write { offset: 0, .. }]), "{events:?}");
}
