//! Places for large frames, reused once their frames have been dropped.
//!
//! Where frames follow each other and some wait for a disk, each would need new memory: a page fault for every 4 KiB,
//! and a heap that grows beyond what is in use.

use super::room::{BESIDE, MAX_STRIDE, ON_TRUST, grow};
use alloc::vec::Vec;
use bytes::BytesMut;
use core::mem;
use core::ops::RangeInclusive;

/// The sizes of places that are kept: smaller ones cost little, and larger ones are rare.
const KEPT: RangeInclusive<usize> = MAX_STRIDE..=ON_TRUST + BESIDE;
/// How many bytes are kept at most. 4 MiB: eight of the largest file chunks are seldom on their way to a disk at once;
/// frames beyond that get fresh memory.
const MOST: usize = 4 << 20;
/// After this many frames in a row that fit into three quarters of a place, new places are smaller.
const SHORTER: u32 = 8;

/// The places that are not lent to a reader. Some still hold frames that are in use.
#[derive(Default)]
pub(super) struct Shelf {
    /// All have this size.
    places: Vec<BytesMut>,
    size: usize,
    /// How many frames in a row were much smaller, and the length of the longest of them.
    shorter: (u32, usize),
    /// Whether the lent place is one of these.
    is_lent: bool,
}

impl Shelf {
    /// Makes room for `wanted` more bytes in the lent place, or replaces it. `place` is the size of the lent place;
    /// returns the size of the one that is lent afterwards.
    pub(super) fn make_room(&mut self, lent: &mut BytesMut, place: usize, wanted: usize) -> usize {
        if lent.try_reclaim(wanted) {
            return place.max(lent.capacity());
        }
        let size = lent.len().saturating_add(wanted);
        let is_large = KEPT.contains(&size);
        if is_large {
            self.follow(size);
        }
        // A kept frame holds its whole place, so one that needs less than half of a place does not get one.
        let is_kept = is_large && size > self.size / 2;
        if !is_kept && !self.is_lent {
            return grow(lent, place, wanted);
        }
        let mut next = if is_kept { self.take() } else { BytesMut::with_capacity(size) };
        next.extend_from_slice(lent);
        let last = mem::replace(lent, next);
        if mem::replace(&mut self.is_lent, is_kept) {
            self.lay_aside(last);
        }
        if is_kept { self.size.max(lent.capacity()) } else { lent.capacity() }
    }

    /// Takes back the lent place, which is being replaced by one that is not kept here.
    pub(super) fn take_back(&mut self, lent: BytesMut) {
        if mem::take(&mut self.is_lent) {
            self.lay_aside(lent);
        }
    }

    /// Frees everything that is kept.
    pub(super) fn clear(&mut self) {
        *self = Self::default();
    }

    /// How many bytes are kept.
    #[cfg(test)]
    pub(super) fn memory(&self) -> usize {
        self.places.len() * self.size
    }

    /// Starts over with places of another size if frames have changed their size.
    fn follow(&mut self, size: usize) {
        let (count, longest) = self.shorter;
        let is_shorter = size <= self.size / 4 * 3;
        self.shorter = if is_shorter { (count + 1, longest.max(size)) } else { (0, 0) };
        match self.shorter {
            // Smaller places will hardly be useful.
            _ if size > self.size => *self = Self { size, ..Self::default() },
            (SHORTER, size) => *self = Self { size, ..Self::default() },
            _ => {}
        }
    }

    /// A free place.
    fn take(&mut self) -> BytesMut {
        let size = self.size;
        match self.places.iter_mut().position(|place| place.try_reclaim(size)) {
            Some(free) => self.places.swap_remove(free),
            None => BytesMut::with_capacity(size),
        }
    }

    fn lay_aside(&mut self, mut place: BytesMut) {
        if (self.places.len() + 1) * self.size <= MOST {
            place.clear();
            self.places.push(place);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_that_would_fill_less_than_half_a_buffer_gets_its_own() {
        let mut shelf = Shelf::default();
        let mut lent = BytesMut::new();
        // Somebody holds the frames.
        let mut kept = Vec::new();
        let mut place = 0;
        for (wanted, least, most) in [(1 << 20, 1 << 20, 2 << 20), (100 << 10, 100 << 10, 200 << 10)] {
            place = shelf.make_room(&mut lent, place, wanted);
            assert!((least..most).contains(&place), "{place} for {wanted}");
            lent.resize(wanted, 7);
            kept.push(lent.split().freeze());
        }
    }

    /// The size of the place lent last, when frames of these lengths are held.
    fn place_after(frames: Vec<usize>) -> usize {
        let (mut shelf, mut lent, mut place) = (Shelf::default(), BytesMut::new(), 0);
        let mut kept = Vec::new();
        for wanted in frames {
            place = shelf.make_room(&mut lent, place, wanted);
            lent.resize(wanted, 7);
            kept.push(lent.split().freeze());
        }
        place
    }

    #[test]
    fn buffers_shrink_after_frames_have_been_short_for_a_while() {
        let frames = [[1 << 20].as_slice(), &[500 << 10, 400 << 10].repeat(4)].concat();
        assert_eq!(place_after(frames), 500 << 10, "as the longest of them");
    }

    #[test]
    fn buffers_stay_as_long_as_the_occasional_longest_frames() {
        let frames = [[1 << 20].as_slice(), &[600 << 10; 5]].concat().repeat(10);
        assert_eq!(place_after(frames), 1 << 20);
    }
}
