//! What a client has left to send, and how long it waits for the answer.

use std::time::Duration;

use bowline_core::Instant;
use bytes::{Buf, Bytes};

/// How long to wait for the rest of an invalid answer, only to show it, and for the start of an answer from a peer that
/// no longer accepts anything.
const LINGER: Duration = Duration::from_secs(1);

/// A request being sent.
#[derive(Debug)]
pub(crate) struct Question {
    timeout: Duration,
    started: Instant,
    /// The latest time passed in: if time steps back, it stands still.
    clock: Instant,
    output: Bytes,
    /// When a write failed. The peer's answer may still be readable.
    broken: Option<Instant>,
}

impl Question {
    /// Sent from `now` on, to be answered within this time.
    pub(crate) fn new(output: impl Into<Bytes>, timeout: Duration, now: Instant) -> Self {
        Self { timeout, started: now, clock: now, output: output.into(), broken: None }
    }

    /// The current time, given this one.
    pub(crate) fn tick(&mut self, now: Instant) -> Instant {
        self.clock = self.clock.max(now);
        self.clock
    }

    /// The transport accepted the first `n` bytes of [`output`](Self::output).
    pub(crate) fn handle_written(&mut self, now: Instant, n: usize) {
        self.tick(now);
        self.output.advance(n.min(self.output.len()));
    }

    /// The transport no longer accepts anything.
    pub(crate) fn handle_write_failed(&mut self, now: Instant) {
        let now = self.tick(now);
        self.broken.get_or_insert(now);
    }

    /// Sends this next.
    pub(crate) fn say(&mut self, words: &[u8]) {
        self.output = [&self.output[..], words].concat().into();
    }

    /// What the transport can still accept.
    pub(crate) fn output(&self) -> &[u8] {
        if self.broken.is_some() { &[] } else { &self.output }
    }

    /// How many bytes have not left, whether or not they still can.
    pub(crate) fn left(&self) -> usize {
        self.output.len()
    }

    pub(crate) fn is_broken(&self) -> bool {
        self.broken.is_some()
    }

    pub(crate) fn timeout(&self) -> Duration {
        self.timeout
    }

    /// When the time for an answer is over.
    pub(crate) fn due(&self) -> Instant {
        self.started + self.timeout
    }

    /// When the time for the start of an answer is over.
    pub(crate) fn first_due(&self) -> Instant {
        self.broken.map_or(self.due(), |since| self.rest_due(since))
    }

    /// When the time is over for the rest of an answer that began at `since`.
    pub(crate) fn rest_due(&self, since: Instant) -> Instant {
        self.due().min(since + LINGER)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(secs: u64) -> Instant {
        Instant::from_secs(secs)
    }

    fn question() -> Question {
        Question::new(&b"what?"[..], Duration::from_secs(10), at(1))
    }

    #[test]
    fn queued_bytes_leave_in_order() {
        let mut question = question();
        question.handle_written(at(2), 4);
        question.say(b" and who?");
        assert_eq!(question.output(), b"? and who?");
        question.handle_written(at(2), 1000);
        assert_eq!((question.output(), question.left()), (&b""[..], 0));
    }

    #[test]
    fn a_clock_that_steps_back_stands_still() {
        let mut question = question();
        assert_eq!((question.tick(at(5)), question.tick(at(3))), (at(5), at(5)));
        question.handle_write_failed(at(4));
        assert_eq!(question.first_due(), at(6));
    }

    #[test]
    fn a_peer_that_takes_nothing_has_a_second_within_the_overall_limit() {
        let mut question = question();
        assert_eq!((question.first_due(), question.due()), (at(11), at(11)));
        question.handle_write_failed(at(3));
        question.handle_write_failed(at(8));
        assert!(question.is_broken() && question.output().is_empty() && question.left() == 5);
        assert_eq!((question.first_due(), question.due()), (at(4), at(11)), "the first failure counts");
        assert_eq!((question.rest_due(at(7)), question.rest_due(at(10))), (at(8), at(11)));
    }
}
