//! The states of the closing handshake, and what each of them waits for.

use super::config::Config;
use super::diagnosis::Cause;
use super::traffic::Traffic;
use crate::{Instant, Role};
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

/// What we wait for, once our Close is queued.
#[derive(Clone, Copy, Debug)]
pub(super) enum Wait {
    /// For the transport to take it, with at most this long without progress.
    Flush { since: Instant, limit: Duration },
    /// For the peer, since then.
    Peer { since: Instant },
}

impl State {
    /// When the wait is over; `failed` says that we could not go on.
    pub(super) fn deadline(&self, config: &Config, traffic: &Traffic, failed: bool) -> Option<Instant> {
        match *self {
            Self::Sent(Wait::Flush { since, limit }) | Self::Both(Wait::Flush { since, limit }) => {
                Some(traffic.sent().max(since) + limit)
            }
            // A peer that breaks the protocol gets no more time by going on.
            Self::Sent(Wait::Peer { since }) if failed => Some(since + config.close_timeout),
            Self::Sent(Wait::Peer { since }) => {
                let wait = config.close_timeout;
                Some((traffic.received().max(since) + wait).min(since + wait.saturating_mul(3)))
            }
            Self::Both(Wait::Peer { since }) => Some(since + config.end_timeout),
            Self::Drain { since, .. } => Some(since + config.drain_timeout),
            Self::Open | Self::Ending { .. } | Self::Over => None,
        }
    }

    /// What it means that the wait is over.
    pub(super) fn timed_out(&self, traffic: &Traffic) -> Option<Cause> {
        match *self {
            Self::Sent(Wait::Flush { since, .. }) => Some(Cause::Stuck { since: traffic.sent().max(since) }),
            Self::Sent(Wait::Peer { since }) => Some(Cause::Unanswered { since }),
            Self::Both(_) => Some(Cause::Settled),
            Self::Drain { idle, .. } => Some(Cause::Drained { idle, then: None }),
            Self::Open | Self::Ending { .. } | Self::Over => None,
        }
    }

    /// Whether both directions are in use.
    pub(super) fn is_talking(&self, failed: bool) -> bool {
        match self {
            Self::Open => true,
            Self::Sent(_) => !failed,
            Self::Both(_) | Self::Drain { .. } | Self::Ending { .. } | Self::Over => false,
        }
    }

    pub(super) fn is_over(&self) -> bool {
        matches!(self, Self::Ending { .. } | Self::Over)
    }

    /// Whether our Close is still in the queue.
    pub(super) fn is_flushing(&self) -> bool {
        matches!(self, Self::Sent(Wait::Flush { .. }) | Self::Both(Wait::Flush { .. }))
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
