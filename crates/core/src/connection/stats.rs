//! Counters of a connection.

/// What a connection has done so far. For measurements and logs; nothing depends on it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stats {
    /// Bytes that the transport took, with headers and control frames.
    pub bytes_sent: u64,
    /// Bytes that came from the transport.
    pub bytes_received: u64,
    /// Messages accepted for sending.
    pub messages_sent: u64,
    /// Messages received whole.
    pub messages_received: u64,
    /// Pings that the heartbeat asked for.
    pub pings: u64,
    /// How many of them were answered by their own Pong.
    pub pongs: u64,
    /// Pings that came from the peer.
    pub pings_received: u64,
    /// How often the transport took no more.
    pub blocked: u64,
    /// How often the time that was given lay before an earlier one. It was taken to stand still.
    pub clock_regressions: u64,
    /// What the transport takes per second while it is the bottleneck, in bytes; `None` before that is known.
    pub drain_rate: Option<u64>,
}
