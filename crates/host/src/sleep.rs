//! Notices that the machine slept.

use std::time::{Duration, SystemTime};

/// Sleeps up to this long are left to the ordinary timers.
const SHORT_SLEEP: Duration = Duration::from_secs(10);

/// Notices that the machine slept: the wall clock advanced while the clock of the timers stood still.
///
/// Linux and macOS stop the timers' clock during sleep; where it goes on (Windows), the core sees late timers instead.
/// Setting the wall clock forward looks like a sleep too: it costs one ping, which a live peer has at least 5 s to
/// answer. A clock that is set back is ignored.
#[derive(Clone, Copy, Debug)]
pub struct SleepWatch {
    seen: Reading,
}

/// Both clocks at one moment: the real ones, even where a test controls the time.
#[derive(Clone, Copy, Debug)]
struct Reading {
    steady: std::time::Instant,
    wall: SystemTime,
}

impl SleepWatch {
    /// Watches from now on.
    pub fn start() -> Self {
        Self { seen: Reading::take() }
    }

    /// How long the machine slept since the last call, if that was more than 10 s. Call it at every wake-up.
    pub fn slept(&mut self) -> Option<Duration> {
        // Usually a look at one clock is enough.
        let passed = SystemTime::now().duration_since(self.seen.wall).unwrap_or(Duration::MAX);
        if passed > SHORT_SLEEP { self.compare(Reading::take()) } else { None }
    }

    /// Behaves as if the machine had slept for this long: for tests.
    #[doc(hidden)]
    pub fn pretend_sleep(&mut self, slept: Duration) {
        self.seen.wall -= slept;
    }

    fn compare(&mut self, reading: Reading) -> Option<Duration> {
        let before = std::mem::replace(&mut self.seen, reading);
        let awake = reading.steady.saturating_duration_since(before.steady);
        let passed = reading.wall.duration_since(before.wall).unwrap_or_default();
        Some(passed.saturating_sub(awake)).filter(|slept| *slept > SHORT_SLEEP)
    }
}

impl Reading {
    fn take() -> Self {
        Self { steady: std::time::Instant::now(), wall: SystemTime::now() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_long_sleep_counts_as_one() {
        let start = Reading::take();
        let later = |steady: u64, wall: u64| Reading {
            steady: start.steady + Duration::from_secs(steady),
            wall: start.wall + Duration::from_secs(wall),
        };
        let mut watch = SleepWatch { seen: start };

        assert_eq!(watch.compare(later(3600, 3600)), None);
        assert_eq!(watch.compare(later(3601, 3611)), None, "10 s are a short sleep");
        assert_eq!(watch.compare(later(3602, 3623)), Some(Duration::from_secs(11)));
        assert_eq!(watch.compare(later(3603, 3624)), None, "a sleep is told once");
        assert_eq!(watch.compare(later(7200, 24)), None, "the wall clock was set back");
        assert_eq!(watch.compare(later(7201, 25)), None);
    }

    #[test]
    fn a_wall_clock_set_back_does_not_hide_the_next_sleep() {
        let mut watch = SleepWatch::start();
        watch.seen.wall += Duration::from_secs(3600);
        assert_eq!(watch.slept(), None);
        watch.pretend_sleep(Duration::from_secs(60));
        assert!(watch.slept().is_some());
    }
}
