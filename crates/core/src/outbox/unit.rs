//! What leaves next: some small frames in one piece, perhaps with a fragment behind them that was not copied.

use super::outgoing::Piece;
use crate::frame::{Frames, Header};

#[derive(Debug, Default)]
pub(super) struct Unit {
    frames: Frames,
    /// What follows the frames. Nothing can be appended then.
    pieces: [Piece; 3],
    pieces_len: usize,
    written: usize,
    has_close: bool,
}

impl Unit {
    /// The length of all of it.
    pub(super) fn len(&self) -> usize {
        self.frames.len() + self.pieces_len
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
        self.frames.append(header, payload);
    }

    /// Puts a frame at the end whose payload is not copied. To be masked, each piece must be our own.
    pub(super) fn append_shared(&mut self, header: &Header, mut payload: [Piece; 3]) {
        self.frames.append_header(header, 0);
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
        let copied = self.frames.as_slice();
        let Some(index) = index.checked_sub(1) else { return copied.get(self.written..).unwrap_or_default() };
        let before = self.pieces[..index].iter().map(Piece::len).sum::<usize>();
        let skipped = self.written.saturating_sub(copied.len() + before);
        self.pieces[index].as_slice().get(skipped..).unwrap_or_default()
    }

    /// The first of its pieces that has not been written.
    #[inline]
    pub(super) fn first_piece(&self) -> &[u8] {
        match self.rest(0) {
            [] => self.first_shared(),
            rest => rest,
        }
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
        self.frames.clear();
        (self.written, self.has_close) = (0, false);
        if self.pieces_len > 0 {
            (self.pieces, self.pieces_len) = Default::default();
        }
    }

    #[cfg(test)]
    pub(super) fn memory(&self) -> usize {
        self.frames.capacity()
    }
}
