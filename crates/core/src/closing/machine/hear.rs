//! What the peer's frames mean for the end.

use super::{Cause, Close, Closing, Exchange, Hearing, State, Wait};
use crate::Instant;
use bytes::Bytes;
use core::time::Duration;

impl Closing {
    /// A data frame came. Returns whether to interpret and deliver it.
    pub fn handle_data(&mut self, now: Instant) -> bool {
        self.at(now);
        self.wants_data() || self.ignore()
    }

    /// A Ping came. Returns whether to answer it.
    pub fn handle_ping(&mut self, now: Instant) -> bool {
        self.at(now);
        // While draining, nothing can be written, but the Ping did not come too late.
        self.state.is_talking(self.failed.is_some())
            || (!matches!(self.state, State::Drain { .. }) && self.ignore())
    }

    /// A Pong came. Returns whether it matters.
    pub fn handle_pong(&mut self, now: Instant) -> bool {
        self.at(now);
        // RFC 6455 §1.4: whatever follows the peer's Close is discarded; §7.1.7: so is everything after a failure.
        let is_late = matches!(self.state, State::Held { .. } | State::Both(_)) || self.failed.is_some();
        !is_late || self.ignore()
    }

    /// A Close frame came with this payload. The answer, if any, is the payload of our own Close frame.
    ///
    /// Write it behind the queued data, or at once if the Close has a [flaw](Close::decode), since there is nothing
    /// left to talk about then. [`handle_timeout`](Self::handle_timeout) says when the data has had enough time.
    pub fn handle_close(&mut self, now: Instant, payload: &[u8]) -> Option<Bytes> {
        let is_first = !self.is_held();
        self.hold_close(now, payload);
        if is_first { self.answer(now) } else { None }
    }

    /// A Close frame came with this payload, but the application has not yet seen everything before it and may want to
    /// reply. Until the [answer](Self::answer), messages can still be sent; whatever else the peer sends is ignored.
    ///
    /// An answer is guaranteed: [`handle_timeout`](Self::handle_timeout) gives it after half the close timeout.
    pub fn hold_close(&mut self, now: Instant, payload: &[u8]) {
        let now = self.at(now);
        match self.state {
            State::Open => {
                let (received, flaw) = Close::decode(payload);
                self.flaw = flaw;
                self.exchange = Exchange::Received(received);
                self.state = State::Held { since: now };
            }
            // RFC 6455 §7.1.7: after failing the connection we process nothing more, not even the answer.
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
            State::Drain { idle, write, .. } => {
                let (received, flaw) = Close::decode(payload);
                self.flaw = flaw;
                self.exchange = Exchange::Received(received);
                self.finish(now, Cause::Drained { idle, end: write });
            }
            State::Held { .. } | State::Both(_) | State::Ending { .. } | State::Over => {
                self.ignore();
            }
        }
    }
}
