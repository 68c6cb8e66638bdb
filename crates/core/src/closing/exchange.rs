//! The Close frames of a connection.

use super::close::Close;
use core::fmt;

/// The Close frames of a connection, in the order in which they were queued here and received here.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Exchange {
    /// There was none.
    #[default]
    Neither,
    /// Only ours.
    Sent(Close),
    /// Only the peer's.
    Received(Close),
    /// Ours was first.
    SentThenReceived {
        /// Ours.
        sent: Close,
        /// The peer's.
        received: Close,
    },
    /// The peer's was first, and ours is the answer.
    ReceivedThenSent {
        /// The peer's.
        received: Close,
        /// Ours.
        sent: Close,
    },
}

impl Exchange {
    /// The Close that we queued.
    pub fn sent(&self) -> Option<&Close> {
        match self {
            Self::Sent(sent) | Self::SentThenReceived { sent, .. } | Self::ReceivedThenSent { sent, .. } => {
                Some(sent)
            }
            Self::Neither | Self::Received(_) => None,
        }
    }

    /// The peer's Close.
    pub fn received(&self) -> Option<&Close> {
        match self {
            Self::Received(received)
            | Self::SentThenReceived { received, .. }
            | Self::ReceivedThenSent { received, .. } => Some(received),
            Self::Neither | Self::Sent(_) => None,
        }
    }
}

impl fmt::Display for Exchange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Neither => f.write_str("no close frame received or sent"),
            Self::Sent(sent) => write!(f, "sent {sent}; no close frame received"),
            Self::Received(received) => write!(f, "received {received}; no close frame sent"),
            Self::SentThenReceived { sent, received } => write!(f, "sent {sent}; then received {received}"),
            Self::ReceivedThenSent { received, sent } => write!(f, "received {received}; then sent {sent}"),
        }
    }
}
