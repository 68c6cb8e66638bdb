//! What a session and its application tell each other.

use super::wire::{MAX_MESSAGE, Why};
use super::{Receipt, SessionId};
use crate::Message;
use crate::replay::Unacknowledged;
use crate::transfer::Code;
use crate::words::{Count, OneLine, Span};
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;
use core::time::Duration;
use thiserror::Error;

/// What a session reports.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Event {
    /// A new session: both ends count from 1.
    Began(SessionId),
    /// The session continues on a new link.
    Resumed {
        /// How many messages are sent again.
        replayed: u64,
        /// How many arrived twice since the session began; none of them was delivered twice.
        duplicates: u64,
    },
    /// The session is over; what was sent in it may or may not have arrived.
    Lost {
        /// Why.
        why: Why,
        /// The messages that are not known to have arrived, in order.
        messages: Vec<Unacknowledged>,
    },
    /// The server has no room for a session at present; it will be asked again.
    Refused {
        /// After how long: at most an hour, whatever the server says.
        retry_after: Duration,
    },
    /// The peer does not support messages while this link lasts. Queued messages wait for another link.
    Unsupported,
    /// The link violated the protocol: close it.
    Broken {
        /// What to tell the peer.
        code: Code,
        /// Why, in words.
        text: String,
    },
}

impl Event {
    /// Whether missing this event loses no message: for event queues that must be limited.
    pub fn is_passing(&self) -> bool {
        !matches!(self, Self::Lost { messages, .. } if !messages.is_empty())
    }
}

impl fmt::Display for Event {
    /// In words, on one line, for a log or a person: `a new session`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Began(_) => f.write_str("a new session"),
            Self::Resumed { replayed, .. } => {
                write!(f, "the session continues; sent again: {}", Count(*replayed, "message"))
            }
            Self::Lost { why, messages } => {
                let unsure = Count(messages.len() as u64, "message");
                write!(f, "lost the session: {why}; not known to have arrived: {unsure}")
            }
            Self::Refused { retry_after } => {
                write!(f, "the server has no room for a session; it is asked again in {}", Span(*retry_after))
            }
            Self::Unsupported => f.write_str("the peer does not support messages"),
            Self::Broken { text, .. } => write!(f, "the link cannot go on: {}", OneLine(text)),
        }
    }
}

/// A message that arrived.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Received {
    /// What to confirm once the message is processed, for [`AckOn::Confirmation`](crate::replay::AckOn::Confirmation);
    /// `None` for a volatile message.
    pub receipt: Option<Receipt>,
    /// The message.
    pub message: Message,
}

/// A message that was not accepted. It is returned with the reason.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum SendError {
    /// Too many messages wait for their acknowledgement: try again when some have been acknowledged.
    #[error("no room: too many messages are waiting to be acknowledged")]
    Full(Message),
    /// Too long for a message: send it as a file.
    #[error("a message of {} bytes, more than {MAX_MESSAGE}", .0.len())]
    TooLong(Message),
    /// A volatile message, and no link on which it could leave now.
    #[error("no link is up, and a volatile message does not wait for one")]
    Down(Message),
    /// There is no such session, or it is over.
    #[error("there is no such session: it is over")]
    Unknown(Message),
    /// This end is not set up for messages.
    #[error("this end is not set up for messages: see `messages` in its settings")]
    Mute(Message),
}

impl SendError {
    /// The message that was not accepted.
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

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString;
    use alloc::vec;

    #[test]
    fn events_are_told_in_words() {
        let unsure = || Unacknowledged { message: Message::text("geheim"), maybe_delivered: true };
        let told = [
            (Event::Began(SessionId::from_bytes([7; 16])), "a new session"),
            (Event::Resumed { replayed: 1, duplicates: 9 }, "the session continues; sent again: 1 message"),
            (
                Event::Lost { why: Why::Expired, messages: vec![unsure(), unsure()] },
                "lost the session: the session was without a link for too long; \
                 not known to have arrived: 2 messages",
            ),
            (
                Event::Refused { retry_after: Duration::from_secs(90) },
                "the server has no room for a session; it is asked again in 90 s",
            ),
            (Event::Unsupported, "the peer does not support messages"),
            (
                Event::Broken { code: Code::Protocol, text: "ack of unsent".into() },
                "the link cannot go on: ack of unsent",
            ),
        ];
        for (event, words) in told {
            assert_eq!(event.to_string(), words);
        }
    }
}
