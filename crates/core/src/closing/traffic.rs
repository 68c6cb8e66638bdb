//! When bytes crossed, and when none did.

use super::config::Config;
use crate::Instant;
use core::time::Duration;

/// A shorter silence is never blamed on an idle limit.
pub(super) const MIN_SILENCE: Duration = Duration::from_secs(10);

/// A shorter pause is part of a conversation.
pub(super) const NOTABLE: Duration = Duration::from_secs(1);

/// Whatever is read this soon after a stall may have waited in the receive buffer; later bytes prove that the
/// connection survived.
const BACKLOG: Duration = Duration::from_secs(1);

/// More than acknowledgements need, and less than a file transfer has under way.
const LITTLE: u64 = 16 << 10;

/// The assumed rate, in bytes per second, of a transport that was not measured because it accepted everything at once:
/// that of a poor mobile link.
const SLOW: u64 = 16 << 10;

/// What a measured transport holds may be under way for this many times the stall timeout.
const PATIENCE: u32 = 3;

/// What is remembered of the bytes in both directions.
#[derive(Debug)]
pub(super) struct Traffic {
    opened: Instant,
    received: Instant,
    sent: Instant,
    /// Bytes that have left since something was last received.
    unheard: u64,
    /// Since when the peer owes us something, as reported by our owner; the end of time if it does not.
    awaiting: Instant,
    blocked: Option<Instant>,
    survived: Duration,
    /// The longest survived silence that was not reported yet.
    news: Option<Duration>,
    /// The silence that our own sending ended, until something is received and proves that it was survived.
    broken: Option<Gap>,
    stalled: Option<Gap>,
}

/// A silence, or a time during which this process did not run.
#[derive(Clone, Copy, Debug)]
pub(super) struct Gap {
    pub(super) lasted: Duration,
    pub(super) until: Instant,
}

impl Traffic {
    pub(super) fn new(now: Instant) -> Self {
        Self {
            opened: now,
            received: now,
            sent: now,
            unheard: 0,
            awaiting: Instant::MAX,
            blocked: None,
            survived: Duration::ZERO,
            news: None,
            broken: None,
            stalled: None,
        }
    }

    pub(super) fn handle_received(&mut self, now: Instant) {
        let broken = self.broken.take().map_or(Duration::ZERO, |gap| gap.lasted);
        if self.stalled.is_some_and(|stall| now - stall.until > BACKLOG) {
            self.stalled = None;
        }
        // Bytes that waited while this process did not run arrived earlier, after a silence of unknown length.
        if self.stalled.is_none() {
            let silence = self.idle(now).max(broken);
            self.survived = self.survived.max(silence);
            self.news = self.news.max(Some(silence).filter(|silence| *silence >= NOTABLE));
        }
        self.received = now;
        self.unheard = 0;
    }

    pub(super) fn handle_sent(&mut self, now: Instant, n: usize) {
        // With much unanswered data, the path may have been cut under it; and until it arrives, the system retransmits
        // it, so there is no silence.
        if self.unheard <= LITTLE && !self.is_awaited() {
            self.end_silence(now);
        }
        self.unheard = self.unheard.saturating_add(n as u64);
        self.sent = now;
        self.blocked = None;
    }

    /// We sent something. What counts is the longest silence so far, or the latest one long enough for an idle limit.
    fn end_silence(&mut self, now: Instant) {
        let lasted = self.idle(now);
        if self.broken.is_none_or(|broken| lasted >= broken.lasted.min(MIN_SILENCE)) {
            self.broken = Some(Gap { lasted, until: now });
        }
    }

    /// How long the bytes that have just left may take to arrive behind those that are unanswered, at `rate` bytes a
    /// second, if known.
    pub(super) fn transit(&self, rate: Option<u64>, config: &Config) -> Duration {
        if self.unheard <= LITTLE {
            return Duration::ZERO;
        }
        let (rate, most) = match rate {
            Some(rate) => (rate.max(1), config.stall_timeout.saturating_mul(PATIENCE)),
            None => (SLOW, config.stall_timeout),
        };
        let millis = self.unheard.saturating_mul(1000) / rate;
        Duration::from_millis(millis).min(most)
    }

    pub(super) fn set_awaiting(&mut self, now: Instant, awaiting: bool) {
        self.awaiting = if awaiting { self.awaiting.min(now) } else { Instant::MAX };
    }

    pub(super) fn handle_blocked(&mut self, now: Instant) {
        self.blocked.get_or_insert(now);
    }

    pub(super) fn handle_stalled(&mut self, now: Instant, lasted: Duration) {
        self.stalled = Some(Gap { lasted, until: now });
    }

    /// The peer answered what we sent at `left`, so it was there after every stall before that.
    pub(super) fn handle_answered(&mut self, left: Instant) {
        self.stalled = self.stalled.filter(|stall| left < stall.until);
    }

    /// Whether the peer has owed us something since before the last byte crossed.
    pub(super) fn is_awaited(&self) -> bool {
        self.awaiting <= self.received.max(self.sent)
    }

    /// When something was last received.
    pub(super) fn received(&self) -> Instant {
        self.received
    }

    /// When the transport last accepted something.
    pub(super) fn sent(&self) -> Instant {
        self.sent
    }

    pub(super) fn age(&self, now: Instant) -> Duration {
        now - self.opened
    }

    /// How long nothing has crossed in either direction.
    pub(super) fn idle(&self, now: Instant) -> Duration {
        now - self.received.max(self.sent)
    }

    /// How long nothing has been received.
    pub(super) fn silent(&self, now: Instant) -> Duration {
        now - self.received
    }

    /// How long the transport has accepted nothing although it was offered something.
    pub(super) fn blocked(&self, now: Instant) -> Option<Duration> {
        self.blocked.map(|since| now - since)
    }

    /// The longest silence in both directions after which something was received.
    pub(super) fn survived(&self) -> Duration {
        self.survived
    }

    /// The longest silence survived since the last call, if there was a notable one.
    pub(super) fn poll_survived(&mut self) -> Option<Duration> {
        self.news.take()
    }

    /// The silence that our own sending ended, if not answered so far.
    pub(super) fn broken(&self) -> Option<Gap> {
        self.broken
    }

    /// The last time this process did not run, unless the connection is known to have survived it.
    pub(super) fn stalled(&self) -> Option<Gap> {
        self.stalled
    }
}
