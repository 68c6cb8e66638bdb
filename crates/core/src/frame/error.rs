//! What a peer can do wrong, and the answer it gets; and what our own side cannot do.

use super::Opcode;
use crate::CloseCode;
use crate::utf8::Utf8Error;
use thiserror::Error;

/// A frame or message that RFC 6455 forbids, or that is over a limit of ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum FrameError {
    /// A reserved bit is set that no extension has claimed; the three bits as a number, the first as 4.
    #[error("reserved bits {0:03b} set")]
    ReservedBits(u8),
    /// A reserved opcode.
    #[error("reserved opcode {0}")]
    ReservedOpcode(u8),
    /// A control frame that is not its last fragment.
    #[error("fragmented control frame")]
    FragmentedControl,
    /// A control frame with more than 125 bytes.
    #[error("control frame longer than 125 bytes")]
    LongControl,
    /// A continuation without a message to continue.
    #[error("continuation without a message")]
    LooseContinuation,
    /// A new message while one is not finished.
    #[error("new message inside a fragmented one")]
    Interleaved,
    /// A client did not mask its frame.
    #[error("unmasked frame from a client")]
    Unmasked,
    /// A server masked its frame.
    #[error("masked frame from a server")]
    Masked,
    /// A length in more bytes than it needs.
    #[error("length {0} not in its shortest form")]
    PaddedLength(u64),
    /// A length with the highest bit set.
    #[error("length of 2^63 or more")]
    HugeLength,
    /// A frame over our limit.
    #[error("frame of {len} bytes over the limit of {limit}")]
    FrameTooLong {
        /// Its length.
        len: u64,
        /// Our limit.
        limit: u64,
    },
    /// A message over our limit, as far as it is announced.
    #[error("message of {len} bytes over the limit of {limit}")]
    MessageTooLong {
        /// The length of the fragments so far.
        len: u64,
        /// Our limit.
        limit: u64,
    },
    /// A message in more fragments than we take.
    #[error("message of more than {0} fragments")]
    TooManyFragments(u32),
    /// A text message that is not UTF-8.
    #[error(transparent)]
    Text(#[from] Utf8Error),
}

impl FrameError {
    /// The close code that answers this (RFC 6455 §7.4.1).
    pub const fn close_code(&self) -> CloseCode {
        match self {
            Self::FrameTooLong { .. } | Self::MessageTooLong { .. } => CloseCode::MESSAGE_TOO_BIG,
            // The message may be small; it is the way it comes that we do not want.
            Self::TooManyFragments(_) => CloseCode::POLICY,
            Self::Text(_) => CloseCode::INVALID_DATA,
            _ => CloseCode::PROTOCOL_ERROR,
        }
    }

    /// The paragraph of RFC 6455 that has the rule.
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

/// A frame that [`Encoder`](super::Encoder) does not write, for RFC 6455 forbids it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum EncodeError {
    /// A control frame that is not its last fragment.
    #[error("fragmented {}", .0.name())]
    FragmentedControl(Opcode),
    /// A control frame with so many bytes.
    #[error("control frame of {0} bytes is longer than 125")]
    LongControl(usize),
    /// A continuation without a message to continue.
    #[error("continuation without a message")]
    LooseContinuation,
    /// A new message while one is not finished.
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
