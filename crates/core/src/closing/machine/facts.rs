//! Inputs about the bytes, the transport, and the process itself.

use super::{Cause, Closing, End, Hearing, State, Wait};
use crate::Instant;
use core::mem::replace;
use core::time::Duration;

impl Closing {
    /// Bytes of any kind were received.
    pub fn handle_received(&mut self, now: Instant) {
        let now = self.at(now);
        if !self.is_over() {
            self.traffic.handle_received(now);
        }
    }

    /// A Pong answered a ping of ours that had left at `left`: any stall before that was survived, and does not explain
    /// the end.
    pub fn handle_answered(&mut self, now: Instant, left: Instant) {
        self.at(now);
        self.traffic.handle_answered(left);
    }

    /// The transport accepted `n` bytes.
    pub fn handle_sent(&mut self, now: Instant, n: usize) {
        let now = self.at(now);
        if !self.is_over() {
            // Only one extra period per progress, so that a peer that has to be quick cannot trickle for ever.
            if self.is_spared {
                self.is_spared = !self.state.is_talking(self.failed.is_some());
            }
            self.traffic.handle_sent(now, n);
        }
    }

    /// Whether the peer owes us something for what we have sent. While it does, its silence is not a sign of an idle
    /// connection.
    pub fn set_awaiting(&mut self, now: Instant, awaiting: bool) {
        let now = self.at(now);
        self.traffic.set_awaiting(now, awaiting);
    }

    /// The transport accepts no more bytes for now.
    pub fn handle_blocked(&mut self, now: Instant) {
        let now = self.at(now);
        if !self.is_over() {
            self.traffic.handle_blocked(now);
        }
    }

    /// Our Close frame has left: the transport accepted its last byte. `drain_rate` is how many bytes a second the
    /// transport has been seen to drain, if known: the Close is under way for as long as everything the transport holds
    /// before it.
    pub fn handle_close_flushed(&mut self, now: Instant, drain_rate: Option<u64>) {
        let now = self.at(now);
        let transit = self.traffic.transit(drain_rate, &self.config);
        let hearing = if self.reading { Hearing::All } else { Hearing::Gaps };
        if let State::Sent(wait) | State::Both(wait) = &mut self.state {
            if !matches!(wait, Wait::Peer { .. }) {
                *wait = Wait::Peer { since: now, transit, hearing };
            }
        }
    }

    /// Our owner stops reading, or starts again. If a peer seems not to answer, but nobody was reading, its wait starts
    /// once more; messages before its Close are then skipped, so that nothing keeps us from reading the Close.
    pub fn set_reading(&mut self, now: Instant, reading: bool) {
        self.at(now);
        self.reading = reading;
        if let State::Sent(Wait::Peer { hearing: hearing @ Hearing::All, .. }) = &mut self.state {
            if !reading {
                *hearing = Hearing::Gaps;
            }
        }
    }

    /// This process did not run, or the machine slept, for this long until now. Report it before the bytes that were
    /// found afterwards.
    ///
    /// Data in the queue was not offered during that time, so the transport's wait starts again. It does so only once
    /// until the transport accepts something; otherwise a process that is always late would never reach an end.
    pub fn handle_stalled(&mut self, now: Instant, lasted: Duration) {
        let now = self.at(now);
        if self.is_over() {
            return;
        }
        self.traffic.handle_stalled(now, lasted);
        if let State::Sent(wait) | State::Both(wait) = &mut self.state {
            if !replace(&mut self.is_spared, true) {
                wait.restart(now);
            }
        }
    }

    /// The transport ended. Only the first report counts, except that a failed write may be followed by what reading on
    /// finds.
    pub fn handle_end(&mut self, now: Instant, end: End) {
        let now = self.at(now);
        match (&self.state, end) {
            (State::Open, write) if write.is_write_failure() => {
                let idle = self.traffic.idle(now);
                self.state = State::Drain { since: now, idle, write, skips: false };
            }
            (State::Drain { .. }, end) if end.is_write_failure() => {}
            (&State::Drain { idle, write, .. }, end) => {
                self.finish(now, Cause::Drained { idle, end: write.then(end) });
            }
            _ => self.finish(now, Cause::End(end)),
        }
    }
}
