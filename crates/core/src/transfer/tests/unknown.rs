//! Files whose length nobody knows before their end.

use super::super::wire::{self, Accept, Ack, Data, Frame, Have, Hello, Whole};
use super::super::*;
use super::world::*;
use crate::Rng;
use bytes::Bytes;
use std::vec;
use std::vec::Vec;

const MINUTE: Duration = Duration::from_secs(60);

/// Sizes with an edge of something beside them: nothing, a chunk, the initial credit, the credit.
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
fn a_pipe_loses_nothing_when_its_link_is_cut_again_and_again() {
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
fn what_is_durable_is_released_and_never_asked_for_again() {
    // The world looks at every read and every digest.
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
fn the_length_is_told_as_soon_as_it_is_known() {
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
fn a_source_that_gives_nothing_for_hours_is_waited_for() {
    let mut world = World::new();
    let offer = Offer::of_unknown_length(id(1), name("pipe"));
    world.client.transfers.offer(world.now, offer).expect("new");
    world.link_up();
    for hour in 1..=5 {
        world.settle_with_pipe(b"hello", None);
        assert_eq!(world.server.disk[&id(1)].data.len(), 5 * hour);
        let later = world.now + Duration::from_secs(3600);
        while world.now < later && world.jump() {
            // No read is answered meanwhile.
            world.settle_with_pipe(b"", None);
        }
    }
    world.settle_with_pipe(b"", Some(25));
    world.run(MINUTE);
    assert!(world.client.done(id(1)), "{:?}", world.client.told);
}

#[test]
fn a_source_that_gives_nothing_for_longer_than_a_pause_may_last_is_left() {
    let mut victim = Receiver::new();
    let mut last = 0;
    for ten in 0..10_000 {
        let now = Instant::from_secs(10 * ten);
        victim.0.handle_timeout(now);
        let mut said = victim.say(now);
        said.extend(victim.hear_at(now, Frame::Finishing(1, wire::Phase::Source)));
        if let Some(code) = cancelled(&said) {
            assert_eq!(code, Code::Stalled);
            break;
        }
        last = 10 * ten;
    }
    // A day, and the patience with somebody who says nothing.
    assert!((86_400..86_640).contains(&last), "{last} s");
}

#[test]
fn a_source_of_unknown_length_may_trickle_and_nobody_may_be_silent() {
    let mut victim = Receiver::new();
    for minute in 0..600_u64 {
        let now = Instant::from_secs(60 * minute);
        victim.0.handle_timeout(now);
        assert_eq!(cancelled(&victim.say(now)), None);
        let data = Data { offset: minute, seq: 0, payload: Bytes::from_static(b"x") };
        assert_eq!(cancelled(&victim.hear_at(now, Frame::Data(1, data))), None);
        victim.0.written(now, id(1), minute + 1);
    }
    let silent = Instant::from_secs(60 * 599 + 121);
    victim.0.handle_timeout(silent);
    assert_eq!(cancelled(&victim.say(silent)), Some(Code::Stalled));
}

#[test]
fn a_peer_without_the_feature_is_offered_nothing_and_the_failure_names_it() {
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
fn a_file_of_known_length_does_not_wait_behind_a_pipe_for_the_hello() {
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
fn an_offer_of_unknown_length_from_a_peer_without_the_feature_is_refused() {
    let mut transfers = Transfers::new(Role::Server, Config::default(), Instant::ZERO);
    transfers.handle_link_up(Instant::ZERO, None);
    let mut victim = Receiver(transfers);
    victim.hear(plain_hello());
    assert_eq!(cancelled(&victim.hear(Frame::Offer(1, unknown_offer()))), Some(Code::Unsupported));
}

#[test]
fn a_request_that_only_a_pipe_could_answer_is_refused_to_a_peer_without_the_feature() {
    let mut transfers = Transfers::new(Role::Server, Config::default(), Instant::ZERO);
    transfers.handle_link_up(Instant::ZERO, None);
    let mut victim = Receiver(transfers);
    victim.hear(plain_hello());
    let request =
        wire::Request { id: id(1), name: name("pipe"), from: 0, to: u64::MAX, if_digest: None, again: false };
    victim.hear(Frame::Request(1, request));
    victim.0.offer(Instant::ZERO, Offer::of_unknown_length(id(1), name("pipe"))).expect("asked for");
    assert_eq!(cancelled(&victim.say(Instant::ZERO)), Some(Code::Unsupported));
    assert!(victim.0.is_empty() && !victim.0.is_requested(id(1)));
}

#[test]
fn a_fin_with_another_length_than_came_is_a_rewind_or_an_end() {
    let fin = |length| Frame::Fin(1, Whole { length, digest: Digest::of(b"x"), deduplicated: false });
    let mut short = Receiver::with_bytes(100);
    assert_eq!(cancelled(&short.hear(fin(99))), Some(Code::LengthMismatch));
    let mut absurd = Receiver::with_bytes(100);
    assert_eq!(cancelled(&absurd.hear(fin(u64::MAX))), Some(Code::LengthMismatch));
    let mut longest = Receiver::with_bytes(100);
    assert_eq!(cancelled(&longest.hear(fin(wire::MAX_LENGTH))), None);
    let mut long = Receiver::with_bytes(100);
    let said = long.hear(fin(101));
    assert!(said.iter().any(|f| matches!(f, Frame::Ack(_, Ack { received: 100, rewind: Some(_), .. }))));
    // Once said, it stays so.
    assert_eq!(cancelled(&long.data(100, 2)), Some(Code::LengthMismatch));
    let mut twice = Receiver::with_bytes(100);
    assert_eq!(cancelled(&twice.hear(fin(101))), None);
    assert_eq!(cancelled(&twice.hear(fin(102))), Some(Code::LengthMismatch));
}

#[test]
fn a_fin_before_the_answer_is_held_to_what_came_with_it() {
    let fin = |length| Frame::Fin(1, Whole { length, digest: Digest::of(b"x"), deduplicated: false });
    let mut victim = Receiver::opening();
    victim.hear(Frame::Data(1, Data { offset: 0, seq: 0, payload: contents(0, 100).into() }));
    assert_eq!(cancelled(&victim.hear(fin(99))), Some(Code::LengthMismatch));
    // A receiver that has more than the sender says there is.
    let mut victim = Receiver::opening();
    victim.hear(fin(99));
    victim.take(100);
    assert_eq!(cancelled(&victim.say(Instant::ZERO)), Some(Code::LengthMismatch));
    // One that has just as much needs nothing more.
    let mut victim = Receiver::opening();
    victim.hear(fin(99));
    victim.take(99);
    assert!(victim.finishes_with(99));
}

#[test]
fn what_was_asked_for_whole_may_come_through_a_pipe() {
    let mut transfers = Transfers::new(Role::Client, Config::default(), Instant::ZERO);
    transfers.request(Instant::ZERO, id(1), name("pipe")).expect("new");
    transfers.handle_link_up(Instant::ZERO, None);
    let mut asking = Receiver(transfers);
    asking.hear(hello());
    assert_eq!(cancelled(&asking.hear(Frame::Offer(2, unknown_offer()))), None);
    assert!(matches!(asking.0.poll_event(), Some(Event::Offered(offered)) if offered.requested));
}

#[test]
fn a_name_that_is_taken_is_no_place_for_a_pipe() {
    let mut victim = Receiver::opening();
    victim.0.answer(Instant::ZERO, id(1), Answer::Present { digest: Digest::of(b"x") });
    assert_eq!(cancelled(&victim.say(Instant::ZERO)), Some(Code::Exists));
}

#[test]
fn a_receiver_that_claims_to_have_what_nobody_has_seen_the_end_of_is_left() {
    for (have, resume, code) in [
        (Have::Complete, 5, Code::Protocol),
        (Have::Present, 5, Code::Protocol),
        (Have::Part, u64::MAX, Code::BadOffset),
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
        assert_eq!(failure.code, code, "{failure}");
    }
}

#[test]
fn a_done_that_was_lost_comes_again() {
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
fn an_end_in_place_of_a_piece_leaves_the_piece_to_be_asked_for_again() {
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
fn a_pipe_that_was_cancelled_without_a_link_is_told_after_the_hello() {
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
fn a_disk_that_is_slow_after_the_last_byte_is_not_held_against_the_sender() {
    let mut victim = Receiver::with_bytes(100);
    victim.hear(Frame::Fin(1, Whole { length: 100, digest: Digest::of(b"x"), deduplicated: false }));
    for second in 0..600 {
        let now = Instant::from_secs(second);
        victim.0.handle_timeout(now);
        assert_eq!(cancelled(&victim.say(now)), None, "after {second} s");
    }
    assert!(victim.finishes_with(100));
}

#[test]
fn what_was_promised_beyond_the_end_is_free_for_others() {
    let mut victim = Receiver::with_bytes(100);
    let fin = Frame::Fin(1, Whole { length: 101, digest: Digest::of(b"x"), deduplicated: false });
    let said = victim.hear(fin);
    assert!(said.iter().any(|f| matches!(f, Frame::Ack(_, Ack { credit: 101, .. }))), "{said:?}");
}

#[test]
fn of_a_pipe_that_is_refused_for_good_nothing_is_kept() {
    for (code, retry_after, kept) in [
        (Code::Quota, 0, false),
        (Code::NoSpace, 0, false),
        (Code::NoSpace, 5, true),
        (Code::Internal, 0, true),
        // Somebody else has it.
        (Code::Fenced, 0, true),
    ] {
        let mut victim = Receiver::with_bytes(100);
        while victim.0.poll_event().is_some() {}
        let mut failure = Failure::local(code, "no");
        failure.retry_after = Duration::from_secs(retry_after);
        victim.0.fail(Instant::ZERO, id(1), failure);
        let effect = victim.0.poll_event();
        assert_eq!(matches!(effect, Some(Event::Detach { .. })), kept, "{code:?}: {effect:?}");
        assert_eq!(matches!(effect, Some(Event::Discard { .. })), !kept, "{code:?}: {effect:?}");
        let said = victim.say(Instant::ZERO);
        let told = said.iter().any(|f| matches!(f, Frame::Cancel(_, cancel) if cancel.discard != kept));
        assert!(told, "{code:?}: {said:?}");
    }
}

#[test]
fn of_a_pipe_that_breaks_nothing_is_kept() {
    let mut world = World::new();
    world.send_pipe(id(1), "pipe", contents(7, 3_000_000));
    world.link_up();
    world.run_until_written(true);
    world.client.transfers.fail(world.now, id(1), Failure::local(Code::StoreFailed, "torn off"));
    world.settle();
    assert!(!world.server.disk.contains_key(&id(1)), "{:?}", world.server.told);
}

impl World {
    /// Does everything that can be done without time passing. The client's reads are answered once with these bytes,
    /// if there are any, and stay open after that, until the end.
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
                // What the digest is taken of.
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

/// A server that a script of frames sends a file of unknown length to.
struct Receiver(Transfers);

impl Receiver {
    fn opening() -> Self {
        let mut transfers = Transfers::new(Role::Server, Config::default(), Instant::ZERO);
        transfers.handle_link_up(Instant::ZERO, None);
        let mut receiver = Self(transfers);
        receiver.hear(hello());
        receiver.hear(Frame::Offer(1, unknown_offer()));
        receiver
    }

    fn new() -> Self {
        let mut receiver = Self::opening();
        receiver.take(0);
        receiver
    }

    fn with_bytes(len: usize) -> Self {
        let mut receiver = Self::new();
        receiver.data(0, len);
        receiver
    }

    /// Whether the file is put in its place once so much of it is written.
    fn finishes_with(&mut self, upto: u64) -> bool {
        self.0.written(Instant::ZERO + 20 * MINUTE, id(1), upto);
        core::iter::from_fn(|| self.0.poll_event()).any(|event| matches!(event, Event::Finish { .. }))
    }

    fn take(&mut self, from: u64) {
        let prefix = Digest::of(b"");
        self.0.answer(Instant::ZERO, id(1), Answer::Take { from, prefix, epoch: 1, expires: None });
    }

    fn data(&mut self, offset: u64, len: usize) -> Vec<Frame> {
        self.hear(Frame::Data(1, Data { offset, seq: 0, payload: contents(0, len).into() }))
    }

    fn hear(&mut self, frame: Frame) -> Vec<Frame> {
        self.hear_at(Instant::ZERO, frame)
    }

    fn hear_at(&mut self, now: Instant, frame: Frame) -> Vec<Frame> {
        self.0.handle_message(now, frame.encode().into_bytes());
        self.say(now)
    }

    fn say(&mut self, now: Instant) -> Vec<Frame> {
        core::iter::from_fn(|| self.0.poll_message(now, 1))
            .map(|message| wire::decode(message.into_bytes()).expect("we send what we can read"))
            .collect()
    }
}

fn unknown_offer() -> wire::Offer {
    wire::Offer { length: None, ..plain_offer(id(1), "pipe", 0) }
}

/// The HELLO of a peer that does not know the feature.
fn plain_hello() -> Frame {
    let Frame::Hello(hello) = hello() else { unreachable!() };
    Frame::Hello(Hello { features: !wire::UNKNOWN_LENGTH, ..hello })
}

fn cancelled(frames: &[Frame]) -> Option<Code> {
    frames
        .iter()
        .find_map(|frame| if let Frame::Cancel(_, cancel) = frame { Some(cancel.code) } else { None })
}
