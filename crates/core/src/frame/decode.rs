//! Bytes to frames.

mod parse;
mod push;
mod shelf;

use super::{FrameError, Header, Limits, MAX_CONTROL, MAX_HEADER, Opcode, Role};
use crate::mask;
use alloc::boxed::Box;
use bytes::{Buf, Bytes, BytesMut};
use core::fmt;
use shelf::Shelf;

/// The least and the most room that is lent to a reader when nothing large is on its way: a conversation of small
/// messages fits the least, and a stream of them fills the most with few reads.
const MIN_STRIDE: usize = 4 << 10;
const MAX_STRIDE: usize = 64 << 10;
/// Room for this much of a frame is made on the word of its header; for more, only as much again as has arrived, and not
/// before the room is nearly used up. A mebibyte, and what a protocol on top may add to it: nothing so common is to outgrow
/// its place by a few bytes.
const ON_TRUST: usize = (1 << 20) + (1 << 10);
/// To move more of a frame than this within the buffer costs as much as a read.
const MOVED: usize = 16 << 10;
/// Room beside a frame: for the header of the next one, so that it says how much to read then, and for as much of the one
/// before. So a stream of frames of one length goes through one place, however it is cut.
const BESIDE: usize = 2 * MAX_HEADER;
/// Payloads below this, or below a sixteenth of the buffer, are copied out, and larger ones are shared. A copy of this
/// size costs no more than counting references, and a short message that is kept does not keep a large buffer with it.
const COPY_BELOW: usize = 1 << 10;
const COPY_SHARE: usize = 16;

/// Takes bytes and gives back frames, unmasked and checked against RFC 6455.
///
/// Bytes come in by [`push`](Self::push) or [`push_part`](Self::push_part), or, without a copy, by reading into
/// [`input`](Self::input). Then call [`decode`](Self::decode) until it has nothing more. A decoder that holds no part of a frame needs no memory of its
/// own: [`release`](Self::release) gives it back.
///
/// ```
/// use bowline_core::frame::{Decoder, Limits, Opcode, Role};
///
/// let mut decoder = Decoder::new(Role::Client, &Limits::default());
/// decoder.push(b"\x81\x05Hello\x82");
/// let header = decoder.decode().unwrap().unwrap();
/// assert_eq!((header.opcode, header.fin), (Opcode::Text, true));
/// assert_eq!(decoder.take(), "Hello");
/// assert_eq!(decoder.decode().unwrap(), None); // half a header
/// ```
pub struct Decoder {
    role: Role,
    limit: u64,
    /// What was received; before `pos`, nobody needs it any more.
    buf: BytesMut,
    pos: usize,
    /// While places are kept.
    shelf: Option<Box<Shelf>>,
    stride: usize,
    /// The length of the last data frame, if it was large: the next one is likely to be as long.
    recent: u64,
    /// Whether frames are collected until they are whole, rather than taken as they arrive.
    whole: bool,
    state: State,
    /// Whether a message has begun that is not finished.
    in_message: bool,
}

enum State {
    /// `pos` stands at a header.
    Header,
    /// `pos` stands in a payload: `taken` bytes of it are gone, `done` behind them can be seen, and `ahead` more were
    /// unmasked when they were pushed.
    Payload { header: Header, taken: u64, done: usize, ahead: usize },
    /// The bytes make no sense any more.
    Failed(FrameError),
}

impl Decoder {
    /// A decoder for what the peer of `role` sends. Each frame is collected until it is whole.
    pub fn new(role: Role, limits: &Limits) -> Self {
        // No machine can hold more.
        let limit = limits.frame.unwrap_or(u64::MAX).min(isize::MAX as u64);
        Self { limit, whole: true, ..Self::in_pieces(role, limits) }
    }

    /// A decoder for whoever [takes](Self::take_arrived) frames as they arrive. It asks for no more than a modest amount
    /// at once, however long a frame is.
    pub fn in_pieces(role: Role, limits: &Limits) -> Self {
        Self {
            role,
            limit: limits.frame.unwrap_or(u64::MAX),
            buf: BytesMut::new(),
            pos: 0,
            shelf: None,
            stride: MIN_STRIDE,
            recent: 0,
            whole: false,
            state: State::Header,
            in_message: false,
        }
    }

    /// A place to append the next bytes to, with spare capacity for as much as is wanted next: the rest of a large
    /// frame with the header after it, or a modest amount. Only append to it.
    ///
    /// The spare capacity has not been set to zero, and need not be filled.
    pub fn input(&mut self) -> &mut BytesMut {
        let filled = !self.buf.is_empty() && self.spare() == 0;
        if filled && self.stride < MAX_STRIDE {
            self.stride *= 2;
        }
        let (wanted, buffered) = (self.wanted(), self.buffered());
        // What has come of a large frame is moved for the sake of its rest, and of nothing more.
        let rest = usize::try_from(self.missing()).unwrap_or(usize::MAX).max(1);
        if wanted <= self.stride {
            // More than is wanted saves reads.
            let least = if buffered > MOVED { rest } else { wanted.max(self.stride / 2) };
            self.make_room(least, self.stride);
        } else if self.whole {
            // To make room that is not needed yet would double it, however little has come.
            let most = wanted.min(buffered.max((ON_TRUST + BESIDE).saturating_sub(buffered)));
            let least = if buffered > MOVED { rest.min(most).min(MAX_STRIDE) } else { most };
            self.make_room(least, most);
        } else {
            let most = wanted.min(MAX_STRIDE);
            self.make_room(most / 2, most);
        }
        if self.whole && (self.recent > 0 || buffered > MOVED) {
            self.lend_at_most(wanted);
        }
        &mut self.buf
    }

    /// How many bytes are wanted next: the rest of the frame at hand or, after a large one, another like it, and a few more
    /// for the header of the next.
    pub fn wanted(&self) -> usize {
        let missing = match &self.state {
            State::Header if self.whole => self.recent.saturating_sub(self.buffered() as u64),
            _ => self.missing(),
        };
        usize::try_from(missing).unwrap_or(usize::MAX).saturating_add(BESIDE)
    }

    /// The next whole frame, or `None` until more bytes have come.
    ///
    /// The frame lies in the decoder until the next call: look at its [`payload`](Self::payload), or
    /// [`take`](Self::take) it.
    ///
    /// # Errors
    /// What the peer did wrong; the same from then on, for what follows cannot be told apart.
    pub fn decode(&mut self) -> Result<Option<Header>, FrameError> {
        let is_whole = self.step_on()?;
        Ok(self.header().filter(|_| is_whole).copied())
    }

    /// [`decode`](Self::decode), but says only whether there is a whole frame: to copy its header costs as much as to
    /// find it.
    #[inline]
    pub(crate) fn step_on(&mut self) -> Result<bool, FrameError> {
        self.skip();
        match self.state {
            State::Payload { .. } => {}
            State::Failed(error) => return Err(error),
            State::Header => match self.parse() {
                Ok(true) => {}
                Ok(false) => return Ok(false),
                Err(error) => {
                    self.state = State::Failed(error);
                    return Err(error);
                }
            },
        }
        Ok(self.unmask())
    }

    /// The header of the frame at hand, whole or not.
    pub fn header(&self) -> Option<&Header> {
        match &self.state {
            State::Payload { header, .. } => Some(header),
            _ => None,
        }
    }

    /// How many bytes of the payload of the frame at hand have arrived, with those that were taken.
    pub fn arrived(&self) -> u64 {
        match &self.state {
            State::Payload { taken, done, .. } => taken + *done as u64,
            _ => 0,
        }
    }

    /// As much of the payload of the frame at hand as has arrived and was not taken, unmasked.
    pub fn payload(&self) -> &[u8] {
        match &self.state {
            State::Payload { done, .. } => self.buf.get(self.pos..self.pos + done).unwrap_or_default(),
            _ => &[],
        }
    }

    /// Takes the payload of the whole frame that [`decode`](Self::decode) has just returned: shared with the buffer
    /// if it is large, copied if it is small. Empty if there is no whole frame.
    pub fn take(&mut self) -> Bytes {
        if self.missing() > 0 { Bytes::new() } else { self.take_arrived() }
    }

    /// Takes what has arrived of the payload of the frame at hand, whole or not, as [`take`](Self::take) does. What
    /// arrives later stands alone, and the frame is whole when the last of it has come.
    pub fn take_arrived(&mut self) -> Bytes {
        let payload = self.payload();
        let len = payload.len();
        if len < COPY_BELOW.max(self.stride / COPY_SHARE) {
            let payload = Bytes::copy_from_slice(payload);
            self.pos += len;
            self.step();
            return payload;
        }
        self.buf.advance(self.pos.min(self.buf.len()));
        self.pos = 0;
        let payload = self.buf.split_to(len).freeze();
        self.step();
        payload
    }

    /// Drops what has arrived of the payload of the frame at hand, whole or not.
    pub fn drop_arrived(&mut self) {
        self.pos += self.payload().len();
        self.step();
    }

    /// How many bytes are held of frames that have not been decoded.
    pub fn buffered(&self) -> usize {
        self.buf.len().saturating_sub(self.pos)
    }

    /// Whether the bytes so far end with a whole frame.
    pub fn is_between_frames(&self) -> bool {
        match &self.state {
            State::Header => self.pos >= self.buf.len(),
            State::Payload { header, taken, done, .. } => {
                taken + *done as u64 == header.len && self.pos.saturating_add(*done) >= self.buf.len()
            }
            State::Failed(_) => false,
        }
    }

    /// Drops everything that has not been decoded, and the memory with it. Nothing can be decoded afterwards but a new
    /// stream of frames.
    pub fn clear(&mut self) {
        self.state = State::Header;
        self.in_message = false;
        self.buf.clear();
        self.release();
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
        if self.buffered() == 0 || matches!(self.state, State::Failed(_)) {
            self.buf = BytesMut::new();
            self.pos = 0;
            self.stride = MIN_STRIDE;
        }
    }

    /// Unmasks what has arrived of the frame at hand, and says whether it is whole.
    #[inline]
    fn unmask(&mut self) -> bool {
        let State::Payload { header, taken, done, ahead } = &mut self.state else { return false };
        let rest = self.buf.get_mut(self.pos..).unwrap_or_default();
        let left = header.len - *taken;
        let arrived = rest.len().min(usize::try_from(left).unwrap_or(usize::MAX));
        if let (Some(key), Some(fresh)) = (header.mask, rest.get_mut(*done + *ahead..arrived)) {
            mask::apply(fresh, key, phase(*taken, *done + *ahead));
        }
        (*done, *ahead) = (arrived, 0);
        arrived as u64 == left
    }

    /// Steps over the frame at hand, if it is whole.
    fn skip(&mut self) {
        if let State::Payload { header, taken, done, .. } = &self.state {
            if taken + *done as u64 == header.len {
                self.pos += done;
                self.finish();
            }
        }
    }

    /// What has arrived is gone: waits for the rest of the frame, or for the next one.
    fn step(&mut self) {
        if let State::Payload { header, taken, done, .. } = &mut self.state {
            *taken += *done as u64;
            *done = 0;
            if *taken == header.len {
                self.finish();
            }
        }
    }

    /// The frame at hand is behind us.
    fn finish(&mut self) {
        if let State::Payload { header, .. } = &self.state {
            if !header.opcode.is_control() {
                self.recent = if header.len >= MAX_STRIDE as u64 { header.len } else { 0 };
            }
            self.state = State::Header;
        }
    }

    #[cfg(test)]
    pub(crate) fn memory(&self) -> usize {
        self.buf.capacity() + self.shelf.as_ref().map_or(0, |shelf| shelf.memory())
    }

    /// How many bytes of the frame at hand have not arrived.
    fn missing(&self) -> u64 {
        match &self.state {
            State::Payload { header, taken, done, .. } => header.len - taken - *done as u64,
            _ => 0,
        }
    }

    fn spare(&self) -> usize {
        self.buf.capacity() - self.buf.len()
    }

    /// Makes room for `wanted` bytes, unless there is room for `least`.
    fn make_room(&mut self, least: usize, wanted: usize) {
        if self.buffered() == 0 || matches!(self.state, State::Failed(_)) {
            self.buf.clear();
            self.pos = 0;
        }
        if self.spare() < least {
            self.drop_consumed();
            match &mut self.shelf {
                None => self.buf.reserve(wanted),
                Some(shelf) => shelf.make_room(&mut self.buf, wanted),
            }
        }
    }

    /// Cuts the room off that is more than this. The part of another frame that came there might have to move.
    fn lend_at_most(&mut self, wanted: usize) {
        if self.spare() > wanted {
            // The memory stays, and serves again when room is made.
            drop(self.buf.split_off(self.buf.len() + wanted));
        }
    }

    /// Cuts off what lies before `pos`.
    fn drop_consumed(&mut self) {
        self.buf.advance(self.pos.min(self.buf.len()));
        self.pos = 0;
    }
}

/// Where the key stands `behind` bytes after the first `taken`: it has four bytes, so this is as good as the position.
fn phase(taken: u64, behind: usize) -> usize {
    (taken % 4) as usize + behind
}

impl fmt::Debug for Decoder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Decoder")
            .field("role", &self.role)
            .field("buffered", &self.buffered())
            .field("capacity", &self.buf.capacity())
            .field("frame", &self.header())
            .finish_non_exhaustive()
    }
}
