//! Two ends, and links between them that are cut anywhere: everything arrives, once and in order.

use super::*;
use alloc::collections::VecDeque;
use alloc::format;
use alloc::vec::Vec;
use core::time::Duration;
use proptest::collection::vec;
use proptest::prelude::*;

/// What crosses a link.
#[derive(Clone, Debug)]
enum Frame {
    Resume(u64),
    Message(u64, Message),
    Ack(u64),
}

/// One end, and the frames on their way to it.
struct Side {
    replay: Replay,
    arriving: VecDeque<Frame>,
    got: Vec<Message>,
    to_send: VecDeque<Message>,
}

/// Two ends and the current link.
struct World {
    now: Instant,
    sides: [Side; 2],
    /// How many frames have arrived on the current link.
    passed: usize,
}

fn messages(side: usize, count: usize) -> VecDeque<Message> {
    (0..count).map(|n| Message::text(format!("{side}/{n}"))).collect()
}

impl World {
    fn new(config: Config, counts: [usize; 2]) -> Self {
        let side = |side| Side {
            replay: Replay::new(config),
            arriving: VecDeque::new(),
            got: Vec::new(),
            to_send: messages(side, counts[side]),
        };
        Self { now: Instant::ZERO, sides: [side(0), side(1)], passed: 0 }
    }

    fn link_up(&mut self) {
        self.passed = 0;
        for side in 0..2 {
            let last = self.sides[side].replay.handle_link_up(self.now);
            self.sides[1 - side].arriving.push_back(Frame::Resume(last));
        }
    }

    /// Frames on their way are lost.
    fn link_down(&mut self) {
        for side in &mut self.sides {
            side.arriving.clear();
            side.replay.handle_link_down(self.now);
        }
    }

    /// The application of this side sends as much as it can.
    fn say(&mut self, side: usize) {
        let Side { replay, to_send, .. } = &mut self.sides[side];
        while let Some(message) = to_send.pop_front() {
            if let Err(Full(message)) = replay.send(message) {
                to_send.push_front(message);
                break;
            }
        }
    }

    /// This side writes one frame, if it has any.
    fn write(&mut self, side: usize) {
        let replay = &mut self.sides[side].replay;
        let ack = replay.poll_ack(self.now).map(Frame::Ack);
        let frame =
            ack.or_else(|| replay.poll_message().map(|(number, message)| Frame::Message(number, message)));
        self.sides[1 - side].arriving.extend(frame);
    }

    /// One frame arrives at this side, if one is on its way.
    fn read(&mut self, side: usize) {
        let Side { replay, arriving, got, .. } = &mut self.sides[side];
        let Some(frame) = arriving.pop_front() else { return };
        self.passed += 1;
        match frame {
            Frame::Resume(last) => replay.handle_resumed(self.now, last).expect("the same session"),
            Frame::Ack(last) => assert_eq!(replay.handle_ack(self.now, last), None),
            Frame::Message(number, message) => match replay.handle_message(self.now, number, message) {
                Arrival::Deliver(message) => {
                    got.push(message);
                    replay.confirm(self.now, number);
                }
                Arrival::Duplicate => {}
                Arrival::Fault(fault) => panic!("{fault}"),
            },
        }
    }

    /// Runs until this many frames have arrived on the link, or nothing moves.
    fn run(&mut self, frames: usize) {
        loop {
            let before = self.passed;
            for side in 0..2 {
                self.say(side);
                self.write(side);
                if self.passed < frames {
                    self.read(side);
                }
            }
            self.now += Duration::from_millis(10);
            let quiet = self.sides.iter().all(|side| {
                side.arriving.is_empty() && !side.replay.has_message() && side.replay.poll_timeout().is_none()
            });
            if self.passed >= frames || (quiet && self.passed == before) {
                return;
            }
        }
    }

    /// Everything has arrived, once and in order, and nothing is kept any longer.
    fn assert_whole(&self, counts: [usize; 2]) {
        for (side, count) in counts.into_iter().enumerate() {
            assert_eq!(messages(side, count), self.sides[1 - side].got, "of side {side}");
            assert_eq!(self.sides[side].replay.unacknowledged(), 0);
            assert_eq!(self.sides[side].replay.unacknowledged_bytes(), 0);
        }
    }
}

fn config(max_messages: usize, ack_messages: u64, ack_on: AckOn) -> Config {
    Config { max_messages, ack_messages, ack_on, ..Config::default() }
}

/// The first link is cut after this many frames, the second after this many more, and so on.
fn lossy(config: Config, counts: [usize; 2], cuts: &[usize]) -> World {
    let mut world = World::new(config, counts);
    for frames in cuts {
        world.link_up();
        world.run(*frames);
        world.link_down();
    }
    world.link_up();
    world.run(usize::MAX);
    world
}

#[test]
fn everything_arrives_once_wherever_two_links_are_cut() {
    let counts = [9, 5];
    for ack_on in [AckOn::Delivery, AckOn::Confirmation] {
        let config = config(4, 3, ack_on);
        let frames = {
            let mut world = World::new(config, counts);
            world.link_up();
            world.run(usize::MAX);
            world.assert_whole(counts);
            world.passed
        };
        assert!(frames > 14);
        for first in 0..=frames {
            for second in 0..=frames {
                lossy(config, counts, &[first, second]).assert_whole(counts);
            }
        }
    }
}

#[test]
fn acknowledged_messages_are_not_sent_again() {
    let counts = [100, 0];
    let world = lossy(config(10, 1, AckOn::Delivery), counts, &[20, 20, 20]);
    world.assert_whole(counts);
    assert!(world.sides[1].replay.duplicates() == 0, "both say how far they have come");
}

#[derive(Clone, Copy, Debug)]
enum Op {
    Say(usize),
    Write(usize),
    Read(usize),
    Cut,
    Wait(u64),
}

fn any_op() -> impl Strategy<Value = Op> {
    prop_oneof![
        4 => (0..2_usize).prop_map(Op::Say),
        8 => (0..2_usize).prop_map(Op::Write),
        8 => (0..2_usize).prop_map(Op::Read),
        1 => Just(Op::Cut),
        2 => (0..300_u64).prop_map(Op::Wait),
    ]
}

#[derive(Clone, Debug)]
enum Call {
    Up,
    Resumed(u64),
    Message(u64),
    Ack(u64),
    Down,
    Send(usize),
    Confirm(u64),
    Reset,
    Poll,
}

fn any_number() -> impl Strategy<Value = u64> {
    prop_oneof![8 => 0..12_u64, 1 => any::<u64>(), 1 => Just(u64::MAX)]
}

fn any_call() -> impl Strategy<Value = Call> {
    prop_oneof![
        2 => Just(Call::Up),
        3 => any_number().prop_map(Call::Resumed),
        4 => any_number().prop_map(Call::Message),
        4 => any_number().prop_map(Call::Ack),
        1 => Just(Call::Down),
        6 => (0..400_usize).prop_map(Call::Send),
        2 => any_number().prop_map(Call::Confirm),
        1 => Just(Call::Reset),
        4 => Just(Call::Poll),
    ]
}

proptest! {
    /// Exactly once and in order, whatever the schedule is and wherever links are cut.
    #[test]
    fn everything_arrives_once_and_in_order(
        counts in [0..40_usize, 0..40_usize], max_messages in 1..12_usize, ack_messages in 1..6_u64,
        confirms in any::<bool>(), script in vec(any_op(), 0..200)
    ) {
        let ack_on = if confirms { AckOn::Confirmation } else { AckOn::Delivery };
        let mut world = World::new(config(max_messages, ack_messages, ack_on), counts);
        world.link_up();
        for op in script {
            match op {
                Op::Say(side) => world.say(side),
                Op::Write(side) => world.write(side),
                Op::Read(side) => world.read(side),
                Op::Wait(millis) => world.now += Duration::from_millis(millis),
                Op::Cut => {
                    world.link_down();
                    world.link_up();
                }
            }
        }
        world.run(usize::MAX);
        world.assert_whole(counts);
    }

    /// Nothing panics, nonsensical numbers change nothing, and the buffer keeps its limits.
    #[test]
    fn nothing_breaks_whatever_a_peer_sends(calls in vec((any_call(), 0..300_u64), 0..100), confirms in any::<bool>()) {
        let ack_on = if confirms { AckOn::Confirmation } else { AckOn::Delivery };
        let config = Config { max_bytes: 1000, max_messages: 5, ack_on, ..Config::default() };
        let mut replay = Replay::new(config);
        let (mut now, mut delivered) = (Instant::ZERO, 0);
        for (call, wait) in calls {
            now += Duration::from_millis(wait);
            match call {
                Call::Up => prop_assert!(replay.handle_link_up(now) <= delivered),
                Call::Resumed(last) => drop(replay.handle_resumed(now, last)),
                Call::Message(number) => match replay.handle_message(now, number, Message::text("x")) {
                    Arrival::Deliver(_) => {
                        prop_assert_eq!(number, delivered + 1);
                        delivered = number;
                    }
                    Arrival::Duplicate => prop_assert!(number <= delivered),
                    Arrival::Fault(_) => {}
                },
                Call::Ack(last) => {
                    let before = replay.unacknowledged();
                    if replay.handle_ack(now, last).is_some() {
                        prop_assert_eq!(replay.unacknowledged(), before);
                    }
                }
                Call::Down => replay.handle_link_down(now),
                Call::Send(len) => drop(replay.send(Message::binary(alloc::vec![0; len]))),
                Call::Confirm(last) => replay.confirm(now, last),
                Call::Reset => {
                    let waiting = replay.unacknowledged();
                    prop_assert_eq!(replay.reset().len(), waiting);
                    delivered = 0;
                }
                Call::Poll => {
                    replay.poll_message();
                    if let Some(last) = replay.poll_ack(now) {
                        prop_assert!(last <= delivered);
                    }
                    prop_assert!(replay.poll_timeout().is_none_or(|due| due > now));
                }
            }
            prop_assert!(replay.unacknowledged() <= 5 && replay.unacknowledged_bytes() <= 1000);
        }
    }
}
