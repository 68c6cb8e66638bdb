//! What the application wants of a connection.

use super::{Connection, Event, Lesson, SendError};
use crate::Instant;
use crate::closing::{Close, CloseCode, CloseError, End};
use crate::frame::Opcode;
use crate::message::{Message, Parts};
use crate::recorder::What;
use core::time::Duration;

impl Connection {
    /// Queues a message. One message is always taken whole, however long, while [`room`](Self::room) is not 0.
    ///
    /// # Errors
    /// If there is no room, or the connection is closing; the message comes back.
    pub fn send(&mut self, now: Instant, message: Message) -> Result<(), SendError<Message>> {
        self.at(now);
        if let Some(refusal) = self.refusal() {
            return Err(refusal(message));
        }
        match message {
            Message::Text(text) if self.outbox.send_small(Opcode::Text, [text.as_bytes(), &[], &[]]) => {}
            Message::Text(text) => self.outbox.send(Opcode::Text, text.into_bytes().into()),
            Message::Binary(bytes) => self.outbox.send(Opcode::Binary, bytes.into()),
        }
        self.stats.messages_sent += 1;
        Ok(())
    }

    /// Queues a binary message in up to three pieces, like [`send`](Self::send).
    ///
    /// # Errors
    /// If there is no room, or the connection is closing; the message comes back.
    pub fn send_parts(&mut self, now: Instant, parts: Parts) -> Result<(), SendError<Parts>> {
        self.at(now);
        if let Some(refusal) = self.refusal() {
            return Err(refusal(parts));
        }
        self.outbox.send(Opcode::Binary, parts);
        self.stats.messages_sent += 1;
        Ok(())
    }

    /// Starts the closing handshake. What has been accepted is sent first, and what the peer sends until it closes
    /// too is still delivered.
    ///
    /// # Errors
    /// If this Close must not be sent, or the connection is closing already.
    pub fn close(&mut self, now: Instant, close: Close) -> Result<(), CloseError> {
        let now = self.at(now);
        let code = close.code();
        let payload = self.closing.close(now, close)?;
        self.note(now, What::Asked(code));
        self.outbox.close(payload);
        Ok(())
    }

    /// Pings at another interval from now on, not shortened by jitter. An event says so, and why.
    pub fn set_heartbeat_interval(&mut self, now: Instant, interval: Duration, why: Lesson) {
        let now = self.at(now);
        let from = self.heartbeat.interval();
        self.heartbeat.set_interval(now, interval);
        let to = self.heartbeat.interval();
        if from != to && !self.closing.is_over() {
            self.tell(now, Event::HeartbeatChanged { from, to, why });
        }
    }

    /// Ends the connection because the application cannot go on from what the peer sent. What waits to be sent is
    /// dropped, a Close goes in its place, and what comes in is not looked at any more. A reason of more than 123
    /// bytes is cut.
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

    /// Ends the connection without a word. The next event that is not there yet is the last one.
    pub fn abort(&mut self, now: Instant) {
        self.handle_end(now, End::LocalAbort);
    }

    /// How to refuse a message, if it has to be.
    fn refusal<T>(&self) -> Option<fn(T) -> SendError<T>> {
        match () {
            () if !self.is_open() => Some(SendError::Closing),
            () if self.room() == 0 => Some(SendError::Full),
            () => None,
        }
    }
}
