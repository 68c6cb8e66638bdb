//! How slow a peer may be while it is its turn.

use super::Config;
use crate::Instant;
use core::time::Duration;

/// Over so much of its own time a peer must have brought enough.
const WINDOW: Duration = Duration::from_secs(60);
/// How long an end may say that it is at work, beside a second for each of so many bytes: a digest of all of a file on
/// a slow disk, and a disk that is busy with other things.
pub(super) const WORK: Duration = Duration::from_secs(600);
const SLOW_DISK: u64 = 4 << 20;

/// What a peer has brought in its own time: while it could do something, and we waited.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Pace {
    spent: Duration,
    /// Since when it has been the peer's turn, if it is.
    since: Option<Instant>,
    bytes: u64,
}

impl Pace {
    /// It is the peer's turn from here on, or it is not.
    pub(super) fn turn(&mut self, now: Instant, is_peers: bool) {
        match self.since {
            None if is_peers => self.since = Some(now),
            Some(since) if !is_peers => {
                self.spent += now - since;
                self.since = None;
            }
            _ => {}
        }
    }

    /// The peer has brought so much.
    pub(super) fn handle_bytes(&mut self, bytes: u64) {
        self.bytes = self.bytes.saturating_add(bytes);
    }

    /// When its time is over, if it does nothing more.
    pub(super) fn deadline(&self, config: &Config) -> Option<Instant> {
        config.min_rate?;
        Some(self.since? + WINDOW.saturating_sub(self.spent))
    }

    /// Looks at what it has brought, if its time is over, and begins again with its next [turn](Self::turn). Returns
    /// at what rate that came and at what rate it should have, if that was not enough. So many transfers share a link and
    /// its least rate.
    pub(super) fn judge(&mut self, now: Instant, config: &Config, open: usize) -> Option<(u64, u64)> {
        if self.deadline(config)? > now {
            return None;
        }
        let least = config.min_rate?.saturating_mul(WINDOW.as_secs()) / open.max(1) as u64;
        let bytes = self.bytes;
        *self = Self::default();
        let window = WINDOW.as_secs();
        // Rounded so that what was not enough does not look as if it were.
        (bytes < least).then_some((bytes / window, least.div_ceil(window)))
    }
}

/// How long an end of a transfer may be at work on its digest and its disk: of this length, or so far.
pub(super) fn longest_work(length: u64) -> Duration {
    WORK + Duration::from_secs(length / SLOW_DISK)
}
