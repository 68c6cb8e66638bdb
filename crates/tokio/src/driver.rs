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
use bowline_host::{DEAF, SleepWatch, Valve, Writing, seed};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::task::coop::has_budget_remaining;

use crate::clock::Clock;
use alarm::Alarm;
use turn::Turns;

/// A machine takes longer than this to fall asleep and wake up, and its clock runs meanwhile. So if the clock was last
/// read less than this ago, the machine has not slept in between.
const AWAKE: Duration = Duration::from_millis(5);

/// How late a deadline may be noticed while input keeps arriving: little compared with any deadline that there is.
const LATE: Duration = Duration::from_millis(5);

/// One WebSocket connection on a stream, polled by its owner.
///
/// This is the level below [`WebSocket`](crate::WebSocket), for owners that want the [`Connection`] itself: to run a
/// session over it, to send files, to handle events other than messages. It reads, writes and keeps the time; the
/// connection decides what to send and when to give up.
///
/// Take all events, send what there is room for, and then drive. When that returns, start again:
///
/// ```
/// use bowline_core::{Disconnect, connection::Event};
/// use bowline_tokio::Driver;
/// # use tokio::io::{AsyncRead, AsyncWrite};
///
/// /// Counts the bytes that arrive until the end.
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
/// Pings leave on time only while it is driven: an owner that goes away for minutes keeps its peer waiting. If that may
/// happen, give the driver a task of its own.
pub struct Driver<S> {
    /// `None` after the end.
    stream: Option<S>,
    valve: Option<Valve<S>>,
    conn: Connection,
    clock: Clock,
    watch: SleepWatch,
    alarm: Alarm,
    writing: Writing,
    /// Whether the stream has accepted bytes that it may still hold back.
    unflushed: bool,
    turn: Turn,
    /// When the clock was last read to drive. It is not read needlessly: a driver that is polled again and finds
    /// nothing to do manages without.
    driven: Instant,
    /// The value of `driven` when the deadlines were last checked.
    checked: Instant,
    /// Whether the last read returned few bytes; the next one probably will, too.
    expects_little: bool,
    turns: Turns,
}

/// What the owner was last told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Turn {
    /// Nothing: it drives for the first time, and there may be earlier events.
    First,
    /// That something happened.
    Busy,
    /// To wait, perhaps for a very long time.
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

    /// The end that dialled, on a stream after the opening handshake. `leftover` is what arrived after the answer.
    ///
    /// # Errors
    /// If the system provides no random bytes.
    pub fn client(stream: S, leftover: &[u8], config: connection::Config, clock: Clock) -> io::Result<Self> {
        let conn = Connection::client(config, seed()?, clock.now());
        Ok(Self::new(stream, conn, clock).with_leftover(leftover))
    }

    /// The end that accepted, on a stream after the opening handshake. `leftover` is what arrived after the request.
    ///
    /// # Errors
    /// If the system provides no random bytes.
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

impl<S: AsyncRead + AsyncWrite + Unpin> Driver<S> {
    /// Drives until there is something to look at: see [`poll_drive`](Self::poll_drive).
    ///
    /// Cancel-safe: nothing is lost when the future is dropped.
    pub async fn drive(&mut self) {
        poll_fn(|cx| self.poll_drive(cx)).await;
    }

    /// Reads what has arrived, reports the time, and writes what is queued, in this order.
    ///
    /// Ready when something arrived, a deadline was reached, there is room again where there was none, or enough bytes
    /// have moved for one turn; then look at the connection, and call again. Pending when nothing can be done, or when
    /// it is the turn of others on this thread: the task is woken when that changes. Ready at once when [all is
    /// over](Self::is_over), and at the first call.
    pub fn poll_drive(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        ready!(self.turns.poll_begin(cx));
        let turn = std::mem::replace(&mut self.turn, Turn::Busy);

        let came = self.poll_read(cx).is_ready();
        let mut is_news = came || turn == Turn::First;
        // An owner that has seen all news, on a turn without any, learns from the timer when something is due.
        if came || turn == Turn::Waiting || self.wants_write() {
            is_news |= !came && self.look();
            if !came || self.driven - self.checked >= LATE {
                is_news |= self.expire(self.conn.poll_timeout());
            }
            is_news |= self.poll_write(cx, self.driven).is_ready();
        }
        // Last bytes that the stream has not accepted by now are given up.
        if self.conn.transport() == Transport::Drop {
            self.stream = None;
            self.alarm = Alarm::default();
        }
        if !is_news && !self.is_over() {
            ready!(self.poll_timer(cx));
        }
        Poll::Ready(())
    }

    /// Writes everything that is queued, and waits for nothing else. Ready when all of it is on its way, or can no
    /// longer be sent.
    ///
    /// Meanwhile nothing is read and no deadline is kept, so [drive](Self::poll_drive) afterwards.
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

    /// Writes what the stream accepts at once. For an owner that calls nothing else for a while, it also reads and
    /// checks the deadlines, so that the peer's pings are answered and ours leave.
    pub(crate) fn poll_offer(&mut self, cx: &mut Context<'_>, now: Instant) {
        if now - self.driven < DEAF {
            let _ = self.poll_flush_at(cx, now);
        } else {
            let _ = self.poll_drive(cx);
            let _ = self.poll_flush(cx);
        }
    }

    /// Reads the clock, and tells the connection if the machine has slept since the last time. The connection must
    /// learn that before it learns of what arrived meanwhile; otherwise it would blame a silence for an end that is
    /// found after a sleep. Returns whether the machine slept.
    fn look(&mut self) -> bool {
        let now = self.clock.now();
        let before = std::mem::replace(&mut self.driven, now);
        let slept = if now - before < AWAKE { None } else { self.watch.slept() };
        if let Some(slept) = slept {
            self.conn.handle_wake(now, slept);
        }
        slept.is_some()
    }

    /// Tells the connection if the deadline `due` was reached; returns whether it was.
    fn expire(&mut self, due: Option<Instant>) -> bool {
        self.checked = self.driven;
        // A task that has used up its budget could not read, so it must not judge silence. It is called again at once.
        let is_due = has_budget_remaining() && due.is_some_and(|due| due <= self.driven);
        if is_due {
            self.look();
            self.conn.handle_timeout(self.driven);
        }
        is_due
    }

    /// Sets the timer. Ready when a deadline was reached, or the machine slept.
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
