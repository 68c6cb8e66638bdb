//! Moves the bytes of one connection: between a stream, a clock, and a [`Connection`] that decides.
//!
//! ```text
//!               ┌──────────────────── Driver ────────────────────┐
//!   stream ───▶ │ input, handle_read                             │
//!   clock  ───▶ │ handle_wake, handle_timeout    Connection      │ ◀──▶ conn_mut(): send, close, poll_event
//!   stream ◀─── │ outputs, handle_written, handle_blocked        │
//!               └────────────────────────────────────────────────┘
//! ```

mod alarm;
mod read;
mod scratch;
mod turn;
mod write;

use std::fmt;
use std::future::poll_fn;
use std::io;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bowline_core::connection::{self, Transport};
use bowline_core::{Connection, Instant};
use bowline_host::{DEAF, SleepWatch, Valve, seed};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::task::coop::has_budget_remaining;

use crate::clock::Clock;
use alarm::Alarm;
use turn::Turns;

/// A machine takes longer than this to fall asleep and to wake up, and its clock runs meanwhile: whoever has looked at that
/// a shorter time ago has missed no sleep.
const AWAKE: Duration = Duration::from_millis(5);

/// How late a deadline may be found while something comes all the time: little beside any that there are.
const LATE: Duration = Duration::from_millis(5);

/// One WebSocket connection on a stream, polled by its owner.
///
/// This is the level below [`WebSocket`](crate::WebSocket), for owners that want the [`Connection`] itself: to run a
/// session over it, to send files, to handle events that are no messages. It reads, writes and keeps the time; what
/// to say and when to give up is up to the connection.
///
/// Take all events, send what there is room for, and then drive; when that comes back, begin again:
///
/// ```
/// use bowline_core::{Disconnect, connection::Event};
/// use bowline_tokio::Driver;
/// # use tokio::io::{AsyncRead, AsyncWrite};
///
/// /// Counts the bytes that come until the end.
/// async fn count<S: AsyncRead + AsyncWrite + Unpin>(mut driver: Driver<S>) -> (usize, Disconnect) {
///     let mut bytes = 0;
///     loop {
///         while let Some(event) = driver.conn_mut().poll_event() {
///             match event {
///                 Event::Message(message) => bytes += message.len(),
///                 Event::Closed(disconnect) => return (bytes, disconnect),
///                 _ => {}
///             }
///         }
///         driver.drive().await;
///     }
/// }
/// ```
///
/// Pings leave on time only while it is driven: an owner that goes away for minutes keeps its peer waiting. Where that
/// cannot be excluded, give the driver a task of its own.
pub struct Driver<S> {
    /// Until the end.
    stream: Option<S>,
    valve: Option<Valve<S>>,
    conn: Connection,
    clock: Clock,
    watch: SleepWatch,
    alarm: Alarm,
    writing: Writing,
    /// Whether the stream took bytes that it may still hold back.
    unflushed: bool,
    turn: Turn,
    /// What the clock showed when it was last looked at to drive. It is not looked at in vain: one that is driven again and
    /// finds nothing to do does without.
    driven: Instant,
    /// What it had shown when the deadlines were looked at.
    checked: Instant,
    /// Whether the last bytes came in small numbers; so will the next.
    expects_little: bool,
    turns: Turns,
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

/// Where the owner stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Turn {
    /// It drives for the first time; there may be events from before.
    First,
    /// It was told that something happened.
    Busy,
    /// It was told to wait, perhaps for very long.
    Waiting,
}

impl<S> Driver<S> {
    /// Drives a connection over a stream, with the clock that tells the connection the time.
    pub fn new(stream: S, conn: Connection, clock: Clock) -> Self {
        let now = clock.now();
        Self {
            stream: Some(stream),
            valve: None,
            conn,
            driven: now,
            checked: now,
            clock,
            watch: SleepWatch::start(),
            alarm: Alarm::default(),
            writing: Writing::Open,
            unflushed: false,
            turn: Turn::First,
            expects_little: true,
            turns: Turns::new(),
        }
    }

    /// The end that dialled, on a stream after the opening handshake. `leftover` is what came behind the answer.
    ///
    /// # Errors
    /// If the system gives no random bytes.
    pub fn client(stream: S, leftover: &[u8], config: connection::Config, clock: Clock) -> io::Result<Self> {
        let conn = Connection::client(config, seed()?, clock.now());
        Ok(Self::new(stream, conn, clock).with_leftover(leftover))
    }

    /// The end that accepted, on a stream after the opening handshake. `leftover` is what came behind the request.
    ///
    /// # Errors
    /// If the system gives no random bytes.
    pub fn server(stream: S, leftover: &[u8], config: connection::Config, clock: Clock) -> io::Result<Self> {
        let conn = Connection::server(config, seed()?, clock.now());
        Ok(Self::new(stream, conn, clock).with_leftover(leftover))
    }

    fn with_leftover(mut self, leftover: &[u8]) -> Self {
        if !leftover.is_empty() {
            self.conn.handle_input(self.clock.now(), leftover);
        }
        self
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

impl<S: AsyncRead + AsyncWrite + Unpin> Driver<S> {
    /// Drives until there is something to look at: see [`poll_drive`](Self::poll_drive).
    ///
    /// Cancel-safe: nothing is lost when the future is dropped.
    pub async fn drive(&mut self) {
        poll_fn(|cx| self.poll_drive(cx)).await;
    }

    /// Reads what there is, reports the time, and writes what there is, in this order.
    ///
    /// Ready when something came, a deadline was reached, there is room again where there was none, or it has moved
    /// enough for one turn; then look at the connection, and call again. Pending when nothing can be done, or when it is the
    /// turn of others on this thread: the task is woken when that changes. Ready at once when [all is over](Self::is_over),
    /// and at the first call.
    pub fn poll_drive(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        ready!(self.turns.poll_begin(cx));
        let turn = std::mem::replace(&mut self.turn, Turn::Busy);

        let came = self.poll_read(cx).is_ready();
        let mut is_news = came || turn == Turn::First;
        // Whoever has seen all news and finds no more is told by the timer when something is due.
        if came || turn == Turn::Waiting || self.wants_write() {
            is_news |= !came && self.look();
            if !came || self.driven - self.checked >= LATE {
                is_news |= self.expire(self.conn.poll_timeout());
            }
            is_news |= self.poll_write(cx, self.driven).is_ready();
        }
        // What it took of the last words is all that it gets.
        if self.conn.transport() == Transport::Drop {
            self.stream = None;
            self.alarm = Alarm::default();
        }
        if !is_news && !self.is_over() {
            ready!(self.poll_timer(cx));
        }
        Poll::Ready(())
    }

    /// Writes what there is to the last byte, and waits for no more than that. Ready when all of it is on its way, or
    /// cannot be any more.
    ///
    /// Nothing is read meanwhile and no deadline is kept: after this, [drive](Self::poll_drive).
    pub fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        self.poll_flush_at(cx, self.clock.now())
    }

    fn poll_flush_at(&mut self, cx: &mut Context<'_>, now: Instant) -> Poll<()> {
        loop {
            let goes_on = self.poll_write(cx, now).is_ready();
            match self.has_output() {
                false => return Poll::Ready(()),
                true if !goes_on => return Poll::Pending,
                true => {}
            }
        }
    }

    /// Writes what the stream takes at once. For an owner that calls nothing else for a while it also reads, and looks at the
    /// deadlines: the peer's pings are answered, and ours leave.
    pub(crate) fn poll_offer(&mut self, cx: &mut Context<'_>, now: Instant) {
        if now - self.driven < DEAF {
            let _ = self.poll_flush_at(cx, now);
        } else {
            let _ = self.poll_drive(cx);
            let _ = self.poll_flush(cx);
        }
    }

    /// Looks at the clock, and tells the connection if the machine slept since the last time: before what has come
    /// meanwhile, so that an end that is found after a sleep is not taken for the work of a silence. Says whether it
    /// slept.
    fn look(&mut self) -> bool {
        let now = self.clock.now();
        let before = std::mem::replace(&mut self.driven, now);
        let slept = if now - before < AWAKE { None } else { self.watch.slept() };
        if let Some(slept) = slept {
            self.conn.handle_wake(now, slept);
        }
        slept.is_some()
    }

    /// Tells the connection that the deadline `due` was reached; says whether it was.
    fn expire(&mut self, due: Option<Instant>) -> bool {
        self.checked = self.driven;
        // A task that has used up its budget could not read, and must not judge silence. It is called again at once.
        let is_due = has_budget_remaining() && due.is_some_and(|due| due <= self.driven);
        if is_due {
            self.look();
            self.conn.handle_timeout(self.driven);
        }
        is_due
    }

    /// Sets the timer. Ready when something was due.
    fn poll_timer(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        while let Some(due) = self.conn.poll_timeout() {
            if self.expire(Some(due)) {
                return Poll::Ready(());
            }
            if self.alarm.poll(cx, self.clock.deadline(due)).is_pending() {
                break;
            }
            if self.look() {
                return Poll::Ready(());
            }
        }
        self.turn = Turn::Waiting;
        Poll::Pending
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

#[cfg(test)]
mod tests;
