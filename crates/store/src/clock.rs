//! The time that the caller passed in, kept running.

use crate::fault;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// The caller's time, kept running.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Clock {
    told: SystemTime,
    since: Instant,
    /// The time of day when it was passed in.
    read: SystemTime,
}

/// The time of day was set if it runs ahead by at least this much; slewing adds less.
const STEP: Duration = Duration::from_secs(1);

impl Clock {
    pub(crate) fn started(now: SystemTime) -> Self {
        Self { told: now, since: Instant::now(), read: fault::time_of_day() }
    }

    /// Milliseconds since 1970.
    pub(crate) fn millis(&self) -> u64 {
        millis(self.told).saturating_add(fault::elapsed(self.since).as_millis() as u64)
    }

    /// Follows the time of day if that was set forward, or went on while the machine slept. Returns by how many
    /// milliseconds. A clock that was set back is not followed: dates in the future expire nothing.
    pub(crate) fn catch_up(&mut self) -> u64 {
        // Read in this order, so that a pause in between is not taken for a step.
        let went = fault::time_of_day().duration_since(self.read).unwrap_or(Duration::ZERO);
        let ahead = went.saturating_sub(fault::elapsed(self.since));
        let (false, Some(now)) = (ahead < STEP, self.told.checked_add(went)) else { return 0 };
        *self = Self::started(now);
        ahead.as_millis() as u64
    }
}

/// Milliseconds since 1970.
pub(crate) fn millis(time: SystemTime) -> u64 {
    time.duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO).as_millis() as u64
}
