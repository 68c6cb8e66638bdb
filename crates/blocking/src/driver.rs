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
use bowline_host::{DEAF, LAST_WORDS, SleepWatch, Valve, Writing, seed};

use crate::clock::Clock;
use crate::stream::Stream;
use crate::wait::{Interest, Wakened, wait_for};
use patience::Patience;
use read::Flow;

/// After this many bytes in one direction, the other direction and the owner get a turn.
const TURN: usize = 1 << 20;
/// If no messages have arrived for this long, the connection frees the memory it holds for more. 1 s: a flow that
/// pauses for longer is no longer a flow.
const LULL: Duration = Duration::from_secs(1);

/// One WebSocket connection on a stream, driven by its owner's calls.
///
/// This is the level below [`WebSocket`](crate::WebSocket), for owners that want the [`Connection`] itself. It reads,
/// writes and keeps the time; the connection decides what to send and when to give up. It never waits for the stream
/// alone: in both directions, a wait ends at the connection's next deadline.
///
/// Take all events, send what there is room for, and then drive. When that returns, start again:
///
/// ```
/// use bowline_blocking::{Driver, Stream};
/// use bowline_core::{Disconnect, connection::Event};
///
/// /// Counts the bytes that arrive until the end.
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
/// Pings leave on time only while it is driven: an owner that goes away for minutes keeps its peer waiting. If that may
/// happen, give the driver a thread of its own.
pub struct Driver<S> {
    /// `None` after the end.
    stream: Option<S>,
    valve: Option<Valve<S>>,
    conn: Connection,
    clock: Clock,
    watch: SleepWatch,
    /// When it was last read, or would have been if the connection had wanted input.
    looked: Instant,
    writing: Writing,
    /// Whether the stream has accepted bytes that it may still hold back.
    unflushed: bool,
    flow: Flow,
    /// Whether the last read took everything there was. Something may have arrived since then.
    is_drained: bool,
    /// When something other than a ping or a pong last arrived, while the connection holds memory that more of it could
    /// use.
    came: Option<Instant>,
    patience: Patience,
    wakened: Option<Wakened>,
}

/// Why [`Driver::drive`] returned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Driven {
    /// Something happened: look at the connection.
    Busy,
    /// The given time has passed.
    TimedOut,
}

impl<S: Stream> Driver<S> {
    /// Drives a connection over a stream, with the clock that tells the connection the time.
    ///
    /// From now on the driver controls the socket: whether calls block is up to the driver, also for duplicates of the
    /// socket (`try_clone`). A duplicate can shut the socket down, but must not read or write.
    ///
    /// # Errors
    /// If the stream cannot be made non-blocking.
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

    /// The end that dialled, on a stream after the opening handshake. `leftover` is what arrived after the answer.
    ///
    /// # Errors
    /// If the system provides no random bytes, or the stream cannot be made non-blocking.
    pub fn client(stream: S, leftover: &[u8], config: connection::Config, clock: Clock) -> io::Result<Self> {
        let conn = Connection::client(config, seed()?, clock.now());
        Ok(Self::new(stream, conn, clock)?.with_leftover(leftover))
    }

    /// The end that accepted, on a stream after the opening handshake. `leftover` is what arrived after the request.
    ///
    /// # Errors
    /// If the system provides no random bytes, or the stream cannot be made non-blocking.
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

    /// Lets other threads end a wait by a call.
    pub(crate) fn set_wakened(&mut self, wakened: Wakened) {
        self.wakened = Some(wakened);
    }

    /// Reads what has arrived, reports the time, and writes what is queued, in this order; waits if there was nothing
    /// to do. Returns when something happened: bytes arrived, a deadline was reached, there is room again where there
    /// was none, everything has left that had to wait, or the stream is gone. Returns at `until` at the latest, if it
    /// is given, and at once when [all is over](Self::is_over).
    pub fn drive(&mut self, until: Option<Instant>) -> Driven {
        // A wait also tells whether anything has arrived since the last read. That costs less than a vain read and then
        // a wait.
        let mut reads = !self.is_drained || until.is_some_and(|until| until <= self.clock.now());
        loop {
            let now = self.clock.now();
            if self.step(now, reads) || self.is_over() {
                // An owner that only writes, and never waits, reads every other time.
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
            // If waiting fails, the caller checks for calls in vain.
            let _ = wakened.wait(None);
        }
    }

    /// Drives on until everything is sent that is left to say after a known end, if the peer accepts it soon.
    pub(crate) fn say_last_words(&mut self) {
        // Calls are for whoever waits next: one that ended a wait here would be lost to them.
        self.wakened = None;
        let until = self.now() + LAST_WORDS;
        while !self.is_over() && self.now() < until {
            self.drive(Some(until));
        }
    }

    /// Writes what the stream accepts at once. For an owner that calls nothing else for a while, it also reads and
    /// checks the deadlines, so that the peer's pings are answered and ours leave.
    pub(crate) fn offer(&mut self, now: Instant) {
        if now - self.looked < DEAF {
            self.write(now);
        } else {
            self.step(now, true);
        }
    }

    /// Does what can be done without waiting; returns whether there is something for the owner to look at.
    fn step(&mut self, now: Instant, reads: bool) -> bool {
        // Before the connection judges its peer, everything that the peer has sent must have been read.
        let reads = reads || self.is_due(now);
        let came = reads && self.read(now);
        self.rest(now);
        let is_late = reads && self.expire(now);
        self.follow(now) || came || is_late
    }

    /// Does what follows from a read; returns whether there is something for the owner to look at.
    fn follow(&mut self, now: Instant) -> bool {
        let is_news = self.write(now);
        // Last bytes that the stream has not accepted by now are given up.
        if self.conn.transport() == Transport::Drop {
            self.stream = None;
        }
        is_news
    }

    /// Lets the connection free memory if nothing has arrived for a while.
    fn rest(&mut self, now: Instant) {
        if self.came.is_some_and(|came| now - came >= LULL) {
            self.came = None;
            self.conn.handle_read(now);
        }
    }

    /// Tells the connection if a deadline was reached; returns whether one was.
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

    /// Waits for what can be done next, but no longer than this; returns whether there is something for the owner to
    /// look at.
    fn pause(&mut self, time: Option<Duration>) -> bool {
        if let Some(came) = self.read_patiently(time) {
            return came;
        }
        let called = self.wait(time);
        self.notice_sleep();
        called
    }

    /// Tells the connection if the machine slept while we waited. The connection must learn that before it learns of
    /// what arrived meanwhile; otherwise it would blame a silence for an end that is found after a sleep.
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

    /// Waits for the stream, a call, or the time; returns whether somebody has called.
    fn wait(&mut self, time: Option<Duration>) -> bool {
        let Some(stream) = &self.stream else { return false };
        wait_for(stream, self.interest(), self.wakened.as_ref(), time).unwrap_or_else(|_| {
            // Without a way to wait, it cannot go on.
            self.conn.handle_end(self.clock.now(), End::ReadFailed);
            false
        })
    }

    /// Calls `set` with how many unsent bytes the system may hold for this stream, whenever that changes; see
    /// [`Valve`]. For a [tuned](crate::tcp::tune) socket, `set` is [`set_unsent`](crate::tcp::set_unsent), which tells
    /// the system. Whatever this crate dials or serves has done both.
    #[must_use]
    pub fn with_valve(self, set: fn(&S, u32)) -> Self {
        Self { valve: Some(Valve::new(set)), ..self }
    }

    /// The connection.
    pub fn conn(&self) -> &Connection {
        &self.conn
    }

    /// The connection, to send, to close and to take events. Drive it afterwards.
    pub fn conn_mut(&mut self) -> &mut Connection {
        &mut self.conn
    }

    /// The time as the connection sees it.
    pub fn now(&self) -> Instant {
        self.clock.now()
    }

    /// The time for the next message to send: the clock is not read for each of many.
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

    /// Whether the stream has been dropped. The last event, [`Event::Closed`](connection::Event::Closed), has been
    /// taken or is waiting.
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
