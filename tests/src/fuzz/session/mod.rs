//! The two ends of a message session, with links that are lost and peers that follow no rule.

mod choices;
mod seeds;

pub(super) use seeds::seeds;

use super::choice::{Tell, choose};
use super::with_checksum;
use bowline_core::message::Parts;
use bowline_core::messages::wire::{self, Data, Frame, Resume, Resumed};
use bowline_core::messages::{Config, Event, LinkId, Messages, Received, Secret, SessionId, Why};
use bowline_core::messages::{Sessions, SessionsConfig, SessionsEvent};
use bowline_core::replay::{AckOn, Unacknowledged, Window};
use bowline_core::transfer::Code;
use bowline_core::{Instant, Message};
use bytes::Bytes;
use choices::{Act, Affair, Forged};
use std::collections::{BTreeSet, VecDeque};
use std::time::Duration;

/// What is kept for sessions without a link.
const MOST_DETACHED: usize = 4000;
const MOST_SESSIONS: usize = 4;

/// Two ends talk over links that come and go. Nothing panics and memory is bounded, whatever arrives. If nothing is
/// forged, each message is delivered in order and once, or returned: never both if it was reported as not having left,
/// and never neither.
pub fn session(data: &[u8]) {
    let affair: Affair = choose(data);
    let _tell = Tell(&affair);
    let mut run = Run::new(&affair);
    for act in &affair.acts.0 {
        run.act(act);
        run.check();
    }
    if !run.forged {
        run.settle();
        run.account();
    }
}

struct Run {
    config: Config,
    now: Instant,
    client: Messages,
    server: Sessions,
    link: u64,
    /// On their way to the client, and to the server.
    arriving: [VecDeque<Bytes>; 2],
    sides: [Side; 2],
    forged: bool,
}

/// What happened to the messages of one side, by their numbers in the order of sending.
#[derive(Debug, Default)]
struct Side {
    sent: u32,
    delivered: Vec<u32>,
    handed_back: BTreeSet<u32>,
    never_left: BTreeSet<u32>,
}

/// A message that says which one it is.
fn numbered(number: u32, len: u8) -> Message {
    let mut bytes = number.to_be_bytes().to_vec();
    bytes.resize(4 + usize::from(len), 7);
    Message::binary(bytes)
}

fn number(message: &Message) -> Option<u32> {
    message.as_bytes().first_chunk().map(|bytes| u32::from_be_bytes(*bytes))
}

impl Run {
    fn new(affair: &Affair) -> Self {
        let now = Instant::ZERO;
        let mut config = Config::default();
        config.replay.max_messages = 1 + usize::from(affair.most % 32);
        config.replay.window = Window { messages: 1 + u32::from(affair.window % 32), bytes: 2000 };
        config.replay.ack_on = if affair.confirms { AckOn::Confirmation } else { AckOn::Delivery };
        (config.max_volatile, config.max_volatile_bytes) = (3, 400);
        let mut sessions = SessionsConfig::default();
        sessions.session = config;
        (sessions.max_sessions, sessions.max_detached_bytes) = (MOST_SESSIONS, MOST_DETACHED);
        let mut run = Self {
            config,
            now,
            client: Messages::new(config, [1; 32], now),
            server: Sessions::new(sessions, [2; 32], now),
            link: 0,
            arriving: Default::default(),
            sides: Default::default(),
            forged: false,
        };
        run.link_up();
        run
    }

    fn act(&mut self, act: &Act) {
        match act {
            Act::Say(by_client, len) => self.say(*by_client, *len),
            Act::Shout(by_client, len) => {
                // Worthless a moment later, so nobody counts it.
                let message = Message::binary(vec![9; usize::from(*len).min(3)]);
                if *by_client {
                    let _ = self.client.send_volatile(self.now, message);
                } else {
                    let _ = self.server.send_volatile(self.now, self.client.session(), message);
                }
            }
            Act::Take(by_client) => self.take(*by_client),
            Act::Carry(by_client, frames) => {
                for _ in 0..*frames {
                    self.write(*by_client);
                    self.read(!*by_client);
                }
            }
            Act::Cut(noticed) => {
                if *noticed {
                    self.server.handle_link_down(self.now, LinkId(self.link), false);
                }
                self.link_up();
            }
            Act::Gone(span, last_word) => {
                self.client.handle_link_down(self.now);
                self.server.handle_link_down(self.now, LinkId(self.link), *last_word);
                self.wait(span.0);
                self.link_up();
            }
            Act::Wait(span) => self.wait(span.0),
            Act::Close => {
                let messages = self.server.close(self.now, self.client.session());
                self.sides[1].hand_back(messages);
            }
            Act::Forge(to_client, forged) => self.forge(*to_client, forged),
        }
    }

    fn link_up(&mut self) {
        self.link += 1;
        self.arriving = Default::default();
        self.client.handle_link_up(self.now);
        self.client.handle_peer(self.now, true);
        self.server.handle_link_up(self.now, LinkId(self.link), b"me");
    }

    fn say(&mut self, by_client: bool, len: u8) {
        let side = &mut self.sides[usize::from(!by_client)];
        let message = numbered(side.sent, len);
        let taken = if by_client {
            self.client.send(self.now, message)
        } else {
            self.server.send(self.now, self.client.session(), message)
        };
        side.sent += u32::from(taken.is_ok());
    }

    fn take(&mut self, by_client: bool) {
        loop {
            let received = if by_client {
                self.client.poll_received(self.now)
            } else {
                self.server.poll_received(self.now).map(|(_, received)| received)
            };
            let Some(Received { receipt, message, .. }) = received else { return };
            let Some(receipt) = receipt else { continue };
            self.sides[usize::from(by_client)].delivered.extend(number(&message));
            if by_client {
                self.client.confirm(self.now, receipt);
            } else {
                self.server.confirm(self.now, receipt);
            }
        }
    }

    fn write(&mut self, by_client: bool) {
        let frame = if by_client {
            self.client.poll_frame(self.now)
        } else {
            self.server.poll_frame(self.now, LinkId(self.link))
        };
        let frame = frame.map(Parts::into_bytes);
        if let Some(frame) = &frame {
            assert!(wire::decode(frame.clone()).is_ok(), "we can read what we write");
        }
        self.arriving[usize::from(by_client)].extend(frame);
    }

    fn read(&mut self, by_client: bool) {
        let Some(frame) = self.arriving[usize::from(!by_client)].pop_front() else { return };
        if by_client {
            self.client.handle_frame(self.now, frame);
        } else {
            self.server.handle_frame(self.now, LinkId(self.link), frame);
        }
    }

    fn wait(&mut self, span: Duration) {
        self.now += span;
        self.client.handle_timeout(self.now);
        self.server.handle_timeout(self.now);
        for due in [self.client.poll_timeout(), self.server.poll_timeout()] {
            assert!(due.is_none_or(|due| due > self.now), "a deadline lies ahead");
        }
        let due = self.server.link_timeout(LinkId(self.link));
        assert!(due.is_none_or(|due| due > self.now), "a deadline lies ahead");
    }

    fn forge(&mut self, to_client: bool, forged: &Forged) {
        self.forged = true;
        let window = Window { messages: 5, bytes: 500 };
        let secret = Secret::from_bytes([3; 16]);
        let frame = match forged {
            Forged::Data(number, ack, len) => {
                let number = (*number != 0).then_some(*number);
                Frame::Data(Data { number, ack: *ack, message: numbered(0, *len) })
            }
            Forged::Ack(last) => Frame::Ack(*last),
            Forged::Resume(own, epoch, last) => {
                let session = if *own { self.client.session() } else { SessionId::from_bytes([5; 16]) };
                Frame::Resume(Resume { session, secret, epoch: *epoch, window, last: *last })
            }
            Forged::Resumed(epoch, messages, last) => {
                let window = Window { messages: *messages, bytes: *messages };
                let keep = Duration::from_secs(1);
                Frame::Resumed(Resumed { epoch: *epoch, window, keep, secret, last: *last })
            }
            Forged::NewSession(why, millis) => {
                let why = if *why == 0 { Why::Busy } else { Why::Other(*why) };
                Frame::NewSession { why, retry_after: Duration::from_millis(u64::from(*millis)) }
            }
            Forged::Bytes(bytes) => {
                let frame = with_checksum(&bytes.0);
                let known = |read: &Frame| !matches!(read, Frame::Unsupported(_));
                if let Some(read) = wire::decode(frame.clone()).ok().filter(known) {
                    assert_eq!(wire::decode(read.clone().encode().into_bytes()), Ok(read));
                }
                return self.receive(to_client, frame);
            }
        };
        self.receive(to_client, frame.encode().into_bytes());
    }

    fn receive(&mut self, to_client: bool, frame: Bytes) {
        if to_client {
            self.client.handle_frame(self.now, frame);
        } else {
            self.server.handle_frame(self.now, LinkId(self.link), frame);
        }
    }

    /// What is kept is limited, and what is reported is polled.
    fn check(&mut self) {
        let mut stalled = false;
        while let Some(event) = self.client.poll_event() {
            match event {
                Event::Lost { messages, .. } => self.sides[0].hand_back(messages),
                // It waited for too long while nothing was carried.
                Event::Broken { code: Code::Stalled, .. } => stalled = true,
                Event::Broken { text, .. } => assert!(self.forged, "{text}"),
                _ => {}
            }
        }
        while let Some(event) = self.server.poll_event() {
            if let SessionsEvent::Session(_, Event::Lost { messages, .. }) = event {
                self.sides[1].hand_back(messages);
            }
        }
        if stalled {
            self.link_up();
        }
        let most = self.config.replay.max_messages;
        assert!(self.client.unacknowledged() <= most);
        assert!(self.server.unacknowledged(self.client.session()) <= most);
        assert!(self.server.len() <= MOST_SESSIONS && self.server.detached_bytes() <= MOST_DETACHED + 400);
    }

    /// From here on nothing is lost.
    fn settle(&mut self) {
        for _ in 0..300 {
            for by_client in [true, false] {
                self.write(by_client);
                self.read(!by_client);
                self.take(by_client);
            }
            self.wait(Duration::from_millis(100));
            self.check();
        }
    }

    /// Nothing was forgotten, and nothing arrived twice.
    fn account(&self) {
        for side in &self.sides {
            let in_order = side.delivered.windows(2).all(|pair| pair[0] < pair[1]);
            assert!(in_order, "{side:?}");
            for number in 0..side.sent {
                let delivered = side.delivered.binary_search(&number).is_ok();
                assert!(delivered || side.handed_back.contains(&number), "{number} is nowhere: {side:?}");
                let wrong = delivered && side.never_left.contains(&number);
                assert!(!wrong, "{number} was delivered, and is said not to have left: {side:?}");
            }
        }
    }
}

impl Side {
    fn hand_back(&mut self, messages: Vec<Unacknowledged>) {
        for Unacknowledged { message, maybe_delivered } in messages {
            self.handed_back.extend(number(&message));
            if !maybe_delivered {
                self.never_left.extend(number(&message));
            }
        }
    }
}
