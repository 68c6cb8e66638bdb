//! Reading a clock for a core that has none.

use std::time;

use bowline_core::Instant;

/// Turns the time of the system into the time of the core.
///
/// All machines that meet must be told the time of the same clock, so it is `Copy`: start one, and hand it on.
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
        Instant::from(self.start.elapsed())
    }
}
