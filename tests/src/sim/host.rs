//! One end of a link: a `Connection` driven like an adapter drives it.

use super::{Link, Pieces, Read};
use bowline_core::closing::Transport;
use bowline_core::connection::{Config, Event};
use bowline_core::{Connection, Disconnect, End, Instant, Message, Rng, Role};
use bytes::Bytes;
use std::fmt;
use std::time::Duration;

/// The most that is handed to the transport in one write, as adapters do.
const WRITE: usize = 64 << 10;

/// A process at one end of a link. It reads, writes and looks at the clock; the rest is up to its [`Connection`].
#[derive(Debug)]
pub struct Host {
    /// The machine.
    pub connection: Connection,
    /// How reads are cut.
    pub reads: Pieces,
    /// How writes are cut.
    pub writes: Pieces,
    /// Whether it reports the time at every turn, not only when a deadline is reached.
    pub eager: bool,
    /// By how much its clock steps back now and then.
    pub steps_back: Option<Box<Rng>>,
    /// How much later than asked for a timer fires.
    pub late: Duration,
    /// Whether the application takes its events as they arrive.
    pub listens: bool,
    /// The application always has another message of this many bytes to send.
    pub bulk: Option<usize>,
    /// Whether it writes before it reads, which is the wrong order.
    pub writes_first: bool,
    /// What happened, and when.
    pub events: Vec<(Instant, Event)>,
    /// What it did to the transport, and when, if anybody wants to know.
    pub tap: Option<Vec<(Instant, Did)>>,
    role: Role,
    asleep: Option<Instant>,
    read_ended: bool,
    is_blocked: bool,
    finished: bool,
    left: bool,
}

/// What a host did to the transport.
#[derive(Clone, PartialEq, Eq)]
pub enum Did {
    /// It wrote, and the transport accepted these bytes.
    Wrote(Bytes),
    /// It tried to write, and the transport had ended.
    FailedToWrite,
    /// It read the end.
    ReadEnd(End),
    /// It ended its own direction.
    Finished,
    /// It closed its socket.
    Left,
}

impl fmt::Debug for Did {
    /// Prints the number of bytes, not the bytes.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Wrote(bytes) => write!(f, "Wrote({} bytes)", bytes.len()),
            Self::FailedToWrite => f.write_str("FailedToWrite"),
            Self::ReadEnd(end) => write!(f, "ReadEnd({end:?})"),
            Self::Finished => f.write_str("Finished"),
            Self::Left => f.write_str("Left"),
        }
    }
}

impl Host {
    /// The end of a link that opens now. The seed keys masks, pings and jitter.
    pub fn new(role: Role, config: Config, seed: [u8; 32], now: Instant) -> Self {
        let connection = match role {
            Role::Client => Connection::client(config, seed, now),
            Role::Server => Connection::server(config, seed, now),
        };
        Self {
            connection,
            reads: Pieces::Whole,
            writes: Pieces::Whole,
            eager: false,
            steps_back: None,
            late: Duration::ZERO,
            listens: true,
            bulk: None,
            writes_first: false,
            events: Vec::new(),
            tap: None,
            role,
            asleep: None,
            read_ended: false,
            is_blocked: false,
            finished: false,
            left: false,
        }
    }

    /// One turn of an adapter that wakes up. Returns whether anything was done.
    pub fn turn(&mut self, now: Instant, link: &mut Link) -> bool {
        if self.asleep.is_some_and(|until| now < until) {
            return false;
        }
        self.asleep = None;
        if self.steps_back.is_some() {
            // Nothing was read, so this only reports the time.
            self.connection.handle_read(now);
        }
        let early = self.writes_first && self.write(now, link);
        let read = self.read(now, link);
        let due = self.deadline().is_some_and(|due| due <= now);
        if due || self.eager {
            let clock = self.clock(now);
            self.connection.handle_timeout(clock);
            let next = self.connection.poll_timeout();
            assert!(next.is_none_or(|next| next > now), "a deadline at {next:?} after that of {now}");
        }
        self.send_bulk(now);
        let written = self.write(now, link);
        let ended = self.end(now, link);
        let is_due = |host: &Self| host.connection.poll_timeout().is_some_and(|due| due <= now);
        let was_due = is_due(self);
        let heard = self.listens && self.collect(now);
        if heard && !was_due && is_due(self) {
            // It became due when the events were taken, before any timer could be set, so none is late.
            let clock = self.clock(now);
            self.connection.handle_timeout(clock);
        }
        // An eager look at the clock is no progress.
        early | read | due | written | ended | heard
    }

    /// When to have a turn again, if nothing arrives on the link.
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.asleep.or_else(|| self.deadline()).filter(|at| *at < Instant::MAX)
    }

    /// Moves the connection's events to [`events`](Self::events).
    pub fn collect(&mut self, now: Instant) -> bool {
        let before = self.events.len();
        while let Some(event) = self.connection.poll_event() {
            self.events.push((now, event));
        }
        self.events.len() > before
    }

    /// This process does not run until then.
    pub fn sleep(&mut self, until: Instant) {
        self.asleep = Some(until);
    }

    /// It runs again.
    pub fn wake(&mut self) {
        self.asleep = None;
    }

    /// How the connection ended, and when that was reported, if it was.
    pub fn closed(&self) -> Option<(Instant, &Disconnect)> {
        self.events.iter().find_map(|(at, event)| match event {
            Event::Closed(disconnect) => Some((*at, disconnect)),
            _ => None,
        })
    }

    /// Whether it has closed its socket.
    pub fn has_left(&self) -> bool {
        self.left
    }

    // ----- in the order of a turn -----

    fn read(&mut self, now: Instant, link: &mut Link) -> bool {
        let stream = link.incoming(self.role);
        let mut any = false;
        while !self.read_ended && !self.left && self.connection.wants_input() {
            match stream.read(now, self.reads.next(WRITE)) {
                Read::Bytes(bytes) => {
                    let clock = self.clock(now);
                    self.connection.handle_input(clock, &bytes);
                }
                Read::Blocked => break,
                Read::End(end) => {
                    self.read_ended = true;
                    note(&mut self.tap, now, || Did::ReadEnd(end));
                    let clock = self.clock(now);
                    self.connection.handle_end(clock, end);
                }
            }
            any = true;
        }
        any
    }

    fn send_bulk(&mut self, now: Instant) {
        let Some(len) = self.bulk else { return };
        while self.connection.room() > 0 {
            let message = Message::binary(vec![0; len]);
            self.connection.send(now, message).expect("there is room");
        }
    }

    fn write(&mut self, now: Instant, link: &mut Link) -> bool {
        let stream = link.outgoing(self.role);
        let mut any = false;
        // Blocked, it waits until the transport is ready, as an adapter does.
        while !self.finished && !self.left && (!self.is_blocked || stream.is_writable()) {
            let output = self.connection.output();
            if output.is_empty() {
                break;
            }
            let len = self.writes.next(output.len().min(WRITE));
            let Ok(n) = stream.write(now, &output[..len]) else {
                self.finished = true;
                note(&mut self.tap, now, || Did::FailedToWrite);
                self.connection.handle_end(now, End::WriteFailed);
                return true;
            };
            note(&mut self.tap, now, || Did::Wrote(Bytes::copy_from_slice(&output[..n])));
            let clock = self.clock(now);
            self.connection.handle_written(clock, n);
            self.is_blocked = n < len;
            if self.is_blocked {
                self.connection.handle_blocked(clock);
            }
            any |= n > 0;
            self.send_bulk(now);
        }
        any
    }

    fn end(&mut self, now: Instant, link: &mut Link) -> bool {
        match self.connection.transport() {
            Transport::FinishWriting if !self.finished && self.connection.output().is_empty() => {
                self.finished = true;
                note(&mut self.tap, now, || Did::Finished);
                link.outgoing(self.role).finish(now);
                true
            }
            Transport::Drop if !self.left => {
                self.left = true;
                note(&mut self.tap, now, || Did::Left);
                link.leave(now, self.role);
                true
            }
            _ => false,
        }
    }

    /// What its clock shows.
    fn clock(&mut self, now: Instant) -> Instant {
        match &mut self.steps_back {
            Some(rng) => now - Duration::from_micros(u64::from(rng.next_u32() % 1_000_000)),
            None => now,
        }
    }

    fn deadline(&self) -> Option<Instant> {
        self.connection.poll_timeout().filter(|_| !self.left).map(|due| due + self.late)
    }
}

fn note(tap: &mut Option<Vec<(Instant, Did)>>, now: Instant, did: impl FnOnce() -> Did) {
    if let Some(tap) = tap {
        tap.push((now, did()));
    }
}
