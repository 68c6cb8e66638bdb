//! How [`Mode::Explore`](super::Mode::Explore) chooses what to try.

use super::path::Path;
use core::time::Duration;

/// How often an interval must be survived before it counts as proven: a path may be lenient once.
const SURVIVALS: u8 = 3;

/// Longer intervals are not tried: beyond this the cost of a ping cannot be measured.
const CAP: Duration = Duration::from_secs(300);

/// After an attempt that cost a connection, there is none for this many seconds.
const PAUSE: u64 = 3600;

/// The state of the search.
#[derive(Clone, Copy, Debug)]
pub(super) struct Explore {
    trial: Duration,
    survivals: u8,
    /// When an attempt last cost a connection.
    failed: Option<u64>,
}

impl Explore {
    pub(super) fn new(path: &Path, start: Duration) -> Self {
        let mut explore = Self { trial: start, survivals: 0, failed: None };
        explore.aim(path, start);
        explore
    }

    /// Chooses an interval to try that agrees with what is known.
    pub(super) fn aim(&mut self, path: &Path, start: Duration) {
        let trial = match (path.lo(), path.hi(), path.calm()) {
            (Some(lo), Some(hi), _) if hi.saturating_sub(lo) > hi / 10 => lo + hi.saturating_sub(lo) / 2,
            (_, _, Some(calm)) => calm,
            // It has grown already, or an earlier run has survived it.
            (lo, ..) => self.trial.max(lo.unwrap_or_default()).max(start),
        };
        let trial = trial.min(CAP.max(start));
        if trial != self.trial {
            (self.trial, self.survivals) = (trial, 0);
        }
    }

    pub(super) fn handle_survived(&mut self, path: &Path, start: Duration, silence: Duration) {
        // A heartbeat may be up to a tenth faster than asked.
        if silence < self.trial / 10 * 9 {
            return;
        }
        self.survivals += 1;
        if self.survivals < SURVIVALS {
            return;
        }
        self.survivals = 0;
        if path.hi().is_none() {
            self.trial = self.trial.saturating_mul(3) / 2;
        }
        self.aim(path, start);
    }

    pub(super) fn handle_failed(&mut self, unix: u64, path: &Path, start: Duration) {
        self.failed = Some(unix);
        if path.hi().is_none() {
            self.trial = start;
        }
        self.aim(path, start);
    }

    /// The interval to use: the one being tried, unless this is not the time for it.
    pub(super) fn interval(&self, path: &Path, start: Duration, busy: bool, unix: u64) -> Duration {
        let pauses = self.failed.is_some_and(|at| unix.saturating_sub(at) < PAUSE);
        if !pauses && !busy {
            return self.trial;
        }
        let calm = path.calm().unwrap_or_else(|| start.max(path.proven().unwrap_or_default()));
        calm.min(self.trial)
    }
}
