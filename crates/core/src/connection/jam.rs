//! A transport that accepts nothing for so long that the application should know.

use crate::Instant;
use core::time::Duration;

/// A busy transport is full many times a second; a jam that lasts this long is not ordinary back-pressure.
pub(super) const LASTING: Duration = Duration::from_secs(1);

#[derive(Debug, Default)]
pub(super) struct Jam {
    since: Option<Instant>,
    /// Since when the jam counts against the peer.
    counted: Instant,
    /// Whether the peer was given its time once more.
    is_spared: bool,
    /// Whether it was reported to the application.
    is_told: bool,
}

/// A jam that is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Over {
    pub(super) lasted: Duration,
    /// Whether it was reported to the application.
    pub(super) was_told: bool,
}

impl Jam {
    /// The transport accepts no more.
    pub(super) fn handle_blocked(&mut self, now: Instant) {
        if self.since.is_none() {
            *self = Self { since: Some(now), counted: now, ..Self::default() };
        }
    }

    /// The transport accepted something. Returns the jam that this ended, if it had lasted.
    #[inline]
    pub(super) fn handle_written(&mut self, now: Instant) -> Option<Over> {
        let since = self.since?;
        let jam = core::mem::take(self);
        let lasted = now - since;
        (lasted >= LASTING).then_some(Over { lasted, was_told: jam.is_told })
    }

    /// How long the jam has lasted, if it is time to report it.
    pub(super) fn handle_timeout(&mut self, now: Instant) -> Option<Duration> {
        let since = self.since.filter(|_| self.poll_timeout().is_some_and(|due| due <= now))?;
        self.is_told = true;
        Some(now - since)
    }

    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        self.since.filter(|_| !self.is_told).map(|since| since + LASTING).filter(|due| *due < Instant::MAX)
    }

    /// This process did not run, so nothing was offered that could have been accepted: the peer gets its time once
    /// more, but only once. Otherwise a process that is always late would wait for ever.
    pub(super) fn handle_stalled(&mut self, now: Instant) {
        if !core::mem::replace(&mut self.is_spared, true) {
            self.counted = now;
        }
    }

    /// When the peer has had this long.
    pub(super) fn deadline(&self, limit: Duration) -> Option<Instant> {
        self.since.map(|_| self.counted + limit)
    }

    /// Since when the transport has accepted nothing, if that has lasted.
    pub(super) fn lasting(&self, now: Instant) -> Option<Instant> {
        self.since.filter(|since| now - *since >= LASTING)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: u64) -> Instant {
        Instant::from_millis(millis)
    }

    #[test]
    fn a_momentary_jam_is_not_reported() {
        let mut jam = Jam::default();
        jam.handle_blocked(at(100));
        assert_eq!(jam.poll_timeout(), Some(at(1100)));
        assert_eq!(jam.handle_timeout(at(1099)), None);
        assert_eq!(jam.handle_written(at(1099)), None);
        assert_eq!((jam.poll_timeout(), jam.handle_timeout(at(9999))), (None, None));
    }

    #[test]
    fn a_lasting_jam_is_reported_once() {
        let mut jam = Jam::default();
        jam.handle_blocked(at(100));
        jam.handle_blocked(at(600));
        assert_eq!(jam.handle_timeout(at(1100)), Some(LASTING));
        assert_eq!((jam.poll_timeout(), jam.handle_timeout(at(5000))), (None, None));
        assert_eq!(jam.lasting(at(5000)), Some(at(100)));
        let lasted = Duration::from_secs(8);
        assert_eq!(jam.handle_written(at(8100)), Some(Over { lasted, was_told: true }));
        assert_eq!(jam.handle_written(at(9000)), None);
    }

    #[test]
    fn a_jam_that_was_not_polled_in_time_is_known_once_it_is_over() {
        let mut jam = Jam::default();
        jam.handle_blocked(at(0));
        assert_eq!((jam.lasting(at(999)), jam.lasting(at(1000))), (None, Some(at(0))));
        assert_eq!(jam.handle_written(at(1000)), Some(Over { lasted: LASTING, was_told: false }));
    }

    #[test]
    fn a_deadline_beyond_the_end_of_time_never_comes() {
        let mut jam = Jam::default();
        jam.handle_blocked(Instant::MAX);
        assert_eq!((jam.poll_timeout(), jam.handle_timeout(Instant::MAX)), (None, None));
    }
}
