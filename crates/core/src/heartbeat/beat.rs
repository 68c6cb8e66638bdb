//! What a heartbeat says.

use core::time::Duration;

/// What a heartbeat wants done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Beat {
    /// Send a Ping with this payload, ahead of queued data. When its last byte has left, call
    /// [`handle_ping_sent`](super::Heartbeat::handle_ping_sent).
    Ping {
        /// The application data of the frame, to be answered by a Pong with the same.
        payload: [u8; 8],
        /// What the application should hear of on this occasion.
        news: Option<News>,
    },
    /// Send a Pong that nobody asked for, with an empty payload: it tells the peer and everything in between that
    /// we are here (RFC 6455 §5.5.3).
    Pong,
    /// Nobody is there. Drop the connection; the heartbeat is over.
    Dead {
        /// Time since the last byte from the peer.
        silent: Duration,
        /// Time since the last ping left; `None` if it never did, because the transport took nothing.
        ping: Option<Duration>,
        /// Pings of this connection that were answered by their Pong ...
        pongs: u64,
        /// ... of so many.
        pings: u64,
    },
}

/// Why a ping was sent, where there is more to say than that it was time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum News {
    /// Our own process did not run for a while: the timer fired this late. The peer is asked again before anything
    /// is held against it.
    Stalled {
        /// Time between the deadline and the call.
        late: Duration,
    },
    /// The machine slept, see [`handle_wake`](super::Heartbeat::handle_wake).
    Resumed {
        /// As the host told.
        slept: Duration,
    },
    /// Three pings were answered by data, but never by a Pong. Said once. The peer breaks RFC 6455 §5.5.2, and will
    /// seem dead as soon as it has nothing to say.
    PeerDoesNotPong,
}
