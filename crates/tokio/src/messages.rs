//! Messages of sessions, as applications hear them.

use bowline_core::messages::{Event, Received};
use thiserror::Error;

/// What an application hears of a session of messages.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Heard {
    /// A message has come.
    Message(Received),
    /// The session has begun, goes on, or is over; [`Event::Lost`] has the messages that may not have arrived.
    Session(Event),
    /// The client is without a link. Its session is kept for a while. Told on servers only.
    Detached,
}

/// Nobody will ever know whether all messages have arrived.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("the session was lost, or the client was closed")]
pub struct SessionLost;
