//! The application's commands to a connection.

use super::{Connection, Event, Lesson, SendError};
use crate::Instant;
use crate::closing::{Close, CloseCode, CloseError, End};
use crate::frame::Opcode;
use crate::message::{Message, Parts, Piece};
use crate::recorder::What;
use core::time::Duration;

impl Connection {
    /// Queues a message. One message is always accepted whole, however long, while [`room`](Self::room) is not 0.
    ///
    /// # Errors
    /// If there is no room, the connection is closing, or a message in pieces has not ended. The message comes back.
    #[inline]
    pub fn send(&mut self, now: Instant, message: Message) -> Result<(), SendError<Message>> {
        self.at(now);
        if let Err(refusal) = self.check_message() {
            return Err(refusal.of(message));
        }
        let (opcode, payload) = match &message {
            Message::Text(text) => (Opcode::Text, text.as_bytes()),
            Message::Binary(bytes) => (Opcode::Binary, &bytes[..]),
        };
        if !self.outbox.send_small(opcode, payload) {
            self.outbox.send(opcode, message.into_bytes().into());
        }
        self.stats.messages_sent += 1;
        Ok(())
    }

    /// Queues a binary message in up to three pieces, like [`send`](Self::send).
    ///
    /// # Errors
    /// If there is no room, the connection is closing, or a message in pieces has not ended. The message comes back.
    pub fn send_parts(&mut self, now: Instant, parts: Parts) -> Result<(), SendError<Parts>> {
        self.at(now);
        if let Err(refusal) = self.check_message() {
            return Err(refusal.of(parts));
        }
        self.outbox.send(Opcode::Binary, parts);
        self.stats.messages_sent += 1;
        Ok(())
    }

    /// Queues the next piece of a message whose rest is not known, or does not fit into memory. One piece is always
    /// accepted whole while [`room`](Self::room) is not 0. It leaves as one or more fragments, with control frames
    /// between them; an empty piece that is not the last leaves nothing.
    ///
    /// The first piece begins a message, and until its last piece no other message can be sent. [`close`](Self::close)
    /// or [`fail`](Self::fail) gives the message up: the peer sees a Close inside a message that has not ended, and can
    /// tell that something is missing.
    ///
    /// ```
    /// use bowline_core::connection::{Config, Connection, Event};
    /// use bowline_core::message::{Delivery, Piece};
    /// use bowline_core::{Instant, Message};
    ///
    /// let now = Instant::ZERO;
    /// let mut config = Config::default();
    /// config.delivery = Delivery::Pieces;
    /// let mut client = Connection::client(Config::default(), [1; 32], now);
    /// let mut server = Connection::server(config, [2; 32], now);
    ///
    /// client.send_piece(now, Piece::text("hello "))?;
    /// client.send_piece(now, Piece::text("world").last())?;
    /// server.handle_input(now, client.output());
    ///
    /// assert_eq!(server.poll_event(), Some(Event::Piece(Piece::text("hello "))));
    /// assert_eq!(server.poll_event(), Some(Event::Piece(Piece::text("world").last())));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// If there is no room, the connection is closing, or the message was begun with pieces of the other kind. The
    /// piece comes back.
    pub fn send_piece(&mut self, now: Instant, piece: Piece) -> Result<(), SendError<Piece>> {
        self.at(now);
        if let Err(refusal) = self.check_room() {
            return Err(refusal.of(piece));
        }
        if !self.unfinished.fits(&piece) {
            return Err(SendError::OtherKind(piece));
        }
        self.queue_piece(piece);
        Ok(())
    }

    /// Starts the closing handshake. What has been accepted is sent first, and what the peer sends until it also closes
    /// is still delivered.
    ///
    /// # Errors
    /// If this Close must not be sent, or the connection is already closing. Unless the peer's Close has been handed
    /// out, the end that is reported later then advises [against](crate::closing::Why::Asked) another connection.
    pub fn close(&mut self, now: Instant, close: Close) -> Result<(), CloseError> {
        let now = self.at(now);
        let code = close.code();
        let closed = self.closing.close(now, close);
        if closed == Err(CloseError::AlreadyClosing) {
            self.ask_for_end();
        }
        let payload = closed?;
        self.note(now, What::Asked(code));
        self.outbox.close(payload);
        Ok(())
    }

    /// Queues the last messages, or pieces of them, whether or not there is [room](Self::room), and starts the closing
    /// handshake behind them. For a host that has a queue of its own in front of this one: the timeouts of the end run
    /// from here on, even if the transport takes nothing. What can no longer leave is lost, and so is a piece that does
    /// not belong to the message that was begun.
    ///
    /// # Errors
    /// As for [`close`](Self::close). If the connection is already closing, nothing is queued.
    pub fn close_behind(
        &mut self,
        now: Instant,
        last: impl IntoIterator<Item = Piece>,
        close: Close,
    ) -> Result<(), CloseError> {
        self.at(now);
        if self.is_open() {
            for piece in last {
                if self.unfinished.fits(&piece) {
                    self.queue_piece(piece);
                }
            }
        }
        self.close(now, close)
    }

    /// Pings at another interval from now on, without jitter. An event reports the change and its reason.
    pub fn set_heartbeat_interval(&mut self, now: Instant, interval: Duration, why: Lesson) {
        let now = self.at(now);
        let from = self.heartbeat.interval();
        self.heartbeat.set_interval(now, interval);
        let to = self.heartbeat.interval();
        if from != to && !self.closing.is_over() {
            self.tell(now, Event::HeartbeatChanged { from, to, why });
        }
    }

    /// Ends the connection because the application cannot continue after what the peer sent. Queued messages are
    /// dropped, a Close is sent in their place, and further input is ignored. A reason of more than 123 bytes is cut.
    pub fn fail(&mut self, now: Instant, code: CloseCode, reason: &str) {
        let now = self.at(now);
        self.fault = None;
        match self.closing.fail(now, code, reason) {
            Some(payload) => {
                self.note(now, What::Failed(code));
                self.outbox.close_now(payload);
            }
            None => self.outbox.drop_messages(),
        }
        self.settle(now);
    }

    /// Ends the connection without a Close. The next event that is not already queued is the last one. If the end has
    /// happened but was not reported, it will advise against reconnecting, as after a [`close`](Self::close).
    pub fn abort(&mut self, now: Instant) {
        if !self.is_open() {
            self.ask_for_end();
        }
        self.handle_end(now, End::LocalAbort);
    }

    /// The application asks for an end that has come, or is coming, without it.
    fn ask_for_end(&mut self) {
        // An application that has seen the peer's Close and closes as well asks for nothing new.
        let has_heard = self.close_received && !self.inbox.has_close();
        if !has_heard {
            self.closing.ask_for_end();
            self.inbox.ask_for_end();
        }
    }

    fn queue_piece(&mut self, piece: Piece) {
        self.unfinished.push(&piece);
        self.stats.messages_sent += u64::from(piece.is_last);
        match piece.part {
            Message::Text(text) => self.outbox.send_piece(Opcode::Text, text.into_bytes(), piece.is_last),
            Message::Binary(bytes) => self.outbox.send_piece(Opcode::Binary, bytes, piece.is_last),
        }
    }

    /// Whether another message can be sent now.
    #[inline]
    fn check_message(&self) -> Result<(), SendError<()>> {
        let is_between = !self.unfinished.is_some();
        if is_between && self.has_room() { Ok(()) } else { Err(self.refusal(is_between)) }
    }

    #[inline]
    fn check_room(&self) -> Result<(), SendError<()>> {
        if self.has_room() { Ok(()) } else { Err(self.refusal(true)) }
    }

    #[inline]
    fn has_room(&self) -> bool {
        self.is_open() && self.outbox.weight() < self.send_buffer
    }

    /// Why nothing can be sent, or nothing except the next piece of the current message.
    #[cold]
    fn refusal(&self, is_between: bool) -> SendError<()> {
        if !self.is_open() {
            SendError::Closing(())
        } else if is_between {
            SendError::Full { message: (), held: self.outbox.weight(), limit: self.send_buffer }
        } else {
            SendError::Unfinished(())
        }
    }
}
