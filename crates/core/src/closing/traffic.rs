//! When bytes crossed, and when none did: the pulse of a connection.

use super::config::Config;
use crate::Instant;
use core::time::Duration;

/// A silence shorter than this is never taken for the work of an idle limit.
pub(super) const MIN_SILENCE: Duration = Duration::from_secs(10);

/// A pause shorter than this is part of a conversation.
pub(super) const NOTABLE: Duration = Duration::from_secs(1);

/// What is read this soon after a stall may have waited in the receive buffer; what comes later proves that the
/// connection has survived.
const BACKLOG: Duration = Duration::from_secs(1);

/// More than acknowledgements have, and less than a file has under way.
const LITTLE: u64 = 16 << 10;

/// Bytes per second of a transport that has not been measured, since it has taken everything at once: those of a poor mobile
/// link.
const SLOW: u64 = 16 << 10;

/// What a measured transport holds may be under way for this many times as long as data may stand still.
const PATIENCE: u32 = 3;

/// What is remembered of the bytes that crossed in either direction.
#[derive(Debug)]
pub(super) struct Traffic {
    opened: Instant,
    received: Instant,
    sent: Instant,
    /// Bytes that have left since something was received.
    unheard: u64,
    /// Since when the peer has had something to say, as our owner says; the end of time if it has not.
    awaiting: Instant,
    blocked: Option<Instant>,
    survived: Duration,
    /// The longest silence survived that nobody has asked for yet.
    news: Option<Duration>,
    /// The silence that our own sending ended, until something received proves that it was survived.
    broken: Option<Gap>,
    stalled: Option<Gap>,
}

/// A silence, or a time in which this process did not run.
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
        // What waited while this process did not run came earlier, after who knows how long a silence.
        if self.stalled.is_none() {
            let silence = self.idle(now).max(broken);
            self.survived = self.survived.max(silence);
            self.news = self.news.max(Some(silence).filter(|silence| *silence >= NOTABLE));
        }
        self.received = now;
        self.unheard = 0;
    }

    pub(super) fn handle_sent(&mut self, now: Instant, n: usize) {
        // The path may have been cut under what nobody has answered; and until that has arrived, the system sends it again,
        // which is no silence.
        if self.unheard <= LITTLE && !self.is_awaited() {
            self.end_silence(now);
        }
        self.unheard = self.unheard.saturating_add(n as u64);
        self.sent = now;
        self.blocked = None;
    }

    /// We have said something. The longest silence counts, or the latest that an idle limit may have been at work in.
    fn end_silence(&mut self, now: Instant) {
        let lasted = self.idle(now);
        if self.broken.is_none_or(|broken| lasted >= broken.lasted.min(MIN_SILENCE)) {
            self.broken = Some(Gap { lasted, until: now });
        }
    }

    /// How long what has just left may be on its way behind what nobody has answered, at so many bytes a second, if that is
    /// known.
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

    /// The peer answered what we had sent at `left`: it was there after every stall before that.
    pub(super) fn handle_answered(&mut self, left: Instant) {
        self.stalled = self.stalled.filter(|stall| left < stall.until);
    }

    /// Whether the peer has had something to say since before the last byte crossed.
    pub(super) fn is_awaited(&self) -> bool {
        self.awaiting <= self.received.max(self.sent)
    }

    /// When something was last received.
    pub(super) fn received(&self) -> Instant {
        self.received
    }

    /// When the transport last took something.
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

    /// How long the transport has taken nothing although it was offered something.
    pub(super) fn blocked(&self, now: Instant) -> Option<Duration> {
        self.blocked.map(|since| now - since)
    }

    /// The longest silence in both directions after which something was received.
    pub(super) fn survived(&self) -> Duration {
        self.survived
    }

    /// The longest silence that was survived since the last call, if it was one at all.
    pub(super) fn poll_survived(&mut self) -> Option<Duration> {
        self.news.take()
    }

    /// The silence that our own sending ended without an answer so far.
    pub(super) fn broken(&self) -> Option<Gap> {
        self.broken
    }

    /// The last time in which this process did not run, unless the connection is known to have survived it.
    pub(super) fn stalled(&self) -> Option<Gap> {
        self.stalled
    }
}
