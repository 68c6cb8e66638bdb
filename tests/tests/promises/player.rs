//! A host that does anything in any order, and records what it saw.

use bowline_core::closing::Disconnect;
use bowline_core::connection::{Config, Event};
use bowline_core::frame::{Decoder, Header, Limits, Opcode};
use bowline_core::{Close, CloseCode, Connection, End, Instant, Message, Role, mask};
use proptest::prelude::*;
use std::time::Duration;

/// What can happen to a connection.
#[derive(Clone, Debug)]
pub(crate) enum Op {
    /// These frames arrive, as their first bytes and payloads.
    Frames(Vec<(u8, Vec<u8>)>),
    /// These bytes arrive, whatever they are.
    Bytes(Vec<u8>),
    /// The transport accepts this share of the output.
    Write(prop::sample::Index),
    WriteAll,
    Blocked,
    Reading(bool),
    Wake(u64),
    Timeout,
    Send(usize),
    Close(u16),
    Fail(u16),
    End(End),
    Events,
}

/// What a host saw.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Saw {
    Wrote(Vec<u8>),
    Told(Event),
}

/// One connection and everything that it wrote, with the times since its start.
pub(crate) struct Player {
    pub(crate) role: Role,
    pub(crate) connection: Connection,
    start: Instant,
    pub(crate) now: Instant,
    pub(crate) saw: Vec<(Duration, Saw)>,
}

impl Player {
    pub(crate) fn new(role: Role, config: Config, seed: [u8; 32], start: Instant) -> Self {
        let connection = match role {
            Role::Client => Connection::client(config, seed, start),
            Role::Server => Connection::server(config, seed, start),
        };
        Self { role, connection, start, now: start, saw: Vec::new() }
    }

    pub(crate) fn apply(&mut self, op: &Op) {
        let now = self.now;
        match op {
            Op::Frames(frames) => {
                let bytes: Vec<u8> =
                    frames.iter().flat_map(|(first, payload)| frame(self.role, *first, payload)).collect();
                self.connection.handle_input(now, &bytes);
            }
            Op::Bytes(bytes) => self.connection.handle_input(now, bytes),
            Op::Write(share) => {
                let waiting: usize = self.connection.outputs().map(<[u8]>::len).sum();
                self.write(share.index(waiting + 1));
            }
            Op::WriteAll => {
                while !self.connection.output().is_empty() {
                    self.write(self.connection.output().len());
                }
            }
            Op::Blocked => self.connection.handle_blocked(now),
            Op::Reading(reading) => self.connection.set_reading(now, *reading),
            Op::Wake(secs) => self.connection.handle_wake(now, Duration::from_secs(*secs)),
            Op::Timeout => self.connection.handle_timeout(now),
            Op::Send(len) => drop(self.connection.send(now, Message::binary(vec![7; *len]))),
            Op::Close(code) => {
                let close = Close::new(*code, "as a test");
                let _ = close.map(|close| self.connection.close(now, close));
            }
            Op::Fail(code) => self.connection.fail(now, CloseCode::new(*code), "as a test"),
            Op::End(end) => self.connection.handle_end(now, *end),
            Op::Events => self.take_events(),
        }
    }

    /// Writes the first `n` bytes of the output.
    pub(crate) fn write(&mut self, n: usize) {
        let mut bytes: Vec<u8> = self.connection.outputs().collect::<Vec<_>>().concat();
        bytes.truncate(n);
        self.connection.handle_written(self.now, n);
        if n > 0 {
            self.saw.push((self.now - self.start, Saw::Wrote(bytes)));
        }
    }

    pub(crate) fn take_events(&mut self) {
        let at = self.now - self.start;
        self.saw
            .extend(std::iter::from_fn(|| self.connection.poll_event()).map(|event| (at, Saw::Told(event))));
    }

    /// Sleeps until then, and wakes up at each deadline.
    pub(crate) fn sleep(&mut self, until: Instant) {
        while let Some(deadline) = self.connection.poll_timeout().filter(|deadline| *deadline <= until) {
            self.now = self.now.max(deadline);
            self.connection.handle_timeout(self.now);
            let next = self.connection.poll_timeout();
            assert!(next.is_none_or(|next| next > self.now), "no progress at {}", self.now);
        }
        self.now = until;
    }

    pub(crate) fn events(&self) -> Vec<&Event> {
        let events = self
            .saw
            .iter()
            .filter_map(|(_, saw)| if let Saw::Told(event) = saw { Some(event) } else { None });
        events.collect()
    }

    /// All that was written.
    pub(crate) fn written(&self) -> Vec<u8> {
        let written = self
            .saw
            .iter()
            .filter_map(|(_, saw)| if let Saw::Wrote(bytes) = saw { Some(&bytes[..]) } else { None });
        written.collect::<Vec<_>>().concat()
    }

    /// The frames that were written whole, and where each began.
    pub(crate) fn frames(&self) -> Vec<(usize, Header, Vec<u8>)> {
        let mut limits = Limits::default();
        (limits.frame, limits.message) = (None, None);
        let mut decoder =
            Decoder::new(if self.role == Role::Client { Role::Server } else { Role::Client }, &limits);
        decoder.push(&self.written());
        let (mut at, mut frames) = (0, Vec::new());
        while let Some(header) = decoder.decode().expect("frames as they should be") {
            let payload = decoder.take().to_vec();
            frames.push((at, header, payload));
            at += header.encode().len() + header.len as usize;
        }
        frames
    }

    /// The end, if it was reported.
    pub(crate) fn disconnect(&self) -> Option<&Disconnect> {
        self.events()
            .into_iter()
            .find_map(|event| if let Event::Closed(disconnect) = event { Some(disconnect) } else { None })
    }
}

/// A frame as the peer of `role` sends it.
pub(crate) fn frame(role: Role, first: u8, payload: &[u8]) -> Vec<u8> {
    let opcode = Opcode::from_u8(first & 15).expect("an opcode that is not reserved");
    let header = Header { fin: first & 0x80 != 0, ..Header::new(opcode, payload.len() as u64) };
    match role {
        Role::Client => [&header.encode(), payload].concat(),
        Role::Server => {
            let mut masked = payload.to_vec();
            mask::apply(&mut masked, [3, 1, 4, 1], 0);
            [&header.masked([3, 1, 4, 1]).encode(), &masked[..]].concat()
        }
    }
}

pub(crate) fn role() -> impl Strategy<Value = Role> {
    prop::sample::select(vec![Role::Client, Role::Server])
}

fn code() -> impl Strategy<Value = u16> {
    prop_oneof![3 => prop::sample::select(vec![1000, 1001, 1008, 4000]), 1 => any::<u16>()]
}

/// A frame that makes sense, mostly.
fn any_frame() -> impl Strategy<Value = (u8, Vec<u8>)> {
    let first = prop::sample::select(vec![0x81, 0x82, 0x01, 0x02, 0x00, 0x80, 0x89, 0x8a, 0x82, 0x82, 0x89]);
    let payload = prop_oneof![
        8 => prop::collection::vec(b'a'..=b'z', 0..120),
        1 => prop::collection::vec(any::<u8>(), 0..120),
    ];
    let close =
        (code(), "[a-z]{0,9}").prop_map(|(code, reason)| [&code.to_be_bytes(), reason.as_bytes()].concat());
    prop_oneof![20 => (first, payload), 1 => (Just(0x88), close), 1 => Just((0x88, Vec::new()))]
}

pub(crate) fn op() -> impl Strategy<Value = Op> {
    let ends = vec![
        End::Eof,
        End::Reset,
        End::WriteFailed,
        End::WriteReset,
        End::LocalAbort,
        End::ReadFailed,
        End::TimedOut,
        End::Miscounted,
    ];
    prop_oneof![
        8 => prop::collection::vec(any_frame(), 1..4).prop_map(Op::Frames),
        1 => prop::collection::vec(any::<u8>(), 0..20).prop_map(Op::Bytes),
        5 => any::<prop::sample::Index>().prop_map(Op::Write),
        5 => Just(Op::WriteAll),
        2 => Just(Op::Blocked),
        1 => any::<bool>().prop_map(Op::Reading),
        1 => (0..20_u64).prop_map(Op::Wake),
        3 => Just(Op::Timeout),
        5 => prop_oneof![0..200_usize, 0..70_000_usize].prop_map(Op::Send),
        2 => code().prop_map(Op::Close),
        1 => code().prop_map(Op::Fail),
        1 => prop::sample::select(ends).prop_map(Op::End),
        5 => Just(Op::Events),
    ]
}

/// Operations with the milliseconds before each.
pub(crate) fn script() -> impl Strategy<Value = Vec<(u64, Op)>> {
    let pause = prop_oneof![4 => Just(0), 4 => 0..50_u64, 2 => 0..400_u64];
    prop::collection::vec((pause, op()), 0..40)
}

/// Times so short that a lot happens in a script.
pub(crate) fn hurried() -> Config {
    let mut config = Config::default();
    config.heartbeat.interval = Duration::from_millis(100);
    config.heartbeat.timeout = Duration::from_millis(100);
    config.heartbeat.timeout_max = Duration::from_millis(200);
    config.heartbeat.grace = Duration::from_millis(150);
    config.closing.close_timeout = Duration::from_millis(50);
    config.receive_buffer = 400;
    config
}

/// Plays a script, sleeping as long as it may between the operations, and takes everything that is left at its end.
pub(crate) fn play(role: Role, config: Config, script: &[(u64, Op)], start: Instant) -> Player {
    let mut player = Player::new(role, config, [7; 32], start);
    for (pause, op) in script {
        player.sleep(player.now + Duration::from_millis(*pause));
        player.apply(op);
    }
    player.apply(&Op::WriteAll);
    player.take_events();
    player
}
