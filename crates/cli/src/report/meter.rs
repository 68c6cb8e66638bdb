//! How fast it goes, as seen over the last seconds.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// What is looked back upon: long enough to be calm, short enough to follow.
const WINDOW: Duration = Duration::from_secs(5);

/// Measures a rate.
#[derive(Debug)]
pub(crate) struct Meter {
    /// When how many bytes had moved, oldest first; never empty.
    samples: VecDeque<(Instant, u64)>,
}

impl Meter {
    pub(crate) fn new(now: Instant) -> Self {
        Self { samples: VecDeque::from([(now, 0)]) }
    }

    /// So many bytes more have moved.
    pub(crate) fn note(&mut self, now: Instant, bytes: u64) {
        let last = self.samples.back().map_or(0, |(_, total)| *total);
        self.samples.push_back((now, last + bytes));
        // One sample at or before the edge of the window stays, so that the window is always full.
        while self.samples.get(1).is_some_and(|(at, _)| now.saturating_duration_since(*at) >= WINDOW) {
            self.samples.pop_front();
        }
    }

    /// Bytes a second.
    pub(crate) fn rate(&self) -> f64 {
        let (Some((from, first)), Some((to, last))) = (self.samples.front(), self.samples.back()) else {
            return 0.0;
        };
        let time = to.saturating_duration_since(*from).as_secs_f64();
        if time > 0.0 { (last - first) as f64 / time } else { 0.0 }
    }

    /// How long so many bytes will take; `None` if nothing moves.
    pub(crate) fn time_for(&self, bytes: u64) -> Option<Duration> {
        let rate = self.rate();
        if rate < 1.0 { None } else { Duration::try_from_secs_f64(bytes as f64 / rate).ok() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_steady_flow_has_its_rate() {
        let start = Instant::now();
        let mut meter = Meter::new(start);
        for tick in 1..=100 {
            meter.note(start + Duration::from_millis(100 * tick), 1000);
        }
        assert!((meter.rate() - 10_000.0).abs() < 1.0);
        assert_eq!(meter.time_for(20_000), Some(Duration::from_secs(2)));
        assert!(meter.samples.len() <= 52);
    }

    #[test]
    fn what_was_long_ago_is_forgotten() {
        let start = Instant::now();
        let mut meter = Meter::new(start);
        meter.note(start + Duration::from_secs(1), 1_000_000);
        meter.note(start + Duration::from_secs(7), 0);
        meter.note(start + Duration::from_secs(8), 0);
        assert_eq!(meter.time_for(1), None);
    }
}
