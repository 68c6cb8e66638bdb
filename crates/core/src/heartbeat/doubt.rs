//! Doubts about a silent peer, long before the verdict.
//!
//! A verdict must never be wrong, so it takes its time. An owner that can open another connection beside this one risks nothing by
//! trying early: whichever of the two carries something is the right one.

use super::deadlines::after;
use super::{Beat, Heartbeat, Mode, State};
use crate::Instant;
use core::time::Duration;

/// Silence after which a peer that is waited for is asked.
const PROBE_AFTER: Duration = Duration::from_secs(3);

/// No two pings are closer than this, or the interval if that is shorter, because a peer may limit how often it is asked.
const PROBE_EVERY: Duration = Duration::from_secs(20);

/// How long the answer may take before it is doubted that there will be one: a packet that is lost, and lost again when it is
/// repeated, takes three seconds.
const DOUBT_AFTER: Duration = Duration::from_secs(3);

/// How often the wait for the first doubt is doubled at the most, where doubts were wrong.
const MOST_WRONG: u8 = 3;

/// What there is to doubt.
#[derive(Clone, Copy, Debug)]
pub(super) struct Doubt {
    /// Since when somebody is waiting who could do something about it. Nobody is before the end of time.
    impatient: Instant,
    /// When the ping that is out would have been due if nobody were; zero if it was not early. The verdict waits as long as ever.
    pub(super) usual: Instant,
    /// How many doubts there have been in this silence, and when the last one was.
    raised: u8,
    last: Instant,
    /// After how many silences with doubts the peer was there after all.
    wrong: u8,
}

impl Default for Doubt {
    fn default() -> Self {
        Self { impatient: Instant::MAX, usual: Instant::ZERO, raised: 0, last: Instant::ZERO, wrong: 0 }
    }
}

impl Doubt {
    /// Since when somebody waits.
    fn impatient(&self) -> Option<Instant> {
        (self.impatient < Instant::MAX).then_some(self.impatient)
    }

    /// There was a sign of life.
    #[inline]
    pub(super) fn clear(&mut self) {
        if self.raised != 0 {
            self.raised = 0;
            self.wrong = self.wrong.saturating_add(1).min(MOST_WRONG);
        }
    }
}

impl Heartbeat {
    /// Whether somebody waits for the peer who would rather use another connection than wait for the verdict. While that is so,
    /// a silence of 3 s is probed, though not more often than usual, and if the answer takes 3 s, or longer than the path
    /// explains, there is a [`Beat::Doubt`]. The verdict comes no sooner for it. Only with [`Mode::Full`]. Default: nobody.
    pub fn set_impatient(&mut self, now: Instant, impatient: bool) {
        let now = self.advance(now);
        self.doubt.impatient = if impatient { self.doubt.impatient.min(now) } else { Instant::MAX };
    }

    /// Whether there was a [`Beat::Doubt`], and no sign of life since.
    pub fn is_doubtful(&self) -> bool {
        self.doubt.raised > 0 && matches!(self.state, State::Probing { .. })
    }

    /// The verdict, before its time: the owner has another connection, and drops this one. `None`, and nothing changes, while
    /// it is not [doubtful](Self::is_doubtful).
    pub fn give_up(&mut self, now: Instant) -> Option<Beat> {
        let now = self.advance(now);
        self.is_doubtful().then(|| self.die(now))
    }

    /// When silence asks for a ping because somebody is waiting.
    pub(super) fn probe_at(&self) -> Option<Instant> {
        let since = self.doubt.impatient().filter(|_| self.config.mode == Mode::Full)?;
        let silence = self.beat_at(self.silent_from.max(since), PROBE_AFTER)?;
        let Some(left) = self.pings.newest_left() else { return Some(silence) };
        self.beat_at(left, PROBE_EVERY.min(self.config.interval)).map(|next| next.max(silence))
    }

    /// When the ping that is out has waited long enough for a doubt, or for another one.
    pub(super) fn doubt_at(&self) -> Option<Instant> {
        let since =
            self.doubt.impatient().filter(|_| self.config.mode == Mode::Full && self.paused.is_none())?;
        let State::Probing { queued, .. } = self.state else { return None };
        let asked = self.pings.newest_left().unwrap_or(queued);
        let begun = asked.max(self.silent_from).max(self.drained).max(since).max(self.doubt.last);
        let doublings = u32::from(self.doubt.raised) + u32::from(self.doubt.wrong);
        let factor = 1_u32.checked_shl(doublings).unwrap_or(u32::MAX);
        after(begun, DOUBT_AFTER.max(self.path()).saturating_mul(factor))
    }

    pub(super) fn doubt(&mut self, now: Instant) -> Beat {
        self.doubt.raised = self.doubt.raised.saturating_add(1);
        self.doubt.last = now;
        Beat::Doubt { silent: now - self.heard }
    }
}
