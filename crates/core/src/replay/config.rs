//! How much is kept for a peer, and how soon it hears what has arrived.

use core::time::Duration;

/// So many bytes owe an acknowledgement at once.
const LATE: u32 = 64 << 10;
/// The longest message of a session does not wait for the acknowledgement of what came before it: that may be late.
const ROOM: u32 = (1 << 20) + LATE;

/// When a message counts as arrived.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
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
    /// Default: 1 MiB and 64 KiB, some seconds of a talkative application; the longest message of a
    /// session finds room behind as much as its receiver may acknowledge late.
    pub max_bytes: usize,
    /// How many messages may. Default: 1024. 0 counts as 1.
    pub max_messages: usize,
    /// After so many messages their arrival is acknowledged at once, or after half of the window, if that is less. Default:
    /// 32, so that acknowledgements cost little beside them.
    pub ack_messages: u64,
    /// After so many bytes, too, or half of the window. Default: 64 KiB, a small part of what a peer keeps.
    pub ack_bytes: usize,
    /// And after this time. Default: 200 ms; what a peer keeps for longer is hardly ever needed.
    pub ack_after: Duration,
    /// When a message counts as arrived. Default: when it was handed to the application.
    pub ack_on: AckOn,
    /// What may come from the peer and wait for its confirmation. Default: as much as is kept for the peer.
    pub window: Window,
}

/// How much one end takes that it has not acknowledged; a single longer message is taken when nothing else waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    /// So many messages; 0 counts as 1.
    pub messages: u32,
    /// So many bytes.
    pub bytes: u32,
}

impl Window {
    /// No limit worth the name: for a peer that has not named one.
    pub const MAX: Self = Self { messages: u32::MAX, bytes: u32::MAX };

    /// Whether a message of so many bytes fits behind others.
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
    /// The same, as far as a message can cross with it.
    pub(crate) fn usable(mut self) -> Self {
        self.max_messages = self.max_messages.max(1);
        self.window.messages = self.window.messages.max(1);
        self
    }

    /// Whether so many messages, of so many bytes, are acknowledged at once. A peer that is given little room must not wait
    /// for the time of an acknowledgement whenever it has used that up.
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
