//! What the peer's frames mean for the end.

use super::{Cause, Close, Closing, Exchange, Hearing, State, Wait};
use crate::Instant;
use bytes::Bytes;
use core::time::Duration;

impl Closing {
    /// A data frame came: whether it is to be interpreted and delivered.
    pub fn handle_data(&mut self, now: Instant) -> bool {
        self.at(now);
        self.wants_data() || self.ignore()
    }

    /// A Ping came: whether it is to be answered.
    pub fn handle_ping(&mut self, now: Instant) -> bool {
        self.at(now);
        // Nothing can be written while draining, which is no fault of the Ping.
        self.state.is_talking(self.failed.is_some())
            || (!matches!(self.state, State::Drain { .. }) && self.ignore())
    }

    /// A Pong came: whether it is of interest.
    pub fn handle_pong(&mut self, now: Instant) -> bool {
        self.at(now);
        // RFC 6455 §1.4: whatever follows the peer's Close is discarded; §7.1.7: so is all that follows a failure.
        let is_late = matches!(self.state, State::Held { .. } | State::Both(_)) || self.failed.is_some();
        !is_late || self.ignore()
    }

    /// A Close frame came with this payload. The answer, if there is one, is the payload of our own Close frame.
    ///
    /// Write it behind the data that waits, or at once if the Close has a [flaw](Close::decode): then nothing is left
    /// to talk about. [`handle_timeout`](Self::handle_timeout) tells when the data has had time enough.
    pub fn handle_close(&mut self, now: Instant, payload: &[u8]) -> Option<Bytes> {
        let is_first = !self.is_held();
        self.hold_close(now, payload);
        if is_first { self.answer(now) } else { None }
    }

    /// A Close frame came with this payload, and the application has not seen all that came before it and may have a
    /// reply. Until the [answer](Self::answer) messages can be sent; whatever the peer says is ignored.
    ///
    /// Nobody needs to take care that there is an answer: [`handle_timeout`](Self::handle_timeout) gives it after half
    /// the close timeout.
    pub fn hold_close(&mut self, now: Instant, payload: &[u8]) {
        let now = self.at(now);
        match self.state {
            State::Open => {
                let (received, flaw) = Close::decode(payload);
                self.flaw = flaw;
                self.exchange = Exchange::Received(received);
                self.state = State::Held { since: now };
            }
            // RFC 6455 §7.1.7: who has failed the connection does not process even the answer.
            State::Sent(_) if self.failed.is_some() => {
                self.ignore();
            }
            State::Sent(wait) => {
                let (received, flaw) = Close::decode(payload);
                self.flaw = flaw;
                if let Exchange::Sent(sent) = core::mem::take(&mut self.exchange) {
                    self.exchange = Exchange::SentThenReceived { sent, received };
                }
                self.state = State::Both(match wait {
                    Wait::Peer { .. } => {
                        Wait::Peer { since: now, transit: Duration::ZERO, hearing: Hearing::All }
                    }
                    before => before.anew(&self.traffic),
                });
            }
            State::Drain { idle, .. } => {
                let (received, flaw) = Close::decode(payload);
                self.flaw = flaw;
                self.exchange = Exchange::Received(received);
                self.finish(now, Cause::Drained { idle, then: None });
            }
            State::Held { .. } | State::Both(_) | State::Ending { .. } | State::Over => {
                self.ignore();
            }
        }
    }
}
