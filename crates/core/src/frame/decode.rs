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

/// Payloads below this, or below a sixteenth of the place in which they lie, are copied out, and larger ones are shared. A
/// copy of this size costs no more than counting references, and whoever keeps a payload keeps at most sixteen times as much.
const COPY_BELOW: usize = 1 << 10;
const COPY_SHARE: usize = 16;

/// Takes bytes and gives back frames, unmasked and checked against RFC 6455.
///
/// Bytes come in by [`push`](Self::push) or [`push_part`](Self::push_part), or, without a copy, by reading into
/// [`input`](Self::input). Then call [`decode`](Self::decode) until it has nothing more. A decoder that holds no part
/// of a frame needs no memory of its own: [`release`](Self::release) gives it back.
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
    /// Earlier fragments of the message at hand, if they are [joined](Self::join_arrived) here.
    joint: Joint,
    /// How large the memory is in which `buf` lies, of which it may see a part: never less than it is.
    place: usize,
    /// What was copied out since the last large frame, for the sole reason that the place is large.
    copied: u32,
    /// While places are kept.
    shelf: Option<Box<Shelf>>,
    stride: u32,
    /// The length of the last data frame, if it was large: the next one is likely to be as long.
    recent: u32,
    /// The length of the last message, if it was large and came in fragments: the next one is likely to be as long.
    usual: u32,
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
        Self { limit: held(limits.frame), whole: true, ..Self::in_pieces(role, limits) }
    }

    /// A decoder for whoever [takes](Self::take_arrived) frames as they arrive. It asks for no more than a modest amount
    /// at once, however long a frame is.
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
        (self.recent, self.usual) = (0, 0);
        self.buf.clear();
        self.joint = Joint::default();
        self.release();
    }

    /// Whether a payload of this length is to be copied out of the place in which it lies; counts it then.
    fn is_copied(&mut self, len: usize) -> bool {
        // Whoever appended to the input may have made it larger.
        let place = self.place.max(self.buf.capacity());
        let is_copied = len < COPY_BELOW || len < place.div_ceil(COPY_SHARE);
        if is_copied && len >= MIN_STRIDE {
            self.copied = self.copied.saturating_add(u32::try_from(len).unwrap_or(u32::MAX));
        }
        is_copied
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

    /// How many bytes of the frame at hand have not arrived.
    fn missing(&self) -> u64 {
        match &self.state {
            State::Payload { header, taken, done, .. } => header.len - taken - *done as u64,
            _ => 0,
        }
    }
}

/// A length that is worth to be remembered, or 0.
fn if_large(len: u64) -> u32 {
    if len < MAX_STRIDE as u64 { 0 } else { u32::try_from(len).unwrap_or(u32::MAX) }
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
