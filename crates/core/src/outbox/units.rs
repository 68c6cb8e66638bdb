//! The units that are ready to leave, in order.

use super::outgoing::Piece;
use super::unit::Unit;
use crate::frame::Header;
use alloc::vec::Vec;

#[derive(Debug, Default)]
pub(super) struct Units {
    /// A ring. From `head` on stand those that are ready, then some that are empty and have memory to spare.
    ring: Vec<Unit>,
    head: usize,
    ready: usize,
    /// How many bytes have not been written.
    left: usize,
}

impl Units {
    /// The unit that may have begun to leave.
    #[inline]
    pub(super) fn first(&self) -> Option<&Unit> {
        self.get(0)
    }

    /// The unit that frames are added to.
    #[inline]
    pub(super) fn last(&self) -> Option<&Unit> {
        self.get(self.ready.checked_sub(1)?)
    }

    /// The unit that leaves after `index` others.
    #[inline]
    pub(super) fn get(&self, index: usize) -> Option<&Unit> {
        if index < self.ready { self.ring.get(self.slot(index)) } else { None }
    }

    /// Whether a byte of the first unit has left, and not its last.
    #[inline]
    pub(super) fn is_begun(&self) -> bool {
        self.first().is_some_and(Unit::is_begun)
    }

    /// How many bytes have not been written.
    pub(super) fn left(&self) -> usize {
        self.left
    }

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.ready
    }

    /// Adds an empty unit at the end.
    pub(super) fn push(&mut self) {
        if self.ready == self.ring.len() {
            self.ring.rotate_left(self.head);
            self.head = 0;
            self.ring.push(Unit::default());
        }
        self.ready += 1;
    }

    /// Copies a frame to the end of the last unit, masked if its header says so.
    #[inline]
    pub(super) fn append<const N: usize>(&mut self, header: &Header, payload: [&[u8]; N]) {
        self.change_last(|unit| unit.append(header, payload));
    }

    /// Puts a frame at the end of the last unit whose payload is not copied. To be masked, each piece must be our own.
    pub(super) fn append_shared(&mut self, header: &Header, payload: [Piece; 3]) {
        self.change_last(|unit| unit.append_shared(header, payload));
    }

    /// Ends the last unit with a Close.
    pub(super) fn append_close(&mut self, header: &Header, payload: &[u8]) {
        self.change_last(|unit| unit.append_close(header, payload));
    }

    /// Up to `n` bytes of the first unit were written. Returns how many of them were of this unit, and whether our Close
    /// left with them.
    #[inline]
    pub(super) fn advance(&mut self, n: usize) -> (usize, bool) {
        let Some(first) = self.ring.get_mut(self.head).filter(|_| self.ready > 0) else { return (0, false) };
        let taken = first.advance(n);
        self.left -= taken;
        if !first.is_done() {
            return (taken, false);
        }
        let close = first.ends_with_close();
        first.reset();
        self.head = self.slot(1);
        self.ready -= 1;
        (taken, close)
    }

    /// Drops the units of which nothing has left.
    pub(super) fn drop_waiting(&mut self) {
        let begun = usize::from(self.is_begun());
        for index in begun..self.ready {
            let slot = self.slot(index);
            self.left -= self.ring[slot].left();
            self.ring[slot].reset();
        }
        self.ready = begun;
    }

    #[inline]
    fn change_last(&mut self, change: impl FnOnce(&mut Unit)) {
        let Some(index) = self.ready.checked_sub(1) else { return };
        let slot = self.slot(index);
        let unit = &mut self.ring[slot];
        let before = unit.len();
        change(unit);
        self.left += unit.len() - before;
    }

    /// Where in the ring the unit stands that leaves after `index` others.
    #[inline]
    fn slot(&self, index: usize) -> usize {
        let slot = self.head + index;
        if slot < self.ring.len() { slot } else { slot - self.ring.len() }
    }

    #[cfg(test)]
    pub(super) fn iter(&self) -> impl DoubleEndedIterator<Item = &Unit> {
        (0..self.ready).filter_map(|index| self.get(index))
    }

    #[cfg(test)]
    pub(super) fn memory(&self) -> usize {
        self.ring.capacity() * size_of::<Unit>() + self.ring.iter().map(Unit::memory).sum::<usize>()
    }
}
