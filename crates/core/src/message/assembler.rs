//! Messages from frames, whole.

use super::Message;
use crate::frame::{Decoder, FrameError, Header, Limits, Opcode};
use crate::utf8::{Utf8Error, Validator};
use bytes::{Bytes, BytesMut};
use core::fmt;
use core::mem;

/// Messages up to this length can be lent to the application. A decoder copies what is shorter in any case, and each to
/// memory of its own; a read of them that waits is in one place instead, and costs half as much.
const MAX_SHORT: u64 = 1 << 10;
/// A message is copied out of memory of which it fills less than this share, so that it does not keep all of it.
const COPY_SHARE: usize = 16;

/// Puts messages together from frames, within limits, and checks text as it arrives.
///
/// Show it the frame at hand after each call of [`Decoder::decode`]: [`handle_arrived`](Self::handle_arrived) while
/// the frame is not whole, [`handle_frame`](Self::handle_frame) once it is. Control frames are none of its business.
///
/// A message of one frame stays in the decoder until it is whole. Fragments are joined as they arrive, so that no more
/// of them than one read lies in the decoder.
#[derive(Default)]
pub struct Assembler {
    limits: Limits,
    joint: Joint,
    /// The text of the message so far.
    utf8: Validator,
    /// How many bytes of the frame at hand, which is not whole, have been looked at, or taken if it is a fragment.
    seen: usize,
}

/// Messages in fragments.
enum Joint {
    /// A fragment has come, or a part of one.
    Begun(Begun),
    /// The last message. Once nobody else has it, its memory serves the next one.
    Ended(Bytes),
}

/// A message that lies in the decoder, whole.
pub(crate) enum Short<'a> {
    Text(&'a str),
    Binary(&'a [u8]),
}

/// A message of which a fragment has come, or a part of one.
struct Begun {
    text: bool,
    bytes: BytesMut,
    /// How many of its fragments are whole.
    fragments: u32,
}

impl Assembler {
    /// An assembler that takes messages within these limits.
    pub fn new(limits: Limits) -> Self {
        Self { limits, ..Self::default() }
    }

    /// Looks at the data frame in the decoder, of which only a part has arrived, so that a message too long or a text that
    /// is not UTF-8 is refused before the rest comes. What has arrived of a fragment is taken.
    ///
    /// # Errors
    /// What is wrong with the message; nothing more can be assembled then.
    pub fn handle_arrived(&mut self, header: &Header, decoder: &mut Decoder) -> Result<(), FrameError> {
        self.check_limits(header)?;
        if self.begun().is_some() || !header.fin {
            return self.join(header, decoder);
        }
        if header.opcode == Opcode::Text {
            let payload = decoder.payload();
            self.utf8.push(payload.get(self.seen..).unwrap_or_default())?;
            self.seen = payload.len();
        }
        Ok(())
    }

    /// The message that lies in the decoder, if it is short and has only the frame at hand, which is whole. Otherwise
    /// [`handle_frame`](Self::handle_frame) takes it.
    pub(crate) fn short_message<'a>(
        &mut self,
        decoder: &'a Decoder,
    ) -> Result<Option<Short<'a>>, FrameError> {
        let Some(header) = decoder.header() else { return Ok(None) };
        if !header.fin || self.begun().is_some() || header.len > MAX_SHORT {
            return Ok(None);
        }
        self.check_limits(header)?;
        Ok(Some(match header.opcode {
            Opcode::Binary => Short::Binary(decoder.payload()),
            _ => Short::Text(self.whole_text(decoder)?),
        }))
    }

    /// Takes the whole data frame that lies in the decoder. Returns the message if this completes one.
    ///
    /// # Errors
    /// What is wrong with the message; nothing more can be assembled then.
    pub fn handle_frame(
        &mut self,
        header: &Header,
        decoder: &mut Decoder,
    ) -> Result<Option<Message>, FrameError> {
        self.check_limits(header)?;
        match self.begun() {
            None if header.fin && header.opcode == Opcode::Binary => {
                Ok(Some(Message::Binary(decoder.take())))
            }
            None if header.fin => Ok(Some(Message::Text(self.whole_text(decoder)?.into()))),
            _ => {
                self.join(header, decoder)?;
                if header.fin { self.finish() } else { Ok(None) }
            }
        }
    }

    /// The bytes so far of a message that is not finished, in whole fragments.
    pub fn unfinished(&self) -> Option<u64> {
        self.begun().map(|begun| begun.bytes.len().saturating_sub(self.seen) as u64)
    }

    /// The same, with those of the fragment that is not whole.
    pub(crate) fn arrived(&self) -> Option<u64> {
        self.begun().map(|begun| begun.bytes.len() as u64)
    }

    /// Gives the memory back that waits for the next message.
    pub fn release(&mut self) {
        if let Joint::Ended(last) = &mut self.joint {
            *last = Bytes::new();
        }
    }

    /// The text that is one frame: checked in one go, whatever has been looked at while it came.
    fn whole_text<'a>(&mut self, decoder: &'a Decoder) -> Result<&'a str, FrameError> {
        self.utf8 = Validator::new();
        self.seen = 0;
        utf8(decoder.payload())
    }

    /// Takes what has arrived of a fragment.
    fn join(&mut self, header: &Header, decoder: &mut Decoder) -> Result<(), FrameError> {
        let mut begun = match mem::take(&mut self.joint) {
            Joint::Begun(begun) => begun,
            Joint::Ended(last) => Begun::new(header.opcode, last),
        };
        let payload = decoder.payload();
        begun.bytes.extend_from_slice(payload);
        self.seen += payload.len();
        let result = if begun.text { self.utf8.push(payload) } else { Ok(()) };
        if result.is_ok() && decoder.arrived() == header.len {
            begun.fragments += 1;
            self.seen = 0;
        }
        decoder.drop_arrived();
        self.joint = Joint::Begun(begun);
        Ok(result?)
    }

    fn finish(&mut self) -> Result<Option<Message>, FrameError> {
        let Joint::Begun(begun) = mem::take(&mut self.joint) else { return Ok(None) };
        let is_small = begun.bytes.len() < begun.bytes.capacity() / COPY_SHARE;
        let whole = begun.bytes.freeze();
        let message = if begun.text {
            self.utf8.finish()?;
            Message::Text(utf8(&whole)?.into())
        } else if is_small {
            Message::Binary(Bytes::copy_from_slice(&whole))
        } else {
            Message::Binary(whole.clone())
        };
        self.joint = Joint::Ended(whole);
        Ok(Some(message))
    }

    fn check_limits(&self, header: &Header) -> Result<(), FrameError> {
        let fragments = self.begun().map_or(0, |begun| begun.fragments);
        self.limits.check(header, self.unfinished().unwrap_or(0), fragments)
    }

    fn begun(&self) -> Option<&Begun> {
        match &self.joint {
            Joint::Begun(begun) => Some(begun),
            Joint::Ended(_) => None,
        }
    }
}

impl Default for Joint {
    fn default() -> Self {
        Self::Ended(Bytes::new())
    }
}

impl Begun {
    /// Takes over the memory of the last message, unless somebody still has that.
    fn new(opcode: Opcode, last: Bytes) -> Self {
        let mut bytes = last.try_into_mut().unwrap_or_default();
        bytes.clear();
        Self { text: opcode == Opcode::Text, bytes, fragments: 0 }
    }
}

impl fmt::Debug for Assembler {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Assembler").field("unfinished", &self.unfinished()).finish_non_exhaustive()
    }
}

/// The bytes as text.
fn utf8(bytes: &[u8]) -> Result<&str, FrameError> {
    simdutf8::compat::from_utf8(bytes)
        .map_err(|error| FrameError::from(Utf8Error { at: error.valid_up_to() as u64 }))
}
