//! A connection whose host, peer and clock do anything in any order.

pub(super) mod choices;
mod commands;
mod ledger;
mod seeds;

pub(super) use seeds::seeds;

use super::choice::{Tell, choose};
use super::closing::{check_sentence, obeyed_by_a_terminal};
use super::differential::stream::text;
use crate::heap;
use crate::sim::other;
use bowline_core::closing::Transport;
use bowline_core::connection::{Event, Lesson};
use bowline_core::frame::{Header, Opcode};
use bowline_core::message::Piece;
use bowline_core::{Connection, Instant, Message, Role, mask};
use choices::{Life, Op, Settings, end};
use ledger::{Incoming, Outgoing};

/// This much may be held in any case: twice the 1 MiB for which the header of a frame is trusted, and the queues.
const ALLOWED: usize = 4 << 20;
/// And this much for each received byte: an empty message is two bytes on the wire, and an event in memory.
const ALLOWED_PER_BYTE: usize = 128;

/// Any calls at any times: none panics, the laws of the API hold after each, any reader can read what is written, what
/// is delivered is what arrived, and where the input was split makes no difference.
pub fn connection(data: &[u8]) {
    let life: Life = choose(data);
    let _tell = Tell(&life);
    let heard = live(&life, 1);
    // Pieces of messages depend on how they arrive.
    if !life.settings.in_pieces {
        let heard_in_parts = live(&life, PARTS);
        assert_eq!(heard, heard_in_parts, "it matters how the input was split");
    }
}

/// Lives, with all input split into this many parts or a few more, and returns what the application has received.
fn live(life: &Life, parts: usize) -> Vec<String> {
    let mut host = Host::new(&life.settings, parts);
    for op in &life.ops.0 {
        host.act(op);
        host.check();
    }
    host.act(&Op::Abort);
    host.act(&Op::TakeAll);
    host.check();
    assert!(host.told, "one end");
    host.heard
}

/// Short input is split between any two bytes.
const PARTS: usize = 50;

/// The host, and what it knows on its own about its connection.
struct Host {
    connection: Connection,
    role: Role,
    in_pieces: bool,
    send_buffer: usize,
    /// The current time of its clock, and the latest that it has shown.
    now: Instant,
    latest: Instant,
    /// The number of parts into which input is split.
    parts: usize,
    /// What the application has received, without the contents of messages.
    heard: Vec<String>,
    /// Whether the end was reported.
    told: bool,
    /// After that, nobody counts what is written.
    write_failed: bool,
    sent: Outgoing,
    came: Incoming,
    /// The bytes of memory that the connection holds.
    held: isize,
}

impl Host {
    fn new(settings: &Settings, parts: usize) -> Self {
        let role = settings.role();
        let (connection, used) = heap::measure(|| settings.connection());
        let now = Instant::from_nanos(settings.start);
        let (sent, came) = (Outgoing::new(role), Incoming::new(other(role)));
        let send_buffer = usize::from(settings.send_buffer).max(1);
        let in_pieces = settings.in_pieces;
        Self {
            connection,
            role,
            in_pieces,
            send_buffer,
            now,
            latest: now,
            parts,
            heard: Vec::new(),
            told: false,
            write_failed: false,
            sent,
            came,
            held: used.kept,
        }
    }

    fn act(&mut self, op: &Op) {
        match op {
            Op::Input(bytes) => self.receive(&bytes.0),
            Op::Frame(first, payload) => self.receive_frame(*first, payload.0.clone()),
            Op::Zeros(first, len) => self.receive_frame(*first, vec![0; (*len).into()]),
            Op::Header(first, len) => {
                let header = Header::new(opcode(*first), *len);
                let key = (self.role == Role::Server).then_some([0; 4]);
                self.receive(&Header { fin: first & 0x80 != 0, mask: key, ..header }.encode());
            }
            Op::PeerCloses(code, reason) => {
                let payload = [&code.to_be_bytes(), &reason.0[..reason.0.len().min(123)]].concat();
                self.receive_frame(0x88, payload);
            }
            Op::PeerPongs => {
                if let Some(payload) = self.sent.newest_ping.take() {
                    self.receive_frame(0x8a, payload);
                }
            }
            Op::Read(bytes) => {
                for part in self.split(&bytes.0) {
                    self.came.handle(part, &self.connection);
                    self.call(|connection, now| {
                        connection.input().extend_from_slice(part);
                        connection.handle_read(now);
                    });
                }
            }
            Op::ReadNothing => self.call(Connection::handle_read),
            Op::Write(n) => self.write((*n).into()),
            Op::WriteAll => {
                for round in 0.. {
                    assert!(round < 10_000, "no end of output");
                    if self.connection.output().is_empty() {
                        break;
                    }
                    self.write(usize::MAX);
                }
            }
            Op::Miscount(n) => {
                let shown = self.connection.outputs().map(<[u8]>::len).sum::<usize>();
                let told = shown + 1 + usize::from(*n);
                self.call(|connection, now| connection.handle_written(now, told));
                let is_over = self.connection.transport() == Transport::Drop;
                assert!(is_over || self.write_failed, "it goes on after a miscount");
            }
            Op::Blocked => self.call(Connection::handle_blocked),
            Op::Timeout => {
                self.call(Connection::handle_timeout);
                let next = self.connection.poll_timeout();
                let ahead = next.is_none_or(|next| next > self.latest || next == Instant::MAX);
                assert!(ahead, "{next:?} does not lie ahead of {}", self.latest);
            }
            Op::Pass(span) => self.now += span.0,
            Op::Sleep => self.now = self.connection.poll_timeout().unwrap_or(self.now).max(self.now),
            Op::At(nanos) => self.now = Instant::from_nanos(*nanos),
            Op::AtLast => self.now = Instant::MAX,
            Op::SendText(letters) => self.send(|| Message::text(text(letters))),
            Op::Send(len) => self.send(|| Message::binary(vec![7; (*len).into()])),
            Op::SendParts(head, body, tail) => {
                self.send_parts((*head).into(), (*body).into(), (*tail).into());
            }
            Op::SendTextPiece(letters, is_last) => {
                self.send_piece(|| Piece { part: Message::text(text(letters)), is_last: *is_last });
            }
            Op::SendPiece(len, is_last) => {
                self.send_piece(|| Piece {
                    part: Message::binary(vec![7; (*len).into()]),
                    is_last: *is_last,
                });
            }
            Op::Ping(payload) => self.ping(&payload.0),
            Op::Close(code, reason) => self.close(*code, reason),
            Op::Fail(code, reason) => {
                let reason = text(reason);
                self.call(|connection, now| connection.fail(now, (*code).into(), &reason));
            }
            Op::Abort => self.call(Connection::abort),
            Op::End(which) => {
                self.write_failed |= end(*which).is_write_failure();
                self.call(|connection, now| connection.handle_end(now, end(*which)));
            }
            Op::SetReading(reading) => self.call(|connection, now| connection.set_reading(now, *reading)),
            Op::Wake(slept) => self.call(|connection, now| connection.handle_wake(now, slept.0)),
            Op::SetHeartbeat(interval) => {
                self.call(|connection, now| {
                    connection.set_heartbeat_interval(now, interval.0, Lesson::Asked);
                });
            }
            Op::Take => drop(self.take()),
            Op::TakeAll => {
                while self.take() {}
                self.print();
            }
        }
    }

    /// What must hold after each call.
    fn check(&self) {
        let connection = &self.connection;
        assert!(connection.room() <= self.send_buffer);
        assert!(connection.is_open() || connection.room() == 0, "there is room, and nothing can be sent");
        let waiting = connection.outputs().map(<[u8]>::len).sum::<usize>();
        assert!(waiting > 0 || connection.queued() == 0, "what is queued is never shown");
        assert_eq!(connection.output().is_empty(), waiting == 0);
        let is_over = connection.transport() == Transport::Drop;
        assert!(is_over || !self.told, "told too early");
        if is_over {
            assert_eq!(connection.poll_timeout(), None, "what is over waits for nothing");
            assert!(!connection.wants_input() && !connection.is_open());
        }
        let stats = connection.stats();
        assert!(stats.bytes_received <= self.came.bytes as u64);
        assert!(stats.pongs <= stats.pings);
    }

    /// Text for people contains nothing that a terminal obeys, and is no longer than a few pages.
    fn print(&self) {
        let text = format!("{:?}\n{}", self.connection, self.connection.timeline(self.now));
        let harmful = text.chars().find(|c| obeyed_by_a_terminal(*c) && *c != '\n');
        assert_eq!(harmful, None, "{}", text.escape_debug());
        assert!(text.len() < 50_000, "{} bytes", text.len());
    }

    /// Calls the connection with the time.
    fn call<T>(&mut self, work: impl FnOnce(&mut Connection, Instant) -> T) -> T {
        let now = self.now;
        self.latest = self.latest.max(now);
        self.watch(|connection| work(connection, now))
    }

    /// Measures what a call does to the memory of the connection.
    fn watch<T>(&mut self, work: impl FnOnce(&mut Connection) -> T) -> T {
        let (done, used) = heap::measure(|| work(&mut self.connection));
        let allowed = ALLOWED + ALLOWED_PER_BYTE * self.came.bytes;
        assert!(
            self.held.max(0).unsigned_abs() + used.peak <= allowed,
            "{} bytes of memory, then {used:?}",
            self.held
        );
        self.held += used.kept;
        done
    }

    // What arrives.

    fn receive(&mut self, bytes: &[u8]) {
        for part in self.split(bytes) {
            self.came.handle(part, &self.connection);
            self.call(|connection, now| connection.handle_input(now, part));
        }
    }

    fn split<'a>(&self, bytes: &'a [u8]) -> std::slice::Chunks<'a, u8> {
        bytes.chunks(bytes.len().div_ceil(self.parts).max(1))
    }

    fn receive_frame(&mut self, first: u8, mut payload: Vec<u8>) {
        let header = Header { fin: first & 0x80 != 0, ..Header::new(opcode(first), payload.len() as u64) };
        let header = if self.role == Role::Server {
            mask::apply(&mut payload, [1, 2, 3, 4], 0);
            header.masked([1, 2, 3, 4])
        } else {
            header
        };
        self.receive(&[&header.encode(), &payload[..]].concat());
    }

    /// Takes an event; returns whether there was one.
    fn take(&mut self) -> bool {
        let is_any = self.connection.has_events();
        assert!(is_any || !self.connection.has_messages());
        let event = self.watch(Connection::poll_event);
        // A protocol error of the peer also waits for an application that has seen everything and asks for more.
        assert!(event.is_none() || is_any, "what waits is seen");
        if let Some(event) = &event {
            self.hear(event);
        }
        // Up to here it counts as memory of the connection.
        let any = event.is_some();
        self.watch(|_| drop(event));
        any
    }

    fn hear(&mut self, event: &Event) {
        assert!(!self.told, "{event:?} after the end");
        self.heard.push(match event {
            Event::Closed(end) => format!("{end}; {:?}, {}", end.cut(), end.incomplete_message()),
            other => format!("{other:?}"),
        });
        match event {
            Event::Message(message) => {
                assert!(!self.in_pieces, "a message in one piece");
                self.came.handle_message(message);
            }
            Event::Piece(piece) => {
                assert!(self.in_pieces, "a piece of a message");
                self.came.handle_piece(piece);
            }
            Event::Answered { ping, .. } => self.sent.handle_answer(*ping),
            Event::Closed(disconnect) => {
                check_sentence(disconnect);
                self.told = true;
            }
            _ => {}
        }
    }

    // What leaves.

    fn write(&mut self, most: usize) {
        let bytes = self.connection.outputs().collect::<Vec<_>>().concat();
        let n = bytes.len().min(most);
        self.sent.handle(&bytes[..n]);
        self.call(|connection, now| connection.handle_written(now, n));
    }
}

/// An opcode that exists.
fn opcode(first: u8) -> Opcode {
    Opcode::from_u8(first & 15).unwrap_or(Opcode::Binary)
}
