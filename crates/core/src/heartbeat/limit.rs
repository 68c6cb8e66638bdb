//! Protection from a peer that pings too often.

use crate::Instant;
use core::time::Duration;

/// How many early pings in a row are forgiven: a stalled path delivers two at once that were sent in time.
const STRIKES: u8 = 2;

/// Counts pings that arrive sooner than a server allows, and says when there are too many.
///
/// The first two early pings in a row are forgiven; on the third, close with 1008 and the reason "too many pings". A
/// ping that keeps its distance resets the count. Choose a distance well below the interval at which clients ping, or a
/// client with a fast clock will look like an offender.
///
/// ```
/// use bowline_core::Instant;
/// use bowline_core::heartbeat::PingLimit;
/// use core::time::Duration;
///
/// let mut limit = PingLimit::new(Duration::from_secs(5));
/// let early = [0, 1, 2].map(|secs| limit.handle_ping(Instant::from_secs(secs)));
/// assert_eq!(early, [true, true, true]);
/// assert!(!limit.handle_ping(Instant::from_secs(3)));
/// ```
#[derive(Clone, Copy, Debug)]
pub struct PingLimit {
    distance: Duration,
    last: Option<Instant>,
    strikes: u8,
}

impl PingLimit {
    /// A limit that requires this distance between two pings.
    pub fn new(distance: Duration) -> Self {
        Self { distance, last: None, strikes: 0 }
    }

    /// A Ping came. Returns whether that is acceptable.
    pub fn handle_ping(&mut self, now: Instant) -> bool {
        let is_early = self.last.is_some_and(|last| now - last < self.distance);
        self.last = self.last.max(Some(now));
        self.strikes = if is_early { self.strikes.saturating_add(1) } else { 0 };
        self.strikes <= STRIKES
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verdicts<const N: usize>(millis: [u64; N]) -> [bool; N] {
        let mut limit = PingLimit::new(Duration::from_secs(10));
        millis.map(|millis| limit.handle_ping(Instant::from_millis(millis)))
    }

    #[test]
    fn pings_at_exactly_the_minimum_interval_are_always_accepted() {
        assert_eq!(verdicts([3, 10_003, 20_003, 30_003, 40_003]), [true; 5]);
    }

    #[test]
    fn the_third_early_ping_in_a_row_is_one_too_many() {
        assert_eq!(verdicts([0, 9999, 19_998, 29_997, 29_998]), [true, true, true, false, false]);
    }

    #[test]
    fn a_ping_in_time_forgives_the_early_ones() {
        assert_eq!(
            verdicts([0, 1, 2, 10_002, 10_003, 10_004, 10_005]),
            [true, true, true, true, true, true, false]
        );
    }

    #[test]
    fn a_clock_that_steps_back_gains_no_time() {
        assert_eq!(verdicts([20_000, 0, 25_000, 26_000]), [true, true, true, false]);
    }
}
