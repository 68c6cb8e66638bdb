//! The time as the caller has told it, going on.

use crate::fault;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// The caller's time, going on.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Clock {
    told: SystemTime,
    since: Instant,
    /// What the time of day was when it was told.
    read: SystemTime,
}

/// By how much the time of day must run ahead before it was set: what it is slewed by is less.
const STEP: Duration = Duration::from_secs(1);

impl Clock {
    pub(crate) fn started(now: SystemTime) -> Self {
        Self { told: now, since: Instant::now(), read: fault::time_of_day() }
    }

    /// Milliseconds since 1970.
    pub(crate) fn millis(&self) -> u64 {
        millis(self.told).saturating_add(fault::elapsed(self.since).as_millis() as u64)
    }

    /// Goes on from the time of day if that was set forward, or ran on while the machine slept. Returns by how many
    /// milliseconds. One that was set back is not followed: dates in the future expire nothing.
    pub(crate) fn catch_up(&mut self) -> u64 {
        // In this order, so that a pause in between cannot be taken for a step.
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
