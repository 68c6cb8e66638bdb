//! Cuts messages into units at the last moment, and decides where the frames go.

use super::outgoing::{Piece, Pieces};
use super::{AHEAD, COPY_BELOW, Farewell, MASKED, MAX_UNITS, Outbox, short};
use crate::frame::{Header, Opcode};

impl Outbox {
    /// Cuts what leaves next.
    #[inline]
    pub(super) fn fill(&mut self) {
        if !self.data.is_empty() || matches!(self.farewell, Farewell::Waiting(_)) {
            self.cut_ahead();
        }
    }

    fn cut_ahead(&mut self) {
        while let Some(message) = self.data.front() {
            let left = message.len();
            let len = left.min(self.fragment);
            // A fragment of a longer message starts a unit of its own.
            if !self.make_place(len, len < left) {
                return;
            }
            self.cut(len);
        }
        if let Farewell::Waiting(payload) = &self.farewell {
            let payload = payload.clone();
            if self.make_place(payload.len(), false) {
                let header = self.header(Opcode::Close, short(&payload).len());
                self.units.append_close(&header, short(&payload));
                self.farewell = Farewell::Ready(payload);
            }
        }
    }

    /// Moves the first `len` bytes of the first message to the last unit.
    fn cut(&mut self, len: usize) {
        let Some(message) = self.data.front_mut() else { return };
        let header = message.next_header(len);
        let pieces = message.cut(len);
        if message.len() == 0 {
            self.data.pop_front();
        }
        self.waiting -= len;
        self.append(header, pieces);
    }

    /// Appends a frame to the last unit.
    pub(super) fn append(&mut self, header: Header, pieces: Pieces) {
        let header = Header { mask: self.key(), ..header };
        let is_copied = header.mask.is_some() && !pieces.iter().all(Piece::can_be_masked);
        match header.mask {
            Some(key) if is_copied && header.len > MASKED as u64 => {
                self.units.append_masked(&header, key, pieces);
            }
            _ if is_copied || header.len < COPY_BELOW as u64 => {
                self.units.append(&header, pieces.each_ref().map(Piece::as_slice));
            }
            _ => self.units.append_shared(&header, pieces),
        }
    }

    /// Makes sure, if possible, that a frame with a payload of this length can be added to the last unit.
    #[inline]
    pub(super) fn make_place(&mut self, len: usize, alone: bool) -> bool {
        self.has_place(len, alone) || self.begin_unit()
    }

    /// Whether the last unit has room for such a frame.
    #[inline]
    fn has_place(&self, len: usize, alone: bool) -> bool {
        let Some(last) = self.units.last() else { return false };
        // A control frame waits for the end of the unit that has begun to leave: that end must not move away from it,
        // and a unit must not be longer than one fragment.
        let is_fixed = last.is_begun() && !self.controls.is_empty();
        let fits = !alone && last.len().saturating_add(len) <= self.fragment;
        last.is_open() && fits && !is_fixed
    }

    /// Begins another unit, unless enough is prepared.
    #[inline]
    fn begin_unit(&mut self) -> bool {
        let is_full = self.units.left() >= AHEAD || self.units.len() >= MAX_UNITS;
        if !is_full {
            self.units.push();
        }
        !is_full
    }
}
