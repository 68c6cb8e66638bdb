//! Files whose length is unknown until their end.

mod receiver;

use super::super::wire::{self, Accept, Ack, Data, Frame, Have, Hello, Whole};
use super::super::*;
use super::world::*;
use crate::Rng;
use bytes::Bytes;
use std::vec;
use std::vec::Vec;

const MINUTE: Duration = Duration::from_secs(60);

/// Sizes around the edges: nothing, a chunk, the initial credit, the credit.
const SIZES: [usize; 9] = [0, 1, 16_383, 16_384, 65_536, 65_537, 1 << 20, (1 << 20) + 1, 9_000_001];

#[test]
fn a_pipe_of_every_awkward_size_arrives_whole() {
    for len in SIZES {
        let mut world = World::new();
        world.send_pipe(id(1), "pipe", contents(7, len));
        world.link_up();
        world.run(MINUTE);
        assert!(world.client.done(id(1)), "{len} bytes: {:?}", world.client.told);
        assert!(world.server.done(id(1)));
        let part = &world.server.disk[&id(1)];
        assert!(part.committed && part.data == contents(7, len), "{len} bytes");
    }
}

#[test]
fn a_pipe_loses_nothing_when_its_link_is_cut_repeatedly() {
    for seed in 0..200_u8 {
        let mut rng = Rng::from_seed([seed; 32]);
        let config = Config { sync_bytes: 100_000, credit: 200_000, ..Config::default() };
        let mut world = World::with(config);
        let len = SIZES[usize::from(seed) % 8];
        world.send_pipe(id(1), "pipe", contents(seed, len));
        for _ in 0..5 {
            world.link_up();
            for _ in 0..rng.next_u32() % 400 {
                world.step(&mut rng);
            }
            world.cut();
        }
        world.link_up();
        world.run(MINUTE);
        assert!(
            world.client.done(id(1)),
            "seed {seed}: {:?} {:#?}",
            world.client.told,
            world.client.transfers
        );
        assert_eq!(world.server.disk[&id(1)].data, contents(seed, len), "seed {seed}");
    }
}

#[test]
fn durable_bytes_are_released_and_never_requested_again() {
    // The world checks every read and every digest.
    let mut world = World::with(Config { sync_bytes: 100_000, ..Config::default() });
    world.send_pipe(id(1), "pipe", contents(7, 3_000_000));
    world.link_up();
    for _ in 0..40 {
        world.poll_messages();
        world.deliver(true);
        world.deliver(false);
        while world.client.carry_out_one(world.now) | world.server.carry_out_one(world.now) {}
    }
    let forgotten = world.client.pipes[&id(1)];
    assert!(forgotten > 0 && forgotten < 3_000_000, "{forgotten}");
    world.cut();
    world.link_up();
    world.run(MINUTE);
    assert!(world.client.done(id(1)), "{:?}", world.client.told);
}

#[test]
fn the_length_is_reported_as_soon_as_it_is_known() {
    let mut world = World::new();
    let offer = Offer::of_unknown_length(id(1), name("pipe"));
    world.client.transfers.offer(world.now, offer).expect("new");
    world.link_up();
    world.settle_with_pipe(b"hello", None);
    let look = |end: &End| end.transfers.progress(id(1)).map(|p| (p.stage, p.length, p.received));
    assert_eq!(look(&world.client), Some((Stage::Moving, None, 5)));
    assert_eq!(look(&world.server), Some((Stage::Moving, None, 5)));
    world.client.transfers.end(world.now, id(1), 5);
    assert_eq!(look(&world.client), Some((Stage::Finishing, Some(5), 5)));
}

#[test]
fn a_transfer_waits_for_a_source_that_gives_nothing_for_hours() {
    let mut world = World::new();
    let offer = Offer::of_unknown_length(id(1), name("pipe"));
    world.client.transfers.offer(world.now, offer).expect("new");
    world.link_up();
    for hour in 1..=5 {
        world.settle_with_pipe(b"hello", None);
        assert_eq!(world.server.disk[&id(1)].data.len(), 5 * hour);
        let later = world.now + Duration::from_secs(3600);
        while world.now < later && world.jump() {
            // Meanwhile, no read is answered.
            world.settle_with_pipe(b"", None);
        }
    }
    world.settle_with_pipe(b"", Some(25));
    world.run(MINUTE);
    assert!(world.client.done(id(1)), "{:?}", world.client.told);
}

#[test]
fn a_pipe_fails_by_name_if_the_peer_lacks_the_feature() {
    for early in [true, false] {
        let mut t = Transfers::new(Role::Client, Config::default(), Instant::ZERO);
        let offer = Offer::of_unknown_length(id(1), name("pipe"));
        if early {
            t.offer(Instant::ZERO, offer.clone()).expect("new");
        }
        t.handle_link_up(Instant::ZERO, None);
        assert!(t.poll_message(Instant::ZERO, 1).is_some(), "HELLO");
        assert!(t.poll_message(Instant::ZERO, 1).is_none(), "nothing before the other HELLO");
        t.handle_message(Instant::ZERO, plain_hello().encode().into_bytes());
        if !early {
            t.offer(Instant::ZERO, offer).expect("new");
        }
        let Some(Event::Failed { failure, .. }) = t.poll_event() else { panic!("no failure") };
        assert_eq!((failure.code, failure.by_peer), (Code::Unsupported, false));
        assert!(failure.text.contains("UNKNOWN_LENGTH"), "{failure}");
        assert!(t.poll_message(Instant::ZERO, 1).is_none() && t.is_empty());
    }
}

#[test]
fn a_file_does_not_wait_behind_a_pipe_that_waits_for_hello() {
    let mut t = Transfers::new(Role::Client, Config::default(), Instant::ZERO);
    t.offer(Instant::ZERO, Offer::of_unknown_length(id(1), name("pipe"))).expect("new");
    t.offer(Instant::ZERO, Offer::new(id(2), name("file"), 5)).expect("new");
    t.handle_link_up(Instant::ZERO, None);
    let offered = |t: &mut Transfers| -> Vec<_> {
        core::iter::from_fn(|| t.poll_message(Instant::ZERO, 1))
            .filter_map(|message| match wire::decode(message.into_bytes()) {
                Ok(Frame::Offer(_, offer)) => Some((offer.id, offer.length)),
                _ => None,
            })
            .collect()
    };
    assert_eq!(offered(&mut t), [(id(2), Some(5))]);
    t.handle_message(Instant::ZERO, hello().encode().into_bytes());
    assert_eq!(offered(&mut t), [(id(1), None)]);
}

#[test]
fn a_pipe_fails_if_the_receiver_claims_to_have_all_of_it() {
    let there = "ACCEPT for handle 1 says that a file is there whose length nobody knows";
    let beyond = "it was asked to resume at 18446744073709551615 of 9223372036854775807 bytes";
    for (have, resume, code, text) in [
        (Have::Complete, 5, Code::Protocol, there),
        (Have::Present, 5, Code::Protocol, there),
        (Have::Part, u64::MAX, Code::BadOffset, beyond),
    ] {
        let mut t = Transfers::new(Role::Client, Config::default(), Instant::ZERO);
        t.offer(Instant::ZERO, Offer::of_unknown_length(id(1), name("pipe"))).expect("new");
        t.handle_link_up(Instant::ZERO, None);
        t.handle_message(Instant::ZERO, hello().encode().into_bytes());
        while t.poll_message(Instant::ZERO, 1).is_some() {}
        let prefix = Some(Digest::of(b"x"));
        let accept = Accept {
            resume,
            credit: u64::MAX,
            max_chunk: 65_536,
            epoch: 1,
            expires: 0,
            ack_ms: 25,
            have,
            prefix,
        };
        t.handle_message(Instant::ZERO, Frame::Accept(1, accept).encode().into_bytes());
        let Some(Event::Failed { failure, .. }) = t.poll_event() else { panic!("no failure") };
        assert_eq!((failure.code, &*failure.text), (code, text));
    }
}

#[test]
fn a_lost_done_is_sent_again() {
    let mut world = World::new();
    world.send_pipe(id(1), "pipe", contents(7, 300_000));
    world.link_up();
    world.run_until(|world| world.server.disk.get(&id(1)).is_some_and(|part| part.committed));
    world.cut();
    assert!(!world.client.done(id(1)));
    world.link_up();
    world.run(MINUTE);
    assert!(world.client.done(id(1)), "{:?}", world.client.told);
}

#[test]
fn a_source_that_contradicts_itself_fails() {
    let offer = Offer::of_unknown_length(id(1), name("pipe"));
    let ends: [&[u64]; 3] = [&[4], &[5, 6], &[6, 5]];
    for ends in ends {
        let mut world = World::new();
        world.client.transfers.offer(world.now, offer.clone()).expect("new");
        world.link_up();
        world.settle_with_pipe(b"hello", None);
        for end in ends {
            world.client.transfers.end(world.now, id(1), *end);
        }
        world.client.collect();
        assert_eq!(world.client.failure(id(1)), Some(Code::SourceChanged), "{ends:?}");
    }
}

#[test]
fn an_end_instead_of_a_piece_leaves_the_piece_to_be_read_again() {
    let mut t = Transfers::new(Role::Client, Config::default(), Instant::ZERO);
    t.offer(Instant::ZERO, Offer::of_unknown_length(id(1), name("pipe"))).expect("new");
    t.handle_link_up(Instant::ZERO, None);
    let mut hear = |frame: Frame| {
        t.handle_message(Instant::ZERO, frame.encode().into_bytes());
        while t.poll_message(Instant::ZERO, 1).is_some() {}
    };
    hear(hello());
    let accept = Accept {
        resume: 0,
        credit: 65_536,
        max_chunk: 65_536,
        epoch: 1,
        expires: 0,
        ack_ms: 25,
        have: Have::Part,
        prefix: None,
    };
    hear(Frame::Accept(1, accept));
    t.provide(Instant::ZERO, id(1), 0, Bytes::from_static(b"hello"));
    while t.poll_message(Instant::ZERO, 1).is_some() {}
    let rewind = Some(wire::Rewind::Gap);
    let back = Ack { received: 0, durable: 0, credit: 65_536, last_seq: 0, hold_us: 0, rewind };
    t.handle_message(Instant::ZERO, Frame::Ack(1, back).encode().into_bytes());
    while t.poll_event().is_some() {}
    t.end(Instant::ZERO, id(1), 5);
    assert!(matches!(t.poll_event(), Some(Event::Read { offset: 0, len: 5, .. })));
}

#[test]
fn the_discard_of_a_pipe_cancelled_offline_is_sent_after_hello() {
    let mut world = World::new();
    world.send_pipe(id(1), "pipe", contents(7, 3_000_000));
    world.link_up();
    world.cut_in_the_middle();
    assert!(world.client.transfers.cancel(world.now, id(1), Leftover::Discard));
    world.link_up();
    world.settle();
    assert!(!world.server.disk.contains_key(&id(1)));
}

#[test]
fn nothing_is_kept_of_a_pipe_that_breaks() {
    let mut world = World::new();
    world.send_pipe(id(1), "pipe", contents(7, 3_000_000));
    world.link_up();
    world.run_until_written(true);
    world.client.transfers.fail(world.now, id(1), Failure::local(Code::StoreFailed, "torn off"));
    world.settle();
    assert!(!world.server.disk.contains_key(&id(1)), "{:?}", world.server.told);
}

impl World {
    /// Does everything that can be done without time passing. The client's reads are answered once with these bytes, if
    /// there are any, and then remain open until the end.
    fn settle_with_pipe(&mut self, bytes: &'static [u8], mut end: Option<u64>) {
        let mut bytes = Some(bytes).filter(|bytes| !bytes.is_empty());
        for _ in 0..1_000_000 {
            let moved = self.poll_messages() | self.deliver(true) | self.deliver(false);
            let carried = self.server.carry_out_one(self.now);
            self.client.collect();
            let open = self.client.effects.iter().position(|e| matches!(e, Event::Read { .. }));
            let mut given = false;
            if let (Some(place), Some(data)) = (open, bytes) {
                let Some(Event::Read { id, offset, .. }) = self.client.effects.remove(place) else {
                    continue;
                };
                bytes = None;
                given = true;
                // The bytes of which the digest is computed.
                let source = &mut self.client.sources.entry(id).or_insert((name("pipe"), vec![])).1;
                source.extend_from_slice(data);
                self.client.pipes.entry(id).or_default();
                self.client.transfers.provide(self.now, id, offset, Bytes::from_static(data));
            } else if let (Some(_), Some(end)) = (open, end.take()) {
                self.client.transfers.end(self.now, id(1), end);
                given = true;
            }
            self.client.effects.retain(|e| !matches!(e, Event::Release { .. }));
            if !(moved || carried || given) {
                return;
            }
        }
        panic!("live-lock");
    }
}

/// The HELLO of a peer that does not know the feature.
fn plain_hello() -> Frame {
    let Frame::Hello(hello) = hello() else { unreachable!() };
    Frame::Hello(Hello { features: !wire::UNKNOWN_LENGTH, ..hello })
}
