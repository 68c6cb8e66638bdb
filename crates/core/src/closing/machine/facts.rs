//! What becomes of the bytes, of the transport, and of the process itself.

use super::{Cause, Closing, End, Hearing, State, Wait};
use crate::Instant;
use core::mem::replace;
use core::time::Duration;

impl Closing {
    /// Bytes came in, of any kind.
    pub fn handle_received(&mut self, now: Instant) {
        let now = self.at(now);
        if !self.is_over() {
            self.traffic.handle_received(now);
        }
    }

    /// A Pong answered a ping of ours that had left at `left`: a stall before that was survived, and explains no end.
    pub fn handle_answered(&mut self, now: Instant, left: Instant) {
        self.at(now);
        self.traffic.handle_answered(left);
    }

    /// The transport accepted `n` bytes.
    pub fn handle_sent(&mut self, now: Instant, n: usize) {
        let now = self.at(now);
        if !self.is_over() {
            // Who must not trickle for ever gets its time once more, and no more often.
            if self.is_spared {
                self.is_spared = !self.state.is_talking(self.failed.is_some());
            }
            self.traffic.handle_sent(now, n);
        }
    }

    /// Whether the peer has something to say to what we have sent: while it has, nobody is silent for having nothing to say.
    pub fn set_awaiting(&mut self, now: Instant, awaiting: bool) {
        let now = self.at(now);
        self.traffic.set_awaiting(now, awaiting);
    }

    /// The transport takes no more bytes for the time being.
    pub fn handle_blocked(&mut self, now: Instant) {
        let now = self.at(now);
        if !self.is_over() {
            self.traffic.handle_blocked(now);
        }
    }

    /// Our Close frame has left: the transport accepted its last byte. `drain_rate` is how many bytes a second it has been
    /// seen to get rid of, if that is known: the Close is under way for as long as all that it holds before that.
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

    /// Our owner stops reading, or begins again. A peer that did not seem to answer while nobody read gets its time once
    /// more, and the messages before its Close are skipped then, so that nothing keeps us from reading it.
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
    /// What waits to be written was not offered meanwhile, so that the transport gets its time once more: not twice without
    /// taking anything, or whoever is always late would never come to an end.
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

    /// The transport ended. Only the first report counts, except that a failed write is followed by what reading on
    /// finds.
    pub fn handle_end(&mut self, now: Instant, end: End) {
        let now = self.at(now);
        match (&self.state, end) {
            (State::Open, End::WriteFailed) => {
                self.state = State::Drain { since: now, idle: self.traffic.idle(now), skips: false };
            }
            (State::Drain { .. }, End::WriteFailed) => {}
            (State::Drain { idle, .. }, end) => {
                // Whoever does not read on drops a transport that had failed before.
                let then = (!end.is_ours()).then_some(end);
                self.finish(now, Cause::Drained { idle: *idle, then });
            }
            _ => self.finish(now, Cause::End(end)),
        }
    }
}
