//! The outputs of a connection: bytes for the transport, events for the application, and when to wake up.

use super::{Connection, Event, Lent};
use crate::Instant;
use core::time::Duration;

impl Connection {
    /// What to write next, in one piece; empty if there is nothing. See [`outputs`](Self::outputs) for all of it.
    ///
    /// These bytes may change with every call of a method, until the first of them was reported as written. When the
    /// transport is to be dropped, offer it what is left at most once.
    #[inline]
    pub fn output(&self) -> &[u8] {
        self.outbox.first_piece()
    }

    /// Everything that can be written next, in several pieces: for vectored writes.
    #[inline]
    pub fn outputs(&self) -> impl Iterator<Item = &[u8]> {
        self.outbox.pieces()
    }

    /// What happened, in order. The last one is [`Event::Closed`].
    ///
    /// Returning the peer's Close makes the connection answer it, and not before: until then the application can reply
    /// to earlier messages. If the application does not take it, the answer follows after half of
    /// [`close_timeout`](crate::closing::Config::close_timeout). The answer can be written after the next call that
    /// takes the time; [`handle_timeout`](Self::handle_timeout) is due at once.
    #[inline]
    pub fn poll_event(&mut self) -> Option<Event> {
        self.inbox.pop()
    }

    /// The next answer to a [ping](Self::ping), its number and its round-trip time, no matter what arrived before it.
    /// [`poll_event`](Self::poll_event) will not return it then; other events stay, in order. This is for a host whose
    /// application pings in one place and is slow to take its messages in another.
    #[inline]
    pub fn poll_answered(&mut self) -> Option<(u64, Duration)> {
        self.inbox.pop_answer()
    }

    /// Says that the application may have sent something that is not here yet, although it has taken everything. If a
    /// Close of the peer or a protocol error comes next, it is answered only when [`poll_event`](Self::poll_event) is
    /// called for it. A host whose application sends through a queue of its own calls this each time before it reads.
    pub fn hold_answer(&mut self) {
        if self.is_sound() {
            self.inbox.hold();
        }
    }

    /// Like [`poll_event`](Self::poll_event), but short messages are lent rather than given away, so nothing is
    /// allocated for them. For programs with very many small messages.
    ///
    /// ```
    /// use bowline_core::connection::{Config, Connection, Lent};
    /// use bowline_core::{Instant, Message};
    ///
    /// let now = Instant::ZERO;
    /// let mut client = Connection::client(Config::default(), [1; 32], now);
    /// let mut server = Connection::server(Config::default(), [2; 32], now);
    ///
    /// client.send(now, Message::text("hello"))?;
    /// server.handle_input(now, client.output());
    /// assert_eq!(server.poll_lent(), Some(Lent::Text("hello")));
    /// assert_eq!(server.poll_lent(), None);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[inline]
    pub fn poll_lent(&mut self) -> Option<Lent<'_>> {
        self.inbox.lend()
    }

    /// The longest silence in both directions, of at least a second, that was survived since the last call: an
    /// [`Adapt`](crate::Adapt) that explores wants to know this while the connection lives.
    pub fn poll_survived(&mut self) -> Option<Duration> {
        self.closing.poll_survived()
    }

    /// When to call [`handle_timeout`](Self::handle_timeout). Ask again after any other call.
    pub fn poll_timeout(&self) -> Option<Instant> {
        if self.closing.is_over() {
            return None;
        }
        if self.told_reading != self.is_reading() || self.owes_answer() || self.owes_refusal() {
            // At once: `poll_event` has made room or handed out what came before an end, and the consequences need the
            // current time.
            return Some(self.told_at);
        }
        self.deadline()
    }
}
