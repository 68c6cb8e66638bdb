//! The states of the closing handshake, and what each of them waits for.

use super::config::Config;
use super::diagnosis::Cause;
use super::traffic::Traffic;
use crate::{Instant, Role};
use bytes::Bytes;
use core::time::Duration;

/// What to do with the transport once everything queued has been written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transport {
    /// Keep it: read, and write what there is.
    Keep,
    /// End our direction (shut down the writing side); go on reading until the peer ends its own.
    FinishWriting,
    /// Drop it without waiting. What is queued may be offered to it once, if it takes that without blocking.
    Drop,
}

/// See the diagram of the [module](super).
#[derive(Debug)]
pub(super) enum State {
    Open,
    /// The peer's Close is here, and its answer waits until the application has seen what came before it.
    Held {
        since: Instant,
    },
    /// Our Close is queued, the peer's is missing.
    Sent(Wait),
    /// The peer's Close is here, ours is queued.
    Both(Wait),
    /// A write failed: reading what is left.
    Drain {
        since: Instant,
        /// The silence before the write that failed.
        idle: Duration,
        /// Messages are not looked at any more, only a Close behind them is.
        skips: bool,
    },
    /// Ended, and nobody was told.
    Ending {
        at: Instant,
        cause: Cause,
        /// Our Close was queued and had not left.
        unsent: bool,
    },
    Over,
}

/// What has waited for too long, and what to do about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Overdue {
    /// The application, to see what came before the peer's Close: write this as the payload of ours, behind the data
    /// that waits.
    Answer(Bytes),
    /// The data before our answer, to leave: drop it, so that the answer can go.
    Data,
}

/// The data before our answer may wait for at most this share of the close timeout; together with the time that the
/// [application](Config::hold_time) has, less than a peer of our kind waits for it.
const DATA_SHARE: u32 = 5;

/// A wait that goes on while something crosses takes at most so many times its limit.
const PATIENCE: u32 = 3;

/// When something that began at `since` is over: this long after the last time that something crossed, but not for ever.
fn while_it_goes_on(since: Instant, crossed: Instant, limit: Duration) -> Instant {
    (crossed.max(since) + limit).min(since + limit.saturating_mul(PATIENCE))
}

/// What we wait for, once our Close is queued.
#[derive(Clone, Copy, Debug)]
pub(super) enum Wait {
    /// For the transport to take the data before our answer to the peer's Close.
    Data { since: Instant },
    /// For the transport to take it, with at most this long without progress.
    Flush { since: Instant, limit: Duration },
    /// For the peer, since then, though our Close may be on its way for so long.
    Peer { since: Instant, transit: Duration, hearing: Hearing },
}

/// How we listen for the peer's Close, which may stand behind messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Hearing {
    /// All is read as it comes.
    All,
    /// There were times at which we did not read.
    Gaps,
    /// Messages are read and not looked at any more.
    Skips,
}

impl Wait {
    /// What waits to be written begins to wait now.
    pub(super) fn restart(&mut self, now: Instant) {
        if let Self::Data { since } | Self::Flush { since, .. } = self {
            *since = now;
        }
    }

    /// The same wait from what has left last: no sooner over, and patient as at its beginning.
    pub(super) fn anew(self, traffic: &Traffic) -> Self {
        match self {
            Self::Flush { since, limit } => Self::Flush { since: since.max(traffic.sent()), limit },
            other => other,
        }
    }
}

impl State {
    /// When the wait is over; `failed` says that we could not go on.
    pub(super) fn deadline(&self, config: &Config, traffic: &Traffic, failed: bool) -> Option<Instant> {
        match *self {
            // What was sent before our Close leaves as slowly as the path is, as long as anybody is to hear it.
            Self::Sent(Wait::Flush { since, limit }) if !failed => Some(traffic.sent().max(since) + limit),
            Self::Sent(Wait::Flush { since, limit }) | Self::Both(Wait::Flush { since, limit }) => {
                Some(while_it_goes_on(since, traffic.sent(), limit))
            }
            Self::Held { since } => Some(since + config.hold_time()),
            Self::Sent(Wait::Data { since }) | Self::Both(Wait::Data { since }) => {
                Some(since + config.close_timeout / DATA_SHARE)
            }
            // A peer that breaks the protocol gets no more time by going on.
            Self::Sent(Wait::Peer { since, .. }) if failed => Some(since + config.close_timeout),
            Self::Sent(Wait::Peer { since, transit, .. }) => {
                Some(while_it_goes_on(since + transit, traffic.received(), config.close_timeout))
            }
            Self::Both(Wait::Peer { since, .. }) => Some(since + config.end_timeout),
            Self::Drain { since, .. } => Some(since + config.drain_timeout),
            Self::Open | Self::Ending { .. } | Self::Over => None,
        }
    }

    /// What it means that the wait is over.
    pub(super) fn timed_out(&self, traffic: &Traffic) -> Option<Cause> {
        match *self {
            Self::Sent(Wait::Data { since } | Wait::Flush { since, .. }) => {
                Some(Cause::Stuck { since: traffic.sent().max(since) })
            }
            Self::Sent(Wait::Peer { since, .. }) => Some(Cause::Unanswered { since }),
            Self::Both(_) => Some(Cause::Settled),
            Self::Drain { idle, .. } => Some(Cause::Drained { idle, then: None }),
            Self::Open | Self::Held { .. } | Self::Ending { .. } | Self::Over => None,
        }
    }

    /// Whether both directions are in use.
    pub(super) fn is_talking(&self, failed: bool) -> bool {
        match self {
            Self::Open => true,
            Self::Sent(_) => !failed,
            Self::Held { .. } | Self::Both(_) | Self::Drain { .. } | Self::Ending { .. } | Self::Over => {
                false
            }
        }
    }

    /// Whether messages of the peer are looked at.
    pub(super) fn wants_data(&self, failed: bool) -> bool {
        match self {
            Self::Sent(Wait::Peer { hearing: Hearing::Skips, .. }) => false,
            Self::Drain { skips, .. } => !skips,
            _ => self.is_talking(failed),
        }
    }

    pub(super) fn is_over(&self) -> bool {
        matches!(self, Self::Ending { .. } | Self::Over)
    }

    /// Whether our Close is still in the queue.
    pub(super) fn is_flushing(&self) -> bool {
        matches!(self, Self::Sent(wait) | Self::Both(wait) if !matches!(wait, Wait::Peer { .. }))
    }

    pub(super) fn transport(&self, role: Role, failed: bool) -> Transport {
        match (self, role) {
            (Self::Ending { .. } | Self::Over, _) => Transport::Drop,
            // RFC 6455 §7.1.1: the server ends the TCP connection first, so that it is the one that waits in TIME_WAIT.
            (Self::Both(_), Role::Server) => Transport::FinishWriting,
            (Self::Sent(_), Role::Server) if failed => Transport::FinishWriting,
            _ => Transport::Keep,
        }
    }
}
