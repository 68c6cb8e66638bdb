//! What is known about a link when it ends, beside the Close frames.

use super::history::History;
use core::time::Duration;

/// How the transport ended, as the adapter saw it.
///
/// Of the errors that a read can give in Rust, `ConnectionReset`, `ConnectionAborted` and `BrokenPipe` are a
/// [`Reset`](End::Reset), `TimedOut` of a socket without a timeout of its own is [`TimedOut`](End::TimedOut), and any other
/// is [`ReadFailed`](End::ReadFailed); `WouldBlock` and `Interrupted` are no end. `bowline_host::read_end` says the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum End {
    /// The peer, or something in its name, ended the stream: a read returned no bytes.
    Eof,
    /// The stream ended below TLS without TLS saying so: a cut, or a peer that does not bother.
    TlsTruncated,
    /// A read found that the connection was reset.
    Reset,
    /// A read found that the operating system had given up on bytes that nobody acknowledged.
    TimedOut,
    /// A read did not succeed for any other reason.
    ReadFailed,
    /// A write did not succeed, whatever the reason. Reading goes on: the peer's last words are often still there.
    WriteFailed,
    /// This side dropped the transport without a closing handshake.
    LocalAbort,
    /// This side dropped the transport, since its host had reported more bytes as written than there were to write: nobody
    /// knows what the peer has been sent.
    Miscounted,
}

impl End {
    /// Whether it was this side that dropped the transport.
    pub(crate) fn is_ours(self) -> bool {
        matches!(self, Self::LocalAbort | Self::Miscounted)
    }
}

/// Where in the stream of frames the input ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Cut {
    /// Between two frames.
    #[default]
    Boundary,
    /// Inside the header of a frame.
    Header,
    /// Inside the payload of a frame.
    Payload {
        /// The opcode of the frame: 0 continuation, 1 text, 2 binary, 8 and up control.
        opcode: u8,
        /// How many bytes of the payload had come.
        got: u64,
        /// How many the header had promised.
        of: u64,
    },
}

/// The ping that was under way.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Ping {
    /// None was.
    #[default]
    None,
    /// One was queued and could not leave.
    Unsent,
    /// It left this long ago and nothing came back.
    Unanswered(Duration),
}

/// What the owner of a [`Closing`](super::Closing) knows and the machine does not, at the end of a link.
///
/// Each field decides between two different remedies. One who knows less leaves the defaults and gets a shorter
/// sentence.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Evidence {
    /// Where the input ended.
    pub cut: Cut,
    /// Bytes received of a message whose end never came.
    pub incomplete_message: u64,
    /// Bytes that were waiting to leave.
    pub queued: u64,
    /// Bytes of messages, and of frames around them, that had not left and never will: they waited to leave, or were dropped
    /// for a Close to go in their place.
    pub lost: u64,
    /// How many messages the peer has sent, whole: one that says something does not drop us at once.
    pub messages: u64,
    /// How many bytes the longest of them had.
    pub longest_message: u64,
    /// The ping that was under way.
    pub ping: Ping,
    /// How many pings were sent on this link.
    pub pings: u64,
    /// How many of them were answered by a pong.
    pub pongs: u64,
    /// How long an answer may reasonably take: the round-trip time and four times its variation.
    pub answer_time: Option<Duration>,
    /// How earlier links on the same path ended.
    pub history: History,
}
