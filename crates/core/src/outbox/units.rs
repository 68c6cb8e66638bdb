//! The units that are ready to leave, in order.

use super::outgoing::Pieces;
use super::unit::Unit;
use crate::frame::Header;
use crate::mask::Key;
use alloc::vec::Vec;
use core::slice;

#[derive(Debug, Default)]
pub(super) struct Units {
    /// First the prepared units, then empty ones with memory to reuse.
    all: Vec<Unit>,
    ready: usize,
    /// How many of their bytes were not written.
    left: usize,
}

impl Units {
    /// The only unit that may have begun to leave.
    #[inline]
    pub(super) fn first(&self) -> Option<&Unit> {
        self.ready().first()
    }

    /// The unit to which frames are added.
    #[inline]
    pub(super) fn last(&self) -> Option<&Unit> {
        self.ready().last()
    }

    /// All of them, in order.
    #[inline]
    pub(super) fn iter(&self) -> slice::Iter<'_, Unit> {
        self.ready().iter()
    }

    /// Whether a part of the first unit, but not all, has left.
    #[inline]
    pub(super) fn is_begun(&self) -> bool {
        self.first().is_some_and(Unit::is_begun)
    }

    /// How many bytes were not written.
    #[inline]
    pub(super) fn left(&self) -> usize {
        self.left
    }

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.ready
    }

    /// Whether there is none. Each unit has unwritten bytes.
    #[inline]
    pub(super) fn is_empty(&self) -> bool {
        self.ready == 0
    }

    /// Adds an empty unit at the end. A frame must follow.
    #[inline]
    pub(super) fn push(&mut self) {
        if self.ready == self.all.len() {
            self.grow();
        }
        self.ready += 1;
    }

    /// Copies a frame to the end of the last unit, masked if its header says so.
    #[inline]
    pub(super) fn append<const N: usize>(&mut self, header: &Header, payload: [&[u8]; N]) {
        self.add(|unit| unit.append(header, payload));
    }

    /// Appends a frame to the last unit without copying its payload. To be masked, each piece must be our own.
    pub(super) fn append_shared(&mut self, header: &Header, payload: Pieces) {
        self.add(|unit| unit.append_shared(header, payload));
    }

    /// Appends a frame to the last unit whose payload is copied and masked as it leaves.
    pub(super) fn append_masked(&mut self, header: &Header, key: Key, payload: Pieces) {
        self.add(|unit| unit.append_masked(header, key, payload));
    }

    /// Ends the last unit with a Close.
    pub(super) fn append_close(&mut self, header: &Header, payload: &[u8]) {
        self.add(|unit| unit.append_close(header, payload));
    }

    /// Up to `n` bytes were written. Returns how many of them belonged to these units, and whether our Close left with
    /// them.
    #[inline]
    pub(super) fn advance(&mut self, n: usize) -> (usize, bool) {
        // Most writes take everything.
        match &mut self.all[..self.ready] {
            [unit] if n == self.left && unit.is_ready() => {
                let close = unit.ends_with_close();
                unit.reset();
                (self.ready, self.left) = (0, 0);
                (n, close)
            }
            _ => self.advance_some(n),
        }
    }

    /// Up to `n` bytes were written, of any number of units.
    fn advance_some(&mut self, n: usize) -> (usize, bool) {
        let (mut rest, mut done, mut close) = (n, 0, false);
        for unit in &mut self.all[..self.ready] {
            let left = unit.left();
            if rest < left || !unit.is_ready() {
                let taken = rest.min(unit.ready());
                unit.advance(taken);
                rest -= taken;
                break;
            }
            rest -= left;
            close |= unit.ends_with_close();
            unit.reset();
            done += 1;
        }
        if done == self.ready {
            self.ready = 0;
        } else {
            self.drop_first(done);
        }
        self.left -= n - rest;
        (n - rest, close)
    }

    #[cold]
    fn grow(&mut self) {
        self.all.push(Unit::default());
    }

    /// Drops the units that have not begun to leave.
    pub(super) fn drop_waiting(&mut self) {
        let begun = usize::from(self.is_begun());
        self.all[begun..self.ready].iter_mut().for_each(Unit::reset);
        self.ready = begun;
        self.left = self.first().map_or(0, Unit::left);
    }

    #[inline]
    fn ready(&self) -> &[Unit] {
        &self.all[..self.ready]
    }

    /// Adds a frame to the last unit.
    #[inline]
    fn add(&mut self, frame: impl FnOnce(&mut Unit)) {
        if let Some(unit) = self.all[..self.ready].last_mut() {
            let before = unit.len();
            frame(unit);
            self.left += unit.len() - before;
        }
    }

    /// Moves the first `n`, which are empty, behind the others. A separate function, since most writes take everything.
    #[inline(never)]
    fn drop_first(&mut self, n: usize) {
        self.all[..self.ready].rotate_left(n);
        self.ready -= n;
    }

    #[cfg(test)]
    pub(super) fn memory(&self) -> usize {
        self.all.capacity() * size_of::<Unit>() + self.all.iter().map(Unit::memory).sum::<usize>()
    }
}
