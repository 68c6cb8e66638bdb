//! Moves the bytes of one connection: between a stream, a clock, and a [`Connection`] that decides.
//!
//! ```text
//!               ┌──────────────────── Driver ────────────────────┐
//!   stream ───▶ │ handle_input                                   │
//!   clock  ───▶ │ handle_wake, handle_timeout    Connection      │ ◀──▶ conn_mut(): send, close, poll_event
//!   stream ◀─── │ outputs, handle_written, handle_blocked        │
//!               └────────────────────────────────────────────────┘
//! ```

mod patience;
mod read;
mod write;

use std::fmt;
use std::io;
use std::time::Duration;

use bowline_core::connection::{self, Transport};
use bowline_core::{Connection, End, Instant};
use bowline_host::{DEAF, LAST_WORDS, SleepWatch, Valve, seed};

use crate::clock::Clock;
use crate::stream::Stream;
use crate::wait::{Interest, Wakened, wait_for};
use patience::Patience;
use read::Flow;

/// After so many bytes in one direction the other one, and the owner, get a turn.
const TURN: usize = 1 << 20;
/// Where no messages have come for so long, the connection gives back what it holds for more. 1 s: no flow pauses for longer
/// and is one.
const LULL: Duration = Duration::from_secs(1);

/// One WebSocket connection on a stream, driven by whoever calls.
///
/// This is the level below [`WebSocket`](crate::WebSocket), for owners that want the [`Connection`] itself. It reads, writes
/// and keeps the time; what to say and when to give up is up to the connection. It never waits for the stream alone, but
/// always for the connection's next deadline as well, in both directions.
///
/// Take all events, send what there is room for, and then drive; when that comes back, begin again:
///
/// ```
/// use bowline_blocking::{Driver, Stream};
/// use bowline_core::{Disconnect, connection::Event};
///
/// /// Counts the bytes that come until the end.
/// fn count<S: Stream>(mut driver: Driver<S>) -> (usize, Disconnect) {
///     let mut bytes = 0;
///     loop {
///         while let Some(event) = driver.conn_mut().poll_event() {
///             match event {
///                 Event::Message(message) => bytes += message.len(),
///                 Event::Closed(disconnect) => return (bytes, disconnect),
///                 _ => {}
///             }
///         }
///         driver.drive(None);
///     }
/// }
/// ```
///
/// Pings leave on time only while it is driven: an owner that goes away for minutes keeps its peer waiting. Where that
/// cannot be excluded, give the driver a thread of its own.
pub struct Driver<S> {
    /// Until the end.
    stream: Option<S>,
    valve: Option<Valve<S>>,
    conn: Connection,
    clock: Clock,
    watch: SleepWatch,
    /// When it was read last, or would have been if the connection wanted input.
    looked: Instant,
    writing: Writing,
    /// Whether the stream took bytes that it may still hold back.
    unflushed: bool,
    flow: Flow,
    /// Whether the last read left nothing to read. Since then something may have come.
    is_drained: bool,
    /// When more than a ping or a pong came last, if the connection holds what may serve for more.
    came: Option<Instant>,
    patience: Patience,
    wakened: Option<Wakened>,
}

/// The way out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Writing {
    Open,
    /// The stream takes no more for now, and the connection knows.
    Blocked,
    /// We ended it: all has left.
    Ended,
    /// It broke: what waited is lost.
    Failed,
}

impl Writing {
    fn is_over(self) -> bool {
        matches!(self, Self::Ended | Self::Failed)
    }
}

/// Why [`Driver::drive`] came back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Driven {
    /// Something happened: look at the connection.
    Busy,
    /// The time that was given has passed.
    TimedOut,
}

impl<S: Stream> Driver<S> {
    /// Drives a connection over a stream, with the clock that tells the connection the time.
    ///
    /// The socket is the driver's from here on: whether calls wait for it is up to the driver, and so it is for its
    /// duplicates (`try_clone`). One serves to shut the socket down, but not to read or write.
    ///
    /// # Errors
    /// If the stream cannot be told not to wait.
    pub fn new(stream: S, conn: Connection, clock: Clock) -> io::Result<Self> {
        stream.set_nonblocking()?;
        Ok(Self {
            stream: Some(stream),
            valve: None,
            conn,
            looked: clock.now(),
            clock,
            watch: SleepWatch::start(),
            writing: Writing::Open,
            unflushed: false,
            flow: Flow::Little,
            is_drained: false,
            came: None,
            patience: Patience::Unset,
            wakened: None,
        })
    }

    /// The end that dialled, on a stream after the opening handshake. `leftover` is what came behind the answer.
    ///
    /// # Errors
    /// If the system gives no random bytes, or the stream cannot be told not to wait.
    pub fn client(stream: S, leftover: &[u8], config: connection::Config, clock: Clock) -> io::Result<Self> {
        let conn = Connection::client(config, seed()?, clock.now());
        Ok(Self::new(stream, conn, clock)?.with_leftover(leftover))
    }

    /// The end that accepted, on a stream after the opening handshake. `leftover` is what came behind the request.
    ///
    /// # Errors
    /// If the system gives no random bytes, or the stream cannot be told not to wait.
    pub fn server(stream: S, leftover: &[u8], config: connection::Config, clock: Clock) -> io::Result<Self> {
        let conn = Connection::server(config, seed()?, clock.now());
        Ok(Self::new(stream, conn, clock)?.with_leftover(leftover))
    }

    fn with_leftover(mut self, leftover: &[u8]) -> Self {
        if !leftover.is_empty() {
            let now = self.clock.now();
            self.conn.handle_input(now, leftover);
            self.came = Some(now);
        }
        self
    }

    /// Lets calls from other threads end a wait.
    pub(crate) fn set_wakened(&mut self, wakened: Wakened) {
        self.wakened = Some(wakened);
    }

    /// Reads what there is, reports the time, and writes what there is, in this order; and waits if there was nothing to
    /// do. Comes back when something happened: bytes came, a deadline was reached, there is room again where there was none,
    /// all has left that had to wait, or the stream is gone; at the latest at `until`, if one is given. When
    /// [all is over](Self::is_over), at once.
    pub fn drive(&mut self, until: Option<Instant>) -> Driven {
        // A wait tells what has come since the last read, and costs less than a read in vain and a wait.
        let mut reads = !self.is_drained || until.is_some_and(|until| until <= self.clock.now());
        loop {
            let now = self.clock.now();
            if self.step(now, reads) || self.is_over() {
                // Whoever only writes, and never waits, reads every other time.
                self.is_drained &= reads;
                return Driven::Busy;
            }
            reads = true;
            if until.is_some_and(|until| until <= now) {
                return Driven::TimedOut;
            }
            let lull = self.came.map(|came| came + LULL);
            let due = [self.conn.poll_timeout(), until, lull].into_iter().flatten().min();
            if self.pause(due.map(|due| due - now)) {
                return Driven::Busy;
            }
        }
    }

    /// Waits until another thread calls, and for nothing else.
    pub(crate) fn wait_for_call(&self) {
        if let Some(wakened) = &self.wakened {
            // If it cannot wait, whoever is called looks in vain.
            let _ = wakened.wait(None);
        }
    }

    /// Drives on until all is said whose end is known, if the peer takes it soon.
    pub(crate) fn say_last_words(&mut self) {
        // Calls are for whoever goes on; one that is answered here is lost to him.
        self.wakened = None;
        let until = self.now() + LAST_WORDS;
        while !self.is_over() && self.now() < until {
            self.drive(Some(until));
        }
    }

    /// Writes what the stream takes at once. For an owner that calls nothing else for a while it also reads, and looks at the
    /// deadlines: the peer's pings are answered, and ours leave.
    pub(crate) fn offer(&mut self, now: Instant) {
        if now - self.looked < DEAF {
            self.write(now);
        } else {
            self.step(now, true);
        }
    }

    /// Does what can be done without waiting; says whether the owner has something to look at.
    fn step(&mut self, now: Instant, reads: bool) -> bool {
        // Nothing is held against a peer before all is read that it has said.
        let reads = reads || self.is_due(now);
        let came = reads && self.read(now);
        self.rest(now);
        let is_late = reads && self.expire(now);
        self.follow(now) || came || is_late
    }

    /// Does what follows from what has been read; says whether the owner has something to look at.
    fn follow(&mut self, now: Instant) -> bool {
        let is_news = self.write(now);
        // What it took of the last words is all that it gets.
        if self.conn.transport() == Transport::Drop {
            self.stream = None;
        }
        is_news
    }

    /// Lets the connection give memory back if nothing has come for a while.
    fn rest(&mut self, now: Instant) {
        if self.came.is_some_and(|came| now - came >= LULL) {
            self.came = None;
            self.conn.handle_read(now);
        }
    }

    /// Tells the connection that a deadline was reached; says whether one was.
    fn expire(&mut self, now: Instant) -> bool {
        let is_due = self.is_due(now);
        if is_due {
            self.conn.handle_timeout(now);
        }
        is_due
    }

    fn is_due(&self, now: Instant) -> bool {
        self.conn.poll_timeout().is_some_and(|due| due <= now)
    }

    /// Waits for what can be done next, at most for so long; says whether the owner has something to look at.
    fn pause(&mut self, time: Option<Duration>) -> bool {
        if let Some(came) = self.read_patiently(time) {
            return came;
        }
        let called = self.wait(time);
        self.notice_sleep();
        called
    }

    /// Tells the connection if the machine slept while we waited: before what has come, so that an end that is found after a
    /// sleep is not taken for the work of a silence.
    fn notice_sleep(&mut self) {
        if let Some(slept) = self.watch.slept() {
            self.conn.handle_wake(self.clock.now(), slept);
        }
    }

    fn interest(&self) -> Interest {
        Interest {
            read: self.conn.wants_input(),
            write: !self.writing.is_over() && (self.writing == Writing::Blocked || self.has_output()),
        }
    }

    /// Waits for the stream, a call, or the time; says whether somebody has called.
    fn wait(&mut self, time: Option<Duration>) -> bool {
        let Some(stream) = &self.stream else { return false };
        wait_for(stream, self.interest(), self.wakened.as_ref(), time).unwrap_or_else(|_| {
            // Without a way to wait there is none to go on.
            self.conn.handle_end(self.clock.now(), End::ReadFailed);
            false
        })
    }

    /// Calls `set` with how many unsent bytes the system may hold for this stream, whenever that changes; see [`Valve`]. For
    /// a socket that was [tuned](crate::tcp::tune), whose bytes `set` tells the system by
    /// [`set_unsent`](crate::tcp::set_unsent). What dials or serves here does so by itself.
    #[must_use]
    pub fn with_valve(self, set: fn(&S, u32)) -> Self {
        Self { valve: Some(Valve::new(set)), ..self }
    }

    /// The connection.
    pub fn conn(&self) -> &Connection {
        &self.conn
    }

    /// The connection, to send, to close and to take events. Drive afterwards.
    pub fn conn_mut(&mut self) -> &mut Connection {
        &mut self.conn
    }

    /// The time, as the connection is told it.
    pub fn now(&self) -> Instant {
        self.clock.now()
    }

    /// The time for one message more: the clock is not looked at for each of many.
    pub(crate) fn time_to_send(&self) -> Instant {
        self.conn.time_to_send().unwrap_or_else(|| self.now())
    }

    /// The clock.
    pub fn clock(&self) -> Clock {
        self.clock
    }

    /// The stream, until the end.
    pub fn stream(&self) -> Option<&S> {
        self.stream.as_ref()
    }

    /// Whether the stream has been dropped. The last event, [`Event::Closed`](connection::Event::Closed), was taken or
    /// waits to be.
    pub fn is_over(&self) -> bool {
        self.stream.is_none()
    }
}

impl<S> fmt::Debug for Driver<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Driver")
            .field("conn", &self.conn)
            .field("writing", &self.writing)
            .finish_non_exhaustive()
    }
}

#[cfg(all(test, unix))]
mod tests;
