//! The rules for ends that nobody announced: the first that fits decides.

use super::clause::{Clause, Ended, Hint};
use super::diagnosis::{Case, Cause};
use super::disconnect::Verdict;
use super::evidence::{Cut, End, Evidence, Ping};
use super::history::QUICK;
use super::kind::{Kind, Who};
use super::retry::{Retry, Why};
use super::suspect::{IDLE, LIFETIME, Limit, forgetful, known};
use super::traffic::{Gap, MIN_SILENCE};
use core::time::Duration;

/// A stall of this process explains an end for this long afterwards: the default timeout of the heartbeat.
const RECENT: Duration = Duration::from_secs(20);

/// A connection without a byte for twice the default heartbeat interval was not in use until its end.
const IN_USE: Duration = Duration::from_secs(40);

/// Links younger than this do not end because of their age.
const MIN_AGE: Duration = Duration::from_secs(10);

/// No path forgets a connection after a shorter silence.
const MIN_UNANSWERED: Duration = Duration::from_secs(4);

/// Nobody limits messages to fewer bytes than this.
const MIN_SIZE: u64 = 1024;

/// Whether two durations agree within one part in `parts`.
fn agree(a: Duration, b: Duration, parts: u32) -> bool {
    a.abs_diff(b) <= a.max(b) / parts
}

/// Whether the end was a reset: after a failed write, the reading side is not told of the reset again.
fn is_reset(ended: Ended) -> bool {
    ended.end == End::Reset || ended.after_failed_write
}

impl Case<'_> {
    /// The end came without a Close frame, except perhaps our own to a peer that was gone.
    pub(super) fn unannounced(&self) -> Verdict {
        if let Some(end) = self.cause.end().filter(|end| end.is_ours()) {
            // A fault in our own host may pass.
            let retry = if end == End::Miscounted { Retry::Backoff } else { Retry::No(Why::Asked) };
            return Verdict {
                who: Who::Us,
                kind: Kind::LocalAbort,
                retry,
                clause: self.ended(Hint::Nothing),
            };
        }
        self.suspended()
            .or_else(|| self.idle_drop())
            .or_else(|| self.forgotten())
            .or_else(|| self.lifetime())
            .or_else(|| matches!(self.cause, Cause::Dead { .. }).then(|| self.dead()))
            .or_else(|| self.size_limit())
            .or_else(|| self.dropped_at_once())
            .unwrap_or_else(|| self.plain())
    }

    fn suspended(&self) -> Option<Verdict> {
        let stall = self.recent_stall()?;
        Some(Verdict {
            who: Who::Us,
            kind: Kind::LocalSuspend,
            retry: Retry::Now,
            clause: Clause::Suspended { lasted: stall.lasted, ago: self.at - stall.until },
        })
    }

    /// The last time this process did not run, if that can explain this end.
    pub(super) fn recent_stall(&self) -> Option<Gap> {
        self.traffic.stalled().filter(|stall| self.at - stall.until <= RECENT)
    }

    /// The end came by itself, after a silence.
    fn idle_drop(&self) -> Option<Verdict> {
        let end = self.ended_by_other()?;
        let idle = self.idle();
        // This connection survived such a silence before, so the silence hit no limit.
        if idle < MIN_SILENCE || self.traffic.survived() >= idle {
            return None;
        }
        // The reset may answer a retransmission.
        if is_reset(end) && self.is_owed() {
            return None;
        }
        let limit = known(&IDLE, idle, Duration::from_secs(1));
        Some(Verdict {
            who: Who::Path,
            kind: Kind::IdleDrop { idle, limit: limit.map(Limit::duration) },
            retry: Retry::Now,
            clause: Clause::Idle { end, idle, limit, seen_before: self.seen_before(idle) },
        })
    }

    /// The end came in answer to what we sent after a silence.
    fn forgotten(&self) -> Option<Verdict> {
        let end = self.ended_by_other().filter(|end| is_reset(*end))?;
        let broken = self.long_broken().filter(|broken| self.at - broken.until <= self.answer_time())?;
        let silence = broken.lasted;
        if self.traffic.survived() >= silence {
            return None;
        }
        let limit = forgetful(silence);
        Some(Verdict {
            who: Who::Path,
            kind: Kind::IdleDrop { idle: silence, limit: limit.map(Limit::duration) },
            retry: Retry::Now,
            clause: Clause::Forgotten { end, silence, limit, seen_before: self.seen_before(silence) },
        })
    }

    fn lifetime(&self) -> Option<Verdict> {
        self.ended_by_other()?;
        let age = self.age();
        let limit = known(&LIFETIME, age, Duration::ZERO);
        let like_before = age >= MIN_AGE
            && self.evidence.history.ages.iter().flatten().filter(|old| agree(**old, age, 50)).count() == 2;
        let idle = self.idle();
        (idle < IN_USE && (limit.is_some() || like_before)).then_some(Verdict {
            who: Who::Path,
            kind: Kind::LifetimeLimit { age },
            retry: Retry::Now,
            clause: Clause::Lifetime { age, idle, limit, seen_before: like_before },
        })
    }

    pub(super) fn dead(&self) -> Verdict {
        let blocked = self.traffic.blocked(self.at);
        let stall = match self.evidence.ping {
            Ping::Unsent => Some(blocked.unwrap_or(self.at - self.traffic.sent())),
            Ping::Unanswered(waited) => blocked.filter(|blocked| *blocked >= waited),
            Ping::None => None,
        };
        if let Some(lasted) = stall {
            return Verdict {
                who: Who::PeerOrPath,
                kind: Kind::WriteStall,
                retry: Retry::Backoff,
                clause: Clause::Stuck { lasted, queued: self.evidence.queued },
            };
        }
        Verdict {
            who: Who::Path,
            kind: Kind::KeepaliveTimeout,
            retry: Retry::Now,
            clause: Clause::Dead {
                silent: self.traffic.silent(self.at),
                ping: self.evidence.ping,
                hint: self.dead_hint(),
            },
        }
    }

    fn dead_hint(&self) -> Hint {
        let Evidence { pings, pongs, .. } = *self.evidence;
        if pongs == 0 && pings >= 3 {
            return Hint::NeverPonged { pings };
        }
        match self.long_broken() {
            // Pings sent at the same interval differ a little, which means nothing.
            Some(broken)
                if self.traffic.survived() > Duration::ZERO
                    && broken.lasted > self.traffic.survived() + self.traffic.survived() / 20 =>
            {
                Hint::LongSilence { silence: broken.lasted, survived: self.traffic.survived() }
            }
            _ => Hint::Nothing,
        }
    }

    /// The end came at the same place in a message as once before, and no message was ever longer. If one was, the two
    /// cuts only look alike: a sender of pieces of equal length is often cut at such places.
    fn size_limit(&self) -> Option<Verdict> {
        self.ended_by_other()?;
        let Evidence { history, longest_message, .. } = *self.evidence;
        let passed = longest_message.max(history.longest_message);
        let at = self.cut_at().filter(|at| *at >= MIN_SIZE && passed < *at)?;
        let before = history.cut_at?;
        (at.abs_diff(before) <= at.max(before) / 100).then(|| Verdict {
            who: Who::PeerOrPath,
            kind: self.truncated(),
            retry: Retry::Backoff,
            clause: self.ended(Hint::SameSize { at }),
        })
    }

    fn dropped_at_once(&self) -> Option<Verdict> {
        self.ended_by_other()?;
        let times = self.evidence.history.quick().saturating_add(1);
        (self.age() < QUICK && self.evidence.messages == 0 && times >= 3).then(|| Verdict {
            who: Who::Peer,
            kind: Kind::DroppedAtOnce { times },
            retry: Retry::Backoff,
            clause: self.ended(Hint::AtOnce { times }),
        })
    }

    /// Whether the peer was in the middle of something when it fell silent.
    pub(super) fn is_owed(&self) -> bool {
        self.evidence.cut != Cut::Boundary || self.traffic.is_awaited()
    }

    /// The silence that our own sending ended, if it was not answered. A silence in the middle of a frame does not
    /// count: the peer's system keeps retransmitting the rest, and no Pong can arrive before it.
    fn broken(&self) -> Option<Gap> {
        self.traffic.broken().filter(|_| self.evidence.cut == Cut::Boundary)
    }

    /// The same, unless it was too short for a path to forget a connection.
    pub(super) fn unanswered_silence(&self) -> Option<Duration> {
        self.broken().map(|broken| broken.lasted).filter(|lasted| *lasted >= MIN_UNANSWERED)
    }

    /// The same, if it was long enough for an idle limit.
    fn long_broken(&self) -> Option<Gap> {
        self.broken().filter(|broken| broken.lasted >= MIN_SILENCE)
    }

    fn seen_before(&self, silence: Duration) -> bool {
        self.evidence.history.idle.is_some_and(|idle| agree(idle, silence, 20))
    }

    /// How long the answer to what we sent may take.
    fn answer_time(&self) -> Duration {
        self.evidence.answer_time.unwrap_or_default().saturating_mul(3).max(Duration::from_secs(1))
    }
}
