//! Life is not progress: a peer that trickles a message for ever occupies a place that others need.

use crate::Instant;
use core::time::Duration;

/// How long a message may be slower than the least rate: radio links pause.
const PATIENCE: Duration = Duration::from_secs(10);
/// A deadline missed by more than this was missed by us, and is set again.
const GRACE: Duration = Duration::from_secs(2);

/// Watches over the message that is being received.
#[derive(Debug)]
pub(super) struct Pace {
    /// The time limit from the first byte of a message to its last.
    longest: Option<Duration>,
    /// The least rate, in bytes per second.
    slowest: Option<u64>,
    message: Option<Begun>,
}

#[derive(Clone, Copy, Debug)]
struct Begun {
    since: Instant,
    /// How many bytes of the message had arrived at `since`, and how many have now.
    before: u64,
    bytes: u64,
}

impl Pace {
    pub(super) fn new(longest: Option<Duration>, slowest: Option<u64>) -> Self {
        Self { longest, slowest, message: None }
    }

    /// Bytes arrived. `bytes` is how many there are of an incomplete message; `is_new` says whether they also completed
    /// an earlier one.
    pub(super) fn handle_received(&mut self, now: Instant, bytes: Option<u64>, is_new: bool) {
        self.message = bytes.map(|bytes| match self.message {
            Some(begun) if !is_new => Begun { bytes, ..begun },
            _ => Begun { since: now, before: 0, bytes },
        });
    }

    /// Reading has started again after a pause: while we did not read, the peer was not late.
    pub(super) fn restart(&mut self, now: Instant) {
        if let Some(begun) = &mut self.message {
            *begun = Begun { since: now, before: begun.bytes, ..*begun };
        }
    }

    /// Whether the message is too slow.
    pub(super) fn handle_timeout(&mut self, now: Instant) -> bool {
        match self.poll_timeout() {
            Some(deadline) if now - deadline > GRACE => {
                self.restart(now);
                false
            }
            Some(deadline) => deadline <= now,
            None => false,
        }
    }

    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        let begun = self.message?;
        let whole = self.longest.map(|longest| begun.since + longest);
        let slow = self.slowest.map(|rate| {
            let bytes = begun.bytes.saturating_sub(begun.before);
            let millis = bytes.saturating_mul(1000) / rate.max(1);
            begun.since + PATIENCE + Duration::from_millis(millis)
        });
        crate::time::earliest(whole, slow)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(secs: u64) -> Instant {
        Instant::from_secs(secs)
    }

    #[test]
    fn without_limits_there_is_no_deadline() {
        let mut pace = Pace::new(None, None);
        pace.handle_received(at(0), Some(1), true);
        assert_eq!(pace.poll_timeout(), None);
    }

    #[test]
    fn a_message_must_end_in_time() {
        let mut pace = Pace::new(Some(Duration::from_secs(60)), None);
        pace.handle_received(at(5), Some(10), false);
        pace.handle_received(at(64), Some(20), false);
        assert!(!pace.handle_timeout(at(64)));
        assert_eq!(pace.poll_timeout(), Some(at(65)));
        assert!(pace.handle_timeout(at(65)));
        pace.handle_received(at(65), None, true);
        assert_eq!(pace.poll_timeout(), None);
    }

    #[test]
    fn each_byte_buys_time() {
        let mut pace = Pace::new(None, Some(1000));
        pace.handle_received(at(0), Some(1000), false);
        assert_eq!(pace.poll_timeout(), Some(at(11)));
        pace.handle_received(at(1), Some(3000), false);
        assert_eq!(pace.poll_timeout(), Some(at(13)));
        pace.handle_received(at(2), Some(1000), true);
        assert_eq!(pace.poll_timeout(), Some(at(13)));
    }

    #[test]
    fn our_own_delay_does_not_count_against_the_peer() {
        let mut pace = Pace::new(Some(Duration::from_secs(60)), Some(1));
        pace.handle_received(at(0), Some(1000), false);
        assert!(!pace.handle_timeout(at(100)));
        assert_eq!(pace.poll_timeout(), Some(at(110)));
        pace.handle_received(at(105), Some(1007), false);
        assert_eq!(pace.poll_timeout(), Some(at(117)));
        pace.restart(at(116));
        assert_eq!(pace.poll_timeout(), Some(at(126)));
    }
}
