//! What a client decides.

use crate::Instant;
use crate::closing::{Span, Why};
use core::fmt;
use core::time::Duration;

/// What a client should do next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// Dial, and report with [`handle_open`](super::Reconnect::handle_open) or
    /// [`handle_dial_failed`](super::Reconnect::handle_dial_failed).
    Dial,
    /// Abandon any dial under way. Dial at this time, which [`poll_timeout`](super::Reconnect::poll_timeout)
    /// returns as well.
    DialAt(Instant),
    /// Do not dial again, unless somebody asks for it with [`dial`](super::Reconnect::dial).
    GiveUp(GiveUp),
}

/// Why a client does not dial again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum GiveUp {
    /// The end of the link, or the server's answer, says that dialling again would not help.
    No(Why),
    /// [`max_attempts`](super::Config::max_attempts) allows no more than this many.
    Attempts(u32),
    /// The outage has lasted this long, and nothing more is to be tried within
    /// [`max_elapsed`](super::Config::max_elapsed).
    Elapsed(Duration),
    /// One of these limits is reached, and in this time links were made, but each was lost before it was
    /// [stable](super::Config::stable_after).
    Unstable(Duration),
    /// The same, and all that waited for the last of these links waited [in vain](super::Reconnect::handle_stuck).
    Stuck(Duration),
    /// The server was never reached in this time, and nothing more is to be tried within
    /// [`first_contact`](super::Config::first_contact).
    NeverReached(Duration),
}

impl fmt::Display for GiveUp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::No(why) => write!(f, "no further attempt: {why}"),
            Self::Attempts(attempts) => write!(f, "no connection after {attempts} attempts"),
            Self::Elapsed(lasted) => write!(f, "no connection for {}", Span(*lasted)),
            Self::Unstable(lasted) => write!(f, "no connection was stable in {}", Span(*lasted)),
            // A handshake is small, and so is a ping.
            Self::Stuck(lasted) => write!(
                f,
                "connections open, but nothing has got across for {}: something on the path may drop large packets",
                Span(*lasted)
            ),
            // So short a time says nothing.
            Self::NeverReached(lasted) if *lasted < Duration::from_millis(50) => {
                f.write_str("never connected")
            }
            Self::NeverReached(lasted) => write!(f, "never connected in {}", Span(*lasted)),
        }
    }
}
