//! Bytes to frames.

mod joint;
mod parse;
mod push;
mod room;
mod shelf;
mod short;

use super::{FrameError, Header, Limits, MAX_CONTROL, MAX_HEADER, Opcode, Role, held};
use crate::mask;
use alloc::boxed::Box;
use bytes::{Buf, Bytes, BytesMut};
use core::fmt;
use joint::Joint;
use room::{MAX_STRIDE, MIN_STRIDE};
use shelf::Shelf;
pub(crate) use short::{MAX_SHORT_FRAME, ShortFrame};

/// Smaller payloads, and those that fill less than a sixteenth of the allocation they lie in, are copied out; larger
/// ones share it. Copying this much costs no more than reference counting, and a payload that is kept holds on to at
/// most sixteen times its size.
const COPY_BELOW: usize = 1 << 10;
const COPY_SHARE: usize = 16;

/// Takes bytes and returns frames, unmasked and checked against RFC 6455.
///
/// Feed it bytes with [`push`](Self::push) or [`push_part`](Self::push_part), or, without a copy, by reading into
/// [`input`](Self::input). Then call [`decode`](Self::decode) until it returns `None`. A decoder that holds no part of
/// a frame needs no memory: [`release`](Self::release) gives it back.
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
    /// Received bytes; those before `pos` are not needed any more, except what is in `joint`.
    buf: BytesMut,
    pos: usize,
    /// Earlier fragments of the current message, if they are [joined](Self::join_arrived) here.
    joint: Joint,
    /// The size of the allocation (the place) behind `buf`, which may see only a part of it: at most the real size.
    place: usize,
    /// How many bytes were copied out since the last large frame only because the place is large.
    copied: u32,
    /// Present while places are kept.
    shelf: Option<Box<Shelf>>,
    stride: u32,
    /// The length of the last data frame if it was large, or 0: the next one will probably be as long.
    recent: u32,
    /// The length of the last message if it was large and fragmented, or 0: the next one will probably be as long.
    usual: u32,
    /// Whether frames are collected until complete, rather than taken as they arrive.
    whole: bool,
    state: State,
    /// Whether a message has begun and not ended.
    in_message: bool,
}

enum State {
    /// `pos` is at a header.
    Header,
    /// `pos` is in a payload: `taken` bytes of it have been removed, the next `done` are visible, and `ahead` more were
    /// already unmasked while they were pushed.
    Payload { header: Header, taken: u64, done: usize, ahead: usize },
    /// The stream can no longer be parsed.
    Failed(FrameError),
}

impl Decoder {
    /// A decoder for what the peer of `role` sends. It collects each frame until it is complete.
    pub fn new(role: Role, limits: &Limits) -> Self {
        Self { limit: held(limits.frame), whole: true, ..Self::in_pieces(role, limits) }
    }

    /// A decoder for a caller that [takes](Self::take_arrived) frames as they arrive. It never asks for more than a
    /// modest amount at once, however long a frame is.
    pub fn in_pieces(role: Role, limits: &Limits) -> Self {
        Self {
            role,
            limit: limits.frame.unwrap_or(u64::MAX),
            buf: BytesMut::new(),
            pos: 0,
            joint: Joint::default(),
            place: 0,
            copied: 0,
            shelf: None,
            stride: MIN_STRIDE as u32,
            recent: 0,
            usual: 0,
            whole: false,
            state: State::Header,
            in_message: false,
        }
    }

    /// The next complete frame, or `None` until more bytes have arrived.
    ///
    /// The frame stays in the decoder until the next call: look at its [`payload`](Self::payload), or
    /// [`take`](Self::take) it.
    ///
    /// # Errors
    /// What the peer did wrong. Every later call returns the same error, because what follows cannot be parsed.
    pub fn decode(&mut self) -> Result<Option<Header>, FrameError> {
        let is_whole = self.step_on()?;
        Ok(self.header().filter(|_| is_whole).copied())
    }

    /// Like [`decode`](Self::decode), but only says whether there is a complete frame: copying its header costs as much
    /// as finding it.
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

    /// The header of the current frame, complete or not.
    pub fn header(&self) -> Option<&Header> {
        match &self.state {
            State::Payload { header, .. } => Some(header),
            _ => None,
        }
    }

    /// How many bytes of the current frame's payload have arrived, including those already taken.
    pub fn arrived(&self) -> u64 {
        match &self.state {
            State::Payload { taken, done, .. } => taken + *done as u64,
            _ => 0,
        }
    }

    /// What has arrived of the current frame's payload and was not taken, unmasked.
    pub fn payload(&self) -> &[u8] {
        match &self.state {
            State::Payload { done, .. } => self.buf.get(self.pos..self.pos + done).unwrap_or_default(),
            _ => &[],
        }
    }

    /// Takes the payload of the complete frame that [`decode`](Self::decode) has just returned: shared with the buffer
    /// if it is large, copied if it is small. Empty if there is no complete frame.
    pub fn take(&mut self) -> Bytes {
        if self.missing() > 0 { Bytes::new() } else { self.take_arrived() }
    }

    /// Takes what has arrived of the current frame's payload, complete or not, in the way of [`take`](Self::take).
    /// Later bytes come without it, and the frame is complete when the last of them has arrived.
    pub fn take_arrived(&mut self) -> Bytes {
        let len = self.payload().len();
        if self.joint.len > 0 || self.is_copied(len) {
            let payload = Bytes::copy_from_slice(self.payload());
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

    /// Drops what has arrived of the current frame's payload, complete or not.
    pub fn drop_arrived(&mut self) {
        self.pos += self.payload().len();
        self.step();
    }

    /// How many bytes of frames that were not decoded are held.
    pub fn buffered(&self) -> usize {
        self.buf.len().saturating_sub(self.pos)
    }

    /// Whether the input so far ends with a complete frame.
    pub fn is_between_frames(&self) -> bool {
        match &self.state {
            State::Header => self.pos >= self.buf.len(),
            State::Payload { header, taken, done, .. } => {
                taken + *done as u64 == header.len && self.pos.saturating_add(*done) >= self.buf.len()
            }
            State::Failed(_) => false,
        }
    }

    /// Drops everything that was not decoded, and its memory. Afterwards only a new stream of frames can be decoded.
    pub fn clear(&mut self) {
        self.state = State::Header;
        self.in_message = false;
        (self.recent, self.usual) = (0, 0);
        self.buf.clear();
        self.joint = Joint::default();
        self.release();
    }

    /// Whether to copy a payload of this length out of its place; if so, counts it.
    fn is_copied(&mut self, len: usize) -> bool {
        // Appending to the input may have made the allocation larger.
        let place = self.place.max(self.buf.capacity());
        let is_copied = len < COPY_BELOW || len < place.div_ceil(COPY_SHARE);
        if is_copied && len >= MIN_STRIDE {
            self.copied = self.copied.saturating_add(u32::try_from(len).unwrap_or(u32::MAX));
        }
        is_copied
    }

    /// Unmasks what has arrived of the current frame, and says whether it is complete.
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

    /// Steps over the current frame, if it is complete.
    fn skip(&mut self) {
        if let State::Payload { header, taken, done, .. } = &self.state {
            if taken + *done as u64 == header.len {
                self.pos += done;
                self.finish();
            }
        }
    }

    /// What has arrived was removed: waits for the rest of the frame, or for the next one.
    fn step(&mut self) {
        if let State::Payload { header, taken, done, .. } = &mut self.state {
            *taken += *done as u64;
            *done = 0;
            if *taken == header.len {
                self.finish();
            }
        }
    }

    /// The current frame is done.
    fn finish(&mut self) {
        if let State::Payload { header, .. } = &self.state {
            if !header.opcode.is_control() {
                self.recent = if_large(header.len);
                if header.fin {
                    self.usual = if_large(self.joint.len as u64);
                }
                if self.recent > 0 {
                    self.copied = 0;
                }
            }
            self.state = State::Header;
        }
    }

    /// How many bytes of the current frame have not arrived.
    fn missing(&self) -> u64 {
        match &self.state {
            State::Payload { header, taken, done, .. } => header.len - taken - *done as u64,
            _ => 0,
        }
    }
}

/// The length, if it is large enough to be remembered, or 0.
fn if_large(len: u64) -> u32 {
    if len < MAX_STRIDE as u64 { 0 } else { u32::try_from(len).unwrap_or(u32::MAX) }
}

/// The offset into the key `behind` bytes after the first `taken`. The key has four bytes, so `taken` counts modulo 4.
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
