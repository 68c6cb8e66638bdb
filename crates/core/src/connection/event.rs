//! What a connection reports to its application.

use crate::closing::{Close, Disconnect};
use crate::message::{Message, Piece};
use crate::words::{Secs, Size, Span};
use core::fmt;
use core::time::Duration;
use thiserror::Error;

/// Something for the application to know. The last event is [`Closed`](Self::Closed).
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Event {
    /// The peer sent a message.
    Message(Message),
    /// A part of a message arrived; instead of [`Message`](Self::Message), if
    /// [`Config::delivery`](super::Config::delivery) says so. If the end comes before the last piece, the peer did not
    /// send the rest.
    Piece(Piece),
    /// The peer answered a ping after this time.
    Pong {
        /// The time from when the ping left to when its Pong arrived.
        rtt: Duration,
    },
    /// The peer answered a ping that the application sent by [`Connection::ping`](super::Connection::ping).
    Answered {
        /// Its number.
        ping: u64,
        /// The time from when the ping left to when it was answered.
        rtt: Duration,
    },
    /// Our own process did not run for a while. The peer is asked again before it is blamed.
    Stalled {
        /// How late the timer was.
        late: Duration,
    },
    /// The machine slept. The peer is asked whether it is still there.
    Resumed {
        /// As reported to [`handle_wake`](super::Connection::handle_wake).
        slept: Duration,
    },
    /// The application is [impatient](super::Connection::set_impatient), and a ping has not been answered yet: the path
    /// may be dead. Nothing has ended, and the peer may still answer. Repeated while nothing arrives, after waits that
    /// double.
    Doubtful {
        /// How long nothing has arrived.
        silent: Duration,
    },
    /// The peer answers pings with data, if at all, but never with a Pong. Reported once. Such a peer will seem dead as
    /// soon as it has nothing to send.
    PeerDoesNotPong,
    /// The transport has accepted nothing for a second or more, although something is queued. Nothing is wrong yet: a
    /// sender may wait, send less, or inform its user.
    WriteBlocked {
        /// For how long, so far.
        lasted: Duration,
    },
    /// The transport accepts bytes again, after a [`WriteBlocked`](Self::WriteBlocked).
    Unblocked {
        /// How long it had accepted none.
        lasted: Duration,
    },
    /// The ping interval has changed: something was learned about the path.
    HeartbeatChanged {
        /// The interval so far.
        from: Duration,
        /// The interval from now on.
        to: Duration,
        /// What was learned.
        why: Lesson,
    },
    /// The peer closes; no more messages arrive, and none can be sent. The answer is sent automatically, behind the
    /// messages that were accepted before.
    CloseReceived(Close),
    /// Our Close has left: the application's, an answer to the peer's, or one that says why we cannot continue. It is
    /// not reported if the end comes first.
    CloseSent(Close),
    /// The end, and everything known about it. Comes exactly once, and nothing comes after it.
    Closed(Disconnect),
}

impl fmt::Display for Event {
    /// In words, on one line, for a log or a person: `a ping was answered in 23 ms`. Of messages, only the length.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Message(message) => write!(f, "received {}", Received(message)),
            Self::Piece(Piece { part, is_last: false }) => write!(f, "received a part: {}", Received(part)),
            Self::Piece(Piece { part, is_last: true }) => {
                write!(f, "received the last part: {}", Received(part))
            }
            Self::Pong { rtt } => write!(f, "a ping was answered in {}", Span(*rtt)),
            Self::Answered { ping, rtt } => write!(f, "ping {ping} was answered in {}", Span(*rtt)),
            Self::Stalled { late } => write!(f, "this process did not run for {}", Span(*late)),
            Self::Resumed { slept } => write!(f, "the machine slept for {}", Span(*slept)),
            Self::Doubtful { silent } => {
                write!(f, "nothing has come for {}, and a ping has no answer", Secs(*silent))
            }
            Self::PeerDoesNotPong => {
                f.write_str("the peer answers pings with data, if at all, but never with a pong")
            }
            Self::WriteBlocked { lasted } => {
                write!(f, "the transport has accepted nothing for {}", Span(*lasted))
            }
            Self::Unblocked { lasted } => {
                write!(f, "the transport accepts bytes again, after {}", Span(*lasted))
            }
            Self::HeartbeatChanged { from, to, why } => {
                write!(f, "heartbeat {} instead of {}: {why}", Secs(*to), Secs(*from))
            }
            Self::CloseReceived(close) => write!(f, "received close frame {close}"),
            Self::CloseSent(close) => write!(f, "sent close frame {close}"),
            Self::Closed(disconnect) => disconnect.fmt(f),
        }
    }
}

/// A message, or a part of one: its kind and its length.
struct Received<'a>(&'a Message);

impl fmt::Display for Received<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = if let Message::Text(_) = self.0 { "text" } else { "binary" };
        write!(f, "{kind} of {}", Size(self.0.len() as u64, 1))
    }
}

/// An event returned by [`Connection::poll_lent`](super::Connection::poll_lent).
#[derive(Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Lent<'a> {
    /// The peer sent a short text message.
    Text(&'a str),
    /// The peer sent a short binary message.
    Binary(&'a [u8]),
    /// Anything else, including messages that are not short.
    Event(Event),
}

/// Why the interval of a heartbeat changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Lesson {
    /// A connection ended after a silence of this length.
    Dropped {
        /// How long nothing had crossed.
        silence: Duration,
    },
    /// A connection survived a silence of this length.
    Survived {
        /// How long nothing had crossed.
        silence: Duration,
    },
    /// Shorter silences were survived often enough, so a longer one is tried.
    Explores,
    /// Something important is under way, so no longer silence is tried.
    Busy,
    /// What was known about the path is too old to be trusted, or contradictory.
    Forgotten,
    /// The peer does not accept pings this frequently.
    TooManyPings,
    /// The application asked for it.
    Asked,
}

/// A message, or a piece of one, that was not accepted. It is returned.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum SendError<T> {
    /// There is no room. There will be once the transport has accepted some of the queue.
    #[error("no room in the send queue: {held} of {limit} are taken")]
    Full {
        /// What was not accepted.
        message: T,
        /// How much is queued: bytes, or messages where those are counted.
        held: usize,
        /// How much may be queued before nothing more is accepted.
        limit: usize,
    },
    /// The connection is closing or closed.
    #[error("the connection is closing")]
    Closing(T),
    /// A message is being sent in pieces; its last piece must come first.
    #[error("a message that is being sent in pieces has not ended")]
    Unfinished(T),
    /// The message was begun with pieces of the other kind.
    #[error("text and binary pieces in one message")]
    OtherKind(T),
}

impl<T> SendError<T> {
    /// The message.
    pub fn into_inner(self) -> T {
        match self {
            Self::Full { message, .. }
            | Self::Closing(message)
            | Self::Unfinished(message)
            | Self::OtherKind(message) => message,
        }
    }

    /// The same refusal, with this message.
    pub(super) fn of<U>(self, message: U) -> SendError<U> {
        match self {
            Self::Full { held, limit, .. } => SendError::Full { message, held, limit },
            Self::Closing(_) => SendError::Closing(message),
            Self::Unfinished(_) => SendError::Unfinished(message),
            Self::OtherKind(_) => SendError::OtherKind(message),
        }
    }
}

impl fmt::Display for Lesson {
    /// Completes a sentence about the change: `because a silence of 60 s ended a connection`, without the first word.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Dropped { silence } => {
                write!(f, "a silence of {} ended a connection", Secs(*silence))
            }
            Self::Survived { silence } => {
                write!(f, "a connection survived a silence of {}", Secs(*silence))
            }
            Self::Explores => f.write_str("the path may allow more silence"),
            Self::Busy => f.write_str("a transfer is under way"),
            Self::Forgotten => f.write_str("what was known of the path is out of date"),
            Self::TooManyPings => f.write_str("the peer does not want pings this often"),
            Self::Asked => f.write_str("the application asked for it"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::closing::{CloseCode, Obstacle};
    use alloc::string::ToString;

    #[test]
    fn events_are_told_in_words_and_without_payloads() {
        let (long, short) = (Duration::from_secs(20), Duration::from_millis(23));
        let close = Close::ours(CloseCode::GOING_AWAY, "tea\ntime");
        let ended = Disconnect::connect_failed(Obstacle::Refused, "nothing is listening");
        let told = [
            (Event::Message(Message::text("geheim")), "received text of 6 bytes"),
            (Event::Message(Message::binary(alloc::vec![0; 3 << 19])), "received binary of 1.5 MiB"),
            (Event::Piece(Piece::text("g")), "received a part: text of 1 byte"),
            (Event::Piece(Piece::binary("").last()), "received the last part: binary of 0 bytes"),
            (Event::Pong { rtt: short }, "a ping was answered in 23 ms"),
            (Event::Answered { ping: 3, rtt: short }, "ping 3 was answered in 23 ms"),
            (Event::Stalled { late: long }, "this process did not run for 20 s"),
            (Event::Resumed { slept: long }, "the machine slept for 20 s"),
            (Event::Doubtful { silent: long }, "nothing has come for 20 s, and a ping has no answer"),
            (Event::WriteBlocked { lasted: long }, "the transport has accepted nothing for 20 s"),
            (Event::Unblocked { lasted: long }, "the transport accepts bytes again, after 20 s"),
            (
                Event::HeartbeatChanged { from: long, to: long / 2, why: Lesson::Asked },
                "heartbeat 10 s instead of 20 s: the application asked for it",
            ),
            (Event::CloseReceived(close.clone()), "received close frame 1001 (going away) tea\\ntime"),
            (Event::CloseSent(close), "sent close frame 1001 (going away) tea\\ntime"),
            (Event::Closed(ended), "nothing is listening"),
        ];
        for (event, words) in told {
            assert_eq!(event.to_string(), words);
        }
    }
}
