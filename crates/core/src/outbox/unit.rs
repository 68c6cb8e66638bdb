//! What leaves next: some small frames in one piece, perhaps with a fragment behind them that was not copied.

use super::outgoing::Piece;
use crate::frame::{EncodedHeader, Header};
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

    /// Whether frames can be appended.
    pub(super) fn is_open(&self) -> bool {
        self.pieces_len == 0 && !self.has_close
    }

    pub(super) fn ends_with_close(&self) -> bool {
        self.has_close
    }

    /// Copies a frame to the end, masked if its header says so.
    #[inline]
    pub(super) fn append<const N: usize>(&mut self, header: &Header, payload: [&[u8]; N]) {
        let len = payload.iter().map(|piece| piece.len()).sum();
        let mut rest = self.append_header(header.encode(), len);
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
        self.append_header(header.encode(), 0);
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
        self.has_close = true;
        self.append(header, [payload]);
    }

    /// What has not been written of one of its pieces, the first of which is what was copied.
    #[inline]
    pub(super) fn rest(&self, index: usize) -> &[u8] {
        let copied = &self.bytes[..self.len];
        let Some(index) = index.checked_sub(1) else { return copied.get(self.written..).unwrap_or_default() };
        let before = self.pieces[..index].iter().map(Piece::len).sum::<usize>();
        let skipped = self.written.saturating_sub(self.len + before);
        self.pieces[index].as_slice().get(skipped..).unwrap_or_default()
    }

    /// The first of its pieces that has not been written.
    #[inline]
    pub(super) fn first_piece(&self) -> &[u8] {
        if self.written < self.len { &self.bytes[self.written..self.len] } else { self.first_shared() }
    }

    fn first_shared(&self) -> &[u8] {
        let mut rest = (1..self.pieces()).map(|index| self.rest(index));
        rest.find(|rest| !rest.is_empty()).unwrap_or_default()
    }

    /// How many pieces it has.
    #[inline]
    pub(super) fn pieces(&self) -> usize {
        if self.pieces_len == 0 { 1 } else { 1 + self.pieces.len() }
    }

    /// So many bytes were written, and not the last of it.
    #[inline]
    pub(super) fn advance(&mut self, n: usize) {
        self.written += n;
    }

    /// Makes the unit empty, and keeps its memory for the next one.
    #[inline]
    pub(super) fn reset(&mut self) {
        (self.len, self.written, self.has_close) = (0, 0, false);
        if self.pieces_len > 0 {
            (self.pieces, self.pieces_len) = Default::default();
        }
    }

    /// Appends a header and a place for `len` bytes behind it.
    #[inline]
    fn append_header(&mut self, header: EncodedHeader, len: usize) -> &mut [u8] {
        let start = self.len;
        // To copy as many bytes each time takes a few instructions; what is too many is written over.
        let place = start + EncodedHeader::PADDED + len;
        if self.bytes.len() < place {
            self.grow(place);
        }
        self.len = start + header.len() + len;
        let place = &mut self.bytes[start..place];
        place[..EncodedHeader::PADDED].copy_from_slice(header.padded());
        &mut place[header.len()..][..len]
    }

    #[cold]
    fn grow(&mut self, len: usize) {
        self.bytes.resize(len, 0);
    }

    #[cfg(test)]
    pub(super) fn memory(&self) -> usize {
        self.bytes.capacity()
    }
}
