//! The advice at the end of every diagnosis: whether and when to reconnect.

use crate::words::Span;
use core::fmt;
use core::time::Duration;

/// Whether to reconnect, and when.
///
/// [`Reconnect`](crate::Reconnect) turns this into a time; an application without it can match on this itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Retry {
    /// Do not reconnect: another attempt would end in the same way, or nobody wants one.
    No(Why),
    /// At once: the path forgot the connection, and nothing says that the peer is in trouble.
    Now,
    /// After the usual backoff.
    Backoff,
    /// After at least this long, plus the usual backoff.
    BackoffAfter(Duration),
    /// After a random time in this range, so that a crowd of clients does not return all at once.
    After {
        /// The earliest.
        min: Duration,
        /// The latest.
        max: Duration,
    },
    /// After the usual backoff, but only with a change; without it the next attempt would end in the same way.
    AfterChange(Change),
}

/// Why there should be no other attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Why {
    /// We ended the connection because our application asked for it.
    Asked,
    /// The peer ended it normally: it has done what it was opened for.
    Finished,
    /// Another connection has taken its place.
    Replaced,
    /// The peer refuses this client: unauthorized, forbidden, or against its rules.
    Refused,
    /// The same bytes would be refused again.
    SameAgain,
    /// The peer does not follow the protocol.
    Invalid,
    /// The certificate was not accepted.
    Certificate,
    /// The server answered the upgrade with this HTTP status.
    Status(u16),
}

/// What to change before the next attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Change {
    /// Send smaller frames and messages.
    SmallerMessages,
    /// Send pings less often.
    SlowerHeartbeat,
}

/// The longest time that anybody else can make a client wait: an hour, a plausible answer of a server under
/// maintenance. If a server asks for a day, or for ten thousand years by mistake, the client tries once an hour, which
/// burdens nobody.
pub(crate) const LONGEST: Duration = Duration::from_secs(3600);

impl Retry {
    /// Adds the delay that the server asks for (`Retry-After`), if this advice uses the usual backoff. The delay counts
    /// up to an hour; a longer one is cut to an hour.
    ///
    /// ```
    /// use bowline_core::closing::{Retry, retry_status};
    /// use core::time::Duration;
    ///
    /// let asked = |seconds| retry_status(503).not_before(Some(Duration::from_secs(seconds)));
    /// assert_eq!(asked(7), Retry::BackoffAfter(Duration::from_secs(7)));
    /// assert_eq!(asked(1_000_000_000_000), Retry::BackoffAfter(Duration::from_secs(3600)));
    /// ```
    #[must_use]
    pub fn not_before(self, retry_after: Option<Duration>) -> Self {
        match (self, retry_after) {
            (Self::Backoff, Some(wait)) => Self::BackoffAfter(wait.min(LONGEST)),
            (retry, _) => retry,
        }
    }

    /// Whether there is any reason to reconnect.
    pub const fn is_yes(&self) -> bool {
        !matches!(self, Self::No(_))
    }
}

impl fmt::Display for Retry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::No(why) => write!(f, "no ({why})"),
            Self::Now => f.write_str("now"),
            Self::Backoff => f.write_str("backoff"),
            Self::BackoffAfter(min) => write!(f, "backoff after {}", Span(*min)),
            Self::After { min, max } => write!(f, "after {} to {}", Span(*min), Span(*max)),
            Self::AfterChange(change) => write!(f, "with {change}"),
        }
    }
}

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Asked => "asked",
            Self::Finished => "finished",
            Self::Replaced => "replaced",
            Self::Refused => "refused",
            Self::SameAgain => "the same again",
            Self::Invalid => "invalid",
            Self::Certificate => "certificate",
            Self::Status(status) => return write!(f, "status {status}"),
        })
    }
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::SmallerMessages => "smaller messages",
            Self::SlowerHeartbeat => "a slower heartbeat",
        })
    }
}
