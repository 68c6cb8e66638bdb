//! What may be wrong with a frame.

use super::Handle;
use crate::transfer::{Code, NameError};

/// A message that is no frame, or not one that we can take.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("frame type {kind:#04x}, handle {handle}: {fault}")]
#[non_exhaustive]
pub struct DecodeError {
    /// The type that the frame claims to have; 0 if it is too short to say.
    pub kind: u8,
    /// The handle that the frame claims to be for; 0 if it is too short to say.
    pub handle: Handle,
    /// What is wrong with it.
    pub fault: Fault,
}

/// What is wrong with a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Fault {
    /// The checksum does not fit: damaged on the way.
    #[error("checksum mismatch")]
    Checksum,
    /// There are fewer bytes than the type needs.
    #[error("{0} bytes are too few")]
    TooShort(usize),
    /// There are more bytes than the type allows.
    #[error("{0} bytes are too many")]
    TooLong(usize),
    /// A flag that must be understood, and is not.
    #[error("unknown flags {0:#04x}")]
    Flags(u8),
    /// A field runs past the end of its frame.
    #[error("a field is cut off")]
    TlvCutOff,
    /// A field stands twice.
    #[error("field {0:#06x} appears twice")]
    DuplicateTlv(u16),
    /// A field that must be understood, and is not.
    #[error("unknown field {0:#06x}")]
    UnknownTlv(u16),
    /// There are more fields than any frame needs.
    #[error("too many fields")]
    TooManyTlvs,
    /// A field that must be there is missing.
    #[error("field {0:#06x} is missing")]
    MissingTlv(u16),
    /// A number that stands for nothing.
    #[error("{name} cannot be {value}")]
    Value {
        /// Which number.
        name: &'static str,
        /// What it was.
        value: u64,
    },
    /// The name is not safe.
    #[error("{0}")]
    Name(NameError),
    /// Text that is not UTF-8.
    #[error("text that is not UTF-8")]
    NotUtf8,
    /// A DATA frame without a payload.
    #[error("an empty chunk")]
    EmptyChunk,
}

impl Fault {
    /// The code that tells the peer.
    pub const fn code(self) -> Code {
        match self {
            Self::Checksum => Code::CorruptFrame,
            Self::UnknownTlv(_) => Code::Unsupported,
            Self::Name(_) => Code::NameInvalid,
            _ => Code::Protocol,
        }
    }
}
