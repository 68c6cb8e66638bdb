//! Messages in pieces, for those that are larger than memory, or whose end is not known yet.

use super::{Message, Text};
use bytes::Bytes;

/// A part of a message: what has arrived of it by now, or what is to be sent of it next.
///
/// All pieces of a message are of one kind, and the last one is marked. Joined, they are the message; where it was cut
/// has no meaning.
///
/// ```
/// use bowline_core::message::Piece;
/// let begun = Piece::text("half a ");
/// let ended = Piece::text("sentence").last();
/// assert!(!begun.is_last && ended.is_last);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Piece {
    /// The bytes or the text, which is never cut inside a character. It may be empty.
    pub part: Message,
    /// Whether it is the last piece of its message.
    pub is_last: bool,
}

/// How received messages are handed to the application.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Delivery {
    /// Whole, once the last byte has arrived.
    #[default]
    Whole,
    /// In pieces, as they arrive.
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
    /// A piece of text that is not the last one.
    pub fn text(text: impl Into<Text>) -> Self {
        Self { part: Message::text(text), is_last: false }
    }

    /// A piece of a binary message that is not the last one.
    pub fn binary(bytes: impl Into<Bytes>) -> Self {
        Self { part: Message::binary(bytes), is_last: false }
    }

    /// The same piece, as the last one of its message.
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

    /// Records that this piece was the next one.
    pub fn push(&mut self, piece: &Piece) {
        self.0 = (!piece.is_last).then_some(piece.kind());
    }
}
