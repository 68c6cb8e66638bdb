//! How long nothing has moved, or there has been no link, and how much longer that is tolerated.

use crate::units::whole;
use std::time::{Duration, Instant};

/// From this length on people see it: it is the window of a rate, which is 0 then.
const SEEN: Duration = Duration::from_secs(5);
/// From this length on a log gets a line, and after `AGAIN` another one.
const LOGGED: Duration = Duration::from_secs(10);
const AGAIN: Duration = Duration::from_secs(60);
/// A link that carries nothing and is lost sooner does not end an outage.
const STABLE: Duration = Duration::from_secs(10);

/// How long a command waits.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Patience {
    /// For a server that was never reached.
    pub(crate) first: Duration,
    /// For a server that was reached before, and for space on a full disk.
    pub(crate) outage: Duration,
    /// For an answer on a live connection.
    pub(crate) answer: Duration,
}

/// Tracks what does not move.
#[derive(Debug)]
pub(super) struct Still {
    patience: Option<Patience>,
    /// Since when nothing has moved although it could.
    since: Instant,
    /// Since when there has been no link that was of any use.
    offline: Option<Instant>,
    /// Since when there is a link, and whether it has been of use.
    up: Option<(Instant, bool)>,
    was_up: bool,
    /// The length at which a log gets its next line.
    due: Duration,
}

/// Something that lasts, from when that is worth reporting.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Lasting {
    what: &'static str,
    lasts: Duration,
    /// How long that is tolerated, while that is not over.
    most: Option<Duration>,
}

/// Nothing moves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Silence {
    pub(crate) lasts: Duration,
    /// How long that is tolerated, if it has a limit.
    pub(super) most: Option<Duration>,
}

impl Still {
    pub(super) fn new(now: Instant) -> Self {
        Self { patience: None, since: now, offline: None, up: None, was_up: false, due: LOGGED }
    }

    pub(super) fn wait_for(&mut self, patience: Patience) {
        self.patience = Some(patience);
    }

    /// Called often. `moved` is when something last moved or was done; `rests` means that nothing is supposed to move.
    pub(super) fn look(&mut self, now: Instant, is_up: bool, moved: Instant, rests: bool) {
        self.was_up |= is_up;
        let offline = *self.offline.get_or_insert(now);
        self.up = is_up.then(|| {
            let (since, is_useful) = self.up.unwrap_or((now, false));
            (since, is_useful || moved > offline || now.saturating_duration_since(since) >= STABLE)
        });
        if let Some((_, true)) = self.up {
            self.offline = None;
        }
        let last = if rests || !is_up { now } else { moved };
        if last > self.since {
            (self.since, self.due) = (last, LOGGED);
        }
    }

    /// How long nothing has moved, if that is worth reporting. `is_owed` means that the other side owes an answer.
    /// Otherwise we wait for a disk, or for a source without a known end, which may be as slow as it likes.
    pub(super) fn silence(&self, now: Instant, is_owed: bool) -> Option<Silence> {
        let lasts = now.saturating_duration_since(self.since);
        let most = self.patience.map(|patience| patience.answer).filter(|most| is_owed && lasts < *most);
        (lasts >= SEEN).then_some(Silence { lasts, most })
    }

    /// The same, if it is time for a line in a log.
    pub(super) fn news(&mut self, silence: Option<Silence>) -> Option<Silence> {
        let silence = silence.filter(|silence| silence.lasts >= self.due)?;
        self.due = silence.lasts + AGAIN;
        Some(silence)
    }

    /// How long there has been no link, if that is worth reporting.
    pub(super) fn outage(&self, now: Instant) -> Option<Lasting> {
        let offline = self.offline.filter(|_| self.up.is_none())?;
        let what = if self.was_up { "offline" } else { "not reached" };
        // A dial that began in time may end later than that.
        let most = self.patience.map(|patience| if self.was_up { patience.outage } else { patience.first });
        Lasting::seen(what, now.saturating_duration_since(offline), most)
    }
}

impl Lasting {
    pub(super) fn seen(what: &'static str, lasts: Duration, most: Option<Duration>) -> Option<Self> {
        (lasts >= SEEN).then_some(Self { what, lasts, most: most.filter(|most| lasts < *most) })
    }

    pub(crate) fn text(self) -> String {
        let Self { what, lasts, most } = self;
        let most = most.map(|most| format!(" of {}", whole(most))).unwrap_or_default();
        format!("{what} for {}{most}", whole(lasts))
    }
}

impl Silence {
    pub(crate) fn text(self) -> String {
        let (lasts, most) = (whole(self.lasts), self.most.map(whole));
        let most = most.map(|most| format!(", waiting up to {most}")).unwrap_or_default();
        format!("nothing has moved for {lasts}{most}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn still(start: Instant) -> Still {
        let mut still = Still::new(start);
        still.wait_for(Patience { first: 20 * SECOND, outage: 600 * SECOND, answer: 60 * SECOND });
        still
    }

    fn silence(still: &Still, now: Instant) -> Option<String> {
        still.silence(now, true).map(Silence::text)
    }

    #[test]
    fn a_silence_is_reported_with_its_limit_until_something_moves() {
        let start = Instant::now();
        let mut still = still(start);
        still.look(start + SECOND, true, start + SECOND, false);
        still.look(start + 5 * SECOND, true, start + SECOND, false);
        assert_eq!(silence(&still, start + 5 * SECOND), None);
        let told = "nothing has moved for 12 s, waiting up to 60 s";
        assert_eq!(silence(&still, start + 13 * SECOND).as_deref(), Some(told));
        let late = start + 76 * SECOND;
        assert_eq!(silence(&still, late).as_deref(), Some("nothing has moved for 75 s"), "it is borne");
        let pipe = still.silence(start + 13 * SECOND, false).map(Silence::text);
        assert_eq!(pipe.as_deref(), Some("nothing has moved for 12 s"), "its source may be slow");
        still.look(late, true, start + SECOND, true);
        assert_eq!(silence(&still, late + 4 * SECOND), None);
    }

    #[test]
    fn a_log_reports_a_silence_once_in_a_while() {
        let start = Instant::now();
        let mut still = still(start);
        let mut told = Vec::new();
        for second in 1..200 {
            let now = start + second * SECOND;
            still.look(now, true, if second < 140 { start } else { start + 140 * SECOND }, false);
            let silence = still.silence(now, true);
            told.extend(still.news(silence).map(|_| second));
        }
        assert_eq!(told, [10, 70, 130, 150]);
    }

    #[test]
    fn an_outage_is_reported_with_its_limit_and_not_as_a_silence() {
        let start = Instant::now();
        let mut still = still(start);
        let outage = |still: &Still, second| still.outage(start + second * SECOND).map(Lasting::text);
        still.look(start, false, start, false);
        assert_eq!(outage(&still, 4), None);
        assert_eq!(outage(&still, 12).as_deref(), Some("not reached for 12 s of 20 s"));
        assert_eq!(outage(&still, 21).as_deref(), Some("not reached for 21 s"), "the last dial lasts on");
        still.look(start + 13 * SECOND, true, start, false);
        assert_eq!(outage(&still, 23), None);
        still.look(start + 23 * SECOND, true, start, false);
        still.look(start + 30 * SECOND, false, start, false);
        assert_eq!(outage(&still, 55).as_deref(), Some("offline for 25 s of 10 min"));
        still.look(start + 60 * SECOND, false, start, false);
        assert_eq!(silence(&still, start + 62 * SECOND), None);
    }

    #[test]
    fn links_that_carry_nothing_and_are_lost_do_not_end_an_outage() {
        let start = Instant::now();
        let mut still = still(start);
        let mut outage = |second, is_up, moved| {
            let now = start + second * SECOND;
            still.look(now, is_up, start + moved * SECOND, false);
            still.outage(now).map(Lasting::text)
        };
        assert_eq!(outage(0, true, 1), None);
        assert_eq!(outage(2, false, 1), None);
        assert_eq!(outage(8, true, 1), None, "there is a link");
        assert_eq!(outage(17, true, 1), None);
        assert_eq!(outage(18, false, 1).as_deref(), Some("offline for 16 s of 10 min"));
        assert_eq!(outage(20, true, 19), None, "it has carried something");
        assert_eq!(outage(21, true, 19), None);
        assert_eq!(outage(23, false, 19), None);
        assert_eq!(outage(29, false, 19).as_deref(), Some("offline for 6 s of 10 min"));
    }
}
