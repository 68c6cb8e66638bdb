//! When something is due. Every deadline is computed from facts, so none can go stale.

use super::{Heartbeat, Mode, State};
use crate::Instant;
use crate::time::earliest;
use core::time::Duration;

/// The least time for the answer to a resume probe, however short the round trips were: a radio has to wake up and find
/// its network again, and lost packets are retransmitted only after a second or two.
const RESUME_TIMEOUT: Duration = Duration::from_secs(5);

impl Heartbeat {
    /// When silence calls for a ping.
    pub(super) fn ping_at(&self) -> Option<Instant> {
        if self.config.mode == Mode::Off || self.paused.is_some() {
            return None;
        }
        match self.state {
            State::Quiet => earliest(self.beat_at(self.silent_from, self.config.interval), self.probe_at()),
            // The next ping does not wait for an answer, since nobody has to answer. It waits until this one has left.
            State::Probing { .. } if self.config.mode == Mode::KeepaliveOnly => {
                self.beat_at(self.pings.newest_left()?, self.config.interval)
            }
            State::Probing { .. } | State::Dead => None,
        }
    }

    /// When the outstanding ping has waited long enough.
    pub(super) fn dead_at(&self) -> Option<Instant> {
        match self.state {
            State::Probing { queued, resume } if self.config.mode == Mode::Full && self.paused.is_none() => {
                // While the link carries our bytes, the far side frees room in a full transport, and `drained` moves;
                // while it carries theirs, `silent_from` moves. If neither does, nothing has crossed.
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

    /// When we have been silent for so long that the peer, or something in between, might give up on us.
    pub(super) fn pong_at(&self) -> Option<Instant> {
        // Behind a full transport, Pongs tell nobody anything, and would pile up.
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

    /// The deadline this long after `base`, but not before the last change of the interval.
    pub(super) fn beat_at(&self, base: Instant, duration: Duration) -> Option<Instant> {
        after(base, duration).map(|deadline| deadline.max(self.paced))
    }

    /// How long a ping may stay unanswered.
    fn timeout(&self) -> Duration {
        let config = &self.config;
        config.timeout.max(self.path()).min(config.timeout.max(config.timeout_max))
    }

    /// The same for a resume probe requested at `queued`. It is shorter, since somebody is waiting, unless the
    /// transport is or just was full: then the probe has to wait there behind other data, like any ping.
    fn resume_timeout(&self, queued: Instant) -> Duration {
        let full = self.timeout();
        let was_full = self.drained > Instant::ZERO && self.drained + full >= queued;
        if self.blocked || was_full { full } else { self.path().max(RESUME_TIMEOUT).min(full) }
    }

    /// Three PTOs, so that a long path gets a second chance (RFC 9000 §10.1); zero while no round trip is known.
    pub(super) fn path(&self) -> Duration {
        self.rtt.pto().unwrap_or_default().saturating_mul(3)
    }
}

/// The deadline this long after `base`. A deadline beyond the end of time never comes.
pub(super) fn after(base: Instant, duration: Duration) -> Option<Instant> {
    Some(base + duration).filter(|deadline| *deadline < Instant::MAX)
}

/// How long ago a deadline passed, if it has.
pub(super) fn overdue(deadline: Option<Instant>, now: Instant) -> Option<Duration> {
    deadline.filter(|deadline| *deadline <= now).map(|deadline| now - deadline)
}
