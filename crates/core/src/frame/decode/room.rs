//! Room for the next input.

use super::{Decoder, Joint, MAX_HEADER, State};
use crate::Role;
use alloc::boxed::Box;
use bytes::BytesMut;
use core::mem;

/// The least and the most room that is lent to a reader when nothing large is coming: a conversation of small messages
/// fits into the least, and a stream of them fills the most with few reads.
pub(super) const MIN_STRIDE: usize = 4 << 10;
pub(super) const MAX_STRIDE: usize = 64 << 10;
/// Room for this much of a frame is made as soon as its header announces it. For more, room is only doubled, and only
/// when it is nearly used up. This is a mebibyte plus what a protocol on top may add, so that such common frames do not
/// outgrow their place by a few bytes.
pub(super) const ON_TRUST: usize = (1 << 20) + (1 << 10);
/// Moving more of a frame than this within the buffer costs as much as a read.
const MOVED: usize = 16 << 10;
/// Extra room beside a frame: for the next header, which then says how much to read, and for a remnant of the same size
/// before the frame. With it a stream of frames of equal length keeps using one place, however it is split.
pub(super) const BESIDE: usize = 2 * MAX_HEADER;

/// Masked input is read and unmasked in pieces of this length, most of which fit into a first-level cache.
const UNMASKED: usize = 32 << 10;
/// Unmasked input is read in pieces of this length: the system announces free space to the peer at the end of a read,
/// so the peer can send on sooner.
const PLAIN: usize = 64 << 10;

impl Decoder {
    /// A buffer to append the next bytes to. Its spare capacity fits what is wanted next: the rest of a large frame,
    /// often with the header after it, or a part of that rest, or a modest amount. Only append to it.
    ///
    /// The spare capacity is not zeroed, and need not be filled.
    pub fn input(&mut self) -> &mut BytesMut {
        let filled = !self.buf.is_empty() && self.spare() == 0;
        if filled && self.stride < MAX_STRIDE as u32 {
            self.stride *= 2;
        }
        let stride = self.stride as usize;
        let (wanted, buffered) = (self.wanted(), self.buffered());
        let held = self.joint.len + buffered;
        // Bytes of a large frame are moved only if there is no room for its rest.
        let rest = usize::try_from(self.missing()).unwrap_or(usize::MAX).max(1);
        // Fragments are joined where the first one arrived.
        let joined = if held <= BESIDE { self.usual_room() } else { 0 };
        if wanted <= stride {
            // Reading more than is wanted saves reads.
            let least = if held > MOVED { rest } else { wanted.max(stride / 2) };
            self.make_room(least.max(joined), stride.max(joined));
        } else if self.whole {
            // Making room earlier than needed would double the buffer, however little has arrived.
            let most = wanted.min(held.max((ON_TRUST + BESIDE).saturating_sub(held)));
            let least = if buffered > MOVED { rest.min(most) } else { most };
            let least = if held > MOVED { least.min(MAX_STRIDE) } else { least };
            self.make_room(least.max(joined), most.max(joined));
        } else {
            let most = wanted.min(MAX_STRIDE);
            self.make_room(most / 2, most);
        }
        // Small frames share a place; a large one has a place to itself, with room for the next header.
        if self.whole && self.next_len() >= MAX_STRIDE as u64 {
            self.lend_at_most(wanted);
        }
        &mut self.buf
    }

    /// The length of the current frame, or of the next one, if it is known or likely; otherwise 0.
    fn next_len(&self) -> u64 {
        match &self.state {
            State::Header => self.recent.into(),
            State::Payload { header, .. } => header.len,
            State::Failed(_) => 0,
        }
    }

    /// How many bytes are wanted next: the rest of the current frame or, after a large one, another like it, and a few
    /// more for the next header.
    pub fn wanted(&self) -> usize {
        let missing = match &self.state {
            State::Header if self.whole => u64::from(self.recent).saturating_sub(self.buffered() as u64),
            _ => self.missing(),
        };
        usize::try_from(missing).unwrap_or(usize::MAX).saturating_add(BESIDE)
    }

    /// How many bytes of a large frame to read at once. There is no limit if frames are taken as they arrive: each read
    /// makes a piece then, and more pieces help nobody.
    pub(crate) fn read_limit(&self) -> usize {
        let most = match self.role {
            Role::Server => UNMASKED,
            Role::Client => PLAIN,
        };
        // A remnant of a few bytes does not get a read of its own.
        if self.whole && self.wanted() > most + most / 2 { most } else { usize::MAX }
    }

    /// Sets whether to keep the places of large frames, at most 4 MiB in total, and to use them again once nobody holds
    /// those frames any more. Off by default.
    ///
    /// This saves memory and page faults where large frames follow each other and their consumer holds each for a
    /// while. [`release`](Self::release) frees the kept places too.
    pub fn keep_places(&mut self, keep: bool) {
        if keep != self.shelf.is_some() {
            self.shelf = keep.then(Box::default);
        }
    }

    /// Whether places are kept.
    pub(crate) fn keeps_places(&self) -> bool {
        self.shelf.is_some()
    }

    /// Frees the memory, if it holds nothing that is still needed.
    pub fn release(&mut self) {
        if let Some(shelf) = &mut self.shelf {
            shelf.clear();
        }
        self.skip();
        if self.holds_nothing() {
            self.buf = BytesMut::new();
            (self.pos, self.joint, self.place, self.copied) = (0, Joint::default(), 0, 0);
            // The last message may have been the last of its kind.
            self.usual = 0;
            self.stride = MIN_STRIDE as u32;
        }
    }

    pub(super) fn spare(&self) -> usize {
        self.buf.capacity() - self.buf.len()
    }

    /// Makes room for `wanted` bytes, unless there is already room for `least`.
    pub(super) fn make_room(&mut self, least: usize, wanted: usize) {
        if self.holds_nothing() {
            self.buf.clear();
            (self.pos, self.joint) = (0, Joint::default());
        }
        // After so many copies, moving to a smaller place costs less than it saves.
        let is_too_large = self.copied as usize > self.place;
        // A caller that appends more than it was lent makes the buffer grow before its room is used up.
        let is_hollow = self.gap() > MAX_STRIDE.max(self.buffered());
        if self.spare() < least || is_too_large || is_hollow {
            self.drop_consumed();
            if is_too_large {
                self.leave_place(wanted);
            }
            let wanted = self.of_use(least, wanted);
            let wanted = if self.buf.try_reclaim(wanted) { wanted } else { self.foreseen(wanted) };
            self.place = match &mut self.shelf {
                None => grow(&mut self.buf, self.place, wanted),
                Some(shelf) => shelf.make_room(&mut self.buf, self.place, wanted),
            };
        }
    }

    /// How much of the `wanted` room is useful: a fragmented message no longer than the last one needs no room for
    /// another fragment.
    fn of_use(&self, least: usize, wanted: usize) -> usize {
        let usual = self.usual_rest();
        let is_usual = self.joint.len > 0 && usual > 0 && self.missing() <= usual as u64;
        if is_usual { wanted.min(usual + BESIDE).max(least) } else { wanted }
    }

    /// How much room to make in a new place for `wanted` bytes, so that a fragmented message as long as the last one
    /// stays in it, and a longer one seldom moves.
    fn foreseen(&self, wanted: usize) -> usize {
        match self.usual_room() {
            _ if !self.whole => wanted,
            0 => wanted.max(self.joint.len),
            usual => wanted.max(usual),
        }
    }

    /// Room for the rest of a message as long as the last one, with what surrounds it; 0 if no rest is expected.
    fn usual_room(&self) -> usize {
        match self.usual_rest() {
            0 => 0,
            rest => rest + 2 * BESIDE,
        }
    }

    /// Moves what is left into a new place no larger than necessary.
    fn leave_place(&mut self, wanted: usize) {
        let mut next = BytesMut::with_capacity(self.buf.len().saturating_add(wanted));
        next.extend_from_slice(&self.buf);
        (self.place, self.copied) = (next.capacity(), 0);
        let last = mem::replace(&mut self.buf, next);
        if let Some(shelf) = &mut self.shelf {
            shelf.take_back(last);
        }
    }

    /// Cuts off the spare room beyond this: the part of another frame that would be read into it might have to be
    /// moved.
    fn lend_at_most(&mut self, wanted: usize) {
        if self.spare() > wanted {
            // The memory remains, and is used again when room is made and nobody holds the frame.
            drop(self.buf.split_off(self.buf.len() + wanted));
        }
    }

    /// Whether nothing in the memory is still needed.
    fn holds_nothing(&self) -> bool {
        self.joint.len + self.buffered() == 0 || matches!(self.state, State::Failed(_))
    }

    #[cfg(test)]
    pub(crate) fn memory(&self) -> usize {
        self.buf.capacity() + self.shelf.as_ref().map_or(0, |shelf| shelf.memory())
    }
}

/// Makes room for `wanted` more bytes and returns the new size of the place: `buf` does not show what lies before and
/// behind it.
pub(super) fn grow(buf: &mut BytesMut, place: usize, wanted: usize) -> usize {
    if buf.try_reclaim(wanted) {
        return place.max(buf.capacity());
    }
    // Hidden bytes stay hidden if the place grows, and are gone if there is a new one.
    let hidden = place.saturating_sub(buf.capacity());
    if hidden <= BESIDE {
        buf.reserve(wanted);
        return buf.capacity() + hidden;
    }
    let mut next = BytesMut::with_capacity(buf.len().saturating_add(wanted));
    next.extend_from_slice(buf);
    *buf = next;
    buf.capacity()
}
