//! The states of the closing handshake, and what each waits for.

use super::config::Config;
use super::diagnosis::Cause;
use super::evidence::End;
use super::traffic::Traffic;
use crate::{Instant, Role};
use bytes::Bytes;
use core::time::Duration;

/// What to do with the transport once everything queued has been written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transport {
    /// Keep it: read, and write what there is.
    Keep,
    /// End our direction (shut down the writing side), and read on until the peer ends its own.
    FinishWriting,
    /// Drop it without waiting. Queued bytes may be offered to it once, if it accepts them without blocking.
    Drop,
}

/// See the diagram of the [module](super).
#[derive(Debug)]
pub(super) enum State {
    Open,
    /// The peer's Close has arrived, and its answer waits until the application has seen what came before it.
    Held {
        since: Instant,
    },
    /// Our Close is queued or has left, and the peer's has not arrived.
    Sent(Wait),
    /// Both are here: the peer's Close has arrived, and ours is queued or has left.
    Both(Wait),
    /// A write failed, and we read what is left.
    Drain {
        since: Instant,
        /// The silence before the write that failed.
        idle: Duration,
        /// What that write found.
        write: End,
        /// Messages are skipped; only a Close behind them counts.
        skips: bool,
    },
    /// The end has come, and has not been reported.
    Ending {
        at: Instant,
        cause: Cause,
        /// Our Close was still queued.
        unsent: bool,
    },
    Over,
}

/// What has waited too long, and what to do about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Overdue {
    /// The application had its time to see what came before the peer's Close: write this as the payload of our Close,
    /// behind the queued data.
    Answer(Bytes),
    /// The data before our answer did not leave in time: drop it, so that the answer can go.
    Data,
}

/// The data before our answer may wait for at most this share of the close timeout. Together with the time for the
/// [application](Config::hold_time) this is less than a peer like us waits for the answer.
const DATA_SHARE: u32 = 5;

/// A wait that progress extends lasts at most this many times its limit.
const PATIENCE: u32 = 3;

/// When a wait that began at `since` is over: `limit` after the last progress, within [`PATIENCE`].
fn while_it_goes_on(since: Instant, crossed: Instant, limit: Duration) -> Instant {
    (crossed.max(since) + limit).min(since + limit.saturating_mul(PATIENCE))
}

/// What we wait for, once our Close is queued.
#[derive(Clone, Copy, Debug)]
pub(super) enum Wait {
    /// For the transport to accept the data before our answer to the peer's Close.
    Data { since: Instant },
    /// For the transport to accept the Close, with at most this long without progress.
    Flush { since: Instant, limit: Duration },
    /// For the peer, since then; our Close may take this long to reach it.
    Peer { since: Instant, transit: Duration, hearing: Hearing },
}

/// How we listen for the peer's Close, which may come behind messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Hearing {
    /// Everything is read as it comes.
    All,
    /// At times we did not read.
    Gaps,
    /// Messages are read and skipped.
    Skips,
}

impl Wait {
    /// Starts the wait for the transport again.
    pub(super) fn restart(&mut self, now: Instant) {
        if let Self::Data { since } | Self::Flush { since, .. } = self {
            *since = now;
        }
    }

    /// The same wait, counted from the last progress: it ends no sooner, and is as patient as at its start.
    pub(super) fn anew(self, traffic: &Traffic) -> Self {
        match self {
            Self::Flush { since, limit } => Self::Flush { since: since.max(traffic.sent()), limit },
            other => other,
        }
    }
}

impl State {
    /// When the wait is over; `failed` says whether we failed the connection.
    pub(super) fn deadline(&self, config: &Config, traffic: &Traffic, failed: bool) -> Option<Instant> {
        match *self {
            // As long as somebody will read it, data before our Close may leave as slowly as the path allows.
            Self::Sent(Wait::Flush { since, limit }) if !failed => Some(traffic.sent().max(since) + limit),
            Self::Sent(Wait::Flush { since, limit }) | Self::Both(Wait::Flush { since, limit }) => {
                Some(while_it_goes_on(since, traffic.sent(), limit))
            }
            Self::Held { since } => Some(since + config.hold_time()),
            Self::Sent(Wait::Data { since }) | Self::Both(Wait::Data { since }) => {
                Some(since + config.close_timeout / DATA_SHARE)
            }
            // Progress earns a peer that broke the protocol no more time.
            Self::Sent(Wait::Peer { since, .. }) if failed => Some(since + config.close_timeout),
            Self::Sent(Wait::Peer { since, transit, .. }) => {
                Some(while_it_goes_on(since + transit, traffic.received(), config.close_timeout))
            }
            Self::Both(Wait::Peer { since, .. }) => Some(since + config.end_timeout),
            Self::Drain { since, .. } => Some(since + config.drain_timeout),
            Self::Open | Self::Ending { .. } | Self::Over => None,
        }
    }

    /// What it means that the wait has run out.
    pub(super) fn timed_out(&self, traffic: &Traffic) -> Option<Cause> {
        match *self {
            Self::Sent(Wait::Data { since } | Wait::Flush { since, .. }) => {
                Some(Cause::Stuck { since: traffic.sent().max(since) })
            }
            Self::Sent(Wait::Peer { since, .. }) => Some(Cause::Unanswered { since }),
            Self::Both(_) => Some(Cause::Settled),
            Self::Drain { idle, write, .. } => Some(Cause::Drained { idle, end: write }),
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

    /// Whether the peer's messages are interpreted.
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
