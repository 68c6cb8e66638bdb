//! Encoded frames in reused memory.

use super::EncodedHeader;
use crate::frame::Header;
use crate::mask::{self, Key};
use alloc::vec::Vec;

/// Frames as on the wire, one after the other.
#[derive(Debug, Default)]
pub(crate) struct Frames {
    /// The first `len` bytes are in use. The rest is left as it is, because zeroing it each time would cost as much as
    /// the copy.
    bytes: Vec<u8>,
    len: usize,
}

impl Frames {
    /// All bytes in use.
    #[inline]
    pub(crate) fn as_slice(&self) -> &[u8] {
        &self.bytes[..self.len]
    }

    /// How many bytes are in use.
    #[inline]
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// Copies a frame to the end, masked if its header says so.
    // A call would cost half as much as the work, because the header would go through memory.
    #[allow(clippy::inline_always)]
    #[inline(always)]
    pub(crate) fn append<const N: usize>(&mut self, header: &Header, payload: [&[u8]; N]) {
        let len = payload.iter().map(|piece| piece.len()).sum();
        let mut rest = self.append_header(header, len);
        let mut phase = 0;
        for piece in payload {
            let (to, behind) = rest.split_at_mut(piece.len());
            match header.mask {
                Some(key) => mask::copy(to, piece, key, phase),
                None => to.copy_from_slice(piece),
            }
            phase += piece.len();
            rest = behind;
        }
    }

    /// Appends a header and room for `len` bytes behind it.
    // A call would cost half as much as the work, because the header would go through memory.
    #[allow(clippy::inline_always)]
    #[inline(always)]
    pub(crate) fn append_header(&mut self, header: &Header, len: usize) -> &mut [u8] {
        let header = header.encode();
        let start = self.len;
        // Copying a fixed number of bytes takes a few instructions; the surplus is overwritten.
        let place = start + EncodedHeader::PADDED + len;
        if self.bytes.len() < place {
            self.grow(place);
        }
        self.len = start + header.len() + len;
        let place = &mut self.bytes[start..place];
        place[..EncodedHeader::PADDED].copy_from_slice(header.padded());
        &mut place[header.len()..][..len]
    }

    /// Copies more of the last frame's payload to the end, masked. `phase` is the offset in that payload.
    pub(crate) fn append_masked(&mut self, payload: &[u8], key: Key, phase: usize) {
        let start = self.len;
        self.len += payload.len();
        if self.bytes.len() < self.len {
            self.grow(self.len);
        }
        mask::copy(&mut self.bytes[start..self.len], payload, key, phase);
    }

    /// Drops the first `n` bytes and moves the others to the front.
    pub(crate) fn drop_first(&mut self, n: usize) {
        self.bytes.copy_within(n..self.len, 0);
        self.len -= n;
    }

    /// Drops all bytes, and keeps the memory.
    #[inline]
    pub(crate) fn clear(&mut self) {
        self.len = 0;
    }

    /// How many bytes fit without more memory.
    pub(crate) fn capacity(&self) -> usize {
        self.bytes.capacity()
    }

    #[cold]
    fn grow(&mut self, len: usize) {
        self.bytes.resize(len, 0);
    }
}
