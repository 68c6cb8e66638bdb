//! Reading clocks for a core that has none.

use std::time::{Duration, SystemTime};

use bowline_core::Instant;
use tokio::time;

/// The farthest a timer is set, where a deadline is farther than the clock of the machine can tell: some 30 years.
const FAR: Duration = Duration::from_secs(1_000_000_000);

/// Sleeps up to this are left to the ordinary timers.
const SHORT_SLEEP: Duration = Duration::from_secs(10);

/// Turns the time of tokio into the time of the core, and back.
///
/// All machines that meet (a session and its connections, one after the other) must be told the time of the same
/// clock, so it is `Copy`: start one, and hand it on. In a test with paused time it stands still with the others.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    start: time::Instant,
}

impl Clock {
    /// A clock that starts now.
    pub fn start() -> Self {
        Self { start: time::Instant::now() }
    }

    /// The time since the start.
    pub fn now(&self) -> Instant {
        self.at(time::Instant::now())
    }

    /// What this clock shows, or showed, at an instant of tokio's; zero if that was before the start.
    pub fn at(&self, instant: time::Instant) -> Instant {
        Instant::from(instant.saturating_duration_since(self.start))
    }

    /// When this clock shows `instant`, for a timer of tokio's; at the latest some 30 years after the start.
    pub fn deadline(&self, instant: Instant) -> time::Instant {
        let soon = instant.since_start().min(FAR);
        // Adding fails only where the clock of the machine cannot tell so late a time.
        self.start.checked_add(soon).unwrap_or(self.start)
    }
}

/// Notices that the machine slept: the wall clock went on while the clock that timers run by stood still.
///
/// Linux and macOS stop that clock in sleep; where it goes on (Windows), the core sees timers that fire late instead.
/// Somebody who sets the wall clock forward looks like a sleep, too, which costs no more than one ping. Time set back
/// is ignored.
#[derive(Clone, Copy, Debug)]
pub struct SleepWatch {
    seen: Reading,
}

/// Both clocks at one moment. Real ones, also where a test holds the time of tokio.
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
        // Mostly one look at one clock is enough.
        let passed = SystemTime::now().duration_since(self.seen.wall).unwrap_or(Duration::MAX);
        if passed > SHORT_SLEEP { self.compare(Reading::take()) } else { None }
    }

    /// As if the machine had slept for so long.
    #[cfg(test)]
    pub(crate) fn pretend_sleep(&mut self, slept: Duration) {
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

    #[tokio::test(start_paused = true)]
    async fn the_clock_follows_the_time_of_tokio() {
        let before = time::Instant::now();
        time::advance(Duration::from_secs(1)).await;
        let clock = Clock::start();
        assert_eq!(clock.now(), Instant::ZERO);
        assert_eq!(clock.at(before), Instant::ZERO);

        time::advance(Duration::from_millis(1500)).await;
        assert_eq!(clock.now(), Instant::from_millis(1500));
        assert_eq!(clock.deadline(clock.now()), time::Instant::now());
    }

    #[tokio::test(start_paused = true)]
    async fn a_deadline_that_never_comes_is_far_away() {
        let clock = Clock::start();
        let far = clock.deadline(Instant::MAX);
        assert_eq!(far - time::Instant::now(), FAR);
    }

    #[test]
    fn only_a_long_sleep_is_one() {
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
