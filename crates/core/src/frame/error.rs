//! What a peer can do wrong, and how it is answered; and what our own side must not send.

use super::Opcode;
use crate::CloseCode;
use crate::utf8::Utf8Error;
use thiserror::Error;

/// A frame or message that RFC 6455 forbids, or that exceeds one of our limits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum FrameError {
    /// A reserved bit is set that no extension has claimed. The value is the three bits as a number, RSV1 counting 4.
    #[error("reserved bits {0:03b} set")]
    ReservedBits(u8),
    /// A reserved opcode.
    #[error("reserved opcode {0}")]
    ReservedOpcode(u8),
    /// A fragmented control frame.
    #[error("fragmented control frame")]
    FragmentedControl,
    /// A control frame with more than 125 bytes.
    #[error("control frame longer than 125 bytes")]
    LongControl,
    /// A continuation without a message to continue.
    #[error("continuation without a message")]
    LooseContinuation,
    /// A new message before the last one was finished.
    #[error("new message inside a fragmented one")]
    Interleaved,
    /// A client did not mask its frame.
    #[error("unmasked frame from a client")]
    Unmasked,
    /// A server masked its frame.
    #[error("masked frame from a server")]
    Masked,
    /// A length that is not in its shortest form.
    #[error("length {0} not in its shortest form")]
    PaddedLength(u64),
    /// A length with the highest bit set.
    #[error("length of 2^63 or more")]
    HugeLength,
    /// A frame longer than our limit.
    #[error("frame of {len} bytes over the limit of {limit}")]
    FrameTooLong {
        /// Its length.
        len: u64,
        /// Our limit.
        limit: u64,
    },
    /// A message longer than our limit, counting what its headers have announced so far.
    #[error("message of {len} bytes over the limit of {limit}")]
    MessageTooLong {
        /// The length of its fragments so far.
        len: u64,
        /// Our limit.
        limit: u64,
    },
    /// A message in more fragments than we accept.
    #[error("message of more than {0} fragments")]
    TooManyFragments(u32),
    /// A text message that is not UTF-8.
    #[error(transparent)]
    Text(#[from] Utf8Error),
}

impl FrameError {
    /// The close code to answer with (RFC 6455 §7.4.1).
    pub const fn close_code(&self) -> CloseCode {
        match self {
            Self::FrameTooLong { .. } | Self::MessageTooLong { .. } => CloseCode::MESSAGE_TOO_BIG,
            // The message may be small; what we reject is the way it is sent.
            Self::TooManyFragments(_) => CloseCode::POLICY,
            Self::Text(_) => CloseCode::INVALID_DATA,
            _ => CloseCode::PROTOCOL_ERROR,
        }
    }

    /// The section of RFC 6455 that contains the rule.
    pub const fn section(&self) -> &'static str {
        match self {
            Self::ReservedBits(_) | Self::ReservedOpcode(_) | Self::PaddedLength(_) | Self::HugeLength => {
                "§5.2"
            }
            Self::FragmentedControl | Self::LongControl => "§5.5",
            Self::LooseContinuation | Self::Interleaved => "§5.4",
            Self::Unmasked | Self::Masked => "§5.1",
            Self::FrameTooLong { .. } | Self::MessageTooLong { .. } | Self::TooManyFragments(_) => "§10.4",
            Self::Text(_) => "§8.1",
        }
    }
}

/// A frame that [`Encoder`](super::Encoder) refuses to write, because RFC 6455 forbids it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum EncodeError {
    /// A fragmented control frame.
    #[error("fragmented {}", .0.name())]
    FragmentedControl(Opcode),
    /// A control frame with this many bytes.
    #[error("control frame of {0} bytes is longer than 125")]
    LongControl(usize),
    /// A continuation without a message to continue.
    #[error("continuation without a message")]
    LooseContinuation,
    /// A new message before the last one was finished.
    #[error("new message inside a fragmented one")]
    Interleaved,
}

impl Opcode {
    /// The name of the frame in reports.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Continuation => "continuation",
            Self::Text => "text",
            Self::Binary => "binary",
            Self::Close => "close",
            Self::Ping => "ping",
            Self::Pong => "pong",
        }
    }
}
