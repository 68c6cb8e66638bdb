//! How much is kept for a peer, and how soon it hears what has arrived.

use core::time::Duration;

/// When a message counts as arrived.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum AckOn {
    /// When it was handed to the application.
    #[default]
    Delivery,
    /// When the application says so by [`confirm`](super::Replay::confirm): it has written it down, or passed it on.
    Confirmation,
}

/// The limits of a [`Replay`](super::Replay).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Config {
    /// How many bytes of messages may wait for an acknowledgement; a single longer one is taken when nothing else waits.
    /// Default: 1 MiB, some seconds of a talkative application.
    pub max_bytes: usize,
    /// How many messages may. Default: 1024.
    pub max_messages: usize,
    /// After so many messages their arrival is acknowledged at once. Default: 32, so that acknowledgements cost little
    /// beside them.
    pub ack_messages: u64,
    /// After so many bytes, too. Default: 64 KiB, a sixteenth of what a peer keeps.
    pub ack_bytes: usize,
    /// And after this time. Default: 200 ms; what a peer keeps for longer is hardly ever needed.
    pub ack_after: Duration,
    /// When a message counts as arrived. Default: when it was handed to the application.
    pub ack_on: AckOn,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            max_bytes: 1 << 20,
            max_messages: 1024,
            ack_messages: 32,
            ack_bytes: 64 << 10,
            ack_after: Duration::from_millis(200),
            ack_on: AckOn::Delivery,
        }
    }
}
