//! What is known about the end of a link beside the Close frames.

use super::history::History;
use core::time::Duration;

/// How the transport ended, as the adapter saw it.
///
/// Of the errors that a read can return in Rust, `ConnectionReset`, `ConnectionAborted` and `BrokenPipe` are
/// [`Reset`](End::Reset), `TimedOut` is [`TimedOut`](End::TimedOut) if the socket has no timeout of its own, and any
/// other is [`ReadFailed`](End::ReadFailed). `WouldBlock` and `Interrupted` are not ends. `bowline_host::read_end`
/// decides in the same way. Of the errors that a write can return, `ConnectionReset` is [`WriteReset`](End::WriteReset),
/// `TimedOut` is [`WriteTimedOut`](End::WriteTimedOut), and any other is [`WriteFailed`](End::WriteFailed); so decides
/// `bowline_host::write_end`. A system reports a reset or a timeout only once: if a write was told, a read finds no more
/// than the end of the stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum End {
    /// The peer, or something in its name, ended the stream: a read returned no bytes.
    Eof,
    /// The stream ended without a TLS close_notify: a cut, or a peer that does not send one.
    TlsTruncated,
    /// A read found that the connection was reset.
    Reset,
    /// A read found that the operating system had given up on unacknowledged bytes.
    TimedOut,
    /// A read failed for any other reason.
    ReadFailed,
    /// A write failed, for whatever reason. Reading goes on: the peer's last words are often still there.
    WriteFailed,
    /// A write found that the connection was reset. Reading goes on, as after any write that failed.
    WriteReset,
    /// A write found that the operating system had given up on unacknowledged bytes. Reading goes on, as after any write
    /// that failed.
    WriteTimedOut,
    /// This side dropped the transport without a closing handshake.
    LocalAbort,
    /// This side dropped the transport because its host reported more bytes as written than there were to write, so
    /// nobody knows what the peer was sent.
    Miscounted,
}

impl End {
    /// Whether a write failed, so that there may be something left to read.
    pub fn is_write_failure(self) -> bool {
        matches!(self, Self::WriteFailed | Self::WriteReset | Self::WriteTimedOut)
    }

    /// What it means if reading on then finds this.
    pub(crate) fn then(self, end: Self) -> Self {
        match (self, end) {
            (Self::WriteReset, Self::Eof) => Self::Reset,
            (Self::WriteTimedOut, Self::Eof) => Self::TimedOut,
            // An owner that stops reading drops a transport that had already failed.
            (write, end) if end.is_ours() => write,
            (_, end) => end,
        }
    }

    /// Whether this side dropped the transport.
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
        /// How many bytes of the payload had arrived.
        got: u64,
        /// How many bytes the header announced.
        of: u64,
    },
}

/// The state of the last ping.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Ping {
    /// No ping was under way.
    #[default]
    None,
    /// A ping was queued and could not leave.
    Unsent,
    /// A ping left this long ago, and nothing was received since.
    Unanswered(Duration),
}

/// What the owner of a [`Closing`](super::Closing) knows, and the machine does not, at the end of a link.
///
/// Each field separates two ends with different remedies. An owner that knows less leaves the defaults and gets a
/// shorter sentence.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Evidence {
    /// Where the input ended.
    pub cut: Cut,
    /// Bytes received of a message that was never completed.
    pub incomplete_message: u64,
    /// Bytes that were queued to leave.
    pub queued: u64,
    /// Bytes of messages, with their frame headers, that had not left and never will: they were queued, or were dropped
    /// so that a Close could go instead.
    pub lost: u64,
    /// How many complete messages the peer sent: a peer that sends messages does not drop us at once.
    pub messages: u64,
    /// The size of the longest of them, in bytes.
    pub longest_message: u64,
    /// The state of the last ping.
    pub ping: Ping,
    /// How many pings were sent on this link.
    pub pings: u64,
    /// How many of them were answered by a pong.
    pub pongs: u64,
    /// How long an answer may reasonably take: the round-trip time plus four times its variation.
    pub answer_time: Option<Duration>,
    /// How earlier links on the same path ended.
    pub history: History,
}
