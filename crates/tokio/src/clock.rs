//! Reads the clock for a core that has none.

use std::time::Duration;

use bowline_core::Instant;
use tokio::time;

/// The longest time for which a timer is set, if the deadline is beyond what the machine's clock can express: about 30
/// years.
const FAR: Duration = Duration::from_secs(1_000_000_000);

/// Converts tokio's time into the core's time, and back.
///
/// All machines that work together (a session and its successive connections) must be given the time of the same clock,
/// so it is `Copy`: start one, and pass it on. In a test with paused time it stands still too.
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
        // Adding fails only if the machine's clock cannot express so late a time.
        self.start.checked_add(soon).unwrap_or(self.start)
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
}
