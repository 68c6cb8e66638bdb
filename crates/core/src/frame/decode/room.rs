//! Room for what comes next.

use super::{Decoder, Joint, MAX_HEADER, State};
use crate::Role;
use alloc::boxed::Box;
use bytes::BytesMut;
use core::mem;

/// The least and the most room that is lent to a reader when nothing large is on its way: a conversation of small
/// messages fits the least, and a stream of them fills the most with few reads.
pub(super) const MIN_STRIDE: usize = 4 << 10;
pub(super) const MAX_STRIDE: usize = 64 << 10;
/// Room for this much of a frame is made on the word of its header; for more, only as much again as has arrived, and not
/// before the room is nearly used up. A mebibyte, and what a protocol on top may add to it: nothing so common is to outgrow
/// its place by a few bytes.
pub(super) const ON_TRUST: usize = (1 << 20) + (1 << 10);
/// To move more of a frame than this within the buffer costs as much as a read.
const MOVED: usize = 16 << 10;
/// Room beside a frame: for the header of the next one, so that it says how much to read then, and for as much of the one
/// before. So a stream of frames of one length goes through one place, however it is cut.
pub(super) const BESIDE: usize = 2 * MAX_HEADER;

/// What is masked is read and unmasked in pieces of this length, which a first cache holds for the most part.
const UNMASKED: usize = 32 << 10;
/// What only has to be read is read in pieces of this length: a system tells the peer at the end of a read that there is
/// room again, and so it can write on sooner.
const PLAIN: usize = 64 << 10;

impl Decoder {
    /// A place to append the next bytes to, with spare capacity for as much as is wanted next: the rest of a large
    /// frame, often with the header after it, a part of that rest, or a modest amount. Only append to it.
    ///
    /// The spare capacity has not been set to zero, and need not be filled.
    pub fn input(&mut self) -> &mut BytesMut {
        let filled = !self.buf.is_empty() && self.spare() == 0;
        if filled && self.stride < MAX_STRIDE as u32 {
            self.stride *= 2;
        }
        let stride = self.stride as usize;
        let (wanted, buffered) = (self.wanted(), self.buffered());
        let held = self.joint.len + buffered;
        // What has come of a large frame is moved for the sake of its rest, and of nothing more.
        let rest = usize::try_from(self.missing()).unwrap_or(usize::MAX).max(1);
        // Fragments are joined where the first one comes.
        let joined = if held <= BESIDE { self.usual_room() } else { 0 };
        if wanted <= stride {
            // More than is wanted saves reads.
            let least = if held > MOVED { rest } else { wanted.max(stride / 2) };
            self.make_room(least.max(joined), stride.max(joined));
        } else if self.whole {
            // To make room that is not needed yet would double it, however little has come.
            let most = wanted.min(held.max((ON_TRUST + BESIDE).saturating_sub(held)));
            let least = if buffered > MOVED { rest.min(most) } else { most };
            let least = if held > MOVED { least.min(MAX_STRIDE) } else { least };
            self.make_room(least.max(joined), most.max(joined));
        } else {
            let most = wanted.min(MAX_STRIDE);
            self.make_room(most / 2, most);
        }
        // A small frame shares its place with others; a large one has it, and the header behind, for itself.
        if self.whole && self.next_len() >= MAX_STRIDE as u64 {
            self.lend_at_most(wanted);
        }
        &mut self.buf
    }

    /// How long the frame at hand is, or the next one will be, if it is known or likely.
    fn next_len(&self) -> u64 {
        match &self.state {
            State::Header => self.recent.into(),
            State::Payload { header, .. } => header.len,
            State::Failed(_) => 0,
        }
    }

    /// How many bytes are wanted next: the rest of the frame at hand or, after a large one, another like it, and a few more
    /// for the header of the next.
    pub fn wanted(&self) -> usize {
        let missing = match &self.state {
            State::Header if self.whole => u64::from(self.recent).saturating_sub(self.buffered() as u64),
            _ => self.missing(),
        };
        usize::try_from(missing).unwrap_or(usize::MAX).saturating_add(BESIDE)
    }

    /// How many bytes to read at once of a large frame. Of what is taken as it arrives each read makes a piece, and nobody is
    /// helped by more of them.
    pub(crate) fn read_limit(&self) -> usize {
        let most = match self.role {
            Role::Server => UNMASKED,
            Role::Client => PLAIN,
        };
        // A rest of some bytes is not left for a read of its own.
        if self.whole && self.wanted() > most + most / 2 { most } else { usize::MAX }
    }

    /// Whether places are kept in which large frames came, 4 MiB of them at most, so that they serve again once nobody
    /// holds those frames any more. Not so at first.
    ///
    /// It saves memory and page faults where one large frame follows another, and whoever takes them holds some for a
    /// while. [`release`](Self::release) gives these places back as well.
    pub fn keep_places(&mut self, keep: bool) {
        if keep != self.shelf.is_some() {
            self.shelf = keep.then(Box::default);
        }
    }

    /// Whether places are kept.
    pub(crate) fn keeps_places(&self) -> bool {
        self.shelf.is_some()
    }

    /// Gives the memory back, if nothing is left in it that anybody needs.
    pub fn release(&mut self) {
        if let Some(shelf) = &mut self.shelf {
            shelf.clear();
        }
        self.skip();
        if self.holds_nothing() {
            self.buf = BytesMut::new();
            (self.pos, self.joint, self.place, self.copied) = (0, Joint::default(), 0, 0);
            // The last message may have been the last.
            self.usual = 0;
            self.stride = MIN_STRIDE as u32;
        }
    }

    pub(super) fn spare(&self) -> usize {
        self.buf.capacity() - self.buf.len()
    }

    /// Makes room for `wanted` bytes, unless there is room for `least`.
    pub(super) fn make_room(&mut self, least: usize, wanted: usize) {
        if self.holds_nothing() {
            self.buf.clear();
            (self.pos, self.joint) = (0, Joint::default());
        }
        // Where so much was copied, a smaller place saves more than the new one costs.
        let is_too_large = self.copied as usize > self.place;
        // Whoever appends more than was lent makes the buffer grow before its room is used up.
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

    /// How much of the room that is `wanted` is of use: a message in fragments that is no longer than the last one needs none
    /// for another fragment.
    fn of_use(&self, least: usize, wanted: usize) -> usize {
        let usual = self.usual_rest();
        let is_usual = self.joint.len > 0 && usual > 0 && self.missing() <= usual as u64;
        if is_usual { wanted.min(usual + BESIDE).max(least) } else { wanted }
    }

    /// How much room to make in another place for `wanted` bytes: a message in fragments stays there if it is as long as the
    /// last one, and moves seldom if it is longer.
    fn foreseen(&self, wanted: usize) -> usize {
        match self.usual_room() {
            _ if !self.whole => wanted,
            0 => wanted.max(self.joint.len),
            usual => wanted.max(usual),
        }
    }

    /// Room for the rest of a message that is as long as the last one, with what comes before it and behind it; 0 if that is
    /// over.
    fn usual_room(&self) -> usize {
        match self.usual_rest() {
            0 => 0,
            rest => rest + 2 * BESIDE,
        }
    }

    /// Moves what is left to a place that is no larger than it has to be.
    fn leave_place(&mut self, wanted: usize) {
        let mut next = BytesMut::with_capacity(self.buf.len().saturating_add(wanted));
        next.extend_from_slice(&self.buf);
        (self.place, self.copied) = (next.capacity(), 0);
        let last = mem::replace(&mut self.buf, next);
        if let Some(shelf) = &mut self.shelf {
            shelf.take_back(last);
        }
    }

    /// Cuts the room off that is more than this. The part of another frame that came there might have to move.
    fn lend_at_most(&mut self, wanted: usize) {
        if self.spare() > wanted {
            // The memory stays, and serves again when room is made and nobody holds the frame.
            drop(self.buf.split_off(self.buf.len() + wanted));
        }
    }

    /// Whether nothing is left in the memory that anybody needs.
    fn holds_nothing(&self) -> bool {
        self.joint.len + self.buffered() == 0 || matches!(self.state, State::Failed(_))
    }

    #[cfg(test)]
    pub(crate) fn memory(&self) -> usize {
        self.buf.capacity() + self.shelf.as_ref().map_or(0, |shelf| shelf.memory())
    }
}

/// Makes room for `wanted` more bytes, and says how large the place is then: `buf` does not tell what lies before and
/// behind it.
pub(super) fn grow(buf: &mut BytesMut, place: usize, wanted: usize) -> usize {
    if buf.try_reclaim(wanted) {
        return place.max(buf.capacity());
    }
    // What is out of sight stays so if the place grows, and is gone if it is a new one.
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
