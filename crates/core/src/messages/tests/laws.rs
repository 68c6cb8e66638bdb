//! Two ends whose links are cut between any two frames, in any schedule.

use super::*;
use crate::replay::AckOn;
use alloc::collections::VecDeque;
use proptest::collection::vec;
use proptest::prelude::*;

#[derive(Clone, Copy, Debug)]
enum Op {
    Say(bool),
    Write(bool),
    Read(bool),
    Take(bool),
    /// The client dials again; whether the server has noticed the end of the old link.
    Cut(bool),
    /// One frame arrives that the client sent on a link that it has since given up.
    Late,
    Wait(u64),
}

fn any_op() -> impl Strategy<Value = Op> {
    let side = any::<bool>;
    prop_oneof![
        4 => side().prop_map(Op::Say),
        8 => side().prop_map(Op::Write),
        8 => side().prop_map(Op::Read),
        4 => side().prop_map(Op::Take),
        2 => any::<bool>().prop_map(Op::Cut),
        2 => Just(Op::Late),
        2 => (0..300_u64).prop_map(Op::Wait),
    ]
}

struct World {
    now: Instant,
    client: Messages,
    server: Sessions,
    link: u64,
    /// Frames on their way to the client, and to the server.
    arriving: [VecDeque<Bytes>; 2],
    /// The same on links that the client has given up and the server has not.
    belated: VecDeque<(LinkId, Bytes)>,
    to_send: [VecDeque<Message>; 2],
    got: [Vec<Message>; 2],
}

impl World {
    fn new(config: Config, counts: [usize; 2]) -> Self {
        let now = Instant::ZERO;
        let numbered = |count| (0..count).map(|n| Message::text(format!("{n}"))).collect();
        let mut world = Self {
            now,
            client: Messages::new(config, [1; 32], now),
            server: Sessions::new(sessions_config(config), [2; 32], now),
            link: 0,
            arriving: [VecDeque::new(), VecDeque::new()],
            belated: VecDeque::new(),
            to_send: counts.map(numbered),
            got: [Vec::new(), Vec::new()],
        };
        world.link_up();
        world
    }

    fn link_up(&mut self) {
        self.link += 1;
        self.arriving = [VecDeque::new(), VecDeque::new()];
        self.client.handle_link_up(self.now);
        self.client.handle_peer(self.now, true);
        self.server.handle_link_up(self.now, LinkId(self.link), b"me");
    }

    fn op(&mut self, op: Op) {
        let link = LinkId(self.link);
        match op {
            Op::Say(false) => {
                let Some(message) = self.to_send[0].pop_front() else { return };
                if let Err(error) = self.client.send(self.now, message) {
                    self.to_send[0].push_front(error.into_inner());
                }
            }
            Op::Say(true) => {
                let Some(message) = self.to_send[1].pop_front() else { return };
                if let Err(error) = self.server.send(self.now, self.client.session(), message) {
                    self.to_send[1].push_front(error.into_inner());
                }
            }
            Op::Write(false) => {
                let frame = self.client.poll_frame(self.now).map(Parts::into_bytes);
                self.arriving[1].extend(frame);
            }
            Op::Write(true) => {
                let frame = self.server.poll_frame(self.now, link).map(Parts::into_bytes);
                self.arriving[0].extend(frame);
            }
            Op::Read(false) => {
                if let Some(frame) = self.arriving[0].pop_front() {
                    self.client.handle_frame(self.now, frame);
                }
            }
            Op::Read(true) => {
                if let Some(frame) = self.arriving[1].pop_front() {
                    self.server.handle_frame(self.now, link, frame);
                }
            }
            Op::Take(false) => {
                while let Some(Received { receipt, message }) = self.client.poll_received(self.now) {
                    self.got[0].push(message);
                    if let Some(receipt) = receipt {
                        self.client.confirm(self.now, receipt);
                    }
                }
            }
            Op::Take(true) => {
                while let Some((_, Received { receipt, message })) = self.server.poll_received(self.now) {
                    self.got[1].push(message);
                    if let Some(receipt) = receipt {
                        self.server.confirm(self.now, receipt);
                    }
                }
            }
            Op::Cut(noticed) => {
                if noticed {
                    self.server.handle_link_down(self.now, link, false);
                } else {
                    self.belated.extend(self.arriving[1].drain(..).map(|frame| (link, frame)));
                }
                self.link_up();
            }
            Op::Late => {
                if let Some((link, frame)) = self.belated.pop_front() {
                    self.server.handle_frame(self.now, link, frame);
                }
            }
            Op::Wait(millis) => {
                self.now += Duration::from_millis(millis);
                self.client.handle_timeout(self.now);
                self.server.handle_timeout(self.now);
                assert!(self.client.poll_timeout().is_none_or(|due| due > self.now));
                assert!(self.server.link_timeout(link).is_none_or(|due| due > self.now));
            }
        }
    }

    /// No more cuts from here on.
    fn settle(&mut self) {
        for _ in 0..2000 {
            for side in [false, true] {
                for op in [Op::Say(side), Op::Write(side), Op::Read(side), Op::Take(side)] {
                    self.op(op);
                }
            }
            self.op(Op::Late);
            self.op(Op::Wait(20));
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    /// Exactly once and in order, whatever the schedule is and wherever links are cut.
    #[test]
    fn everything_arrives_once_and_in_order(
        counts in [0..40_usize, 0..40_usize], max_messages in 1..12_usize, window in 1..12_u32,
        confirms in any::<bool>(), script in vec(any_op(), 0..300)
    ) {
        let mut config = Config::default();
        config.replay.max_messages = max_messages;
        config.replay.window.messages = window;
        config.replay.ack_on = if confirms { AckOn::Confirmation } else { AckOn::Delivery };
        let mut world = World::new(config, counts);
        for op in script {
            world.op(op);
        }
        world.settle();
        for (side, count) in counts.into_iter().enumerate() {
            let expected: Vec<_> = (0..count).map(|n| Message::text(format!("{n}"))).collect();
            prop_assert_eq!(&world.got[1 - side], &expected);
        }
        prop_assert_eq!(world.client.unacknowledged(), 0);
        prop_assert_eq!(world.server.unacknowledged(world.client.session()), 0);
        prop_assert_eq!(world.server.len(), 1);
        while let Some(event) = world.client.poll_event() {
            prop_assert!(matches!(event, Event::Began(_) | Event::Resumed { .. }), "{:?}", event);
        }
    }
}
