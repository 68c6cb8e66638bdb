//! Until when an abandoned transfer is kept.

use crate::config::Config;
use crate::journal::{Record, State};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

impl Record {
    /// When it expires, in milliseconds since 1970; `None` if never.
    fn end(&self, config: &Config) -> Option<u64> {
        let after = |start: u64, keep: Duration| {
            start.saturating_add(keep.as_millis().try_into().unwrap_or(u64::MAX))
        };
        match self.state {
            State::Committed { .. } => {
                Some(after(self.progressed, config.keep_committed.unwrap_or_default()))
            }
            State::Open | State::Complete { .. } => {
                let idle = config.expire_after.map(|keep| after(self.progressed, keep));
                let old = config.max_age.map(|age| after(self.created, age));
                idle.into_iter().chain(old).min()
            }
        }
    }

    pub(crate) fn is_expired(&self, config: &Config, now_ms: u64) -> bool {
        self.end(config).is_some_and(|end| end <= now_ms)
    }

    /// When it expires if nothing more arrives; `None` if never.
    pub(crate) fn expires(&self, config: &Config) -> Option<SystemTime> {
        UNIX_EPOCH.checked_add(Duration::from_millis(self.end(config)?))
    }
}
