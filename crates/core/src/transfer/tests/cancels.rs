//! Cancelling, from either end, in every state, with the partial file kept or discarded.

use super::super::wire::{Frame, Mode};
use super::super::*;
use super::script::*;
use super::world::*;
use bytes::Bytes;

const MINUTE: Duration = Duration::from_secs(60);
const LEN: usize = 3_000_000;

fn moving(up: bool) -> World {
    let mut world = World::new();
    begin(&mut world, up);
    world.link_up();
    world.run_until_written(up);
    world
}

fn begin(world: &mut World, up: bool) {
    if up {
        world.send(id(1), "file", contents(1, LEN));
    } else {
        world.server.present.insert(name("file"), contents(1, LEN));
        world.client.transfers.request(world.now, id(1), name("file")).expect("new");
    }
}

fn end(world: &mut World, client: bool) -> &mut End {
    if client { &mut world.client } else { &mut world.server }
}

/// What the last failure of the transfer says about the partial file, and who said it.
fn verdict(end: &End) -> Option<(Code, Option<Leftover>, bool)> {
    end.told.iter().rev().find_map(|event| match event {
        Event::Failed { failure, .. } => Some((failure.code, failure.leftover, failure.by_peer)),
        _ => None,
    })
}

#[test]
fn both_ends_learn_what_becomes_of_the_part() {
    for part in [Leftover::Keep, Leftover::Discard] {
        for (up, client) in [(true, true), (true, false), (false, true), (false, false)] {
            for paused in [false, true] {
                let mut world = moving(up);
                let now = world.now;
                if paused {
                    end(&mut world, !client).transfers.pause(now, id(1));
                    world.settle();
                }
                assert!(end(&mut world, client).transfers.cancel(now, id(1), part));
                world.settle();
                assert_eq!(verdict(end(&mut world, client)), Some((Code::Cancelled, Some(part), false)));
                assert_eq!(verdict(end(&mut world, !client)), Some((Code::Cancelled, Some(part), true)));
                assert!(world.client.transfers.is_empty() && world.server.transfers.is_empty());
                let there = end(&mut world, !up).disk.get(&id(1)).map(|part| part.safe);
                assert_eq!(there.is_some_and(|safe| safe > 0), part == Leftover::Keep, "{there:?}");
            }
        }
    }
}

#[test]
fn what_was_kept_is_gone_on_with_and_what_was_discarded_begins_anew() {
    for (part, epoch) in [(Leftover::Keep, 2), (Leftover::Discard, 1)] {
        for up in [true, false] {
            let mut world = moving(up);
            world.client.transfers.cancel(world.now, id(1), part);
            world.settle();
            begin(&mut world, up);
            world.run(MINUTE);
            assert!(world.client.done(id(1)), "{:?}", world.client.told);
            let disk = &end(&mut world, !up).disk[&id(1)];
            assert_eq!((&disk.data, disk.epoch), (&contents(1, LEN), epoch));
        }
    }
}

#[test]
fn a_part_is_discarded_on_the_next_link_if_there_is_none() {
    let mut world = moving(true);
    world.cut();
    assert!(world.server.disk.contains_key(&id(1)));
    world.client.transfers.cancel(world.now, id(1), Leftover::Discard);
    world.settle();
    assert_eq!(verdict(&world.client), Some((Code::Cancelled, Some(Leftover::Discard), false)));
    assert!(world.client.transfers.is_empty());
    world.link_up();
    world.settle();
    assert!(!world.server.disk.contains_key(&id(1)), "{:?}", world.server.disk);
    assert!(world.server.transfers.is_empty());
    // It is reported once.
    world.cut();
    world.server.told.clear();
    world.link_up();
    world.settle();
    assert_eq!(world.server.told, []);
}

#[test]
fn a_part_is_discarded_although_links_end_with_the_word_on_its_way() {
    let mut world = moving(true);
    world.client.transfers.cancel(world.now, id(1), Leftover::Discard);
    for _ in 0..3 {
        while world.poll_messages() {}
        world.cut();
        assert!(world.server.disk.contains_key(&id(1)), "it has not heard of it");
        world.link_up();
    }
    world.settle();
    assert!(!world.server.disk.contains_key(&id(1)), "{:?}", world.server.told);
    world.cut();
    world.server.told.clear();
    world.link_up();
    world.settle();
    assert_eq!(world.server.told, [], "it is known there");
}

#[test]
fn a_file_whose_discard_may_be_lost_begins_anew() {
    for is_heard in [false, true] {
        let mut world = moving(true);
        world.client.transfers.cancel(world.now, id(1), Leftover::Discard);
        if is_heard {
            world.settle();
        } else {
            while world.poll_messages() {}
            world.cut();
        }
        world.send(id(1), "file", contents(2, LEN));
        if !is_heard {
            world.link_up();
        }
        world.run(MINUTE);
        assert_eq!(world.server.disk[&id(1)].data, contents(2, LEN), "{:?}", world.client.told);
    }
}

#[test]
fn of_many_that_are_discarded_at_once_the_receiver_is_asked_twice() {
    let mut world = World::new();
    for n in 1..=9 {
        world.send(id(n), "file", contents(n, LEN));
    }
    world.link_up();
    world.run_until_written(true);
    for n in 1..=9 {
        world.client.transfers.cancel(world.now, id(n), Leftover::Discard);
    }
    let mut probes = 0;
    while world.poll_messages() {
        let is_probe = |message: &Bytes| matches!(wire::decode(message.clone()), Ok(Frame::Probe(_)));
        probes += world.up.iter().filter(|message| is_probe(message)).count();
        while world.deliver(true) | world.deliver(false) {}
    }
    assert!((1..=2).contains(&probes), "{probes}");
}

#[test]
fn only_the_answer_to_the_probe_behind_it_shows_that_a_discard_was_heard() {
    let mut sender = Scripted::client();
    for n in [1, 2] {
        sender.0.offer(Instant::ZERO, Offer::new(id(n), name("file"), 1 << 20)).expect("new");
    }
    sender.say();
    sender.0.cancel(Instant::ZERO, id(1), Leftover::Discard);
    let said = sender.say();
    let Some(&Frame::Probe(behind)) = said.last() else { panic!("{said:?}") };
    sender.0.cancel(Instant::ZERO, id(2), Leftover::Discard);
    sender.say();
    for answered in [behind + 7, behind] {
        sender.hear(Frame::ProbeAck(answered));
    }
    sender.relink();
    let offered = sender.say().into_iter().filter_map(|frame| match frame {
        Frame::Offer(_, offer) => Some(offer.id),
        _ => None,
    });
    assert_eq!(offered.collect::<Vec<_>>(), [id(2)]);
}

#[test]
fn a_part_to_be_kept_is_not_mentioned_again() {
    let mut world = moving(true);
    world.cut();
    world.client.transfers.cancel(world.now, id(1), Leftover::Keep);
    world.link_up();
    world.settle();
    assert!(world.server.disk[&id(1)].safe > 0);
    assert_eq!(world.server.told, []);
}

#[test]
fn a_file_that_is_sent_again_before_its_part_is_discarded_begins_anew() {
    let mut world = moving(true);
    world.cut();
    world.client.transfers.cancel(world.now, id(1), Leftover::Discard);
    begin(&mut world, true);
    world.link_up();
    world.poll_messages();
    world.poll_messages();
    let modes: Vec<_> = world
        .up
        .iter()
        .filter_map(|message| match wire::decode(message.clone()) {
            Ok(Frame::Offer(_, offer)) => Some(offer.mode),
            _ => None,
        })
        .collect();
    assert_eq!(modes, [Mode::Restart]);
    // Only the first time: what arrives from then on is continued.
    world.client.told.clear();
    while world.client.told.is_empty() {
        world.poll_messages();
        world.deliver(true);
        world.deliver(false);
        world.server.carry_out_one(world.now);
    }
    assert!(matches!(world.client.told[..], [Event::Accepted { resume: 0, .. }]), "{:?}", world.client.told);
    world.cut();
    world.link_up();
    world.poll_messages();
    world.poll_messages();
    let last = world.up.pop_back().map(wire::decode);
    assert!(
        matches!(&last, Some(Ok(Frame::Offer(_, offer))) if offer.mode == Mode::AttachOrCreate),
        "{last:?}"
    );
}

#[test]
fn a_download_is_cancelled_before_it_has_begun() {
    for (linked, part) in [
        (false, Leftover::Keep),
        (false, Leftover::Discard),
        (true, Leftover::Keep),
        (true, Leftover::Discard),
    ] {
        let mut world = World::new();
        begin(&mut world, false);
        if linked {
            world.link_up();
            // The REQUEST has left.
            while world.poll_messages() {}
        }
        assert!(world.client.transfers.cancel(world.now, id(1), part));
        world.settle();
        assert_eq!(verdict(&world.client), Some((Code::Cancelled, Some(part), false)));
        assert!(world.client.transfers.is_empty() && world.server.transfers.is_empty());
        assert_eq!(world.client.disk.get(&id(1)).map_or(0, |part| part.data.len()), 0);
    }
}

#[test]
fn what_a_download_without_a_link_has_is_kept_or_thrown_away() {
    for part in [Leftover::Keep, Leftover::Discard] {
        let mut world = moving(false);
        world.cut();
        assert!(world.client.disk[&id(1)].safe > 0);
        assert!(world.client.transfers.cancel(world.now, id(1), part));
        world.settle();
        assert_eq!(verdict(&world.client), Some((Code::Cancelled, Some(part), false)));
        assert_eq!(world.client.disk.contains_key(&id(1)), part == Leftover::Keep);
    }
}

#[test]
fn a_part_to_be_discarded_is_named_to_go_on_with_and_on_a_good_link_only() {
    let offers = |world: &mut World| -> Vec<_> {
        while world.poll_messages() {}
        let frames = world.up.drain(..).map(|message| wire::decode(message).expect("a frame"));
        frames.filter_map(|f| if let Frame::Offer(_, offer) = f { Some(offer.mode) } else { None }).collect()
    };
    let leaving = Frame::GoAway { code: Code::ShuttingDown, retry_after: Duration::ZERO };
    for bad in [leaving, Frame::Error { code: Code::Internal, text: String::new() }] {
        let mut world = moving(true);
        world.cut();
        world.client.transfers.cancel(world.now, id(1), Leftover::Discard);
        world.link_up();
        for frame in [hello(), bad] {
            world.client.transfers.handle_message(world.now, frame.encode().into_bytes());
        }
        assert_eq!(offers(&mut world), []);
        world.cut();
        world.link_up();
        // It may have expired, and then nothing may be started for it.
        assert_eq!(offers(&mut world), [Mode::Attach]);
    }
}

#[test]
fn what_the_peer_asked_for_and_was_not_offered_is_refused_by_a_cancel() {
    for part in [Leftover::Keep, Leftover::Discard] {
        for found in [false, true] {
            let mut world = moving(false);
            world.cut();
            world.link_up();
            while world.poll_messages() | world.deliver(true) {}
            assert!(world.server.transfers.is_requested(id(1)));
            if found {
                // Its source exists, and the offer waits for its turn.
                while world.server.carry_out_one(world.now) {}
            }
            world.server.effects.clear();
            assert!(world.server.transfers.cancel(world.now, id(1), part));
            world.settle();
            assert_eq!(verdict(&world.client), Some((Code::Cancelled, Some(part), true)));
            assert_eq!(world.client.disk.contains_key(&id(1)), part == Leftover::Keep, "{part:?} {found}");
            assert!(world.client.transfers.is_empty() && world.server.transfers.is_empty());
        }
    }
}

#[test]
fn a_request_that_goes_with_its_link_leaves_no_share_behind() {
    let mut world = World::new();
    begin(&mut world, false);
    world.link_up();
    while world.poll_messages() | world.deliver(true) {}
    while world.server.carry_out_one(world.now) {}
    world.poll_messages();
    assert_eq!(world.server.transfers.turns.len(), 1);
    world.server.transfers.handle_link_down(world.now);
    assert_eq!(world.server.transfers.turns.len(), 0);
}

#[test]
fn nobody_is_told_to_discard_a_file_that_is_in_its_place_and_not_compared_yet() {
    let mut client = Scripted::client();
    client.0.offer(Instant::ZERO, Offer::new(id(1), name("file"), 5)).expect("new");
    client.say();
    client.hear(Frame::Accept(1, wire::Accept { resume: 5, have: wire::Have::Complete, ..accept(5) }));
    let digest = Digest::of(b"hello");
    client.hear(Frame::Done(1, wire::Whole { length: 5, digest, deduplicated: true }));
    assert!(client.events().iter().any(|event| matches!(event, Event::Hash { upto: 5, .. })));
    assert!(client.0.cancel(Instant::ZERO, id(1), Leftover::Discard));
    assert_eq!(client.say(), []);
    client.relink();
    assert!(matches!(client.say()[..], [Frame::Hello(_)]));
}

#[test]
fn a_file_on_its_way_to_its_place_is_finished_whatever_is_said() {
    for client in [true, false] {
        let mut world = World::new();
        world.send(id(1), "file", contents(1, 1000));
        world.link_up();
        let finishing = |end: &End| end.effects.iter().any(|effect| matches!(effect, Event::Finish { .. }));
        while !finishing(&world.server) {
            world.poll_messages();
            world.deliver(true);
            world.deliver(false);
            world.client.carry_out_one(world.now);
            if !finishing(&world.server) {
                world.server.carry_out_one(world.now);
            }
        }
        let now = world.now;
        assert_eq!(end(&mut world, client).transfers.cancel(now, id(1), Leftover::Discard), client);
        world.settle();
        assert!(world.server.disk[&id(1)].committed);
        assert!(world.server.done(id(1)), "{:?}", world.server.told);
        assert_eq!(world.client.done(id(1)), !client);
        assert!(world.client.transfers.is_empty() && world.server.transfers.is_empty());
    }
}

#[test]
fn there_is_nothing_to_cancel_but_what_lives() {
    let mut world = World::new();
    assert!(!world.client.transfers.cancel(world.now, id(1), Leftover::Discard));
    world.send(id(1), "file", contents(1, 10));
    assert!(world.client.transfers.cancel(world.now, id(1), Leftover::Keep));
    assert!(!world.client.transfers.cancel(world.now, id(1), Leftover::Keep));
}
