//! What comes out of a connection: bytes for the transport, events for the application, and when to wake up.

use super::{Connection, Event, Lent};
use crate::Instant;
use core::time::Duration;

impl Connection {
    /// What to write next, in one piece; empty if there is nothing. See [`outputs`](Self::outputs) for all of it.
    ///
    /// What is shown may change with every call of a method, until its first byte is reported as written. When the
    /// transport is to be dropped, offer it what is left once, if at all.
    #[inline]
    pub fn output(&self) -> &[u8] {
        self.outbox.first_piece()
    }

    /// All that can be written next, in some pieces: for vectored writes.
    #[inline]
    pub fn outputs(&self) -> impl Iterator<Item = &[u8]> {
        self.outbox.pieces()
    }

    /// What happened, in order. The last one is [`Event::Closed`].
    ///
    /// The peer's Close is answered when this hands it out, and not before: until then a message that came before it can
    /// be replied to. An application that does not come for it has half of
    /// [`close_timeout`](crate::closing::Config::close_timeout). The answer is there to be written after the next call that
    /// takes the time; [`handle_timeout`](Self::handle_timeout) is due at once.
    #[inline]
    pub fn poll_event(&mut self) -> Option<Event> {
        self.inbox.pop()
    }

    /// The next answer to a [ping](Self::ping), its number and its round trip, whatever came before it: for a host whose
    /// application pings from one place and is slow to take its messages in another. [`poll_event`](Self::poll_event) tells of
    /// it no more. What else came stays, in order.
    #[inline]
    pub fn poll_answered(&mut self) -> Option<(u64, Duration)> {
        self.inbox.pop_answer()
    }

    /// The application may have said something that is not here yet, though it has taken everything: a Close of the peer that
    /// comes next, or a fault, is answered when [`poll_event`](Self::poll_event) is called for it, and not at once. For a host
    /// whose application sends by a queue of its own, each time before it reads.
    pub fn hold_answer(&mut self) {
        if self.is_sound() {
            self.inbox.hold();
        }
    }

    /// The events of [`poll_event`](Self::poll_event), but short messages are lent and not given away: nothing is allocated for them. For programs that live on
    /// very many small messages.
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

    /// The longest silence in both directions that was survived since the last call, from a second on: what an
    /// [`Adapt`](crate::Adapt) that explores wants to know while the connection lives.
    pub fn poll_survived(&mut self) -> Option<Duration> {
        self.closing.poll_survived()
    }

    /// When to call [`handle_timeout`](Self::handle_timeout). Ask again after any other call.
    pub fn poll_timeout(&self) -> Option<Instant> {
        if self.closing.is_over() {
            return None;
        }
        if self.told_reading != self.is_reading() || self.owes_answer() || self.owes_refusal() {
            // At once: `poll_event` has made room or handed out what came before an end, and what follows from that
            // needs a time.
            return Some(self.told_at);
        }
        self.deadline()
    }
}
