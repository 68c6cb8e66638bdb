//! How often a transfer has failed, and when to try again.

use super::event::Failure;
use super::{Code, Config};
use crate::Instant;
use core::time::Duration;

/// The longest wait for a busy peer, unless the peer asks for a longer one.
const LONGEST: Duration = Duration::from_secs(30);
/// The same for the one that [asks for all](super::places) on a link: short enough that a free place is not unused for
/// long, and one question per link in that time burdens nobody.
pub(super) const SOON: Duration = Duration::from_secs(5);

/// The failures of a transfer since its last progress.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Tries {
    failed: u32,
    busy: u32,
    /// Whether it was last put off because the peer was busy.
    is_busy: bool,
    /// When it was first put off because the peer was busy.
    busy_since: Option<Instant>,
    /// When it was first put off because a disk was full.
    full_since: Option<Instant>,
    /// The most that has ever arrived.
    most: u64,
}

impl Tries {
    /// Whether nothing has failed yet.
    pub(super) fn is_first(&self) -> bool {
        (self.failed, self.busy) == (0, 0) && self.full_since.is_none()
    }

    /// This much has arrived. Only bytes that had never arrived before are progress: a disk may let each attempt begin,
    /// and accept nothing from any.
    pub(super) fn handle_received(&mut self, received: u64) {
        if received > self.most {
            *self = Self { most: received, ..Self::default() };
        }
    }

    /// Whether it waits for a place, if it waits.
    pub(super) fn wants_place(&self) -> bool {
        self.is_busy
    }

    /// It has failed once more. Returns how long to wait before another attempt, if there should be one.
    ///
    /// A busy peer says nothing about the transfer, so that is not counted. It is tolerated for as long as a pause, at
    /// increasing intervals, or at short ones if this transfer asks for all that wait. A full disk says nothing about
    /// the transfer either, and has a time limit of its own.
    pub(super) fn again(
        &mut self,
        now: Instant,
        failure: &Failure,
        config: &Config,
        asks_for_all: bool,
    ) -> Option<Duration> {
        self.is_busy = failure.code == Code::Busy;
        if config.attempts == 0 {
            return None;
        }
        if self.is_busy {
            let longest = if asks_for_all { SOON } else { LONGEST };
            let told = failure.wait(0)?;
            let since = *self.busy_since.get_or_insert(now);
            let wait = told.saturating_mul(1 << self.busy.min(16)).min(told.max(longest));
            self.busy = self.busy.saturating_add(1);
            return (now - since < config.pause_timeout).then_some(wait);
        }
        if failure.code == Code::NoSpace {
            let told = failure.wait(0)?;
            let since = *self.full_since.get_or_insert(now);
            return (now - since < config.space_timeout).then_some(told);
        }
        let wait = failure.wait(self.failed).filter(|_| self.failed < config.attempts)?;
        self.failed += 1;
        Some(wait)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::vec;
    use std::vec::Vec;

    fn failure(code: Code, retry_after: u64) -> Failure {
        Failure { retry_after: Duration::from_secs(retry_after), ..Failure::local(code, "") }
    }

    /// How long each of `count` attempts waits, made one after the other.
    fn waits(failure: &Failure, config: &Config, count: usize) -> Vec<Option<u64>> {
        let (mut now, mut tries) = (Instant::ZERO, Tries::default());
        let mut wait = || {
            let wait = tries.again(now, failure, config, false)?;
            now += wait;
            Some(wait.as_secs())
        };
        (0..count).map(|_| wait()).collect()
    }

    #[test]
    fn a_busy_peer_is_asked_again_at_growing_intervals() {
        let expected = [1, 2, 4, 8, 16, 30, 30, 30].map(Some);
        assert_eq!(waits(&failure(Code::Busy, 1), &Config::default(), 8), expected);
        assert_eq!(waits(&failure(Code::Busy, 40), &Config::default(), 7), [Some(40); 7], "as it says");
        assert_eq!(waits(&failure(Code::Busy, 0), &Config::default(), 1), [None], "no time is known");
    }

    #[test]
    fn a_peer_that_stays_busy_for_longer_than_the_pause_timeout_is_left() {
        let config = Config { pause_timeout: Duration::from_secs(100), ..Config::default() };
        let waits = waits(&failure(Code::Busy, 20), &config, 6);
        assert_eq!(waits, vec![Some(20), Some(30), Some(30), Some(30), None, None]);
    }

    #[test]
    fn a_full_disk_is_retried_as_it_says_and_counts_as_no_attempt() {
        let config = Config { attempts: 1, space_timeout: Duration::from_secs(100), ..Config::default() };
        let waits = waits(&failure(Code::NoSpace, 30), &config, 6);
        assert_eq!(waits, vec![Some(30), Some(30), Some(30), Some(30), None, None]);
        let mut tries = Tries::default();
        tries.again(Instant::ZERO, &failure(Code::NoSpace, 30), &config, false);
        assert!(!tries.is_first());
        let none = Config { attempts: 0, ..config };
        assert_eq!(tries.again(Instant::ZERO, &failure(Code::NoSpace, 30), &none, false), None);
    }

    #[test]
    fn other_failures_count_and_nothing_is_retried_without_attempts() {
        let config = Config { attempts: 2, ..Config::default() };
        assert_eq!(waits(&failure(Code::StoreFailed, 5), &config, 3), [Some(5), Some(5), None]);
        let mut tries = Tries::default();
        for code in [Code::Busy, Code::Stalled, Code::Busy, Code::Stalled, Code::Busy] {
            assert!(tries.again(Instant::ZERO, &failure(code, 1), &config, false).is_some(), "{code}");
        }
        assert_eq!(tries.again(Instant::ZERO, &failure(Code::Stalled, 1), &config, false), None);
        let none = Config { attempts: 0, ..config };
        assert_eq!(waits(&failure(Code::Busy, 1), &none, 1), [None]);
    }
}
