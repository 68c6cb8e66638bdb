//! Our one Close frame: who causes it, and what it says.

use super::{Cause, Close, Closing, Exchange, State, Wait};
use crate::Instant;
use crate::closing::{CloseCode, CloseError};
use bytes::Bytes;

impl Closing {
    /// Answers the peer's Close that [waits](Self::hold_close): returns the payload of our own Close frame, to be
    /// written behind the queued data. `None` if nothing waits for an answer.
    pub fn answer(&mut self, now: Instant) -> Option<Bytes> {
        let now = self.at(now);
        // RFC 6455 §5.5.1: the answer typically echoes the code.
        let close = match (self.exchange.received(), self.flaw) {
            (_, Some(flaw)) => flaw.answer(),
            (Some(received), None) => Close::ours(received.code(), received.reason()),
            (None, None) => return None,
        };
        self.reply(close, Wait::Data { since: now })
    }

    /// Fails the connection because of what the peer sent: a protocol violation, or a limit that was exceeded.
    ///
    /// Drop the queued data. The answer, if any, is the payload of our Close frame, to be written next. Do not
    /// interpret the input any further, not even a Close (RFC 6455 §7.1.7). A reason that is too long is cut.
    pub fn fail(&mut self, now: Instant, code: CloseCode, reason: &str) -> Option<Bytes> {
        let now = self.at(now);
        let close = Close::ours(if code.is_sendable() { code } else { CloseCode::INTERNAL_ERROR }, reason);
        match &mut self.state {
            State::Open => {
                let payload = close.encode();
                self.failed = Some(close.clone());
                self.exchange = Exchange::Sent(close);
                self.state = State::Sent(Wait::Flush { since: now, limit: self.config.close_timeout });
                Some(payload)
            }
            State::Held { .. } => {
                self.reply(close, Wait::Flush { since: now, limit: self.config.close_timeout })
            }
            State::Sent(wait) => {
                // The application's Close remains the only one; without data before it, it needs no more time than ours
                // would.
                *wait = wait.anew(&self.traffic);
                if let Wait::Flush { limit, .. } = wait {
                    *limit = self.config.close_timeout;
                }
                self.failed.get_or_insert(close);
                None
            }
            State::Drain { idle, write, .. } => {
                let cause = Cause::Drained { idle: *idle, end: *write };
                self.finish(now, cause);
                None
            }
            State::Both(_) | State::Ending { .. } | State::Over => None,
        }
    }

    /// Like [`fail`](Self::fail), but the queued data goes first, because it was sent before the fault was seen. Write
    /// the answer behind it; [`handle_timeout`](Self::handle_timeout) says when the data has had enough time. A closing
    /// handshake that is under way goes on.
    pub fn fail_behind_data(&mut self, now: Instant, code: CloseCode, reason: &str) -> Option<Bytes> {
        let payload = self.fail(now, code, reason)?;
        if let State::Sent(wait) = &mut self.state {
            *wait = Wait::Data { since: self.now };
        }
        Some(payload)
    }

    /// The heartbeat found the peer dead. The answer is the payload of a last Close frame, in case the peer hears us
    /// although we do not hear it: offer it to the transport once, then drop the transport.
    pub fn dead(&mut self, now: Instant) -> Option<Bytes> {
        self.die(now, false, Close::ours(CloseCode::INTERNAL_ERROR, "keepalive ping timeout"))
    }

    /// The peer may be dead, and another connection to it takes the place of this one: the end advises against a third.
    /// Returns the same as [`dead`](Self::dead).
    pub fn give_way(&mut self, now: Instant) -> Option<Bytes> {
        self.die(now, true, Close::ours(CloseCode::GOING_AWAY, "replaced by a new connection"))
    }

    fn die(&mut self, now: Instant, replaced: bool, close: Close) -> Option<Bytes> {
        let now = self.at(now);
        let payload = match self.state {
            State::Open => {
                let payload = close.encode();
                self.exchange = Exchange::Sent(close);
                Some(payload)
            }
            // The peer waits for this Close, so it is better than none.
            State::Held { .. } => self.answer(now),
            State::Sent(_) | State::Both(_) => None,
            State::Drain { .. } | State::Ending { .. } | State::Over => return None,
        };
        self.finish(now, Cause::Dead { replaced });
        payload
    }

    /// Starts the closing handshake: returns the payload of the Close frame, to be written behind the data that was
    /// accepted before it. From here on no message can be sent; incoming ones are still delivered. If the peer has
    /// closed and waits for our answer, this is the answer.
    ///
    /// # Errors
    /// If this Close must not be sent, or the connection is closing already.
    pub fn close(&mut self, now: Instant, close: Close) -> Result<Bytes, CloseError> {
        let now = self.at(now);
        close.check()?;
        if !self.is_open() {
            return Err(CloseError::AlreadyClosing);
        }
        let payload = close.encode();
        let wait = Wait::Flush { since: now, limit: self.config.stall_timeout };
        self.asked = true;
        // The peer closed first, and this is the answer.
        if let Some(payload) = self.reply(close.clone(), wait) {
            return Ok(payload);
        }
        self.exchange = Exchange::Sent(close);
        self.state = State::Sent(wait);
        Ok(payload)
    }

    /// Our application asked for the end too late to send a Close. It still wants no other connection.
    pub(crate) fn ask_for_end(&mut self) {
        self.asked = true;
    }

    /// Answers the Close that waits for it.
    fn reply(&mut self, sent: Close, wait: Wait) -> Option<Bytes> {
        let State::Held { .. } = self.state else { return None };
        let payload = sent.encode();
        if let Exchange::Received(received) = core::mem::take(&mut self.exchange) {
            self.exchange = Exchange::ReceivedThenSent { received, sent };
        }
        self.state = State::Both(wait);
        Some(payload)
    }
}
