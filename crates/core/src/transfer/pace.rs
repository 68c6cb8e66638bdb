//! How slow a peer may be while it is its turn.

use super::Config;
use crate::Instant;
use core::time::Duration;

/// The length of its own time over which a peer must have delivered enough.
const WINDOW: Duration = Duration::from_secs(60);
/// How long an end may say that it is at work, besides a second for each `SLOW_DISK` bytes: it may compute the digest
/// of a file on a slow disk that is busy with other things.
pub(super) const WORK: Duration = Duration::from_secs(600);
const SLOW_DISK: u64 = 4 << 20;

/// What a peer has delivered in its own time: while it could act, and we waited.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Pace {
    spent: Duration,
    /// Since when it has been the peer's turn, if it is.
    since: Option<Instant>,
    bytes: u64,
}

impl Pace {
    /// Says whether it is the peer's turn from here on.
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

    /// The peer has delivered this much.
    pub(super) fn handle_bytes(&mut self, bytes: u64) {
        self.bytes = self.bytes.saturating_add(bytes);
    }

    /// When its time is over, if nothing changes.
    pub(super) fn deadline(&self, config: &Config) -> Option<Instant> {
        config.min_rate?;
        Some(self.since? + WINDOW.saturating_sub(self.spent))
    }

    /// Checks what it has delivered once its time is over, and starts again with its next [turn](Self::turn). If that
    /// was not enough, returns the actual and the required rate. The `open` transfers share the link and its least
    /// rate.
    pub(super) fn judge(&mut self, now: Instant, config: &Config, open: usize) -> Option<(u64, u64)> {
        if self.deadline(config)? > now {
            return None;
        }
        let least = config.min_rate?.saturating_mul(WINDOW.as_secs()) / open.max(1) as u64;
        let bytes = self.bytes;
        *self = Self::default();
        let window = WINDOW.as_secs();
        // Rounded so that a rate that was too low does not look sufficient.
        (bytes < least).then_some((bytes / window, least.div_ceil(window)))
    }
}

/// How long an end of a transfer may be at work on its digest and its disk, for this many bytes.
pub(super) fn longest_work(length: u64) -> Duration {
    WORK + Duration::from_secs(length / SLOW_DISK)
}
