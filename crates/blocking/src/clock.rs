//! Reads the clock for a core that has none.

use std::time::{self, Duration};

use bowline_core::Instant;

/// The farthest a deadline is set, if it is beyond what the machine's clock can express: about 30 years.
const FAR: Duration = Duration::from_secs(1_000_000_000);

/// Converts the system's time into the core's time, and back.
///
/// All machines that work together must be given the time of the same clock, so it is `Copy`: start one, and pass it
/// on.
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

    /// What this clock shows, or showed, at an instant of the system's; zero if that was before the start.
    pub fn at(&self, instant: time::Instant) -> Instant {
        Instant::from(instant.saturating_duration_since(self.start))
    }

    /// When this clock shows `instant`, in the time of the system; at the latest some 30 years after the start.
    pub fn deadline(&self, instant: Instant) -> time::Instant {
        let soon = instant.since_start().min(FAR);
        // Adding fails only if the machine's clock cannot express so late a time.
        self.start.checked_add(soon).unwrap_or(self.start)
    }

    /// A clock that is ahead by this much.
    #[cfg(test)]
    pub(crate) fn set_forward(self, by: Duration) -> Self {
        Self { start: self.start.checked_sub(by).expect("a machine that has run for longer") }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_clock_tells_the_time_of_the_system_and_back() {
        let before = time::Instant::now();
        let clock = Clock::start();
        let later = clock.deadline(Instant::from_millis(1500));
        assert!(later >= before + Duration::from_millis(1500));
        assert_eq!(clock.at(later), Instant::from_millis(1500));
        assert_eq!(clock.at(before), Instant::ZERO, "before the start");
        assert!(clock.now() < Instant::from_millis(1500));
    }

    #[test]
    fn a_deadline_that_never_comes_is_far_away() {
        let clock = Clock::start();
        assert_eq!(clock.at(clock.deadline(Instant::MAX)), Instant::from(FAR));
    }
}
