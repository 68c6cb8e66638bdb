//! Session messages, as applications send and receive them.

use std::sync::Arc;

use bowline_core::messages::{Event, Received};
use thiserror::Error;

/// What an application receives from a message session.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Heard {
    /// A message.
    Message(Received),
    /// The session has begun, continues, or is over; [`Event::Lost`] has the messages that may not have arrived.
    Session(Event),
    /// The client has no link. Its session is kept for a while. Reported on servers only.
    Detached,
}

impl Heard {
    /// Whether missing this loses no message.
    pub(crate) fn is_passing(&self) -> bool {
        match self {
            Self::Message(_) => false,
            Self::Session(event) => event.is_passing(),
            Self::Detached => true,
        }
    }
}

/// Why it is not known whether all messages have arrived.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum FlushError {
    /// Nobody will ever know.
    #[error("the session was lost, or the client was closed")]
    Lost,
    /// This end was not set up to support messages.
    #[error("this end is not set up for messages: see `messages` in its settings")]
    Mute,
    /// They have not arrived within the given time.
    #[error("the messages did not arrive in the time that was given")]
    TimedOut,
    /// As many messages as allowed are queued to be received, and the peer may be waiting for that. Reported where
    /// nothing else can receive them meanwhile.
    #[error("messages are waiting to be received, and the peer may be waiting for that")]
    Unheard,
}

/// Wakes a waiter, from any thread, whether it is waiting already or about to. Must not block.
pub type Wake = Arc<dyn Fn() + Send + Sync>;
