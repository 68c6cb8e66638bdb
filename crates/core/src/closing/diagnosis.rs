//! The diagnosis: turns the evidence into a verdict, by the first rule that fits.
//!
//! A connection often ends without a word. Then the length of the silence, the age, and the direction of the last bytes
//! tell which of the usual suspects ended it.

use super::clause::{Clause, Ended, Hint};
use super::close::{Close, Flaw};
use super::code::{CloseCode, mentions};
use super::disconnect::{Verdict, cut_at};
use super::evidence::{Cut, End, Evidence};
use super::exchange::Exchange;
use super::kind::{Kind, Who};
use super::retry::{Retry, Why};
use super::traffic::Traffic;
use crate::Instant;
use core::time::Duration;

/// What ended a connection.
#[derive(Clone, Copy, Debug)]
pub(super) enum Cause {
    /// The transport ended.
    End(End),
    /// A write failed after this silence, and reading on found this.
    Drained { idle: Duration, end: End },
    /// The heartbeat found the peer dead.
    Dead {
        /// Not quite, but another connection has taken the place of this one.
        replaced: bool,
    },
    /// Our Close left at `since` and was not answered.
    Unanswered { since: Instant },
    /// The data before our Close has made no progress since then.
    Stuck { since: Instant },
    /// Both Close frames were exchanged, and the transport stayed open too long afterwards.
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

/// A silence before the end is mentioned if it lasted at least this long.
const WORTH_A_WORD: Duration = Duration::from_secs(1);

impl Cause {
    /// How the transport ended, if it did.
    pub(super) fn end(self) -> Option<End> {
        match self {
            Self::End(end) | Self::Drained { end, .. } => Some(end),
            Self::Dead { .. } | Self::Unanswered { .. } | Self::Stuck { .. } | Self::Settled => None,
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
            (Exchange::Neither, None) if self.asked => {
                Verdict { retry: Retry::No(Why::Asked), ..self.unannounced() }
            }
            _ if self.asked => self.we_closed(),
            _ => self.unannounced(),
        }
    }

    /// Bytes of lost messages, if the sentence has to mention them. It has to after a Close, which promises an orderly
    /// end, unless it already says what was queued or that the peer was dead.
    pub(super) fn lost(&self) -> u64 {
        let is_told = matches!(self.cause, Cause::Stuck { .. } | Cause::Dead { .. });
        if is_told || *self.exchange == Exchange::Neither { 0 } else { self.evidence.lost }
    }

    fn peer_closed(&self, close: &Close) -> Verdict {
        let (kind, retry) = match self.flaw {
            Some(_) => (Kind::ProtocolViolation, Retry::No(Why::Invalid)),
            // Our application had closed too, before it knew.
            None if self.asked => (kind_of(close), Retry::No(Why::Asked)),
            None => (kind_of(close), close.code().retry(close.reason())),
        };
        let clause = match (self.recent_stall(), self.cause) {
            // We could not answer its ping.
            (Some(stall), _) if kind == Kind::PeerTimedUsOut => Clause::Slept(stall.lasted),
            (_, Cause::Drained { .. }) => Clause::FoundAfterFailedWrite,
            _ if self.unsent => Clause::NotLeft,
            _ => Clause::Nothing,
        };
        Verdict { who: Who::Peer, kind, retry, clause }
    }

    fn we_failed(&self, failed: &Close) -> Verdict {
        let retry = match failed.code() {
            _ if self.asked => Retry::No(Why::Asked),
            // A passing fault of our own; anything else would happen again.
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
            Cause::Dead { .. } => {
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

    pub(super) fn plain(&self) -> Verdict {
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
            Some(End::Reset | End::WriteReset) => Kind::Reset,
            Some(End::TimedOut | End::WriteTimedOut) => Kind::TimedOut,
            Some(End::ReadFailed) => Kind::ReadError,
            Some(End::WriteFailed) => Kind::WriteError,
            Some(End::LocalAbort | End::Miscounted) => Kind::LocalAbort,
        }
    }

    pub(super) fn truncated(&self) -> Kind {
        match self.evidence.cut {
            Cut::Payload { got, of, .. } => Kind::Truncated { got, of: Some(of) },
            Cut::Header | Cut::Boundary => {
                Kind::Truncated { got: self.evidence.incomplete_message, of: None }
            }
        }
    }

    pub(super) fn ended(&self, hint: Hint) -> Clause {
        Clause::Ended {
            end: self.how(self.cause.end().unwrap_or(End::Eof)),
            cut: self.evidence.cut,
            incomplete_message: self.evidence.incomplete_message,
            announced: *self.exchange != Exchange::Neither,
            silence: Some(self.idle()).filter(|idle| *idle >= WORTH_A_WORD && self.came_by_itself()),
            hint,
        }
    }

    /// The end, if the peer or the path caused it.
    pub(super) fn ended_by_other(&self) -> Option<Ended> {
        let end = self.cause.end()?;
        matches!(end, End::Eof | End::TlsTruncated | End::Reset).then(|| self.how(end))
    }

    fn how(&self, end: End) -> Ended {
        Ended { end, after_failed_write: self.cause.is_drained() }
    }

    /// Whether the end was found without an act of ours.
    fn came_by_itself(&self) -> bool {
        matches!(self.cause, Cause::End(End::Eof | End::TlsTruncated | End::Reset | End::TimedOut))
    }

    fn is_cut(&self) -> bool {
        self.evidence.cut != Cut::Boundary || self.evidence.incomplete_message > 0
    }

    pub(super) fn cut_at(&self) -> Option<u64> {
        cut_at(self.evidence.cut, self.evidence.incomplete_message)
    }

    pub(super) fn age(&self) -> Duration {
        self.traffic.age(self.at)
    }

    /// How long nothing had crossed in either direction before the end.
    pub(super) fn idle(&self) -> Duration {
        match self.cause {
            Cause::Drained { idle, .. } => idle,
            _ => self.traffic.idle(self.at),
        }
    }
}

/// What kind of end a valid Close of the peer means.
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
