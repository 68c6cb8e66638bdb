//! The diagnosis: from the evidence to a verdict, first rule that fits.
//!
//! What a connection says when it ends is often nothing at all; then the length of the silence, the age and the
//! direction of the last bytes tell which of the usual suspects it was.

use super::clause::{Clause, Ended, Hint};
use super::close::{Close, Flaw};
use super::code::{CloseCode, mentions};
use super::disconnect::{Verdict, cut_at};
use super::evidence::{Cut, End, Evidence, Ping};
use super::exchange::Exchange;
use super::history::QUICK;
use super::kind::{Kind, Who};
use super::retry::{Retry, Why};
use super::suspect::{IDLE, LIFETIME, Limit, forgetful, known};
use super::traffic::{Gap, MIN_SILENCE, Traffic};
use crate::Instant;
use core::time::Duration;

/// What ended a connection.
#[derive(Clone, Copy, Debug)]
pub(super) enum Cause {
    /// The transport ended.
    End(End),
    /// A write failed after this silence; and this is what reading on found.
    Drained { idle: Duration, then: Option<End> },
    /// The heartbeat found nobody there.
    Dead,
    /// Our Close left then, and there was no answer.
    Unanswered { since: Instant },
    /// The data before our Close made no progress since.
    Stuck { since: Instant },
    /// Both Close frames were exchanged, and the transport outlived them for long enough.
    Settled,
}

/// Everything that the rules look at.
#[derive(Debug)]
pub(super) struct Case<'a> {
    pub(super) at: Instant,
    pub(super) cause: Cause,
    pub(super) unsent: bool,
    pub(super) exchange: &'a Exchange,
    pub(super) flaw: Option<Flaw>,
    pub(super) asked: bool,
    pub(super) failed: Option<&'a Close>,
    pub(super) traffic: &'a Traffic,
    pub(super) evidence: &'a Evidence,
}

/// How long after it a stall of our own still explains an end: the default time-out of the heartbeat.
const RECENT: Duration = Duration::from_secs(20);

/// A connection without traffic for twice the default interval of the heartbeat is not busy.
const BUSY: Duration = Duration::from_secs(40);

/// Links that end younger than this end for other reasons than their age.
const MIN_AGE: Duration = Duration::from_secs(10);

/// A silence before the end is told from this length on.
const WORTH_A_WORD: Duration = Duration::from_secs(1);

/// Nobody limits messages to less than this many bytes.
const MIN_SIZE: u64 = 1024;

/// Whether two measurements agree within one part in `parts`.
fn agree(a: Duration, b: Duration, parts: u32) -> bool {
    a.abs_diff(b) <= a.max(b) / parts
}

impl Cause {
    /// How the transport ended, if it did.
    pub(super) fn end(self) -> Option<End> {
        match self {
            Self::End(end) => Some(end),
            Self::Drained { then, .. } => Some(then.unwrap_or(End::WriteFailed)),
            Self::Dead | Self::Unanswered { .. } | Self::Stuck { .. } | Self::Settled => None,
        }
    }

    fn is_drained(self) -> bool {
        matches!(self, Self::Drained { .. })
    }
}

impl Case<'_> {
    pub(super) fn verdict(&self) -> Verdict {
        match (self.exchange, self.failed) {
            (Exchange::Received(close) | Exchange::ReceivedThenSent { received: close, .. }, _) => {
                self.peer_closed(close)
            }
            (_, Some(failed)) => self.we_failed(failed),
            _ if self.asked => self.we_closed(),
            _ => self.unannounced(),
        }
    }

    fn peer_closed(&self, close: &Close) -> Verdict {
        let (kind, retry) = match self.flaw {
            Some(_) => (Kind::ProtocolViolation, Retry::No(Why::Invalid)),
            // Our application closed as well, before it knew.
            None if self.asked => (kind_of(close), Retry::No(Why::Asked)),
            None => (kind_of(close), close.code().retry(close.reason())),
        };
        let clause = match self.cause {
            Cause::Drained { .. } => Clause::FoundAfterFailedWrite,
            _ if self.unsent => Clause::NotLeft,
            _ => Clause::Nothing,
        };
        Verdict { who: Who::Peer, kind, retry, clause }
    }

    fn we_failed(&self, failed: &Close) -> Verdict {
        let retry = match failed.code() {
            _ if self.asked => Retry::No(Why::Asked),
            // A passing trouble of ours; everything else would happen again.
            CloseCode::INTERNAL_ERROR => Retry::Backoff,
            _ => Retry::No(Why::SameAgain),
        };
        let clause = match self.exchange.sent() {
            Some(sent) if sent != failed => Clause::Failed(failed.clone()),
            _ if self.unsent => Clause::NotLeft,
            _ => Clause::Nothing,
        };
        Verdict { who: Who::Us, kind: Kind::WeFailed(failed.code()), retry, clause }
    }

    fn we_closed(&self) -> Verdict {
        let (kind, clause) = match self.cause {
            _ if self.exchange.received().is_some() => {
                (Kind::Clean, if self.unsent { Clause::NotLeft } else { Clause::Nothing })
            }
            Cause::Unanswered { since } => (Kind::CloseTimeout, Clause::Unanswered(self.at - since)),
            Cause::Stuck { since } => {
                (Kind::WriteStall, Clause::Stuck { lasted: self.at - since, queued: self.evidence.queued })
            }
            Cause::Dead => {
                let dead = self.dead();
                (dead.kind, dead.clause)
            }
            Cause::Settled => (Kind::Clean, Clause::Nothing),
            Cause::End(_) | Cause::Drained { .. } => {
                let kind = match self.plain_kind() {
                    Kind::Eof => Kind::CleanUnacknowledged,
                    kind => kind,
                };
                (kind, self.ended(if self.unsent { Hint::CloseNotLeft } else { Hint::Nothing }))
            }
        };
        Verdict { who: Who::Us, kind, retry: Retry::No(Why::Asked), clause }
    }

    /// The end came without a Close frame, except perhaps our own to a peer that was gone.
    fn unannounced(&self) -> Verdict {
        if self.cause.end() == Some(End::LocalAbort) {
            return Verdict {
                who: Who::Us,
                kind: Kind::LocalAbort,
                retry: Retry::No(Why::Asked),
                clause: self.ended(Hint::Nothing),
            };
        }
        self.suspended()
            .or_else(|| self.idle_drop())
            .or_else(|| self.forgotten())
            .or_else(|| self.lifetime())
            .or_else(|| matches!(self.cause, Cause::Dead).then(|| self.dead()))
            .or_else(|| self.size_limit())
            .or_else(|| self.dropped_at_once())
            .unwrap_or_else(|| self.plain())
    }

    fn suspended(&self) -> Option<Verdict> {
        let stall = self.traffic.stalled()?;
        let ago = self.at - stall.until;
        (ago <= RECENT).then_some(Verdict {
            who: Who::Us,
            kind: Kind::LocalSuspend,
            retry: Retry::Now,
            clause: Clause::Suspended { lasted: stall.lasted, ago },
        })
    }

    /// The end came by itself, after a silence.
    fn idle_drop(&self) -> Option<Verdict> {
        let end = self.ended_by_other()?;
        let idle = self.idle();
        // A silence that was survived before, on this very connection, met no limit.
        if idle < MIN_SILENCE || self.traffic.survived() >= idle {
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

    /// The end came as the answer to what we sent after a silence.
    fn forgotten(&self) -> Option<Verdict> {
        // What a failed write has seen of a reset, the reading side is not told again.
        let is_reset = |ended: &Ended| ended.end == End::Reset || ended.after_failed_write;
        let end = self.ended_by_other().filter(is_reset)?;
        let broken = self.broken().filter(|broken| self.at - broken.until <= self.answer_time())?;
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
        (self.idle() < BUSY && (limit.is_some() || like_before)).then_some(Verdict {
            who: Who::Path,
            kind: Kind::LifetimeLimit { age },
            retry: Retry::Now,
            clause: Clause::Lifetime { age, limit, seen_before: like_before },
        })
    }

    fn dead(&self) -> Verdict {
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
        match self.broken() {
            // Pings that leave at the same interval differ by a little without a meaning.
            Some(broken)
                if self.traffic.survived() > Duration::ZERO
                    && broken.lasted > self.traffic.survived() + self.traffic.survived() / 20 =>
            {
                Hint::LongSilence { silence: broken.lasted, survived: self.traffic.survived() }
            }
            _ => Hint::Nothing,
        }
    }

    /// The end came at the same place in a message as once before, and no message has ever been longer. Where one has,
    /// the two cuts only look alike: who sends pieces of one length is cut at such places all the time.
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

    fn plain(&self) -> Verdict {
        let kind = self.plain_kind();
        let (who, retry) = match kind {
            Kind::TimedOut => (Who::Path, Retry::Now),
            Kind::ReadError | Kind::WriteError => (Who::Path, Retry::Backoff),
            _ => (Who::PeerOrPath, Retry::Backoff),
        };
        Verdict { who, kind, retry, clause: self.ended(Hint::Nothing) }
    }

    fn plain_kind(&self) -> Kind {
        match self.cause.end() {
            Some(End::Eof | End::TlsTruncated) if self.is_cut() => self.truncated(),
            Some(End::Eof | End::TlsTruncated) | None => Kind::Eof,
            Some(End::Reset) => Kind::Reset,
            Some(End::TimedOut) => Kind::TimedOut,
            Some(End::ReadFailed) => Kind::ReadError,
            Some(End::WriteFailed) => Kind::WriteError,
            Some(End::LocalAbort) => Kind::LocalAbort,
        }
    }

    fn truncated(&self) -> Kind {
        match self.evidence.cut {
            Cut::Payload { got, of, .. } => Kind::Truncated { got, of: Some(of) },
            Cut::Header | Cut::Boundary => {
                Kind::Truncated { got: self.evidence.incomplete_message, of: None }
            }
        }
    }

    fn ended(&self, hint: Hint) -> Clause {
        Clause::Ended {
            end: self.how(self.cause.end().unwrap_or(End::Eof)),
            cut: self.evidence.cut,
            incomplete_message: self.evidence.incomplete_message,
            announced: *self.exchange != Exchange::Neither,
            silence: Some(self.idle()).filter(|idle| *idle >= WORTH_A_WORD && self.came_by_itself()),
            hint,
        }
    }

    /// The end, if the other side or the path brought it about.
    fn ended_by_other(&self) -> Option<Ended> {
        let end = self.cause.end()?;
        matches!(end, End::Eof | End::TlsTruncated | End::Reset).then(|| self.how(end))
    }

    fn how(&self, end: End) -> Ended {
        Ended { end, after_failed_write: self.cause.is_drained() }
    }

    /// Whether it was no act of ours that found the end.
    fn came_by_itself(&self) -> bool {
        matches!(self.cause, Cause::End(End::Eof | End::TlsTruncated | End::Reset | End::TimedOut))
    }

    fn is_cut(&self) -> bool {
        self.evidence.cut != Cut::Boundary || self.evidence.incomplete_message > 0
    }

    fn cut_at(&self) -> Option<u64> {
        cut_at(self.evidence.cut, self.evidence.incomplete_message)
    }

    fn age(&self) -> Duration {
        self.traffic.age(self.at)
    }

    /// How long nothing had crossed in either direction when the end came.
    pub(super) fn idle(&self) -> Duration {
        match self.cause {
            Cause::Drained { idle, .. } => idle,
            _ => self.traffic.idle(self.at),
        }
    }

    /// The silence that our own sending ended without an answer, if an idle limit may have been at work in it.
    fn broken(&self) -> Option<Gap> {
        self.traffic.broken().filter(|broken| broken.lasted >= MIN_SILENCE)
    }

    fn seen_before(&self, silence: Duration) -> bool {
        self.evidence.history.idle.is_some_and(|idle| agree(idle, silence, 20))
    }

    /// How long the answer to what we sent may take.
    fn answer_time(&self) -> Duration {
        self.evidence.answer_time.unwrap_or_default().saturating_mul(3).max(Duration::from_secs(1))
    }
}

/// What a Close frame of the peer amounts to, if it is valid.
fn kind_of(close: &Close) -> Kind {
    let code = close.code();
    match code.as_u16() {
        1000 if code.retry(close.reason()) == Retry::Backoff => Kind::GoingAway,
        1000 | 1005 => Kind::Clean,
        1001 => Kind::GoingAway,
        1011 if mentions(close.reason(), "ping timeout") => Kind::PeerTimedUsOut,
        1011 => Kind::PeerError,
        1012 => Kind::Restart,
        1013 => Kind::Overload,
        1014 => Kind::Gateway,
        3000..=4999 if code.retry("").is_yes() => Kind::App(code),
        _ => Kind::Rejected(code),
    }
}
