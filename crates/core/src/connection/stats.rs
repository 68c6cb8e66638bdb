//! Counters of a connection.

use super::Connection;

/// What a connection has done so far. For measurements and logs; nothing depends on it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stats {
    /// Bytes that the transport accepted, including headers and control frames.
    pub bytes_sent: u64,
    /// Bytes received from the transport.
    pub bytes_received: u64,
    /// Messages accepted for sending.
    pub messages_sent: u64,
    /// Messages received whole.
    pub messages_received: u64,
    /// Pings that the heartbeat requested.
    pub pings: u64,
    /// How many of them were answered by their own Pong.
    pub pongs: u64,
    /// Pings received from the peer.
    pub pings_received: u64,
    /// How often the transport accepted no more.
    pub blocked: u64,
    /// How often the given time was before an earlier one. Time then stood still.
    pub clock_regressions: u64,
    /// The length of the longest completely received message, in bytes.
    pub longest_received: u64,
    /// How many bytes per second the transport drains while it is the bottleneck; `None` before that is known.
    pub drain_rate: Option<u64>,
}

/// What a connection itself counts; the rest of [`Stats`] comes from its parts.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Counters {
    pub(super) bytes_sent: u64,
    pub(super) bytes_received: u64,
    pub(super) messages_sent: u64,
    pub(super) messages_received: u64,
    pub(super) longest_received: u64,
    pub(super) pings_received: u64,
    pub(super) blocked: u64,
    pub(super) clock_regressions: u64,
}

impl Counters {
    /// Counts a complete message of this length.
    pub(super) fn count_received(&mut self, len: u64) {
        self.messages_received += 1;
        self.longest_received = self.longest_received.max(len);
    }
}

impl Connection {
    /// Counters, for measurements and logs.
    pub fn stats(&self) -> Stats {
        let Counters { bytes_sent, bytes_received, messages_sent, messages_received, .. } = self.stats;
        let Counters { longest_received, pings_received, blocked, clock_regressions, .. } = self.stats;
        let (pings, pongs, drain_rate) = (self.heartbeat.pings(), self.heartbeat.pongs(), self.meter.rate());
        Stats {
            bytes_sent,
            bytes_received,
            messages_sent,
            messages_received,
            pings,
            pongs,
            pings_received,
            blocked,
            clock_regressions,
            longest_received,
            drain_rate,
        }
    }
}
