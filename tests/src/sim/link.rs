//! Two streams: a simulated TCP connection, and what can go wrong on its path.

use super::stream::Incident;
use super::{Path, Stream};
use bowline_core::time::earliest;
use bowline_core::{End, Instant, Role};
use std::time::Duration;

/// A simulated TCP connection between a client and a server.
///
/// ```
/// use bowline_tests::sim::{Link, Path, Read};
/// use bowline_core::{Instant, Role};
///
/// let now = Instant::ZERO;
/// let mut link = Link::new(Path::default(), now);
/// link.outgoing(Role::Client).write(now, b"hello").unwrap();
/// let arrives = link.poll_timeout().unwrap();
/// assert_eq!(arrives, Instant::from_millis(1));
/// link.handle_timeout(arrives);
/// assert_eq!(link.incoming(Role::Server).read(arrives, 100), Read::Bytes("hello".into()));
/// ```
#[derive(Debug)]
pub struct Link {
    up: Stream,
    down: Stream,
    opened: Instant,
    idle: Option<Idle>,
    /// A middlebox has forgotten the connection, and resets it when it sees a byte of it.
    forgotten: bool,
}

/// A middlebox that drops connections on which nothing has crossed for a while.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Idle {
    /// For how long.
    pub after: Duration,
    /// What it does then.
    pub then: Then,
}

/// What a middlebox does to a silent connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Then {
    /// It ends both directions properly, as proxies do.
    Finish,
    /// It resets both ends.
    Reset,
    /// It forgets the connection and drops what arrives later, as many NATs do.
    Swallow,
    /// It forgets the connection and resets whoever sends next, as some load balancers do.
    ResetLater,
}

impl Link {
    /// A connection whose two directions have the same properties.
    pub fn new(path: Path, now: Instant) -> Self {
        Self::with(path.clone(), path, now)
    }

    /// A connection with different properties from client to server (`up`) and back (`down`).
    pub fn with(up: Path, down: Path, now: Instant) -> Self {
        let (up, down) = (Stream::new(up, now), Stream::new(down, now));
        Self { up, down, opened: now, idle: None, forgotten: false }
    }

    // ----- faults -----

    /// Puts a middlebox on the path.
    pub fn drop_idle(&mut self, after: Duration, then: Then) {
        self.idle = Some(Idle { after, then });
    }

    /// From `at` on, nothing that `from` writes arrives, and nobody is told. For a path that is dead in both
    /// directions, call it for both roles.
    pub fn swallow(&mut self, from: Role, at: Instant) {
        self.outgoing(from).swallow_from(at);
    }

    /// Cuts the connection when `bytes` bytes of what `from` writes have arrived. Both ends find `end`.
    pub fn cut_after(&mut self, from: Role, bytes: u64, end: End) {
        assert!(matches!(end, End::Eof | End::Reset), "no middlebox can do that: {end:?}");
        let stream = self.outgoing(from);
        stream.set_limit(bytes, end);
        if stream.reached_limit().is_some() {
            self.cut(self.opened, end);
        }
    }

    /// Flips bits of one byte of what `from` writes, counted from its first. TCP's checksum would rarely let this pass,
    /// but a proxy may do it.
    pub fn damage(&mut self, from: Role, byte: u64, bits: u8) {
        self.outgoing(from).set_damage(byte, bits);
    }

    /// Cuts the connection here and everywhere: both ends find `end` after what has arrived.
    pub fn cut(&mut self, now: Instant, end: End) {
        self.lose(now, Role::Client, end);
        self.lose(now, Role::Server, end);
    }

    /// The connection breaks for this role alone: it finds `end`, and the other one notices nothing.
    pub fn lose(&mut self, now: Instant, role: Role, end: End) {
        self.outgoing(role).fail_at(now);
        self.incoming(role).break_at(now, end);
    }

    // ----- the ends -----

    /// The stream that this role writes to.
    pub fn outgoing(&mut self, role: Role) -> &mut Stream {
        match role {
            Role::Client => &mut self.up,
            Role::Server => &mut self.down,
        }
    }

    /// The stream that this role reads from.
    pub fn incoming(&mut self, role: Role) -> &mut Stream {
        self.outgoing(other(role))
    }

    /// This role closes its socket: what it wrote is still sent, what it has not read is lost.
    pub fn leave(&mut self, now: Instant, role: Role) {
        self.outgoing(role).finish(now);
        self.incoming(role).abandon();
    }

    /// How many bytes written by this role have arrived.
    pub fn passed(&self, from: Role) -> u64 {
        match from {
            Role::Client => self.up.passed(),
            Role::Server => self.down.passed(),
        }
    }

    // ----- time -----

    /// Does everything that is due, in chronological order.
    pub fn handle_timeout(&mut self, now: Instant) {
        while let Some(at) = self.poll_timeout().filter(|at| *at <= now) {
            self.step(at);
        }
        self.step(now);
    }

    /// When something happens next.
    pub fn poll_timeout(&self) -> Option<Instant> {
        earliest(earliest(self.up.poll_timeout(), self.down.poll_timeout()), self.idle_deadline())
    }

    fn step(&mut self, at: Instant) {
        for from in [Role::Client, Role::Server] {
            match self.outgoing(from).handle_timeout(at) {
                Some(Incident::Limit(end)) => self.cut_at_reader(at, from, end),
                Some(Incident::Refused) => self.reset_writer(at, from, End::Reset),
                Some(Incident::Swallowed) if self.forgotten => self.reset_writer(at, from, End::Reset),
                Some(Incident::Swallowed) | None => {}
            }
        }
        if let Some(Idle { then, .. }) =
            self.idle.filter(|_| self.idle_deadline().is_some_and(|due| due <= at))
        {
            self.idle = None;
            match then {
                Then::Finish => self.cut(at, End::Eof),
                Then::Reset => self.cut(at, End::Reset),
                Then::Swallow | Then::ResetLater => {
                    self.up.swallow_from(at);
                    self.down.swallow_from(at);
                    self.forgotten = then == Then::ResetLater;
                }
            }
        }
    }

    /// The connection breaks where the reader of `from` is; the writer learns of it a latency later.
    fn cut_at_reader(&mut self, at: Instant, from: Role, end: End) {
        self.lose(at, other(from), end);
        self.reset_writer(at, from, end);
    }

    /// What `from` wrote is answered by the end of the connection.
    fn reset_writer(&mut self, at: Instant, from: Role, end: End) {
        let back = at + self.incoming(from).path().latency;
        self.lose(back, from, end);
    }

    fn idle_deadline(&self) -> Option<Instant> {
        let idle = self.idle.filter(|_| !(self.up.has_ended() && self.down.has_ended()))?;
        Some(self.up.last_arrival().max(self.down.last_arrival()) + idle.after)
    }
}

/// The role at the other end.
pub fn other(role: Role) -> Role {
    match role {
        Role::Client => Role::Server,
        Role::Server => Role::Client,
    }
}
