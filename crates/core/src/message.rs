//! Messages: what the application sends and receives, whole or in pieces.

mod piece;
mod slicer;

pub use piece::{Delivery, Piece, Unfinished};
pub use slicer::Slicer;

use crate::frame::{Decoder, FrameError, Header, Limits, Opcode};
use crate::utf8::{Utf8Error, Validator};
use alloc::string::String;
use alloc::sync::Arc;
use bytes::{Bytes, BytesMut};
use core::fmt;
use core::ops::Deref;

/// Messages up to this length can be lent to the application.
const MAX_SHORT: u64 = 512;

/// A binary message in up to three pieces, so that a header and a checksum can stand around a body that nobody copied.
///
/// On the wire it is one message: the bytes of `head`, `body` and `tail` in this order.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Parts {
    /// What comes before the body.
    pub head: Bytes,
    /// The bulk.
    pub body: Bytes,
    /// What comes after the body.
    pub tail: Bytes,
}

impl Parts {
    /// The length of the message in bytes.
    pub fn len(&self) -> usize {
        self.head.len() + self.body.len() + self.tail.len()
    }

    /// Whether the message has no bytes at all.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The message in one piece: copied, unless only one part holds bytes.
    pub fn into_bytes(self) -> Bytes {
        let mut full = [self.head, self.body, self.tail].into_iter().filter(|part| !part.is_empty());
        match (full.next(), full.next(), full.next()) {
            (None, ..) => Bytes::new(),
            (Some(only), None, _) => only,
            (Some(a), Some(b), c) => {
                let c = c.unwrap_or_default();
                let mut whole = BytesMut::with_capacity(a.len() + b.len() + c.len());
                whole.extend_from_slice(&a);
                whole.extend_from_slice(&b);
                whole.extend_from_slice(&c);
                whole.freeze()
            }
        }
    }
}

impl fmt::Debug for Parts {
    /// Prints lengths, not bytes.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Parts({} + {} + {} bytes)", self.head.len(), self.body.len(), self.tail.len())
    }
}

impl From<Bytes> for Parts {
    fn from(body: Bytes) -> Self {
        Self { head: Bytes::new(), body, tail: Bytes::new() }
    }
}

/// A message, whole.
#[derive(Clone, PartialEq, Eq)]
pub enum Message {
    /// Text, which is UTF-8.
    Text(Text),
    /// Bytes.
    Binary(Bytes),
}

impl Message {
    /// A text message.
    pub fn text(text: impl Into<Text>) -> Self {
        Self::Text(text.into())
    }

    /// A binary message.
    pub fn binary(bytes: impl Into<Bytes>) -> Self {
        Self::Binary(bytes.into())
    }

    /// The payload in bytes.
    pub fn as_bytes(&self) -> &[u8] {
        match self {
            Self::Text(text) => text.as_bytes(),
            Self::Binary(bytes) => bytes,
        }
    }

    /// The payload, shared with the message.
    pub fn into_bytes(self) -> Bytes {
        match self {
            Self::Text(text) => text.into_bytes(),
            Self::Binary(bytes) => bytes,
        }
    }

    /// The length of the payload in bytes.
    pub fn len(&self) -> usize {
        self.as_bytes().len()
    }

    /// Whether the payload has no bytes.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl fmt::Debug for Message {
    /// Prints the length, not the payload.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text) => fmt::Debug::fmt(text, f),
            Self::Binary(bytes) => write!(f, "Binary({} bytes)", bytes.len()),
        }
    }
}

/// Text that can be sent: UTF-8 that is cheap to clone, so that one text can go to many peers.
///
/// ```
/// use bowline_core::message::Text;
/// let text = Text::from("four");
/// assert_eq!(text.len(), 4); // a `str` in all but name
/// ```
#[derive(Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Text(Arc<str>);

impl Text {
    /// The text as a slice.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The bytes of the text, shared with it.
    pub fn into_bytes(self) -> Bytes {
        struct Owner(Arc<str>);
        impl AsRef<[u8]> for Owner {
            fn as_ref(&self) -> &[u8] {
                self.0.as_bytes()
            }
        }
        Bytes::from_owner(Owner(self.0))
    }
}

impl Deref for Text {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

impl AsRef<str> for Text {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

impl From<&str> for Text {
    fn from(text: &str) -> Self {
        Self(text.into())
    }
}

impl From<String> for Text {
    fn from(text: String) -> Self {
        Self(text.into())
    }
}

impl fmt::Debug for Text {
    /// Prints the length, not the text.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Text({} bytes)", self.len())
    }
}

impl fmt::Display for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Puts messages together from frames, within limits, and checks text as it arrives.
///
/// Show it the frame at hand after each call of [`Decoder::decode`]: [`handle_arrived`](Self::handle_arrived) while
/// the frame is not whole, [`handle_frame`](Self::handle_frame) once it is. Control frames are none of its business.
#[derive(Default)]
pub struct Assembler {
    limits: Limits,
    begun: Option<Begun>,
    /// The text of the message so far, including the part of `checked` bytes of the frame that is not whole.
    utf8: Validator,
    checked: usize,
}

/// A message that lies in the decoder, whole.
pub(crate) enum Short<'a> {
    Text(&'a str),
    Binary(&'a [u8]),
}

/// A message of which a fragment has come.
struct Begun {
    text: bool,
    bytes: BytesMut,
    fragments: u32,
}

impl Assembler {
    /// An assembler that takes messages within these limits.
    pub fn new(limits: Limits) -> Self {
        Self { limits, ..Self::default() }
    }

    /// Looks at a data frame of which only a part has arrived, so that a message too long or a text that is not UTF-8
    /// is refused before the rest comes. `payload` is all that has arrived of the frame.
    ///
    /// # Errors
    /// What is wrong with the message; nothing more can be assembled then.
    pub fn handle_arrived(&mut self, header: &Header, payload: &[u8]) -> Result<(), FrameError> {
        self.check_limits(header)?;
        if self.is_text(header) {
            self.utf8.push(payload.get(self.checked..).unwrap_or_default())?;
            self.checked = payload.len();
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
        match &mut self.begun {
            None if header.fin && header.opcode == Opcode::Binary => {
                Ok(Some(Message::Binary(decoder.take())))
            }
            None if header.fin => Ok(Some(Message::Text(self.whole_text(decoder)?.into()))),
            _ => {
                self.handle_arrived(header, decoder.payload())?;
                self.checked = 0;
                let begun = self.begun.get_or_insert_with(|| Begun::new(header.opcode));
                begun.bytes.extend_from_slice(decoder.payload());
                begun.fragments += 1;
                if header.fin { self.finish() } else { Ok(None) }
            }
        }
    }

    /// The bytes so far of a message that is not finished.
    pub fn unfinished(&self) -> Option<u64> {
        self.begun.as_ref().map(|begun| begun.bytes.len() as u64)
    }

    /// The text that is one frame: checked in one go, whatever has been looked at while it came.
    fn whole_text<'a>(&mut self, decoder: &'a Decoder) -> Result<&'a str, FrameError> {
        self.utf8 = Validator::new();
        self.checked = 0;
        utf8(decoder.payload())
    }

    fn finish(&mut self) -> Result<Option<Message>, FrameError> {
        let Some(begun) = self.begun.take() else { return Ok(None) };
        if begun.text {
            self.utf8.finish()?;
            Ok(Some(Message::Text(utf8(&begun.bytes)?.into())))
        } else {
            Ok(Some(Message::Binary(begun.bytes.freeze())))
        }
    }

    fn is_text(&self, header: &Header) -> bool {
        self.begun.as_ref().map_or(header.opcode == Opcode::Text, |begun| begun.text)
    }

    fn check_limits(&self, header: &Header) -> Result<(), FrameError> {
        let (bytes, fragments) = self.begun.as_ref().map_or((0, 0), |b| (b.bytes.len() as u64, b.fragments));
        self.limits.check(header, bytes, fragments)
    }
}

impl Begun {
    fn new(opcode: Opcode) -> Self {
        Self { text: opcode == Opcode::Text, bytes: BytesMut::new(), fragments: 0 }
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

#[cfg(test)]
mod tests;
