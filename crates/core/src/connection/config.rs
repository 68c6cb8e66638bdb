//! The limits and timeouts of a connection.

use crate::closing::{self, History};
use crate::frame::Limits;
use crate::heartbeat;
use crate::message::Delivery;
use core::time::Duration;

/// The settings of one [`Connection`](super::Connection).
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Config {
    /// The most that we accept from the peer; see [`Limits`] for the defaults.
    pub limits: Limits,
    /// Whether received messages are handed out whole, or in pieces as they arrive. In pieces, no more memory is used
    /// than [`receive_buffer`](Self::receive_buffer) and one read, however long a message or a frame of it is;
    /// [`Limits::none`] accepts messages of any length.
    ///
    /// Default: [`Delivery::Whole`], which is what most applications want and what the limits are made for.
    pub delivery: Delivery,
    /// When to ping, and after what silence the peer counts as dead; see [`heartbeat::Config`] for the defaults.
    pub heartbeat: heartbeat::Config,
    /// How long to wait for each step at the end; see [`closing::Config`] for the defaults.
    pub closing: closing::Config,
    /// How many bytes may wait to be written before [`room`](super::Connection::room) is 0: the high-water mark.
    ///
    /// Default: 64 KiB, what an adapter hands to the transport in one write. More would add no throughput, and every
    /// byte that waits here is one that the application can no longer take back.
    pub send_buffer: usize,
    /// How many bytes of received messages may wait for [`poll_event`](super::Connection::poll_event) before
    /// [`wants_input`](super::Connection::wants_input) turns false. One message, or all pieces of one read, beyond this
    /// limit are still accepted.
    ///
    /// Default: 256 KiB, which bridges the pauses of a busy application without hiding that it is slow.
    pub receive_buffer: usize,
    /// Messages are cut into frames of at most this many bytes, and control frames go between them.
    ///
    /// Default: `None`, which means as much as the transport drains in 2 ms, as far as that was measured, at least 16
    /// KiB and at most slightly more than 1 MiB. A ping then waits for our data no longer than 2 ms, or than 16 KiB
    /// take. For a peer that accepts a message only in a single frame, use `Some(usize::MAX)`: a ping then waits for
    /// the rest of the message that is being written.
    pub fragment: Option<usize>,
    /// The shortest interval between the pings of a peer. The third in a row that comes too early ends the connection
    /// with 1008. Choose it well below the interval at which peers ping.
    ///
    /// Default: `None`, since a ping costs hardly more than any other small message.
    pub min_ping_interval: Option<Duration>,
    /// How long a message may take from its first byte to its last, while we read. One that takes longer ends the
    /// connection with 1008.
    ///
    /// Default: `None`. A server that strangers can reach should set it: any byte counts as a sign of life, so a peer
    /// that trickles could occupy its place for ever.
    pub message_timeout: Option<Duration>,
    /// How many bytes per second a message must bring on average while we read; it may fall behind by up to 10 s. A
    /// connection whose messages are slower ends with 1008. Default: `None`, see
    /// [`message_timeout`](Self::message_timeout).
    pub min_receive_rate: Option<u64>,
    /// How long the transport may accept nothing at all although something is queued. After that the connection ends
    /// with 1008.
    ///
    /// Default: `None`, since a peer may pause for as long as it likes, and is alive while its pings arrive. Set it in
    /// a server that strangers can reach, and in a program that waits for room.
    pub write_timeout: Option<Duration>,
    /// How earlier connections on the same path ended, for the diagnosis of this one's end. Default: nothing known.
    pub history: History,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            limits: Limits::default(),
            delivery: Delivery::Whole,
            heartbeat: heartbeat::Config::default(),
            closing: closing::Config::default(),
            send_buffer: 64 << 10,
            receive_buffer: 256 << 10,
            fragment: None,
            min_ping_interval: None,
            message_timeout: None,
            min_receive_rate: None,
            write_timeout: None,
            history: History::default(),
        }
    }
}
