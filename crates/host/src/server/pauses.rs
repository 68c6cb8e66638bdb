//! What the application of a server has paused, and for how long that is remembered.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, SystemTime};

use bowline_core::transfer::TransferId;

/// Pauses outlive links. The pause of a transfer that nobody continues is kept for as long as its file would be.
#[derive(Debug, Default)]
pub(super) struct Pauses {
    /// `None`: for ever.
    keep: Option<Duration>,
    /// When each was paused, or last seen.
    since: BTreeMap<TransferId, SystemTime>,
    /// The same in the order in which they expire.
    ages: BTreeSet<(SystemTime, TransferId)>,
}

impl Pauses {
    pub(super) fn new(keep: Option<Duration>) -> Self {
        Self { keep, ..Self::default() }
    }

    /// This transfer is paused. Expired pauses make room.
    pub(super) fn insert(&mut self, now: SystemTime, id: TransferId) {
        self.remove(id);
        while let Some((since, old)) =
            self.ages.first().copied().filter(|(since, _)| self.is_over(now, *since))
        {
            self.ages.remove(&(since, old));
            self.since.remove(&old);
        }
        self.since.insert(id, now);
        self.ages.insert((now, id));
    }

    /// It has ended, or was resumed.
    pub(super) fn remove(&mut self, id: TransferId) {
        if let Some(since) = self.since.remove(&id) {
            self.ages.remove(&(since, id));
        }
    }

    /// Its client is connected. Returns whether it is paused.
    pub(super) fn handle_seen(&mut self, now: SystemTime, id: TransferId) -> bool {
        let is_paused = self.since.get(&id).is_some_and(|since| !self.is_over(now, *since));
        if is_paused {
            self.insert(now, id);
        }
        is_paused
    }

    fn is_over(&self, now: SystemTime, since: SystemTime) -> bool {
        // A clock that was set back makes nothing expire.
        self.keep.is_some_and(|keep| now.duration_since(since).is_ok_and(|age| age >= keep))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::UNIX_EPOCH;

    const DAY: Duration = Duration::from_secs(24 * 3600);

    fn id(n: u8) -> TransferId {
        TransferId::from_bytes([n; 16])
    }

    fn day(n: u32) -> SystemTime {
        UNIX_EPOCH + n * DAY
    }

    #[test]
    fn a_pause_of_a_transfer_that_never_comes_back_is_forgotten() {
        let mut pauses = Pauses::new(Some(7 * DAY));
        for n in 1..=100 {
            pauses.insert(day(n), id(n as u8));
        }
        assert!(!pauses.handle_seen(day(100), id(93)) && pauses.handle_seen(day(100), id(94)));
        assert_eq!((pauses.since.len(), pauses.ages.len()), (7, 7), "the others take no memory");
    }

    #[test]
    fn a_pause_of_a_transfer_that_comes_back_lasts() {
        let mut pauses = Pauses::new(Some(7 * DAY));
        pauses.insert(day(1), id(1));
        assert!([7, 13, 19].into_iter().all(|n| pauses.handle_seen(day(n), id(1))));
        pauses.remove(id(1));
        assert!(!pauses.handle_seen(day(19), id(1)));
        assert!(pauses.since.is_empty() && pauses.ages.is_empty());
    }

    #[test]
    fn a_pause_lasts_if_files_never_expire_or_the_clock_is_set_back() {
        let mut pauses = Pauses::new(None);
        pauses.insert(day(1), id(1));
        assert!(pauses.handle_seen(day(9999), id(1)));
        let mut pauses = Pauses::new(Some(DAY));
        pauses.insert(day(9), id(1));
        assert!(pauses.handle_seen(day(1), id(1)));
        assert!(!pauses.handle_seen(day(2), id(1)));
    }
}
