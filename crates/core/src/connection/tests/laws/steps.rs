//! What a host may do with a connection, in any order, and what it observes.

use super::super::*;
use crate::message::{Delivery, Piece};
use proptest::prelude::*;

/// One step of a host, and how many milliseconds pass before it.
pub(super) type Step = (u64, Op);

#[derive(Clone, Debug)]
pub(super) enum Op {
    Input(Vec<u8>),
    /// The same, read into the buffer that is lent.
    Read(Vec<u8>),
    /// The transport accepts this share of the output.
    Write(prop::sample::Index),
    WriteAll,
    Blocked,
    Reading(bool),
    Impatient(bool),
    Wake(u64),
    Timeout,
    Hold,
    Send(usize),
    /// A piece of a message, and whether it is the last.
    Piece(usize, bool),
    Close,
    Fail,
    End(End),
    Events,
}

pub(super) fn ends() -> impl Strategy<Value = End> {
    prop::sample::select(vec![
        End::Eof,
        End::Reset,
        End::WriteFailed,
        End::WriteReset,
        End::LocalAbort,
        End::ReadFailed,
    ])
}

/// Mostly valid frames, as they come from a client.
pub(super) fn input() -> impl Strategy<Value = Vec<u8>> {
    let first = prop::sample::select(vec![0x81, 0x82, 0x01, 0x02, 0x00, 0x80, 0x89, 0x8a, 0x82, 0x82, 0x89]);
    let payload = prop_oneof![
        8 => prop::collection::vec(b'a'..=b'z', 0..120),
        1 => (3_000..9_000_usize).prop_map(|len| vec![b'a'; len]),
        1 => prop::collection::vec(any::<u8>(), 0..120),
        1 => Just(Vec::new()),
    ];
    let good = (first, payload).prop_map(|(first, payload)| to_server(first, &payload));
    let close = (prop::sample::select(vec![1000_u16, 1001, 1006, 4000]), "[a-z]{0,9}")
        .prop_map(|(code, reason)| to_server(0x88, &close_payload(code, &reason)));
    prop_oneof![20 => good, 1 => close, 1 => prop::collection::vec(any::<u8>(), 0..20)]
}

pub(super) fn op() -> impl Strategy<Value = Op> {
    prop_oneof![
        6 => prop::collection::vec(input(), 1..4).prop_map(|frames| Op::Input(frames.concat())),
        2 => input().prop_map(Op::Read),
        4 => any::<prop::sample::Index>().prop_map(Op::Write),
        4 => Just(Op::WriteAll),
        2 => Just(Op::Blocked),
        1 => any::<bool>().prop_map(Op::Reading),
        1 => any::<bool>().prop_map(Op::Impatient),
        1 => (0..20_u64).prop_map(Op::Wake),
        2 => Just(Op::Timeout),
        1 => Just(Op::Hold),
        4 => prop_oneof![0..200_usize, 0..70_000_usize].prop_map(Op::Send),
        2 => (prop_oneof![0..200_usize, 0..70_000_usize], any::<bool>()).prop_map(|(len, last)| Op::Piece(len, last)),
        1 => Just(Op::Close),
        1 => ends().prop_map(Op::End),
        4 => Just(Op::Events),
    ]
}

/// The situation when input arrives.
pub(super) fn before() -> impl Strategy<Value = Vec<Op>> {
    prop::sample::select(vec![
        vec![],
        vec![Op::Events],
        vec![Op::Events, Op::Hold],
        vec![Op::Input(to_server(0x01, b"begun"))],
        vec![Op::End(End::WriteFailed)],
        vec![Op::Fail],
        vec![Op::Close],
        vec![Op::Close, Op::WriteAll],
    ])
}

pub(super) fn delivery() -> impl Strategy<Value = Delivery> {
    prop::sample::select(vec![Delivery::Whole, Delivery::Pieces])
}

/// Steps with pauses from no time at all to several heartbeats; the last one may end everything.
pub(super) fn steps() -> impl Strategy<Value = Vec<Step>> {
    let pause = prop_oneof![4 => Just(0), 4 => 0..50_u64, 2 => 0..400_u64];
    let last = prop_oneof![Just(Op::Fail), Just(Op::Events), ends().prop_map(Op::End)];
    (prop::collection::vec((pause, op()), 0..30), last).prop_map(|(mut steps, last)| {
        steps.push((0, last));
        steps
    })
}

/// A server with short times: ping after 100 ms, death 100 ms later.
pub(super) fn hurried(delivery: Delivery) -> Connection {
    let mut config = config();
    config.delivery = delivery;
    config.heartbeat.interval = Duration::from_millis(100);
    config.heartbeat.timeout = Duration::from_millis(100);
    config.heartbeat.timeout_max = Duration::from_millis(200);
    config.heartbeat.grace = Duration::from_millis(150);
    config.closing.close_timeout = Duration::from_millis(50);
    config.receive_buffer = 400;
    config.message_timeout = Some(Duration::from_millis(150));
    config.write_timeout = Some(Duration::from_millis(250));
    config.min_ping_interval = Some(Duration::from_millis(1));
    Connection::server(config, [2; 32], T0)
}

/// What a host has seen of its connection.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Seen {
    /// With the time at which it was written.
    pub(super) output: Vec<(Instant, Vec<u8>)>,
    pub(super) events: Vec<(Instant, Event)>,
}

impl Seen {
    /// Each piece is joined to the one before it unless that was the last.
    pub(super) fn in_few_pieces(self) -> Self {
        let mut events: Vec<(Instant, Event)> = Vec::new();
        let mut open: Option<usize> = None;
        for (now, event) in self.events {
            let Event::Piece(piece) = event else {
                events.push((now, event));
                continue;
            };
            let is_last = piece.is_last;
            if let Some((_, Event::Piece(begun))) = open.and_then(|at| events.get_mut(at)) {
                let bytes = [begun.part.as_bytes(), piece.part.as_bytes()].concat();
                *begun = Piece { part: Message::binary(bytes), is_last };
            } else {
                open = Some(events.len());
                let part = Message::binary(piece.part.into_bytes());
                events.push((now, Event::Piece(Piece { part, is_last })));
            }
            open = open.filter(|_| !is_last);
        }
        Self { events, ..self }
    }
}

pub(super) fn apply(connection: &mut Connection, seen: &mut Seen, now: Instant, op: &Op) {
    match op {
        Op::Input(bytes) => connection.handle_input(now, bytes),
        Op::Read(bytes) => {
            connection.input().extend_from_slice(bytes);
            connection.handle_read(now);
        }
        Op::Write(share) => {
            let waiting = connection.outputs().collect::<Vec<_>>().concat();
            let n = share.index(waiting.len() + 1);
            seen.output.push((now, waiting[..n].to_vec()));
            connection.handle_written(now, n);
        }
        Op::WriteAll => seen.output.push((now, drain(connection, now))),
        Op::Blocked => connection.handle_blocked(now),
        Op::Reading(reading) => connection.set_reading(now, *reading),
        Op::Impatient(impatient) => connection.set_impatient(now, *impatient),
        Op::Wake(slept) => connection.handle_wake(now, Duration::from_secs(*slept)),
        Op::Timeout => connection.handle_timeout(now),
        Op::Hold => connection.hold_answer(),
        Op::Send(len) => drop(connection.send(now, Message::binary(vec![7; *len]))),
        Op::Piece(len, is_last) => {
            let part = Message::binary(vec![7; *len]);
            drop(connection.send_piece(now, Piece { part, is_last: *is_last }));
        }
        Op::Close => drop(connection.close(now, Close::normal())),
        Op::Fail => connection.fail(now, CloseCode::INTERNAL_ERROR, "as a test"),
        Op::End(end) => connection.handle_end(now, *end),
        Op::Events => seen.events.extend(events(connection).into_iter().map(|event| (now, event))),
    }
}
