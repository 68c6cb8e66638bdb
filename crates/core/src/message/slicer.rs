//! Turns frames into pieces of messages as they arrive.

use super::{Message, Piece, Text};
use crate::frame::{Decoder, FrameError, Header, Limits, Opcode};
use crate::utf8::Validator;
use alloc::string::String;

/// Returns messages piece by piece as their frames arrive, within limits, and checks text on the way.
///
/// Show it the current frame after each call of [`Decoder::decode`], complete or not. Nothing is held back except an
/// incomplete character.
#[derive(Debug, Default)]
pub struct Slicer {
    limits: Limits,
    begun: Option<Begun>,
    utf8: Validator,
}

/// A message of which something has arrived.
#[derive(Clone, Copy, Debug)]
struct Begun {
    text: bool,
    /// The bytes of its complete frames.
    bytes: u64,
    fragments: u32,
    /// The bytes that have arrived of its incomplete frame.
    arrived: u64,
}

impl Slicer {
    /// A slicer that accepts messages within these limits. They apply to whole messages; memory use does not depend on
    /// them.
    pub fn new(limits: Limits) -> Self {
        Self { limits, ..Self::default() }
    }

    /// Takes what has arrived of the data frame in the decoder. Returns it as a piece, unless the piece would be empty
    /// and not the last. Text before an error is returned as well.
    ///
    /// # Errors
    /// What is wrong with the message; nothing more can be made of it then.
    pub fn handle_arrived(
        &mut self,
        header: &Header,
        decoder: &mut Decoder,
    ) -> (Option<Piece>, Result<(), FrameError>) {
        let text = header.opcode == Opcode::Text;
        let mut begun = self.begun.unwrap_or(Begun { text, bytes: 0, fragments: 0, arrived: 0 });
        if let Err(error) = self.limits.check(header.len, begun.bytes, begun.fragments) {
            return (None, Err(error));
        }
        begun.arrived = decoder.arrived();
        let is_whole = begun.arrived == header.len;
        let is_last = is_whole && header.fin;
        let (part, result) = if begun.text {
            let (text, result) = self.text(decoder.payload(), is_last);
            decoder.drop_arrived();
            (Message::Text(text), result)
        } else {
            (Message::Binary(decoder.take_arrived()), Ok(()))
        };
        if result.is_err() {
            // How much more of the frame has arrived depends on how it was read.
            begun.arrived = 0;
        } else if is_whole {
            begun.bytes = begun.bytes.saturating_add(header.len);
            begun.fragments = begun.fragments.saturating_add(1);
            begun.arrived = 0;
        }
        let is_last = is_last && result.is_ok();
        self.begun = (!is_last).then_some(begun);
        ((is_last || !part.is_empty()).then_some(Piece { part, is_last }), result)
    }

    /// The bytes so far of an incomplete message; after an error, only those of complete frames.
    pub fn unfinished(&self) -> Option<u64> {
        self.begun.map(|begun| begun.bytes.saturating_add(begun.arrived))
    }

    /// The bytes so far of an incomplete message, in complete frames.
    pub(crate) fn whole(&self) -> u64 {
        self.begun.map_or(0, |begun| begun.bytes)
    }

    /// The characters that are complete by now.
    fn text(&mut self, bytes: &[u8], is_last: bool) -> (Text, Result<(), FrameError>) {
        let mut text = String::new();
        let mut result = self.utf8.decode(bytes, &mut text);
        if is_last {
            result = result.and_then(|()| self.utf8.finish());
        }
        (text.into(), result.map_err(FrameError::from))
    }
}
