//! Doubts about a silent peer, long before the verdict.
//!
//! A verdict must never be wrong, so it takes its time. An owner that can open another connection beside this one risks
//! nothing by trying early: it keeps whichever of the two carries something.

use super::deadlines::after;
use super::{Beat, Config, Heartbeat, Mode, State};
use crate::Instant;
use core::time::Duration;

/// How long a peer may be silent before it is pinged, while the owner is impatient.
const PROBE_AFTER: Duration = Duration::from_secs(3);

/// Early pings keep this distance, or the interval if that is shorter, because a peer may limit how often it is pinged.
const PROBE_EVERY: Duration = Duration::from_secs(20);

/// How long the answer may take before the first doubt: a packet that is lost, and then lost again when it is
/// retransmitted, takes three seconds.
const DOUBT_AFTER: Duration = Duration::from_secs(3);

/// How often the wait for the first doubt can be doubled after wrong doubts.
const MOST_WRONG: u8 = 3;

/// What the heartbeat remembers about doubts.
#[derive(Clone, Copy, Debug)]
pub(super) struct Doubt {
    /// Since when the owner has been impatient; the end of time while it is not.
    impatient: Instant,
    /// When the outstanding ping was due without impatience. The verdict counts from then, if it was early.
    pub(super) usual: Instant,
    /// When the newest ping was requested.
    pub(super) asked: Instant,
    /// How many doubts this silence has raised, and when the last one was.
    raised: u8,
    last: Instant,
    /// How many times the peer turned out to be alive after doubts.
    wrong: u8,
    /// How much longer this connection waits for its first doubt than others may, in milliseconds: what makes many
    /// clients doubt at once must not make them dial at once.
    spread: u16,
}

impl Doubt {
    /// No doubts yet. The more jitter the pings have, the wider the doubts are spread: over a second with the default
    /// of 10 %.
    pub(super) fn new(config: &Config, random: u64) -> Self {
        let widest = 100 * u64::from(config.jitter_percent);
        let never = Instant::ZERO;
        let spread = (random % (widest + 1)) as u16;
        Self { impatient: Instant::MAX, usual: never, asked: never, raised: 0, last: never, wrong: 0, spread }
    }

    /// A new ping is out, or reading has resumed: whether the peer is alive is an open question again.
    pub(super) fn withdraw(&mut self) {
        self.raised = 0;
    }

    /// Whether the owner is impatient.
    #[inline]
    fn is_possible(&self) -> bool {
        self.impatient < Instant::MAX
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
    /// Whether the owner is impatient: it waits for the peer, and would rather open another connection than wait until
    /// this one is found dead. Then a silence of 3 s leads to a ping, unless another ping was sent within the last
    /// interval, or within the last 20 s if that is shorter. If the answer takes more than 3 to 4 s, and longer than
    /// round trips on this path explain, there is a [`Beat::Doubt`]. The verdict does not come any sooner; where
    /// interval and timeout are both below 3 s, it comes first, and there is no doubt. This needs [`Mode::Full`].
    /// Default: not impatient.
    pub fn set_impatient(&mut self, now: Instant, impatient: bool) {
        let now = self.advance(now);
        self.doubt.impatient = if impatient { self.doubt.impatient.min(now) } else { Instant::MAX };
    }

    /// Whether there was a [`Beat::Doubt`], and since then neither a sign of life nor a reason of ours to miss one.
    pub fn is_doubtful(&self) -> bool {
        self.doubt.raised > 0 && self.paused.is_none() && matches!(self.state, State::Probing { .. })
    }

    /// Gives the verdict early, because the owner has another connection and drops this one. Returns `None` and changes
    /// nothing unless the peer is [in doubt](Self::is_doubtful).
    pub fn give_up(&mut self, now: Instant) -> Option<Beat> {
        let now = self.advance(now);
        self.is_doubtful().then(|| self.die(now))
    }

    /// When silence leads to an early ping.
    #[inline]
    pub(super) fn probe_at(&self) -> Option<Instant> {
        if self.doubt.is_possible() { self.next_probe() } else { None }
    }

    /// When the unanswered ping leads to a doubt, or to another one.
    #[inline]
    pub(super) fn doubt_at(&self) -> Option<Instant> {
        if self.doubt.is_possible() { self.next_doubt() } else { None }
    }

    #[cold]
    fn next_probe(&self) -> Option<Instant> {
        if self.config.mode != Mode::Full {
            return None;
        }
        let silence = self.beat_at(self.silent_from.max(self.doubt.impatient), PROBE_AFTER)?;
        if self.pings.queued() == 0 {
            return Some(silence);
        }
        let distance = PROBE_EVERY.min(self.config.interval);
        after(self.doubt.asked, distance).map(|next| next.max(silence))
    }

    #[cold]
    fn next_doubt(&self) -> Option<Instant> {
        let State::Probing { queued, .. } = self.state else { return None };
        if self.config.mode != Mode::Full || self.paused.is_some() {
            return None;
        }
        let asked = self.pings.newest_left().unwrap_or(queued);
        let signs = asked.max(self.silent_from).max(self.drained);
        let begun = signs.max(self.doubt.impatient).max(self.doubt.last);
        let doublings = u32::from(self.doubt.raised) + u32::from(self.doubt.wrong);
        let factor = 1_u32.checked_shl(doublings).unwrap_or(u32::MAX);
        let wait = DOUBT_AFTER.max(self.path()) + Duration::from_millis(self.doubt.spread.into());
        after(begun, wait.saturating_mul(factor))
    }

    pub(super) fn doubt(&mut self, now: Instant) -> Beat {
        self.doubt.raised = self.doubt.raised.saturating_add(1);
        self.doubt.last = now;
        Beat::Doubt { silent: now - self.heard }
    }
}
