//! Headers to bytes.

use super::{Header, MAX_HEADER};
use core::fmt;
use core::ops::Deref;

/// A header as it stands on the wire; dereferences to its bytes.
#[derive(Clone, Copy)]
pub struct EncodedHeader {
    bytes: [u8; MAX_HEADER],
    len: u8,
}

impl Header {
    /// The header as it stands on the wire, its length in the shortest form.
    #[inline]
    pub fn encode(&self) -> EncodedHeader {
        let mut bytes = [0; MAX_HEADER];
        bytes[0] = u8::from(self.fin) << 7 | u8::from(self.rsv1) << 6 | self.opcode as u8;
        let masked = u8::from(self.mask.is_some()) << 7;
        // RFC 6455 §5.2: the minimal number of bytes must be used.
        let mut len = if self.len <= 125 {
            bytes[1] = masked | self.len as u8;
            2
        } else if let Ok(short) = u16::try_from(self.len) {
            bytes[1] = masked | 0x7e;
            bytes[2..4].copy_from_slice(&short.to_be_bytes());
            4
        } else {
            bytes[1] = masked | 0x7f;
            bytes[2..10].copy_from_slice(&self.len.to_be_bytes());
            10
        };
        if let Some(key) = self.mask {
            bytes[len..len + 4].copy_from_slice(&key);
            len += 4;
        }
        EncodedHeader { bytes, len: len as u8 }
    }
}

impl EncodedHeader {
    /// The bytes, and zeros behind them up to the longest header.
    pub(crate) fn padded(&self) -> &[u8; MAX_HEADER] {
        &self.bytes
    }
}

impl Deref for EncodedHeader {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.bytes[..usize::from(self.len)]
    }
}

impl fmt::Debug for EncodedHeader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "EncodedHeader({} bytes)", self.len)
    }
}
