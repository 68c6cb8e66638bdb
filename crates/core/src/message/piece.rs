//! Messages in pieces, for those that are larger than memory or not known to their end.

use super::{Message, Text};
use bytes::Bytes;

/// A part of a message: what has come of it by now, or what is to be sent of it next.
///
/// All pieces of a message are of one kind, and the last one says so. A message is its pieces, one behind the other;
/// where they were cut means nothing.
///
/// ```
/// use bowline_core::message::Piece;
/// let begun = Piece::text("half a ");
/// let ended = Piece::text("sentence").last();
/// assert!(!begun.is_last && ended.is_last);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Piece {
    /// The bytes, or the text, which is cut between two characters. It may be empty.
    pub part: Message,
    /// Whether the message ends with this.
    pub is_last: bool,
}

/// How received messages are handed to the application.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Delivery {
    /// Each message whole, once its last byte has come.
    #[default]
    Whole,
    /// Each message in pieces, as they arrive.
    Pieces,
}

/// What the next piece of a message may be: one of the same kind, until the last.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Unfinished(Option<Kind>);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Text,
    Binary,
}

impl Piece {
    /// A piece of text, and not the last one.
    pub fn text(text: impl Into<Text>) -> Self {
        Self { part: Message::text(text), is_last: false }
    }

    /// A piece of a binary message, and not the last one.
    pub fn binary(bytes: impl Into<Bytes>) -> Self {
        Self { part: Message::binary(bytes), is_last: false }
    }

    /// The same as the last piece of its message.
    #[must_use]
    pub fn last(self) -> Self {
        Self { is_last: true, ..self }
    }

    /// The length in bytes.
    pub fn len(&self) -> usize {
        self.part.len()
    }

    /// Whether it has no bytes.
    pub fn is_empty(&self) -> bool {
        self.part.is_empty()
    }

    fn kind(&self) -> Kind {
        match self.part {
            Message::Text(_) => Kind::Text,
            Message::Binary(_) => Kind::Binary,
        }
    }
}

impl From<Message> for Piece {
    /// The message as its first and last piece.
    fn from(part: Message) -> Self {
        Self { part, is_last: true }
    }
}

impl Unfinished {
    /// Whether a message has begun and not ended.
    pub fn is_some(self) -> bool {
        self.0.is_some()
    }

    /// Whether this piece can be next.
    pub fn fits(self, piece: &Piece) -> bool {
        self.0.is_none_or(|kind| kind == piece.kind())
    }

    /// This piece was the next one.
    pub fn push(&mut self, piece: &Piece) {
        self.0 = (!piece.is_last).then_some(piece.kind());
    }
}
