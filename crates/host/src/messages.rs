//! Messages of sessions, as applications send and receive them.

use std::sync::Arc;

use bowline_core::messages::{Event, Received};
use thiserror::Error;

/// What an application hears of a session of messages.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Heard {
    /// A message has come.
    Message(Received),
    /// The session has begun, continues, or is over; [`Event::Lost`] has the messages that may not have arrived.
    Session(Event),
    /// The client is without a link. Its session is kept for a while. Reported on servers only.
    Detached,
}

impl Heard {
    /// Whether whoever does not hear this has lost no message.
    pub(crate) fn is_passing(&self) -> bool {
        match self {
            Self::Message(_) => false,
            Self::Session(event) => event.is_passing(),
            Self::Detached => true,
        }
    }
}

/// Why it is not known that all messages have arrived.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum FlushError {
    /// Nobody will ever know.
    #[error("the session was lost, or the client was closed")]
    Lost,
    /// This end was not set up to support messages.
    #[error("this end is not set up for messages: see `messages` in its settings")]
    Mute,
    /// They have not arrived within the time that was given.
    #[error("the messages did not arrive in the time that was given")]
    TimedOut,
    /// As many messages as allowed wait to be received, and the peer may be waiting for that. Reported where nobody
    /// else can receive them meanwhile.
    #[error("messages are waiting to be received, and the peer may be waiting for that")]
    Unheard,
}

/// Wakes somebody, from any thread, whether he waits or is about to. Must not wait itself.
pub type Wake = Arc<dyn Fn() + Send + Sync>;
