//! The units that are ready to leave, in order.

use super::unit::Unit;
use alloc::collections::VecDeque;

#[derive(Debug, Default)]
pub(super) struct Units {
    /// First those that are ready, then some that are empty and have memory to spare.
    ring: VecDeque<Unit>,
    ready: usize,
}

impl Units {
    /// The unit that may have begun to leave.
    pub(super) fn first(&self) -> Option<&Unit> {
        self.iter().next()
    }

    /// The unit that frames are added to.
    pub(super) fn last(&self) -> Option<&Unit> {
        self.iter().next_back()
    }

    pub(super) fn last_mut(&mut self) -> Option<&mut Unit> {
        self.ring.get_mut(self.ready.checked_sub(1)?)
    }

    pub(super) fn iter(&self) -> impl DoubleEndedIterator<Item = &Unit> {
        self.ring.range(..self.ready)
    }

    /// Whether a byte of the first unit has left, and not its last.
    pub(super) fn is_begun(&self) -> bool {
        self.first().is_some_and(Unit::is_begun)
    }

    /// How many bytes have not been written.
    pub(super) fn left(&self) -> usize {
        self.iter().map(Unit::left).sum()
    }

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.ready
    }

    /// Adds an empty unit at the end.
    pub(super) fn push(&mut self) {
        if self.ready == self.ring.len() {
            self.ring.push_back(Unit::default());
        }
        self.ready += 1;
    }

    /// Up to `n` bytes of the first unit were written. Returns how many of them were of this unit, and whether our Close
    /// left with them.
    pub(super) fn advance(&mut self, n: usize) -> (usize, bool) {
        let Some(first) = self.ring.front_mut().filter(|_| self.ready > 0) else { return (0, false) };
        let taken = first.advance(n);
        if !first.is_done() {
            return (taken, false);
        }
        let close = first.ends_with_close();
        first.reset();
        self.ring.rotate_left(1);
        self.ready -= 1;
        (taken, close)
    }

    /// Drops the units of which nothing has left.
    pub(super) fn drop_waiting(&mut self) {
        let begun = usize::from(self.is_begun());
        self.ring.range_mut(begun..self.ready).for_each(Unit::reset);
        self.ready = begun;
    }

    #[cfg(test)]
    pub(super) fn memory(&self) -> usize {
        self.ring.capacity() * size_of::<Unit>() + self.ring.iter().map(Unit::memory).sum::<usize>()
    }
}
