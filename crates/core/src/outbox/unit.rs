//! What leaves next: some small frames in one piece, perhaps followed by a fragment that was not copied, or is copied
//! as it leaves.

use super::MASKED;
use super::outgoing::{Piece, Pieces};
use crate::frame::{Frames, Header};
use crate::mask::Key;
use core::mem::take;

/// More is masked when less than this is ready: a write should have much to take, and the remainder of the last portion
/// has to move.
const LOW: usize = MASKED / 4;

#[derive(Debug, Default)]
pub(super) struct Unit {
    frames: Frames,
    /// What follows the frames. If not empty, nothing can be appended.
    pieces: Pieces,
    pieces_len: usize,
    /// How many of them are written without a copy.
    shared: usize,
    /// Present if the pieces are shared and must be masked: they are copied behind the frames as these leave.
    masking: Option<Masking>,
    written: usize,
    /// How much was written before, and was removed from the frames.
    gone: usize,
    has_close: bool,
}

/// How the pieces are masked.
#[derive(Debug)]
struct Masking {
    key: Key,
    /// How much of the payload was copied.
    phase: usize,
}

impl Unit {
    /// Its whole length.
    pub(super) fn len(&self) -> usize {
        self.gone + self.frames.len() + self.pieces_len
    }

    /// How much was not written yet.
    pub(super) fn left(&self) -> usize {
        self.frames.len() + self.pieces_len - self.written
    }

    /// How much of that can be written now. If that is not all, nothing may be written behind it.
    pub(super) fn ready(&self) -> usize {
        if self.is_ready() { self.left() } else { self.frames.len() - self.written }
    }

    /// Whether all of it can be written now.
    pub(super) fn is_ready(&self) -> bool {
        self.masking.is_none()
    }

    /// Whether a part of it, but not all, has left.
    pub(super) fn is_begun(&self) -> bool {
        self.gone + self.written > 0
    }

    /// Whether frames can be appended.
    pub(super) fn is_open(&self) -> bool {
        self.is_one_piece() && !self.has_close
    }

    pub(super) fn ends_with_close(&self) -> bool {
        self.has_close
    }

    /// Copies a frame to the end, masked if its header says so.
    #[inline]
    pub(super) fn append<const N: usize>(&mut self, header: &Header, payload: [&[u8]; N]) {
        self.frames.append(header, payload);
    }

    /// Appends a frame without copying its payload. To be masked, each piece must be our own.
    pub(super) fn append_shared(&mut self, header: &Header, mut payload: Pieces) {
        self.frames.append_header(header, 0);
        for piece in &mut payload {
            if let Some(key) = header.mask {
                piece.mask(key, self.pieces_len);
            }
            self.pieces_len += piece.len();
        }
        self.shared = payload.iter().rposition(|piece| piece.len() > 0).map_or(0, |last| last + 1);
        self.pieces = payload;
    }

    /// Appends a frame whose payload is copied and masked in portions as it leaves.
    pub(super) fn append_masked(&mut self, header: &Header, key: Key, payload: Pieces) {
        self.frames.append_header(header, 0);
        self.pieces_len = payload.iter().map(Piece::len).sum();
        self.pieces = payload;
        self.masking = Some(Masking { key, phase: 0 });
        self.mask();
    }

    /// Ends the unit with a Close.
    pub(super) fn append_close(&mut self, header: &Header, payload: &[u8]) {
        self.has_close = true;
        self.append(header, [payload]);
    }

    /// The unwritten part of one of its pieces; piece 0 is what was copied.
    #[inline]
    pub(super) fn rest(&self, index: usize) -> &[u8] {
        let copied = self.frames.as_slice();
        let Some(index) = index.checked_sub(1) else { return copied.get(self.written..).unwrap_or_default() };
        let before = self.pieces[..index].iter().map(Piece::len).sum::<usize>();
        let skipped = self.written.saturating_sub(copied.len() + before);
        self.pieces[index].as_slice().get(skipped..).unwrap_or_default()
    }

    /// The first of its pieces that was not written.
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

    /// Whether it consists only of copied frames.
    #[inline]
    pub(super) fn is_one_piece(&self) -> bool {
        self.pieces_len == 0
    }

    /// How many pieces can be written.
    #[inline]
    pub(super) fn pieces(&self) -> usize {
        1 + self.shared
    }

    /// This many bytes were written, and not the last of it.
    #[inline]
    pub(super) fn advance(&mut self, n: usize) {
        self.written += n;
        if !self.is_ready() && self.ready() < LOW {
            self.gone += self.written;
            self.frames.drop_first(take(&mut self.written));
            self.mask();
        }
    }

    /// Empties the unit, and keeps its memory for the next one.
    #[inline]
    pub(super) fn reset(&mut self) {
        self.frames.clear();
        (self.written, self.gone, self.has_close) = (0, 0, false);
        if self.pieces_len > 0 {
            self.drop_pieces();
        }
    }

    /// Copies and masks as much of the pieces as one write may take.
    fn mask(&mut self) {
        let Some(Masking { key, phase }) = &mut self.masking else { return };
        for piece in &mut self.pieces {
            let part = piece.cut(MASKED.saturating_sub(self.frames.len()));
            self.frames.append_masked(part.as_slice(), *key, *phase);
            *phase += part.len();
            self.pieces_len -= part.len();
        }
        if self.pieces_len == 0 {
            self.drop_pieces();
        }
    }

    fn drop_pieces(&mut self) {
        (self.pieces, self.pieces_len, self.shared, self.masking) = Default::default();
    }

    #[cfg(test)]
    pub(super) fn memory(&self) -> usize {
        self.frames.capacity()
    }
}
