//! Our one Close frame: by whose wish it is written, and with what.

use super::{Cause, Close, Closing, Exchange, State, Wait};
use crate::Instant;
use crate::closing::{CloseCode, CloseError};
use bytes::Bytes;

impl Closing {
    /// Answers the peer's Close that [waits](Self::hold_close) for it: the payload of our own Close frame, to be
    /// written behind the data that waits. `None` if nothing waits for an answer.
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

    /// What the peer sent cannot be gone on from: a violation of the protocol, or a limit that was passed.
    ///
    /// Drop the data that waits to be written. If there is an answer, it is the payload of our Close frame, to be
    /// written next. The input is not to be interpreted any further, not even a Close (RFC 6455 §7.1.7). A reason that
    /// is too long is cut.
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
                // The application's Close stays the only one; with no data before it, it needs no more time than ours.
                *wait = wait.anew(&self.traffic);
                if let Wait::Flush { limit, .. } = wait {
                    *limit = self.config.close_timeout;
                }
                self.failed.get_or_insert(close);
                None
            }
            State::Drain { idle, .. } => {
                let cause = Cause::Drained { idle: *idle, then: None };
                self.finish(now, cause);
                None
            }
            State::Both(_) | State::Ending { .. } | State::Over => None,
        }
    }

    /// The same, but the data that waits is to go first: it was said before the fault was seen. Write the answer behind
    /// it; [`handle_timeout`](Self::handle_timeout) tells when the data has had time enough. A closing handshake that is
    /// under way goes on.
    pub fn fail_behind_data(&mut self, now: Instant, code: CloseCode, reason: &str) -> Option<Bytes> {
        let payload = self.fail(now, code, reason)?;
        if let State::Sent(wait) = &mut self.state {
            *wait = Wait::Data { since: self.now };
        }
        Some(payload)
    }

    /// The heartbeat found that nobody is there. The answer is the payload of a last Close frame for a peer that hears
    /// us although we do not hear it: offer it to the transport once, and drop it.
    pub fn dead(&mut self, now: Instant) -> Option<Bytes> {
        self.die(now, Close::ours(CloseCode::INTERNAL_ERROR, "keepalive ping timeout"))
    }

    /// Perhaps nobody is there, and another connection to the same peer takes the place of this one. The answer is as that of
    /// [`dead`](Self::dead).
    pub fn give_way(&mut self, now: Instant) -> Option<Bytes> {
        self.die(now, Close::ours(CloseCode::GOING_AWAY, "replaced by a new connection"))
    }

    fn die(&mut self, now: Instant, close: Close) -> Option<Bytes> {
        let now = self.at(now);
        let payload = match self.state {
            State::Open => {
                let payload = close.encode();
                self.exchange = Exchange::Sent(close);
                Some(payload)
            }
            // Better than nothing: the peer waits for this.
            State::Held { .. } => self.answer(now),
            State::Sent(_) | State::Both(_) => None,
            State::Drain { .. } | State::Ending { .. } | State::Over => return None,
        };
        self.finish(now, Cause::Dead);
        payload
    }

    /// Starts the closing handshake: the payload of the Close frame, to be written behind the data that was accepted
    /// before it. No message can be sent from here on; those that come are still delivered. If the peer has closed, and
    /// its answer waits, this is the answer.
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
        // The peer has closed before, and this is the answer.
        if let Some(payload) = self.reply(close.clone(), wait) {
            return Ok(payload);
        }
        self.exchange = Exchange::Sent(close);
        self.state = State::Sent(wait);
        Ok(payload)
    }

    /// Our application has asked for the end too late to send a Close: another connection is not wanted.
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
