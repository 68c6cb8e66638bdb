//! What leaves next: some small frames in one piece, perhaps with a fragment behind them that was not copied.

use super::outgoing::Piece;
use crate::frame::Header;
use crate::mask;
use alloc::vec::Vec;

#[derive(Debug, Default)]
pub(super) struct Unit {
    /// The first `len` bytes are in use. What lies behind them is kept as it is: to set it to zero again for each
    /// unit would cost as much as the copy.
    bytes: Vec<u8>,
    len: usize,
    /// What follows `bytes`. Nothing can be appended then.
    pieces: [Piece; 3],
    pieces_len: usize,
    written: usize,
    has_close: bool,
}

impl Unit {
    /// The length of all of it.
    pub(super) fn len(&self) -> usize {
        self.len + self.pieces_len
    }

    /// How much has not been written.
    pub(super) fn left(&self) -> usize {
        self.len() - self.written
    }

    /// Whether a byte of it has left, and not the last.
    pub(super) fn is_begun(&self) -> bool {
        self.written > 0
    }

    /// Whether all of it has left.
    pub(super) fn is_done(&self) -> bool {
        self.written > 0 && self.left() == 0
    }

    /// Whether frames can be appended.
    pub(super) fn is_open(&self) -> bool {
        self.pieces_len == 0 && !self.has_close
    }

    pub(super) fn ends_with_close(&self) -> bool {
        self.has_close
    }

    /// Copies a frame to the end, masked if its header says so.
    pub(super) fn append(&mut self, header: &Header, payload: [&[u8]; 3]) {
        let encoded = header.encode();
        let len = encoded.len() + payload.iter().map(|piece| piece.len()).sum::<usize>();
        let (head, mut rest) = self.grow(len).split_at_mut(encoded.len());
        head.copy_from_slice(&encoded);
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

    /// Puts a frame at the end whose payload is not copied. To be masked, each piece must be our own.
    pub(super) fn append_shared(&mut self, header: &Header, mut payload: [Piece; 3]) {
        let encoded = header.encode();
        self.grow(encoded.len()).copy_from_slice(&encoded);
        for piece in &mut payload {
            if let Some(key) = header.mask {
                piece.mask(key, self.pieces_len);
            }
            self.pieces_len += piece.len();
        }
        self.pieces = payload;
    }

    /// Ends the unit with a Close.
    pub(super) fn append_close(&mut self, header: &Header, payload: &[u8]) {
        self.append(header, [payload, &[], &[]]);
        self.has_close = true;
    }

    /// What has not been written, in order.
    pub(super) fn rest(&self) -> [&[u8]; 4] {
        let mut written = self.written;
        let [a, b, c] = &self.pieces;
        [&self.bytes[..self.len], a.as_slice(), b.as_slice(), c.as_slice()].map(|piece| {
            let skipped = written.min(piece.len());
            written -= skipped;
            &piece[skipped..]
        })
    }

    /// Up to `n` bytes were written. Returns how many of them were of this unit.
    pub(super) fn advance(&mut self, n: usize) -> usize {
        let taken = n.min(self.left());
        self.written += taken;
        taken
    }

    /// Makes the unit empty, and keeps its memory for the next one.
    pub(super) fn reset(&mut self) {
        let bytes = core::mem::take(&mut self.bytes);
        *self = Self { bytes, ..Self::default() };
    }

    /// The next `n` bytes of the first piece.
    fn grow(&mut self, n: usize) -> &mut [u8] {
        let start = self.len;
        self.len += n;
        if self.bytes.len() < self.len {
            self.bytes.resize(self.len, 0);
        }
        &mut self.bytes[start..self.len]
    }

    #[cfg(test)]
    pub(super) fn memory(&self) -> usize {
        self.bytes.capacity()
    }
}
