//! How much is kept until the peer acknowledges it, and how soon the peer's messages are acknowledged.

use core::time::Duration;

/// This many bytes are acknowledged at once.
const LATE: u32 = 64 << 10;
/// So that the longest message of a session need not wait for earlier ones to be acknowledged, which may be late.
const ROOM: u32 = (1 << 20) + LATE;

/// When a message counts as arrived.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum AckOn {
    /// When it was handed to the application.
    #[default]
    Delivery,
    /// When the application says so by [`confirm`](super::Replay::confirm), because it has stored the message or passed
    /// it on.
    Confirmation,
}

/// The limits of a [`Replay`](super::Replay).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Config {
    /// How many bytes of messages may be unacknowledged; a single longer message is accepted when no other is. Default:
    /// 1 MiB and 64 KiB, which takes a talkative application some seconds. The longest message of a session still fits
    /// behind as much as its receiver may acknowledge late.
    pub max_bytes: usize,
    /// How many messages may be unacknowledged. Default: 1024. 0 counts as 1.
    pub max_messages: usize,
    /// After how many messages their arrival is acknowledged at once, or after half of the window if that is less.
    /// Default: 32, so that acknowledgements cost little in comparison.
    pub ack_messages: u64,
    /// After how many bytes, or half of the window if that is less. Default: 64 KiB, a small part of what a peer keeps.
    pub ack_bytes: usize,
    /// After how much time. Default: 200 ms; a peer hardly ever needs what it has kept for longer.
    pub ack_after: Duration,
    /// When a message counts as arrived. Default: when it was handed to the application.
    pub ack_on: AckOn,
    /// How much the peer may send unacknowledged. Default: as much as is kept for the peer.
    pub window: Window,
}

/// How much one end accepts unacknowledged; a single longer message is accepted when no other is unacknowledged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    /// How many messages; 0 counts as 1.
    pub messages: u32,
    /// How many bytes.
    pub bytes: u32,
}

impl Window {
    /// Practically no limit: for a peer that has not set one.
    pub const MAX: Self = Self { messages: u32::MAX, bytes: u32::MAX };

    /// Whether a message of this length fits behind the unacknowledged ones.
    pub(super) fn admits(self, messages: usize, bytes: usize, len: usize) -> bool {
        messages == 0
            || (messages < self.messages as usize && bytes.saturating_add(len) <= self.bytes as usize)
    }
}

impl Default for Window {
    fn default() -> Self {
        Self { messages: 1024, bytes: ROOM }
    }
}

impl Config {
    /// The same settings, raised where nothing could cross with them.
    pub(crate) fn usable(mut self) -> Self {
        self.max_messages = self.max_messages.max(1);
        self.window.messages = self.window.messages.max(1);
        self
    }

    /// Whether this many messages and bytes are acknowledged at once. A peer with little room must not have to wait for
    /// `ack_after` whenever it has used it up.
    pub(super) fn is_much(&self, messages: u64, bytes: usize) -> bool {
        let Window { messages: room, bytes: room_bytes } = self.window;
        messages >= self.ack_messages.min(u64::from(room).div_ceil(2))
            || bytes >= self.ack_bytes.min(room_bytes.div_ceil(2) as usize)
    }
}

impl Default for Config {
    fn default() -> Self {
        Self {
            max_bytes: ROOM as usize,
            max_messages: 1024,
            ack_messages: 32,
            ack_bytes: LATE as usize,
            ack_after: Duration::from_millis(200),
            ack_on: AckOn::Delivery,
            window: Window::default(),
        }
    }
}
