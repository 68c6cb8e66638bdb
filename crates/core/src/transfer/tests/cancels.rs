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
fn both_ends_learn_what_happens_to_the_part() {
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
fn a_kept_part_is_continued_and_a_discarded_one_starts_over() {
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
fn a_part_is_discarded_on_the_next_link_if_there_is_no_link_now() {
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
fn a_part_is_discarded_although_links_end_before_the_discard_arrives() {
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
fn a_file_whose_discard_may_be_lost_starts_over() {
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
fn many_discards_at_once_take_two_probes_at_most() {
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
fn only_the_answer_to_the_probe_after_a_discard_shows_that_it_arrived() {
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
fn a_cancel_that_keeps_the_part_is_not_mentioned_on_the_next_link() {
    let mut world = moving(true);
    world.cut();
    world.client.transfers.cancel(world.now, id(1), Leftover::Keep);
    world.link_up();
    world.settle();
    assert!(world.server.disk[&id(1)].safe > 0);
    assert_eq!(world.server.told, []);
}

#[test]
fn a_file_that_is_sent_again_before_its_part_is_discarded_starts_over() {
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
fn a_download_can_be_cancelled_before_it_has_begun() {
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
fn the_part_of_a_cancelled_download_without_a_link_is_kept_or_discarded() {
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
fn a_discard_is_sent_as_an_attach_and_only_on_a_good_link() {
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
fn a_cancel_refuses_a_requested_file_that_was_not_offered() {
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
fn a_request_that_ends_with_its_link_leaves_no_share_behind() {
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
fn a_committed_file_that_is_not_compared_yet_is_never_discarded() {
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
fn a_file_that_is_being_committed_is_finished_despite_a_cancel() {
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
fn only_a_live_transfer_can_be_cancelled() {
    let mut world = World::new();
    assert!(!world.client.transfers.cancel(world.now, id(1), Leftover::Discard));
    world.send(id(1), "file", contents(1, 10));
    assert!(world.client.transfers.cancel(world.now, id(1), Leftover::Keep));
    assert!(!world.client.transfers.cancel(world.now, id(1), Leftover::Keep));
}
