//! Assembles whole messages from frames.

use super::Message;
use crate::frame::{Decoder, FrameError, Header, Limits, MAX_SHORT_FRAME, Opcode, ShortFrame, held};
use crate::utf8::{Utf8Error, Validator};
use core::fmt;

/// Messages up to this length can be lent to the application. The decoder copies such short messages in any case. If
/// they are not lent, each gets memory of its own; if they are, all that arrived in one read wait in one place, which
/// costs half as much.
const MAX_SHORT: u64 = 1 << 10;

/// Assembles messages from frames, within limits, and checks text as it arrives.
///
/// Show it the current frame after each call of [`Decoder::decode`]: [`handle_arrived`](Self::handle_arrived) while the
/// frame is incomplete, [`handle_frame`](Self::handle_frame) once it is complete. It does not handle control frames.
///
/// A message stays in the decoder until it is complete. Fragments are joined there as they arrive.
#[derive(Default)]
pub struct Assembler {
    limits: Limits,
    /// The current message, if it is fragmented and at least a part of a fragment has arrived.
    begun: Option<Begun>,
    /// Checks the text of the message so far.
    utf8: Validator,
    /// How many bytes of the current, incomplete frame have been checked, or joined if it is a fragment.
    seen: usize,
}

/// A complete message that lies in the decoder.
#[derive(Clone, Copy)]
pub(crate) enum Short<'a> {
    Text(&'a str),
    Binary(&'a [u8]),
}

/// A message of which at least a part of a fragment has arrived.
struct Begun {
    text: bool,
    /// How many bytes of it have been joined in the decoder.
    bytes: u64,
    /// How many of its fragments are complete.
    fragments: u32,
}

impl Assembler {
    /// An assembler that accepts messages within these limits.
    pub fn new(mut limits: Limits) -> Self {
        limits.message = Some(held(limits.message));
        Self { limits, ..Self::default() }
    }

    /// Checks the incomplete data frame in the decoder, so that a message that is too long, or a text that is not
    /// UTF-8, is refused before the rest arrives. What has arrived of a fragment is joined.
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

    /// The message that lies in the decoder, if it is short and consists of the current frame alone, which is complete.
    /// Otherwise, [`handle_frame`](Self::handle_frame) takes it.
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

    /// The message in this frame, unmasked into this place; `None` if anything is wrong with it, which
    /// [`handle_frame`](Self::handle_frame) will report.
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

    /// Takes the complete data frame that lies in the decoder. Returns the message if this completes one.
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

    /// The bytes so far of an incomplete message, in complete fragments.
    pub fn unfinished(&self) -> Option<u64> {
        self.arrived().map(|bytes| bytes.saturating_sub(self.seen as u64))
    }

    /// The same, including those of the incomplete fragment.
    pub(crate) fn arrived(&self) -> Option<u64> {
        self.begun.as_ref().map(|begun| begun.bytes)
    }

    /// The text in a single frame. It is checked in one go, no matter how much was checked while it arrived.
    fn whole_text<'a>(&mut self, decoder: &'a Decoder) -> Result<&'a str, FrameError> {
        self.utf8 = Validator::new();
        self.seen = 0;
        utf8(decoder.payload())
    }

    /// Joins what has arrived of a fragment.
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
