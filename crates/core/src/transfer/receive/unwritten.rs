//! What waits for our own disk, and for how long it may.

use super::{Incoming, State};
use crate::Instant;
use crate::transfer::event::Failure;
use crate::transfer::{Code, pace};
use crate::words::Span;
use alloc::collections::VecDeque;
use alloc::format;
use core::time::Duration;

/// If a deadline is noticed this late, this process did not run, and the disk could not report what it had done.
const GRACE: Duration = Duration::from_secs(2);

/// The chunks that were given to the disk and are not written.
#[derive(Debug, Default)]
pub(super) struct Unwritten {
    /// Their end offsets.
    ends: VecDeque<u64>,
    /// Since when the disk has written none of them, if there are any.
    since: Option<Instant>,
}

impl Unwritten {
    /// How many chunks wait.
    pub(super) fn len(&self) -> usize {
        self.ends.len()
    }

    /// The disk must write a chunk that ends here.
    pub(super) fn push(&mut self, now: Instant, end: u64) {
        self.since.get_or_insert(now);
        self.ends.push_back(end);
    }

    /// The disk has written everything up to here.
    pub(super) fn handle_written(&mut self, now: Instant, upto: u64) {
        while self.ends.front().is_some_and(|end| *end <= upto) {
            self.ends.pop_front();
        }
        self.since = (!self.ends.is_empty()).then_some(now);
    }

    /// When the disk has had enough time.
    pub(super) fn deadline(&self) -> Option<Instant> {
        self.since.map(|since| since + pace::WORK)
    }

    /// How long the disk has written nothing, if that is too long.
    fn judge(&mut self, now: Instant) -> Option<Duration> {
        let (since, deadline) = (self.since?, self.deadline()?);
        if now > deadline + GRACE {
            self.since = Some(now);
            return None;
        }
        (deadline <= now).then(|| now - since)
    }
}

impl Incoming {
    /// Whether the sender can do nothing before our disk has written something.
    pub(super) fn is_backed_up(&self) -> bool {
        let may_send = self.received < self.credit && self.fin.is_none();
        self.unwritten.len() > 0 && !may_send && !self.pauses.halt.is_on()
    }

    /// The failure of a disk that has written nothing for too long.
    pub(super) fn judge_disk(&mut self, now: Instant) -> Option<Failure> {
        let State::Receiving = self.state else { return None };
        let waited = Span(self.unwritten.judge(now)?);
        let waiting = self.received - self.written;
        let text = format!(
            "the receiver's disk has taken nothing for {waited}, and {waiting} bytes are waiting for it"
        );
        Some(Failure::local(Code::StoreFailed, text))
    }
}
