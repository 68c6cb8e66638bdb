//! Which silences to try next.

use std::time::Duration;

/// How many are tried in parallel.
const WIDTH: u32 = 8;
/// The shortest silence that is worth trying.
const LEAST: Duration = Duration::from_secs(1);

/// A search for the longest silence that a path allows.
#[derive(Clone, Debug)]
pub(super) struct Search {
    most: Duration,
    begun: bool,
    /// The longest silence that was survived.
    borne: Duration,
    /// The shortest silence that was not.
    fatal: Option<Duration>,
    /// Whether that was observed as it happened.
    exact: bool,
}

/// The result of a search.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Bounds {
    pub(super) borne: Duration,
    /// `None`: there is no limit below the longest that was tried.
    pub(super) fatal: Option<Duration>,
    pub(super) exact: bool,
}

impl Search {
    /// A search for silences up to this one.
    pub(super) fn new(most: Duration) -> Self {
        Self { most: most.max(LEAST), begun: false, borne: Duration::ZERO, fatal: None, exact: false }
    }

    /// The silences to try next, in parallel; none if enough is known.
    pub(super) fn next(&mut self) -> Vec<Duration> {
        if !std::mem::replace(&mut self.begun, true) {
            // Each is twice as long as the one before, so that a short limit is found in a short time.
            let halves = (0..WIDTH).map(|n| self.most / (1 << n));
            return halves.take_while(|silence| *silence >= LEAST.min(self.most)).collect();
        }
        let Some(fatal) = self.fatal.filter(|_| !self.exact) else { return Vec::new() };
        let gap = fatal.saturating_sub(self.borne);
        if gap <= LEAST.max(self.borne / 20) {
            return Vec::new();
        }
        (1..=WIDTH).map(|n| self.borne + gap * n / (WIDTH + 1)).collect()
    }

    /// A silence of this length was survived.
    pub(super) fn handle_borne(&mut self, silence: Duration) {
        self.borne = self.borne.max(silence);
    }

    /// After this silence the connection was dead; `exact` if its end was observed as it happened, and not only when it
    /// was pinged.
    pub(super) fn handle_fatal(&mut self, silence: Duration, exact: bool) {
        if self.fatal.is_none_or(|fatal| silence < fatal) {
            (self.fatal, self.exact) = (Some(silence), exact);
        }
    }

    pub(super) fn bounds(&self) -> Bounds {
        Bounds { borne: self.borne, fatal: self.fatal, exact: self.exact }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secs(secs: u64) -> Duration {
        Duration::from_secs(secs)
    }

    /// Searches on a path that allows silences below `limit`; returns the bounds, and how long it took.
    fn search(most: Duration, limit: Duration, is_seen: bool) -> (Bounds, Duration) {
        let (mut search, mut took) = (Search::new(most), Duration::ZERO);
        loop {
            let silences = search.next();
            let Some(longest) = silences.iter().max() else { return (search.bounds(), took) };
            took += if is_seen { limit.min(*longest) } else { *longest };
            for silence in silences {
                assert!(silence <= most && silence > Duration::ZERO, "{silence:?}");
                match silence {
                    silence if silence < limit => search.handle_borne(silence),
                    _ if is_seen => search.handle_fatal(limit, true),
                    silence => search.handle_fatal(silence, false),
                }
            }
        }
    }

    #[test]
    fn a_limit_that_shows_itself_is_known_at_once() {
        let (bounds, took) = search(secs(120), secs(60), true);
        assert_eq!((bounds.fatal, bounds.exact, took), (Some(secs(60)), true, secs(60)));
        assert!(bounds.borne < secs(60));
    }

    #[test]
    fn a_limit_that_does_not_show_itself_is_narrowed_down() {
        for limit in [1, 2, 3, 7, 30, 55, 61, 100, 119] {
            let (Bounds { borne, fatal, exact }, took) = search(secs(120), secs(limit), false);
            let fatal = fatal.expect("there is one");
            assert!(!exact && borne < secs(limit) && secs(limit) <= fatal, "{limit}: {borne:?} to {fatal:?}");
            assert!(
                fatal.saturating_sub(borne) <= secs(1).max(borne / 20),
                "{limit}: {borne:?} to {fatal:?}"
            );
            // With the counter-test, which takes a tenth longer than the fatal silence, some four times as long, as the
            // help says.
            assert!(took + fatal + fatal / 10 <= secs(120) * 41 / 10, "{limit}: {took:?}");
        }
    }

    #[test]
    fn the_longest_silence_is_tried_only_once_if_there_is_no_limit() {
        let (bounds, took) = search(secs(90), secs(1000), false);
        assert_eq!((bounds.borne, bounds.fatal, took), (secs(90), None, secs(90)));
    }

    #[test]
    fn a_search_may_be_shorter_than_any_limit() {
        let (bounds, _) = search(secs(1), secs(60), true);
        assert_eq!((bounds.borne, bounds.fatal), (secs(1), None));
    }
}
