//! The frames of the message session: types 0x50 to 0x54 of `bowline.v1`, all with the handle 0.
//!
//! Only a data frame has a payload; header, fields and checksum are the same as in every frame.

mod decode;
mod encode;
mod words;

#[cfg(test)]
mod tests;

use super::{Secret, SessionId};
use crate::Message;
use crate::replay::Window;
use core::fmt;
use core::time::Duration;

pub use crate::envelope::{DecodeError, Fault};
pub use decode::decode;

/// The feature bit in a HELLO that says that this side speaks these frames.
pub const FEATURE: u64 = 1;
/// The longest message in bytes; send anything longer as a file.
pub const MAX_MESSAGE: usize = 1 << 20;
/// The bytes of a data frame besides its payload.
pub const OVERHEAD: usize = 40;

pub(super) mod kind {
    pub(crate) const DATA: u8 = 0x50;
    pub(crate) const ACK: u8 = 0x51;
    pub(crate) const RESUME: u8 = 0x52;
    pub(crate) const RESUMED: u8 = 0x53;
    pub(crate) const NEW_SESSION: u8 = 0x54;
}

/// Whether the first byte belongs to one of these frames, in this version or another.
pub fn is_ours(message: &[u8]) -> bool {
    matches!(message.first(), Some(0x50..=0x5f))
}

/// One frame.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Frame {
    /// A message.
    Data(Data),
    /// Everything up to this number is safe with its receiver.
    Ack(u64),
    /// The client asks for its session.
    Resume(Resume),
    /// The server has the session.
    Resumed(Resumed),
    /// The server does not have the session, or no longer: the client may ask for a new one.
    NewSession {
        /// Why.
        why: Why,
        /// How long to wait before asking.
        retry_after: Duration,
    },
    /// A type that this version does not know.
    Unsupported(u8),
}

/// A message, and what is sent along with it.
#[derive(Clone, PartialEq, Eq)]
pub struct Data {
    /// Its number, from 1; `None` for a volatile message.
    pub number: Option<u64>,
    /// Everything in the other direction up to this number is safe.
    pub ack: u64,
    /// The message.
    pub message: Message,
}

/// A client asks for its session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Resume {
    /// Which one.
    pub session: SessionId,
    /// Proves that it is the client's.
    pub secret: Secret,
    /// The epoch that the client received last; 0 for a session that may not exist yet.
    pub epoch: u32,
    /// How much unacknowledged data the client accepts.
    pub window: Window,
    /// The last number that is safe at the client.
    pub last: u64,
}

/// A server has found or begun the session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Resumed {
    /// The number of this attachment; it invalidates all earlier ones.
    pub epoch: u32,
    /// How much unacknowledged data the server accepts.
    pub window: Window,
    /// How long the session is kept without a link, in whole seconds.
    pub keep: Duration,
    /// What the client has to show next time.
    pub secret: Secret,
    /// The last number that is safe at the server.
    pub last: u64,
}

/// Why a session does not exist.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Why {
    /// The server does not know it, or the secret is wrong.
    Unknown,
    /// It was without a link for too long.
    Expired,
    /// It was dropped because too much was kept.
    Overflow,
    /// Another client has resumed it since.
    Epoch,
    /// The two ends do not remember the same messages.
    Numbers,
    /// There is no room for another session.
    Busy,
    /// One end has ended it.
    Closed,
    /// Something else.
    Other(u32),
}

impl Why {
    pub(super) const fn from_u32(number: u32) -> Self {
        match number {
            1 => Self::Unknown,
            2 => Self::Expired,
            3 => Self::Overflow,
            4 => Self::Epoch,
            5 => Self::Numbers,
            6 => Self::Busy,
            7 => Self::Closed,
            other => Self::Other(other),
        }
    }

    pub(super) const fn to_u32(self) -> u32 {
        match self {
            Self::Unknown => 1,
            Self::Expired => 2,
            Self::Overflow => 3,
            Self::Epoch => 4,
            Self::Numbers => 5,
            Self::Busy => 6,
            Self::Closed => 7,
            Self::Other(number) => number,
        }
    }
}

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Unknown => "the server does not know the session",
            Self::Expired => "the session was without a link for too long",
            Self::Overflow => "the server had too much to keep",
            Self::Epoch => "somebody else has resumed the session",
            Self::Numbers => "the two ends remember different messages",
            Self::Busy => "the server has no room for another session",
            Self::Closed => "the session was closed",
            Self::Other(number) => return write!(f, "the session is gone, for the unknown reason {number}"),
        })
    }
}

impl fmt::Debug for Data {
    /// Prints the length, not the payload.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { number, ack, message } = self;
        write!(f, "Data {{ number: {number:?}, ack: {ack}, message: {message:?} }}")
    }
}
