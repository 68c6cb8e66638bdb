//! What a Close frame says, in memory and on the wire.

use super::code::CloseCode;
use crate::words::OneLine;
use alloc::string::String;
use alloc::vec::Vec;
use bytes::Bytes;
use core::fmt;

/// The longest reason in bytes: a control frame holds 125, and two are the code (RFC 6455 §5.5).
pub const MAX_REASON: usize = 123;

/// What a Close frame says: a code and a reason, which may be empty.
///
/// A Close received without a code has [`CloseCode::NO_STATUS`].
///
/// ```
/// use bowline_core::{Close, CloseCode};
/// let close = Close::new(CloseCode::GOING_AWAY, "deploy")?;
/// assert_eq!(close.to_string(), "1001 (going away) deploy");
/// assert!(Close::new(CloseCode::ABNORMAL, "").is_err());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Close {
    code: CloseCode,
    reason: String,
}

/// Why a Close cannot be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CloseError {
    /// This number is not allowed in a Close frame.
    #[error("close code {0} must not be sent")]
    InvalidCode(u16),
    /// The reason has this many bytes, and 123 fit.
    #[error("close reason of {0} bytes is longer than 123")]
    ReasonTooLong(usize),
    /// The connection is closing or closed.
    #[error("the connection is closing already")]
    AlreadyClosing,
}

/// What is wrong with a Close frame that was received.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Flaw {
    /// The payload is a single byte, too short for a code.
    HalfCode,
    /// This number is not allowed in a Close frame.
    InvalidCode(u16),
    /// The reason is not UTF-8.
    ReasonNotUtf8,
}

impl Close {
    /// A Close that can be sent.
    ///
    /// # Errors
    /// If the code must not be sent, or the reason has more than 123 bytes.
    pub fn new(code: impl Into<CloseCode>, reason: impl Into<String>) -> Result<Self, CloseError> {
        let close = Self { code: code.into(), reason: reason.into() };
        close.check()?;
        Ok(close)
    }

    /// A normal close: 1000 without a reason.
    pub const fn normal() -> Self {
        Self { code: CloseCode::NORMAL, reason: String::new() }
    }

    /// A Close of our own; a reason that is too long is cut at a character boundary.
    pub(crate) fn ours(code: CloseCode, reason: &str) -> Self {
        let mut end = reason.len().min(MAX_REASON);
        while !reason.is_char_boundary(end) {
            end -= 1;
        }
        Self { code, reason: reason[..end].into() }
    }

    /// Why, as a number.
    pub const fn code(&self) -> CloseCode {
        self.code
    }

    /// Why, in words; often empty.
    pub fn reason(&self) -> &str {
        &self.reason
    }

    /// Whether this Close can be sent. One that was received may not be sendable.
    pub(super) fn check(&self) -> Result<(), CloseError> {
        if !self.code.is_sendable() {
            return Err(CloseError::InvalidCode(self.code.as_u16()));
        }
        if self.reason.len() > MAX_REASON {
            return Err(CloseError::ReasonTooLong(self.reason.len()));
        }
        Ok(())
    }

    /// The payload of the frame; empty for [`CloseCode::NO_STATUS`].
    pub fn encode(&self) -> Bytes {
        // RFC 6455 §7.1.5: a Close without a code has an empty payload, and is echoed as one.
        if self.code == CloseCode::NO_STATUS {
            return Bytes::new();
        }
        let mut payload = Vec::with_capacity(2 + self.reason.len());
        payload.extend_from_slice(&self.code.as_u16().to_be_bytes());
        payload.extend_from_slice(self.reason.as_bytes());
        payload.into()
    }

    /// Reads the payload of a Close frame, and says what is wrong with it.
    ///
    /// Whatever is wrong, it keeps what can be read: an invalid code as its raw number, and a reason that is not UTF-8
    /// with replacement characters.
    pub fn decode(payload: &[u8]) -> (Self, Option<Flaw>) {
        let (code, reason) = match payload {
            [] => return (Self { code: CloseCode::NO_STATUS, reason: String::new() }, None),
            [_] => return (Self { code: CloseCode::NO_STATUS, reason: String::new() }, Some(Flaw::HalfCode)),
            [high, low, reason @ ..] => (CloseCode::new(u16::from_be_bytes([*high, *low])), reason),
        };
        let text = core::str::from_utf8(reason);
        let flaw = match text {
            _ if !code.is_sendable() => Some(Flaw::InvalidCode(code.as_u16())),
            // RFC 6455 §8.1 names no code for a Close; §7.4.1 has 1007 for text that is not UTF-8.
            Err(_) => Some(Flaw::ReasonNotUtf8),
            Ok(_) => None,
        };
        (Self { code, reason: String::from_utf8_lossy(reason).into_owned() }, flaw)
    }
}

impl Flaw {
    /// The Close with which to answer this flaw.
    pub(super) fn answer(self) -> Close {
        match self {
            Self::HalfCode => Close::ours(CloseCode::PROTOCOL_ERROR, "close payload of 1 byte"),
            Self::InvalidCode(_) => Close::ours(CloseCode::PROTOCOL_ERROR, "invalid close code"),
            Self::ReasonNotUtf8 => Close::ours(CloseCode::INVALID_DATA, "close reason is not UTF-8"),
        }
    }
}

impl fmt::Display for Close {
    /// Prints like `1011 (internal error) disk full`, always on one line, whatever the peer wrote as its reason.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.code.is_sendable() || self.code == CloseCode::NO_STATUS {
            write!(f, "{}", self.code)?;
        } else {
            write!(f, "{} (invalid code)", self.code.as_u16())?;
        }
        if self.reason.is_empty() { Ok(()) } else { write!(f, " {}", OneLine(&self.reason)) }
    }
}
