//! Messages from frames, whole.

use super::Message;
use crate::frame::{Decoder, FrameError, Header, Limits, MAX_SHORT_FRAME, Opcode, ShortFrame, held};
use crate::utf8::{Utf8Error, Validator};
use core::fmt;

/// Messages up to this length can be lent to the application. A decoder copies what is shorter in any case, and each to
/// memory of its own; a read of them that waits is in one place instead, and costs half as much.
const MAX_SHORT: u64 = 1 << 10;

/// Puts messages together from frames, within limits, and checks text as it arrives.
///
/// Show it the frame at hand after each call of [`Decoder::decode`]: [`handle_arrived`](Self::handle_arrived) while
/// the frame is not whole, [`handle_frame`](Self::handle_frame) once it is. Control frames are none of its business.
///
/// A message stays in the decoder until it is whole. Fragments are joined there as they arrive.
#[derive(Default)]
pub struct Assembler {
    limits: Limits,
    /// The message at hand, if it comes in fragments and one has come, or a part of one.
    begun: Option<Begun>,
    /// The text of the message so far.
    utf8: Validator,
    /// How many bytes of the frame at hand, which is not whole, have been looked at, or taken if it is a fragment.
    seen: usize,
}

/// A message that lies in the decoder, whole.
#[derive(Clone, Copy)]
pub(crate) enum Short<'a> {
    Text(&'a str),
    Binary(&'a [u8]),
}

/// A message of which a fragment has come, or a part of one.
struct Begun {
    text: bool,
    /// Of how many bytes, which are joined in the decoder.
    bytes: u64,
    /// How many of its fragments are whole.
    fragments: u32,
}

impl Assembler {
    /// An assembler that takes messages within these limits.
    pub fn new(mut limits: Limits) -> Self {
        limits.message = Some(held(limits.message));
        Self { limits, ..Self::default() }
    }

    /// Looks at the data frame in the decoder, of which only a part has arrived, so that a message too long or a text that
    /// is not UTF-8 is refused before the rest comes. What has arrived of a fragment is taken.
    ///
    /// # Errors
    /// What is wrong with the message; nothing more can be assembled then.
    pub fn handle_arrived(&mut self, header: &Header, decoder: &mut Decoder) -> Result<(), FrameError> {
        self.check_limits(header.len)?;
        if self.begun.is_some() || !header.fin {
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
        if !header.fin || self.begun.is_some() || header.len > MAX_SHORT {
            return Ok(None);
        }
        self.check_limits(header.len)?;
        Ok(Some(match header.opcode {
            Opcode::Binary => Short::Binary(decoder.payload()),
            _ => Short::Text(self.whole_text(decoder)?),
        }))
    }

    /// The message that is this frame, in this place; `None` if anything is wrong with it, which
    /// [`handle_frame`](Self::handle_frame) will tell.
    #[inline]
    pub(crate) fn short_frame<'a>(
        &self,
        frame: &ShortFrame<'_>,
        place: &'a mut [u8; MAX_SHORT_FRAME],
    ) -> Option<Short<'a>> {
        self.check_limits(frame.len()).ok()?;
        let payload = frame.unmask(place);
        if frame.is_text { utf8(payload).ok().map(Short::Text) } else { Some(Short::Binary(payload)) }
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
        self.check_limits(header.len)?;
        match self.begun {
            None if header.fin && header.opcode == Opcode::Binary => {
                Ok(Some(Message::Binary(decoder.take())))
            }
            None if header.fin => Ok(Some(Message::Text(self.whole_text(decoder)?.into()))),
            _ => {
                self.join(header, decoder)?;
                if header.fin { self.finish(decoder) } else { Ok(None) }
            }
        }
    }

    /// The bytes so far of a message that is not finished, in whole fragments.
    pub fn unfinished(&self) -> Option<u64> {
        self.arrived().map(|bytes| bytes.saturating_sub(self.seen as u64))
    }

    /// The same, with those of the fragment that is not whole.
    pub(crate) fn arrived(&self) -> Option<u64> {
        self.begun.as_ref().map(|begun| begun.bytes)
    }

    /// The text that is one frame: checked in one go, whatever has been looked at while it came.
    fn whole_text<'a>(&mut self, decoder: &'a Decoder) -> Result<&'a str, FrameError> {
        self.utf8 = Validator::new();
        self.seen = 0;
        utf8(decoder.payload())
    }

    /// Takes what has arrived of a fragment.
    fn join(&mut self, header: &Header, decoder: &mut Decoder) -> Result<(), FrameError> {
        let text = header.opcode == Opcode::Text;
        let begun = self.begun.get_or_insert(Begun { text, bytes: 0, fragments: 0 });
        let payload = decoder.payload();
        begun.bytes += payload.len() as u64;
        self.seen += payload.len();
        let result = if begun.text { self.utf8.push(payload) } else { Ok(()) };
        if result.is_ok() && decoder.arrived() == header.len {
            begun.fragments += 1;
            self.seen = 0;
        }
        decoder.join_arrived();
        Ok(result?)
    }

    fn finish(&mut self, decoder: &mut Decoder) -> Result<Option<Message>, FrameError> {
        let Some(begun) = self.begun.take() else { return Ok(None) };
        let whole = decoder.take_joined();
        if begun.text {
            self.utf8.finish()?;
            return Ok(Some(Message::Text(utf8(&whole)?.into())));
        }
        Ok(Some(Message::Binary(whole)))
    }

    fn check_limits(&self, len: u64) -> Result<(), FrameError> {
        let fragments = self.begun.as_ref().map_or(0, |begun| begun.fragments);
        self.limits.check(len, self.unfinished().unwrap_or(0), fragments)
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
