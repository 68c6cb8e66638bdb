//! Frames of RFC 6455 §5: bytes to frames and back, with no notion of time.
//!
//! ```text
//!   bytes ──▶ Decoder ──▶ Header + payload (unmasked)      Opcode + payload ──▶ Encoder ──▶ bytes (masked by a client)
//! ```
//!
//! [`Decoder`] is strict: a frame that RFC 6455 forbids is a [`FrameError`], which knows the paragraph it broke and the
//! close code that answers it. What stands in a Close is read by [`Close::decode`](crate::Close::decode), which tells
//! its flaw. Messages are put together from frames by [`Assembler`](crate::message::Assembler). [`Encoder`] writes only
//! what such a decoder takes. Whoever writes payloads without a copy has [`Header::encode`] for what stands before
//! them.

mod decode;
mod encode;
mod error;

pub use decode::Decoder;
pub(crate) use decode::{MAX_SHORT_FRAME, ShortFrame};
pub(crate) use encode::Frames;
pub use encode::{EncodedHeader, Encoder};
pub use error::{EncodeError, FrameError};

use crate::mask::Key;

/// The longest header: two bytes, eight of length, four of key.
pub const MAX_HEADER: usize = 14;
/// The longest payload of a control frame (RFC 6455 §5.5).
pub const MAX_CONTROL: usize = 125;

/// Which end of the connection we are. A client masks what it sends; a server must not (RFC 6455 §5.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Role {
    /// The end that dialled.
    Client,
    /// The end that accepted.
    Server,
}

/// What a frame is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Opcode {
    /// A further fragment of a message.
    Continuation = 0,
    /// A text message, or its first fragment.
    Text = 1,
    /// A binary message, or its first fragment.
    Binary = 2,
    /// The end of everything its sender has to say.
    Close = 8,
    /// A question whether anybody is there.
    Ping = 9,
    /// The answer to a ping, or a sign of life that nobody asked for.
    Pong = 10,
}

impl Opcode {
    /// The opcode with this number; `None` if the number is reserved.
    pub const fn from_u8(number: u8) -> Option<Self> {
        match number {
            0 => Some(Self::Continuation),
            1 => Some(Self::Text),
            2 => Some(Self::Binary),
            8 => Some(Self::Close),
            9 => Some(Self::Ping),
            10 => Some(Self::Pong),
            _ => None,
        }
    }

    /// Whether this is a control frame, which may stand between the fragments of a message.
    pub const fn is_control(self) -> bool {
        // RFC 6455 §5.5: those in which the highest of the four bits is set.
        self as u8 & 0b1000 != 0
    }
}

/// What stands before a payload.
///
/// ```
/// use bowline_core::frame::{Header, Opcode};
/// let header = Header::new(Opcode::Text, 5).masked([0x37, 0xfa, 0x21, 0x3d]);
/// assert_eq!(&*header.encode(), [0x81, 0x85, 0x37, 0xfa, 0x21, 0x3d]); // RFC 6455 §5.7
/// ```
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Header {
    /// Whether this frame ends its message.
    pub fin: bool,
    /// The first reserved bit, which an extension such as compression may claim.
    pub rsv1: bool,
    /// What the frame is for.
    pub opcode: Opcode,
    /// The key, if the payload is masked on the wire.
    pub mask: Option<Key>,
    /// The length of the payload in bytes.
    pub len: u64,
}

impl Header {
    /// The header of a frame that is whole and not masked.
    pub const fn new(opcode: Opcode, len: u64) -> Self {
        Self { fin: true, rsv1: false, opcode, mask: None, len }
    }

    /// The same, to be masked with `key`.
    #[must_use]
    pub const fn masked(self, key: Key) -> Self {
        Self { mask: Some(key), ..self }
    }
}

impl core::fmt::Debug for Header {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Header")
            .field("fin", &self.fin)
            .field("rsv1", &self.rsv1)
            .field("opcode", &self.opcode)
            .field("masked", &self.mask.is_some())
            .field("len", &self.len)
            .finish()
    }
}

/// The longest frame or message that is collected. A place grows to twice its length, and a machine has none that takes
/// more than half of its addresses.
pub(crate) const MAX_HELD: u64 = isize::MAX as u64 / 2;

/// How much of what has this limit is collected.
pub(crate) fn held(limit: Option<u64>) -> u64 {
    limit.map_or(MAX_HELD, |limit| limit.min(MAX_HELD))
}

/// How much we take from a peer. `None` is no limit.
///
/// A message or frame over its limit is refused with 1009 as soon as its header says so, one in too many fragments with
/// 1008. Who receives messages [in pieces](crate::message::Delivery::Pieces) needs no limit for the sake of memory, and
/// has [none](Self::none), or limits to what the application can use. What is collected whole is refused like this from a
/// quarter of what this machine can address: 1 GiB where it has 32 bits.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Limits {
    /// The longest payload of one frame. Default: 16 MiB, far above what senders make that cut their messages.
    pub frame: Option<u64>,
    /// The longest message, all its fragments together. Default: 64 MiB, what the common libraries take.
    pub message: Option<u64>,
    /// The most fragments of one message. Default: 131,072, twice what the usual conformance tests send; without a
    /// limit, empty fragments could keep us busy for ever.
    pub fragments: Option<u32>,
}

impl Default for Limits {
    fn default() -> Self {
        Self { frame: Some(16 << 20), message: Some(64 << 20), fragments: Some(131_072) }
    }
}

impl Limits {
    /// No limits but those of RFC 6455: frames of up to 2^63 - 1 bytes.
    pub const fn none() -> Self {
        Self { frame: None, message: None, fragments: None }
    }

    /// Whether a message of so many bytes and fragments may go on with a frame of this length.
    pub(crate) fn check(&self, frame: u64, bytes: u64, fragments: u32) -> Result<(), FrameError> {
        let len = frame.saturating_add(bytes);
        match (self.message, self.fragments) {
            (Some(limit), _) if len > limit => Err(FrameError::MessageTooLong { len, limit }),
            (_, Some(limit)) if fragments >= limit => Err(FrameError::TooManyFragments(limit)),
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod refusals;
#[cfg(test)]
mod tests;
