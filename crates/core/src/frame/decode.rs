//! Bytes to frames.

use super::{FrameError, Header, Limits, MAX_CONTROL, MAX_HEADER, Opcode, Role};
use crate::mask;
use bytes::{Buf, Bytes, BytesMut};
use core::fmt;

/// The least and the most room that is lent to a reader when nothing large is on its way: a conversation of small
/// messages fits the least, and a stream of them fills the most with few reads.
const MIN_STRIDE: usize = 4 << 10;
const MAX_STRIDE: usize = 64 << 10;
/// Room for this much of a frame is made on the word of its header; for more, only as much again as has arrived.
const ON_TRUST: usize = 1 << 20;
/// Payloads below this, or below a sixteenth of the buffer, are copied out, and larger ones are shared. A copy of this
/// size costs no more than counting references, and a short message that is kept does not keep a large buffer with it.
const COPY_BELOW: usize = 1 << 10;
const COPY_SHARE: usize = 16;

/// Takes bytes and gives back frames, unmasked and checked against RFC 6455.
///
/// Bytes come in by [`push`](Self::push), or, without a copy, by reading into [`input`](Self::input). Then call
/// [`decode`](Self::decode) until it has nothing more. A decoder that holds no part of a frame needs no memory of its
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
    stride: usize,
    state: State,
    /// Whether a message has begun that is not finished.
    in_message: bool,
}

enum State {
    /// `pos` stands at a header.
    Header,
    /// `pos` stands at a payload, of which `done` bytes have been unmasked.
    Payload { header: Header, done: usize },
    /// The bytes make no sense any more.
    Failed(FrameError),
}

impl Decoder {
    /// A decoder for what the peer of `role` sends.
    pub fn new(role: Role, limits: &Limits) -> Self {
        Self {
            role,
            limit: limits.frame.unwrap_or(u64::MAX).min(isize::MAX as u64),
            buf: BytesMut::new(),
            pos: 0,
            stride: MIN_STRIDE,
            state: State::Header,
            in_message: false,
        }
    }

    /// Takes bytes by copying them.
    pub fn push(&mut self, bytes: &[u8]) {
        self.make_room(bytes.len(), bytes.len());
        self.buf.extend_from_slice(bytes);
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
        let wanted = self.missing().saturating_add(MAX_HEADER);
        if wanted > self.stride {
            let most = wanted.min(self.buffered().max(ON_TRUST));
            self.make_room(most, most);
        } else {
            self.make_room(wanted.max(self.stride / 2), self.stride);
        }
        &mut self.buf
    }

    /// The next whole frame, or `None` until more bytes have come.
    ///
    /// The frame lies in the decoder until the next call: look at its [`payload`](Self::payload), or
    /// [`take`](Self::take) it.
    ///
    /// # Errors
    /// What the peer did wrong; the same from then on, for what follows cannot be told apart.
    pub fn decode(&mut self) -> Result<Option<Header>, FrameError> {
        if self.missing() == 0 {
            self.skip();
        }
        if let State::Header = self.state {
            match self.parse() {
                Ok(Some(header)) => self.state = State::Payload { header, done: 0 },
                Ok(None) => return Ok(None),
                Err(error) => self.state = State::Failed(error),
            }
        }
        match &mut self.state {
            State::Header => Ok(None),
            State::Failed(error) => Err(*error),
            State::Payload { header, done } => {
                let rest = self.buf.get_mut(self.pos..).unwrap_or_default();
                let arrived = rest.len().min(header.len as usize);
                if let (Some(key), Some(fresh)) = (header.mask, rest.get_mut(*done..arrived)) {
                    mask::apply(fresh, key, *done);
                }
                *done = arrived;
                Ok((arrived as u64 == header.len).then_some(*header))
            }
        }
    }

    /// The header of the frame at hand, whole or not.
    pub fn header(&self) -> Option<&Header> {
        match &self.state {
            State::Payload { header, .. } => Some(header),
            _ => None,
        }
    }

    /// As much of the payload of the frame at hand as has arrived, unmasked.
    pub fn payload(&self) -> &[u8] {
        match &self.state {
            State::Payload { done, .. } => self.buf.get(self.pos..self.pos + done).unwrap_or_default(),
            _ => &[],
        }
    }

    /// Takes the payload of the whole frame that [`decode`](Self::decode) has just returned: shared with the buffer
    /// if it is large, copied if it is small. Empty if there is no whole frame.
    pub fn take(&mut self) -> Bytes {
        if self.header().is_none() || self.missing() > 0 {
            return Bytes::new();
        }
        let len = self.payload().len();
        if len < COPY_BELOW.max(self.stride / COPY_SHARE) {
            let payload = Bytes::copy_from_slice(self.payload());
            self.skip();
            return payload;
        }
        self.drop_consumed();
        self.state = State::Header;
        self.buf.split_to(len).freeze()
    }

    /// How many bytes are held of frames that have not been decoded.
    pub fn buffered(&self) -> usize {
        self.buf.len().saturating_sub(self.pos)
    }

    /// Whether the bytes so far end with a whole frame.
    pub fn is_between_frames(&self) -> bool {
        match &self.state {
            State::Header => self.pos >= self.buf.len(),
            State::Payload { header, done } => {
                *done as u64 == header.len && self.pos.saturating_add(*done) >= self.buf.len()
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

    /// Gives the memory back, if nothing is left in it that anybody needs.
    pub fn release(&mut self) {
        if self.missing() == 0 {
            self.skip();
        }
        if self.is_between_frames() || matches!(self.state, State::Failed(_)) {
            self.buf = BytesMut::new();
            self.pos = 0;
            self.stride = MIN_STRIDE;
        }
    }

    /// Steps over the frame at hand.
    fn skip(&mut self) {
        if let State::Payload { done, .. } = self.state {
            self.pos += done;
            self.state = State::Header;
        }
    }

    /// Reads the header at `pos` and steps over it, if all of it is there. What is wrong is told in the order of the
    /// bytes, so that it does not depend on how they were cut.
    fn parse(&mut self) -> Result<Option<Header>, FrameError> {
        let bytes = self.buf.get(self.pos..).unwrap_or_default();
        let Some(&first) = bytes.first() else { return Ok(None) };
        let (fin, reserved) = (first & 0x80 != 0, first >> 4 & 0b111);
        // An extension that claims RSV1 sets it on the first frame of a message; none is spoken yet.
        if reserved != 0 {
            return Err(FrameError::ReservedBits(reserved));
        }
        let opcode = Opcode::from_u8(first & 0x0f).ok_or(FrameError::ReservedOpcode(first & 0x0f))?;
        match opcode {
            // RFC 6455 §5.5: control frames must not be fragmented.
            Opcode::Close | Opcode::Ping | Opcode::Pong if !fin => return Err(FrameError::FragmentedControl),
            // RFC 6455 §5.4: the fragments of one message must not be interleaved with those of another.
            Opcode::Continuation if !self.in_message => return Err(FrameError::LooseContinuation),
            Opcode::Text | Opcode::Binary if self.in_message => return Err(FrameError::Interleaved),
            _ => {}
        }

        let Some(&second) = bytes.get(1) else { return Ok(None) };
        // RFC 6455 §5.1: a client masks every frame, a server none.
        let masked = match (self.role, second & 0x80 != 0) {
            (Role::Server, false) => return Err(FrameError::Unmasked),
            (Role::Client, true) => return Err(FrameError::Masked),
            (_, masked) => masked,
        };
        let short = second & 0x7f;
        if opcode.is_control() && usize::from(short) > MAX_CONTROL {
            return Err(FrameError::LongControl);
        }

        let rest = &bytes[2..];
        let (len, rest) = match short {
            126 => {
                let Some((long, rest)) = rest.split_first_chunk() else { return Ok(None) };
                (u64::from(u16::from_be_bytes(*long)), rest)
            }
            127 => {
                let Some((long, rest)) = rest.split_first_chunk() else { return Ok(None) };
                (u64::from_be_bytes(*long), rest)
            }
            short => (u64::from(short), rest),
        };
        // RFC 6455 §5.2: the highest bit must be 0, and the shortest form must be used.
        if len >> 63 != 0 {
            return Err(FrameError::HugeLength);
        }
        if short == 126 && len < 126 || short == 127 && u16::try_from(len).is_ok() {
            return Err(FrameError::PaddedLength(len));
        }
        if len > self.limit && !opcode.is_control() {
            return Err(FrameError::FrameTooLong { len, limit: self.limit });
        }

        let (mask, rest) = match rest.split_first_chunk() {
            Some((key, rest)) if masked => (Some(*key), rest),
            None if masked => return Ok(None),
            _ => (None, rest),
        };
        if !opcode.is_control() {
            self.in_message = !fin;
        }
        self.pos += bytes.len() - rest.len();
        Ok(Some(Header { fin, rsv1: false, opcode, mask, len }))
    }

    #[cfg(test)]
    pub(crate) fn memory(&self) -> usize {
        self.buf.capacity()
    }

    /// How many bytes of the frame at hand have not arrived.
    fn missing(&self) -> usize {
        match &self.state {
            State::Payload { header, done } => (header.len as usize).saturating_sub(*done),
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
            self.buf.reserve(wanted);
        }
    }

    /// Cuts off what lies before `pos`.
    fn drop_consumed(&mut self) {
        self.buf.advance(self.pos.min(self.buf.len()));
        self.pos = 0;
    }
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
