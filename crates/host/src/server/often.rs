//! Limits reports of something that may happen too often.

use std::time::Duration;

use bowline_core::Instant;

/// Which refused clients are reported one by one: a limited number per interval; the others are only counted. Otherwise
/// a client without a token could fill a disk with log lines.
#[derive(Debug, Default)]
pub struct Often {
    /// When the current interval ends.
    until: Option<Instant>,
    count: u32,
}

impl Often {
    /// How many are reported per interval.
    pub const TOLD: u32 = 100;
    /// The length of an interval: a second, as the log lines say.
    pub const WHILE: Duration = Duration::from_secs(1);

    /// It has happened once more. Returns whether to report it.
    pub fn is_told(&mut self, now: Instant) -> bool {
        if self.until.is_none_or(|until| until <= now && self.untold() == 0) {
            (self.until, self.count) = (Some(now + Self::WHILE), 0);
        }
        self.count = self.count.saturating_add(1);
        self.count <= Self::TOLD
    }

    /// When to report the number of those that were not reported, if there are any.
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.until.filter(|_| self.untold() > 0)
    }

    /// How many were not reported in the interval that is over, if that must be reported.
    pub fn handle_timeout(&mut self, now: Instant) -> Option<u32> {
        self.poll_timeout().filter(|until| *until <= now)?;
        self.until = None;
        Some(self.untold())
    }

    /// The same without waiting for the end of the interval, if nobody will report it later.
    pub fn handle_end(&mut self) -> Option<u32> {
        self.handle_timeout(self.poll_timeout()?)
    }

    fn untold(&self) -> u32 {
        self.count.saturating_sub(Self::TOLD)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(often: &mut Often, now: Instant, times: u32) -> usize {
        (0..times).filter(|_| often.is_told(now)).count()
    }

    #[test]
    fn reports_that_come_too_often_are_counted_instead() {
        let (mut often, start) = (Often::default(), Instant::from_secs(7));
        assert_eq!(told(&mut often, start, Often::TOLD + 50), Often::TOLD as usize);
        let end = start + Often::WHILE;
        assert_eq!(often.poll_timeout(), Some(end));
        assert_eq!(often.handle_timeout(start), None, "too early");
        assert_eq!(often.handle_timeout(end), Some(50));
        assert_eq!((often.poll_timeout(), often.handle_timeout(end)), (None, None), "once");
    }

    #[test]
    fn a_period_in_which_everything_was_reported_ends_silently() {
        let (mut often, mut now) = (Often::default(), Instant::ZERO);
        for _ in 0..2 {
            assert_eq!(told(&mut often, now, Often::TOLD), Often::TOLD as usize);
            assert_eq!(often.poll_timeout(), None);
            now += Often::WHILE;
        }
    }

    #[test]
    fn the_number_is_reported_early_at_the_end() {
        let mut often = Often::default();
        told(&mut often, Instant::ZERO, Often::TOLD);
        assert_eq!(often.handle_end(), None, "all were told");
        told(&mut often, Instant::ZERO, 5);
        assert_eq!((often.handle_end(), often.handle_end()), (Some(5), None), "once");
    }

    #[test]
    fn a_number_that_is_reported_late_counts_everything() {
        let mut often = Often::default();
        told(&mut often, Instant::ZERO, Often::TOLD + 1);
        let late = Instant::ZERO + 2 * Often::WHILE;
        assert_eq!(told(&mut often, late, 5), 0, "the number comes first");
        assert_eq!(often.handle_timeout(late), Some(6));
        assert!(often.is_told(late));
    }
}
