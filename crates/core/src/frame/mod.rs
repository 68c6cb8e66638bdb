//! Frames of RFC 6455 §5: bytes to frames and back, with no notion of time.
//!
//! ```text
//!   bytes ──▶ Decoder ──▶ Header + payload (unmasked)      Opcode + payload ──▶ Encoder ──▶ bytes (masked by a client)
//! ```
//!
//! [`Decoder`] is strict: a frame that RFC 6455 forbids is a [`FrameError`], which knows the section that was violated
//! and the close code to answer with. [`Close::decode`](crate::Close::decode) reads the payload of a Close and reports
//! its flaw. [`Assembler`](crate::message::Assembler) joins frames into messages. [`Encoder`] writes only what such a
//! decoder accepts. To write payloads without a copy, use [`Header::encode`] for what precedes them.

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
    /// The end of everything that its sender sends.
    Close = 8,
    /// Asks whether the peer is there.
    Ping = 9,
    /// The answer to a ping, or an unsolicited sign of life.
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
        // RFC 6455 §5.5: the opcodes with the highest of the four bits set.
        self as u8 & 0b1000 != 0
    }
}

/// What precedes a payload.
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
    /// The header of an unfragmented, unmasked frame.
    pub const fn new(opcode: Opcode, len: u64) -> Self {
        Self { fin: true, rsv1: false, opcode, mask: None, len }
    }

    /// The same header, with a payload to be masked with `key`.
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

/// The longest frame or message that is collected: a buffer may grow to twice its length, and no allocation takes more
/// than half of the address space.
pub(crate) const MAX_HELD: u64 = isize::MAX as u64 / 2;

/// How much is collected under this limit.
pub(crate) fn held(limit: Option<u64>) -> u64 {
    limit.map_or(MAX_HELD, |limit| limit.min(MAX_HELD))
}

/// How much we accept from a peer. `None` is no limit.
///
/// A message or frame that exceeds its limit is refused with 1009 as soon as its header says so; a message in too many
/// fragments is refused with 1008. An application that receives messages [in pieces](crate::message::Delivery::Pieces)
/// needs no limits to protect its memory; it can use [none](Self::none), or limit messages to what it can use. Messages
/// that are collected are always refused from a quarter of the address space: 1 GiB on a 32-bit machine.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Limits {
    /// The longest payload of one frame. Default: 16 MiB, far above the frames of senders that fragment their messages.
    pub frame: Option<u64>,
    /// The longest message, all its fragments together. Default: 64 MiB, which the common libraries accept.
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
    /// No limits except those of RFC 6455: frames of up to 2^63 - 1 bytes.
    pub const fn none() -> Self {
        Self { frame: None, message: None, fragments: None }
    }

    /// Checks whether a message of `bytes` and `fragments` so far may go on with a frame of this length.
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
