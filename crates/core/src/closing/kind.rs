//! The machine form of an end: who, and what kind.

use super::code::CloseCode;
use core::fmt;
use core::time::Duration;

/// Who ended the connection, as far as can be known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Who {
    /// This side: the application, or this process that did not run.
    Us,
    /// The other side.
    Peer,
    /// Something between the two.
    Path,
    /// The other side, or something that acts in its name.
    PeerOrPath,
}

/// What kind of end it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Kind {
    /// A normal end with a complete closing handshake.
    Clean,
    /// We closed; the peer ended the transport without a Close frame of its own.
    CleanUnacknowledged,
    /// The peer goes away and did not say for how long.
    GoingAway,
    /// The peer restarts.
    Restart,
    /// The peer has too much to do.
    Overload,
    /// A gateway has no good answer from the server behind it.
    Gateway,
    /// Something went wrong at the peer.
    PeerError,
    /// The peer had no sign of life from us for too long.
    PeerTimedUsOut,
    /// The peer does not want us, or what we sent.
    Rejected(CloseCode),
    /// The peer closed with a code of its application.
    App(CloseCode),
    /// The peer's Close frame was not valid.
    ProtocolViolation,
    /// We could not go on: what the peer sent was not valid, or too much.
    WeFailed(CloseCode),
    /// Nothing was received for too long although a ping had asked for it.
    KeepaliveTimeout,
    /// Nothing that we wrote was accepted for too long.
    WriteStall,
    /// We closed, and the peer did not answer in time.
    CloseTimeout,
    /// Something on the path drops connections that are silent.
    IdleDrop {
        /// How long it had been silent.
        idle: Duration,
        /// The limit, where the silence fits one that is known.
        limit: Option<Duration>,
    },
    /// Something on the path drops connections of this age, busy or not.
    LifetimeLimit {
        /// How old it was.
        age: Duration,
    },
    /// The peer, or the path, drops every connection at once.
    DroppedAtOnce {
        /// How many times in a row.
        times: u32,
    },
    /// The connection was reset.
    Reset,
    /// The stream ended between two messages.
    Eof,
    /// The stream ended inside a message.
    Truncated {
        /// How many bytes of the frame or message had come.
        got: u64,
        /// How many the frame would have had, where its header says so.
        of: Option<u64>,
    },
    /// The operating system gave up on bytes that nobody acknowledged.
    TimedOut,
    /// A read did not succeed.
    ReadError,
    /// A write did not succeed, and nothing was left to read.
    WriteError,
    /// This process, or the machine, was suspended for so long that the connection did not survive.
    LocalSuspend,
    /// This side dropped the transport.
    LocalAbort,
    /// There never was a connection: the server answered the upgrade with this HTTP status.
    HandshakeRejected(u16),
    /// There never was a connection, for this reason.
    ConnectFailed(Obstacle),
}

/// What kept a connection from coming about, where no HTTP status says it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Obstacle {
    /// What was asked for: the URL is not valid, or wants what is not built in.
    Request,
    /// The name of the server has no known address.
    Unresolved,
    /// Nobody listens at its address.
    Refused,
    /// No way leads to its address.
    Unreachable,
    /// Nobody answered in time.
    TimedOut,
    /// The transport ended before the handshake did.
    Ended,
    /// The server did not prove who it is.
    Tls,
    /// A proxy on the way did not let us through.
    Proxy,
    /// What answers is no WebSocket server, or not one for this application, or speaks no TLS where that is asked for.
    NotWebSocket,
    /// Something on this side, such as a system that gives no random bytes.
    Local,
}

impl fmt::Display for Who {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Us => "us",
            Self::Peer => "peer",
            Self::Path => "path",
            Self::PeerOrPath => "peer or path",
        })
    }
}
