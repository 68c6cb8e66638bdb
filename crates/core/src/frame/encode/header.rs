//! Headers to bytes.

use crate::frame::Header;
use core::fmt;
use core::ops::Deref;

/// A header as on the wire; dereferences to its bytes.
#[derive(Clone, Copy)]
pub struct EncodedHeader {
    /// Its bytes, the first one lowest, followed by zeros. It is computed as one number, without a detour through
    /// memory.
    word: [u8; EncodedHeader::PADDED],
    len: u8,
}

impl Header {
    /// The header as on the wire, with the length in its shortest form.
    #[inline]
    pub fn encode(&self) -> EncodedHeader {
        let first = u8::from(self.fin) << 7 | u8::from(self.rsv1) << 6 | self.opcode as u8;
        let masked = u8::from(self.mask.is_some()) << 7;
        let key = self.mask.map_or(0, u32::from_le_bytes);
        let key_len = if self.mask.is_some() { 4 } else { 0 };
        // RFC 6455 §5.2: the shortest form of the length must be used.
        let (word, len) = if self.len <= 125 {
            let second = masked | self.len as u8;
            (u128::from(u64::from(first) | u64::from(second) << 8 | u64::from(key) << 16), 2)
        } else if let Ok(short) = u16::try_from(self.len) {
            let second = masked | 0x7e;
            let long = u64::from(short.swap_bytes());
            (u128::from(u64::from(first) | u64::from(second) << 8 | long << 16 | u64::from(key) << 32), 4)
        } else {
            let second = masked | 0x7f;
            let long = u128::from(self.len.swap_bytes());
            (u128::from(first) | u128::from(second) << 8 | long << 16 | u128::from(key) << 80, 10)
        };
        let len = len + key_len;
        EncodedHeader { word: word.to_le_bytes(), len }
    }
}

impl EncodedHeader {
    /// The length including the padding.
    pub(crate) const PADDED: usize = size_of::<u128>();

    /// The bytes, padded with zeros to a fixed length.
    #[inline]
    pub(crate) fn padded(&self) -> &[u8; Self::PADDED] {
        &self.word
    }
}

impl Deref for EncodedHeader {
    type Target = [u8];

    #[inline]
    fn deref(&self) -> &[u8] {
        &self.word[..usize::from(self.len)]
    }
}

impl fmt::Debug for EncodedHeader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "EncodedHeader({} bytes)", self.len)
    }
}
