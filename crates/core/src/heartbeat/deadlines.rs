//! When something is due. Every deadline is computed from what happened, so none can go stale.

use super::{Heartbeat, Mode, State};
use crate::Instant;
use crate::time::earliest;
use core::time::Duration;

/// The least a resume probe may take, however short the round trips were: a radio has to wake up and to find its network
/// again, and what is lost meanwhile is sent again after a second or two.
const RESUME_TIMEOUT: Duration = Duration::from_secs(5);

impl Heartbeat {
    /// When silence asks for a ping.
    pub(super) fn ping_at(&self) -> Option<Instant> {
        if self.config.mode == Mode::Off || self.paused.is_some() {
            return None;
        }
        match self.state {
            State::Quiet => earliest(self.beat_at(self.silent_from, self.config.interval), self.probe_at()),
            // Nobody has to answer, so the next ping does not wait for that; but it waits until this one has left.
            State::Probing { .. } if self.config.mode == Mode::KeepaliveOnly => {
                self.beat_at(self.pings.newest_left()?, self.config.interval)
            }
            State::Probing { .. } | State::Dead => None,
        }
    }

    /// When the ping that is out has waited long enough.
    pub(super) fn dead_at(&self) -> Option<Instant> {
        match self.state {
            State::Probing { queued, resume } if self.config.mode == Mode::Full && self.paused.is_none() => {
                // While the link carries our bytes, the far side frees room in a full transport, and `drained`
                // moves; while it carries theirs, `silent_from` does. If neither does, nothing has crossed.
                let asked = self.pings.newest_left().unwrap_or(queued);
                let (timeout, usual) = if resume {
                    (self.resume_timeout(queued), Instant::ZERO)
                } else {
                    (self.timeout(), self.doubt.usual)
                };
                after(asked.max(usual).max(self.silent_from).max(self.drained), timeout)
            }
            _ => None,
        }
    }

    /// When we have been silent so long that the peer, or something in between, might doubt us.
    pub(super) fn pong_at(&self) -> Option<Instant> {
        // A Pong behind a full transport tells nobody anything, and they would pile up.
        if self.config.mode == Mode::Off || self.blocked {
            return None;
        }
        match (self.state, self.paused) {
            (State::Quiet | State::Probing { .. }, Some(since)) => {
                self.beat_at(since.max(self.spoke), self.config.interval / 2)
            }
            (State::Quiet, None) => {
                self.beat_at(self.spoke, self.config.interval.saturating_add(self.config.interval / 4))
            }
            (State::Probing { .. }, None) | (State::Dead, _) => None,
        }
    }

    /// The deadline this long after `base`; what another pace has made overdue is due since then.
    pub(super) fn beat_at(&self, base: Instant, duration: Duration) -> Option<Instant> {
        after(base, duration).map(|deadline| deadline.max(self.paced))
    }

    /// How long a probe may stay unanswered.
    fn timeout(&self) -> Duration {
        let config = &self.config;
        config.timeout.max(self.path()).min(config.timeout.max(config.timeout_max))
    }

    /// How long a resume probe may, that was asked for at `queued`: less, since somebody waits, unless the transport is full
    /// or was so just now. The probe has to wait there for all that is before it, as any other.
    fn resume_timeout(&self, queued: Instant) -> Duration {
        let full = self.timeout();
        let was_full = self.drained > Instant::ZERO && self.drained + full >= queued;
        if self.blocked || was_full { full } else { self.path().max(RESUME_TIMEOUT).min(full) }
    }

    /// Three PTOs, so that a long path gets a second chance (RFC 9000 §10.1); nothing while no round trip is known.
    pub(super) fn path(&self) -> Duration {
        self.rtt.pto().unwrap_or_default().saturating_mul(3)
    }
}

/// The deadline this long after `base`. One beyond the end of time never comes.
pub(super) fn after(base: Instant, duration: Duration) -> Option<Instant> {
    Some(base + duration).filter(|deadline| *deadline < Instant::MAX)
}

/// By how much a deadline has passed, once it has.
pub(super) fn overdue(deadline: Option<Instant>, now: Instant) -> Option<Duration> {
    deadline.filter(|deadline| *deadline <= now).map(|deadline| now - deadline)
}
