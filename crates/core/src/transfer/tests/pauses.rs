//! Pause and resume, from either end, at any time.

use super::super::wire::{self, Ack, Data, Frame, Pause, Resume};
use super::super::*;
use super::world::*;
use bytes::Bytes;

const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(3600);
const LEN: usize = 20_000_000;

/// A client that uploads, or a server's client that downloads, somewhere in the middle of a file.
fn moving(up: bool) -> World {
    let mut world = World::new();
    if up {
        world.send(id(1), "file", contents(1, LEN));
    } else {
        world.server.present.insert(name("file"), contents(1, LEN));
        world.client.transfers.request(world.now, id(1), name("file")).expect("new");
    }
    world.link_up();
    world.run_until_written(up);
    world
}

fn end(world: &mut World, client: bool) -> &mut End {
    if client { &mut world.client } else { &mut world.server }
}

fn written(world: &World, up: bool) -> usize {
    if up { &world.server } else { &world.client }.disk[&id(1)].data.len()
}

fn stage(end: &End) -> Stage {
    end.transfers.progress(id(1)).expect("it lives").stage
}

#[test]
fn either_end_may_pause_either_direction_for_hours() {
    for (up, client) in [(true, true), (true, false), (false, true), (false, false)] {
        let mut world = moving(up);
        let now = world.now;
        assert!(end(&mut world, client).transfers.pause(now, id(1)));
        world.run(2 * MINUTE);
        let before = written(&world, up);
        assert!(before > 0 && before < LEN, "{before}");
        world.run(9 * HOUR);
        assert_eq!(written(&world, up), before, "nothing moves");
        let (ours, theirs) = (stage(end(&mut world, client)), stage(end(&mut world, !client)));
        assert_eq!(ours, Stage::Paused { here: true, there: false });
        assert_eq!(theirs, Stage::Paused { here: false, there: true });
        assert!(end(&mut world, !client).told.contains(&Event::Paused { id: id(1) }));

        let now = world.now;
        assert!(end(&mut world, client).transfers.resume(now, id(1)));
        world.run(MINUTE);
        assert!(world.client.done(id(1)), "{:?}", world.client.told);
        assert!(end(&mut world, !client).told.contains(&Event::Resumed { id: id(1) }));
        let disk = if up { &world.server.disk } else { &world.client.disk };
        assert_eq!(disk[&id(1)].data, contents(1, LEN));
        assert!(!world.client.transfers.is_paused(id(1)) && !world.server.transfers.is_paused(id(1)));
    }
}

#[test]
fn a_transfer_that_both_ends_paused_moves_once_both_have_resumed() {
    for first in [true, false] {
        let mut world = moving(true);
        let now = world.now;
        world.client.transfers.pause(now, id(1));
        world.server.transfers.pause(now, id(1));
        world.run(MINUTE);
        let before = written(&world, true);
        assert_eq!(stage(&world.client), Stage::Paused { here: true, there: true });
        let now = world.now;
        end(&mut world, first).transfers.resume(now, id(1));
        world.run(HOUR);
        assert_eq!(written(&world, true), before);
        let now = world.now;
        end(&mut world, !first).transfers.resume(now, id(1));
        world.run(MINUTE);
        assert!(world.client.done(id(1)), "{:?}", world.client.told);
    }
}

#[test]
fn a_pause_that_is_resumed_at_once_leaves_no_trace() {
    for (up, client) in [(true, true), (true, false), (false, true), (false, false)] {
        for times in 1..4 {
            let mut world = moving(up);
            let now = world.now;
            for _ in 0..times {
                end(&mut world, client).transfers.pause(now, id(1));
                end(&mut world, client).transfers.resume(now, id(1));
            }
            world.run(MINUTE);
            assert!(world.client.done(id(1)), "{:?}", world.client.told);
        }
    }
}

#[test]
fn a_pause_survives_its_link() {
    for (up, client) in [(true, true), (true, false), (false, true), (false, false)] {
        let mut world = moving(up);
        let now = world.now;
        end(&mut world, client).transfers.pause(now, id(1));
        for _ in 0..3 {
            world.run(MINUTE);
            world.cut_gently();
            world.link_up();
        }
        let before = written(&world, up);
        world.run(9 * HOUR);
        assert_eq!(written(&world, up), before, "nothing moves");
        assert_eq!(end(&mut world, client).failure(id(1)).filter(|_| client), None);
        let now = world.now;
        assert!(end(&mut world, client).transfers.resume(now, id(1)));
        world.run(MINUTE);
        assert!(world.client.done(id(1)), "{:?}", world.client.told);
    }
}

#[test]
fn a_transfer_paused_before_its_link_waits_without_a_deadline() {
    let mut world = World::new();
    world.send(id(1), "file", contents(1, 100));
    world.server.present.insert(name("there"), contents(2, 100));
    world.client.transfers.request(world.now, id(2), name("there")).expect("new");
    for which in [id(1), id(2)] {
        world.client.transfers.pause(world.now, which);
        let progress = world.client.transfers.progress(which).expect("it lives");
        assert_eq!(progress.stage, Stage::Paused { here: true, there: false });
    }
    world.link_up();
    world.settle();
    assert!(world.server.transfers.is_empty(), "the peer hears nothing of it");
    assert_eq!(world.client.transfers.poll_timeout(), None);
    for which in [id(1), id(2)] {
        world.client.transfers.resume(world.now, which);
    }
    world.run(MINUTE);
    assert!(world.client.done(id(1)) && world.client.done(id(2)), "{:?}", world.client.told);
}

#[test]
fn other_transfers_get_the_share_of_a_paused_one() {
    // Credit for two and a half transfers, two of which are paused.
    let config = Config { credit: 400_000, link_credit: 1_000_000, ..Config::default() };
    for client in [true, false] {
        let mut world = World::with(config.clone());
        for n in 1..=3 {
            world.send(id(n), &std::format!("file {n}"), contents(n, 2_000_000));
        }
        world.link_up();
        world.run_until_written(true);
        let now = world.now;
        for n in 1..=2 {
            end(&mut world, client).transfers.pause(now, id(n));
        }
        world.run(MINUTE);
        assert!(world.client.done(id(3)), "{:?}", world.client.told);
        assert_eq!(world.server.transfers.promised(), 0, "nothing is held for those that are paused");
        world.send(id(4), "file 4", contents(4, 2_000_000));
        world.settle();
        world.run(MINUTE);
        assert!(world.client.done(id(4)), "{:?}", world.client.told);
        assert!(world.server.most_unwritten <= 1_000_000 + 4 * 65_536, "{}", world.server.most_unwritten);
    }
}

#[test]
fn a_pause_that_comes_after_the_last_byte_delays_nothing() {
    let mut world = World::new();
    world.send(id(1), "file", contents(1, 1000));
    world.link_up();
    // The whole file and its FIN are on their way.
    while world.poll_messages() || world.client.carry_out_one(world.now) {}
    world.client.transfers.pause(world.now, id(1));
    world.server.transfers.pause(world.now, id(1));
    world.run(MINUTE);
    assert!(world.client.done(id(1)), "{:?}", world.client.told);
}

#[test]
fn a_pause_by_the_peer_is_tolerated_for_a_limited_time() {
    for client in [true, false] {
        let config = Config { pause_timeout: HOUR, attempts: 0, ..Config::default() };
        let mut world = World::with(config);
        world.send(id(1), "file", contents(1, LEN));
        world.link_up();
        world.run_until_written(true);
        let now = world.now;
        end(&mut world, client).transfers.pause(now, id(1));
        world.run(MINUTE * 59);
        assert_eq!(end(&mut world, !client).failure(id(1)), None);
        world.run(2 * MINUTE);
        let told = &end(&mut world, !client).told;
        let Some(Event::Failed { failure, .. }) = told.last() else { panic!("{told:?}") };
        assert_eq!(failure.code, Code::Stalled);
        assert_eq!(failure.text, "paused by the other side for 1 h");
    }
}

#[test]
fn only_a_live_transfer_can_be_paused_or_resumed() {
    let mut world = World::new();
    assert!(!world.client.transfers.pause(world.now, id(1)));
    world.send(id(1), "file", contents(1, 10));
    assert!(!world.client.transfers.resume(world.now, id(1)));
    assert!(world.client.transfers.pause(world.now, id(1)));
    assert!(world.client.transfers.pause(world.now, id(1)), "twice is as good as once");
    assert!(world.client.transfers.resume(world.now, id(1)));
    assert!(!world.client.transfers.resume(world.now, id(1)));
}

#[test]
fn a_withdrawn_request_does_not_stay_paused() {
    let mut server = Scripted::linked(Role::Server);
    let (name, to) = (name("file"), u64::MAX);
    let request =
        wire::Request { id: id(1), what: What::Named(name), from: 0, to, if_digest: None, again: false };
    server.hear(Frame::Request(1, request));
    assert!(server.0.pause(Instant::ZERO, id(1)));
    server.hear(Frame::Cancel(1, super::script::cancel(Code::Cancelled, Duration::ZERO)));
    assert!(!server.0.is_paused(id(1)));
}

/// One end, and a peer played by a script.
struct Scripted(Transfers);

impl Scripted {
    fn hear(&mut self, frame: Frame) -> Vec<Frame> {
        self.0.handle_message(Instant::ZERO, frame.encode().into_bytes());
        core::iter::from_fn(|| self.0.poll_message(Instant::ZERO, 1))
            .map(|message| wire::decode(message.into_bytes()).expect("we send what we can read"))
            .collect()
    }

    /// A server that accepts a file on handle 1, with all the credit for it.
    fn receiver(length: u64) -> Self {
        let mut scripted = Self::linked(Role::Server);
        scripted.hear(Frame::Offer(1, plain_offer(id(1), "file", length)));
        let take = Answer::Take { from: 0, prefix: Digest::of(b""), epoch: 1, expires: None };
        scripted.0.answer(Instant::ZERO, id(1), take);
        scripted
    }

    /// A client that sends a file on handle 1, and has sent its first chunk.
    fn sender(length: u64) -> Self {
        let mut scripted = Self::linked(Role::Client);
        scripted.0.offer(Instant::ZERO, Offer::new(id(1), name("file"), length)).expect("new");
        assert!(scripted.0.poll_message(Instant::ZERO, 1).is_some(), "the offer");
        let accept = wire::Accept {
            resume: 0,
            credit: length,
            max_chunk: 1 << 16,
            epoch: 1,
            expires: 0,
            ack_ms: 25,
            have: wire::Have::Part,
            prefix: None,
        };
        scripted.hear(Frame::Accept(1, accept));
        scripted.read();
        assert!(scripted.0.poll_message(Instant::ZERO, 1).is_some(), "a chunk");
        scripted
    }

    fn linked(role: Role) -> Self {
        let mut transfers = Transfers::new(role, Config::default(), Instant::ZERO);
        transfers.handle_link_up(Instant::ZERO, None);
        let mut scripted = Self(transfers);
        scripted.hear(hello());
        scripted
    }

    fn read(&mut self) {
        while let Some(event) = self.0.poll_event() {
            if let Event::Read { id, offset, len } = event {
                self.0.provide(Instant::ZERO, id, offset, Bytes::from(std::vec![0; len]));
            }
        }
    }
}

fn pause(offset: u64, answer: bool) -> Frame {
    Frame::Pause(1, Pause { offset, answer })
}

fn resume(offset: u64, pauses: u32) -> Frame {
    Frame::Resume(1, Resume { offset, pauses })
}

fn ack(received: u64, credit: u64) -> Frame {
    Frame::Ack(1, Ack { received, durable: 0, credit, last_seq: 0, hold_us: 0, rewind: None })
}

fn data(offset: u64, len: usize) -> Frame {
    Frame::Data(1, Data { offset, seq: 0, payload: Bytes::from(std::vec![0; len]) })
}

fn cancelled(frames: &[Frame]) -> Option<Code> {
    frames
        .iter()
        .find_map(|frame| if let Frame::Cancel(_, cancel) = frame { Some(cancel.code) } else { None })
}

#[test]
fn a_sender_answers_a_pause_once_and_ignores_earlier_credit() {
    let mut sender = Scripted::sender(10_000_000);
    let said = sender.hear(pause(0, false));
    let [Frame::Pause(1, Pause { offset: sent, answer: true })] = said[..] else { panic!("{said:?}") };
    for _ in 0..100 {
        assert_eq!(sender.hear(pause(0, false)), [], "a flood is answered by nothing");
    }
    // One that had not received the answer yet.
    assert_eq!(sender.hear(resume(0, 0)), []);
    assert_eq!(sender.hear(ack(sent, 5_000_000)), []);
    sender.read();
    assert_eq!(sender.hear(resume(sent, 1)), [], "it has no credit");
    sender.read();
    let said = sender.hear(ack(sent, 5_000_000));
    assert!(matches!(&said[..], [Frame::Data(1, data), ..] if data.offset == sent), "{said:?}");
}

#[test]
fn a_sender_that_goes_back_after_a_pause_waits_for_new_credit() {
    let mut sender = Scripted::sender(1 << 20);
    sender.0.pause(Instant::ZERO, id(1));
    sender.0.resume(Instant::ZERO, id(1));
    // It was on its way before the receiver learned of the pause.
    let back = Ack { received: 0, durable: 0, credit: 1 << 20, last_seq: 0, hold_us: 0, rewind: None };
    let back = Ack { rewind: Some(wire::Rewind::Gap), ..back };
    sender.hear(Frame::Ack(1, back));
    sender.read();
    assert_eq!(sender.hear(Frame::Probe(1)), [Frame::ProbeAck(1)]);
    assert_eq!(sender.hear(resume(0, 1)), [], "what it had is as void as what it had not");
    let said = sender.hear(ack(0, 1 << 20));
    assert!(matches!(said.first(), Some(Frame::Data(1, data)) if data.offset == 0), "{said:?}");
}

#[test]
fn a_receiver_gives_credit_for_each_pause_that_it_has_heard() {
    let mut receiver = Scripted::receiver(10_000_000);
    assert_eq!(receiver.hear(data(0, 1000)).len(), 2, "ACCEPT and ACK");
    assert!(matches!(&receiver.hear(pause(1000, false))[..], []));
    let said = receiver.hear(resume(1000, 0));
    let [Frame::Resume(1, Resume { offset: 1000, pauses: 1 }), Frame::Ack(1, ack)] = &said[..] else {
        panic!("{said:?}")
    };
    assert!(ack.credit > 1000);
    // The answer to a pause that has since been withdrawn.
    let said = receiver.hear(pause(1000, true));
    assert!(matches!(said[..], [Frame::Resume(1, Resume { pauses: 2, .. }), Frame::Ack(..)]), "{said:?}");
}

#[test]
fn a_sender_that_sends_on_after_its_own_pause_is_refused() {
    let mut receiver = Scripted::receiver(10_000_000);
    receiver.hear(data(0, 1000));
    receiver.hear(pause(1000, false));
    assert_eq!(cancelled(&receiver.hear(data(1000, 1000))), Some(Code::Protocol));
}

#[test]
fn a_pause_after_a_lost_chunk_requests_it_again() {
    let mut receiver = Scripted::receiver(10_000_000);
    receiver.hear(data(0, 1000));
    let said = receiver.hear(pause(5000, false));
    let [Frame::Ack(1, ack)] = &said[..] else { panic!("{said:?}") };
    assert_eq!((ack.received, ack.rewind), (1000, Some(wire::Rewind::Gap)));
}

#[test]
fn impossible_offsets_are_refused() {
    for frame in [pause(10_000_001, false), resume(10_000_001, 0)] {
        let mut receiver = Scripted::receiver(10_000_000);
        assert_eq!(cancelled(&receiver.hear(frame.clone())), Some(Code::BadOffset));
        let mut sender = Scripted::sender(20_000_000);
        assert_eq!(cancelled(&sender.hear(frame)), Some(Code::BadOffset));
    }
}
