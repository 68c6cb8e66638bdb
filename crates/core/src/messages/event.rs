//! What is said between a session and its application.

use super::wire::{MAX_MESSAGE, Why};
use super::{Receipt, SessionId};
use crate::Message;
use crate::replay::Unacknowledged;
use crate::transfer::Code;
use alloc::string::String;
use alloc::vec::Vec;
use core::time::Duration;
use thiserror::Error;

/// What a session tells.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Event {
    /// A new session: both ends count from 1.
    Began(SessionId),
    /// The session goes on, on a new link.
    Resumed {
        /// How many messages are sent for the second time.
        replayed: u64,
        /// How many have come twice since the session began; none of them was delivered twice.
        duplicates: u64,
    },
    /// The session is over, and what was sent in it may have arrived or not.
    Lost {
        /// Why.
        why: Why,
        /// The messages that are not known to have arrived, in order.
        messages: Vec<Unacknowledged>,
    },
    /// The server has no room for a session at present; it is asked again.
    Refused {
        /// When: an hour from now at the latest, whatever it says.
        retry_after: Duration,
    },
    /// The peer does not speak of messages, as long as this link lasts. What was sent waits for another link.
    Unsupported,
    /// The link broke the protocol: close it.
    Broken {
        /// What to tell the peer.
        code: Code,
        /// Why, in words.
        text: String,
    },
}

impl Event {
    /// Whether whoever does not hear of it has lost no message: for queues of events that must not grow without limit.
    pub fn is_passing(&self) -> bool {
        !matches!(self, Self::Lost { messages, .. } if !messages.is_empty())
    }
}

/// A message that came.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Received {
    /// What to confirm once the message is taken care of, for
    /// [`AckOn::Confirmation`](crate::replay::AckOn::Confirmation); `None` for a volatile message.
    pub receipt: Option<Receipt>,
    /// The message.
    pub message: Message,
}

/// A message that was not taken. It comes back with the reason.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum SendError {
    /// Too many messages wait for their acknowledgement: try again when some have arrived.
    #[error("no room: too many messages are waiting to be acknowledged")]
    Full(Message),
    /// It is too long for a message: send it as a file.
    #[error("a message of {} bytes, more than {MAX_MESSAGE}", .0.len())]
    TooLong(Message),
    /// A volatile message, and no link on which it could leave at once.
    #[error("no link is up, and a volatile message does not wait for one")]
    Down(Message),
    /// There is no such session: it is over.
    #[error("there is no such session: it is over")]
    Unknown(Message),
    /// This end was not set to speak of messages.
    #[error("this end is not set up for messages: see `messages` in its settings")]
    Mute(Message),
}

impl SendError {
    /// The message that was not taken.
    pub fn into_inner(self) -> Message {
        match self {
            Self::Full(message)
            | Self::TooLong(message)
            | Self::Down(message)
            | Self::Unknown(message)
            | Self::Mute(message) => message,
        }
    }
}
