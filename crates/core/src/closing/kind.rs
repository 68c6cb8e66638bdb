//! The machine-readable form of an end: who ended it, and how.

use super::code::CloseCode;
use core::fmt;
use core::time::Duration;

/// Who ended the connection, as far as we can tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Who {
    /// This side: the application, or this process because it did not run.
    Us,
    /// The other side.
    Peer,
    /// Something between the two sides.
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
    /// We closed; the peer ended the transport without sending a Close frame.
    CleanUnacknowledged,
    /// The peer is going away, and did not say for how long.
    GoingAway,
    /// The peer is restarting.
    Restart,
    /// The peer is overloaded.
    Overload,
    /// A gateway got no valid response from the server behind it.
    Gateway,
    /// Something went wrong at the peer.
    PeerError,
    /// The peer heard nothing from us for too long.
    PeerTimedUsOut,
    /// The peer refuses us, or what we sent.
    Rejected(CloseCode),
    /// The peer closed with a code that its application defines.
    App(CloseCode),
    /// The peer's Close frame was not valid.
    ProtocolViolation,
    /// We failed the connection: what the peer sent was invalid, or too much.
    WeFailed(CloseCode),
    /// Nothing was received for too long, although a ping had asked for an answer.
    KeepaliveTimeout,
    /// The transport accepted nothing of what we wrote for too long.
    WriteStall,
    /// We closed, and the peer did not answer in time.
    CloseTimeout,
    /// Something on the path drops idle connections.
    IdleDrop {
        /// How long nothing had crossed.
        idle: Duration,
        /// The limit, if the silence matches a known one.
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
        /// How many bytes of the frame or message had arrived.
        got: u64,
        /// How many bytes the frame should have had, if its header says so.
        of: Option<u64>,
    },
    /// The operating system gave up on unacknowledged bytes.
    TimedOut,
    /// A read failed.
    ReadError,
    /// A write failed, and there was nothing left to read.
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

/// What prevented a connection, where no HTTP status says it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Obstacle {
    /// The request itself: the URL is not valid, or asks for something that is not built in.
    Request,
    /// The server's name did not resolve to an address.
    Unresolved,
    /// Nothing listens at its address.
    Refused,
    /// There is no route to its address.
    Unreachable,
    /// Nobody answered in time.
    TimedOut,
    /// The transport ended before the handshake was complete.
    Ended,
    /// TLS failed: the server did not prove its identity.
    Tls,
    /// A proxy on the way did not let us through.
    Proxy,
    /// Whatever answers is not a WebSocket server, or not one for this application, or does not speak TLS although it
    /// was asked to.
    NotWebSocket,
    /// Something on this side, such as a system that provides no random bytes.
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
