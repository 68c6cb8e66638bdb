//! What a connection tells its application.

use crate::closing::{Close, Disconnect};
use crate::message::Message;
use core::time::Duration;
use thiserror::Error;

/// Something that the application wants to know. The last one is [`Closed`](Self::Closed).
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Event {
    /// The peer sent a message.
    Message(Message),
    /// The peer answered a ping after this time.
    Pong {
        /// From when the ping had left to when its Pong came.
        rtt: Duration,
    },
    /// Our own process did not run for a while. The peer is asked again before anything is held against it.
    Stalled {
        /// How late the timer was.
        late: Duration,
    },
    /// The machine slept. The peer is asked whether it is still there.
    Resumed {
        /// As told to [`handle_wake`](super::Connection::handle_wake).
        slept: Duration,
    },
    /// The peer answers pings by data, if at all, but never by a Pong. Said once; it will seem dead as soon as it has
    /// nothing to say.
    PeerDoesNotPong,
    /// The peer closes; no message comes any more. The answer is sent by itself.
    CloseReceived(Close),
    /// The end, and everything known about it. Comes exactly once, and nothing after it.
    Closed(Disconnect),
}

/// A message that was not accepted; take it back.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum SendError<T> {
    /// There is no room. There will be once the transport has taken some of what waits.
    #[error("no room in the send queue")]
    Full(T),
    /// The connection is closing or closed.
    #[error("the connection is closing")]
    Closing(T),
}

impl<T> SendError<T> {
    /// The message.
    pub fn into_inner(self) -> T {
        match self {
            Self::Full(message) | Self::Closing(message) => message,
        }
    }
}
