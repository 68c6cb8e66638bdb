//! Messages: what the application sends and receives, whole or in pieces.

mod assembler;
mod piece;
mod slicer;

pub use assembler::Assembler;
pub(crate) use assembler::Short;
pub use piece::{Delivery, Piece, Unfinished};
pub use slicer::Slicer;

use alloc::string::String;
use alloc::sync::Arc;
use bytes::{Bytes, BytesMut};
use core::fmt;
use core::ops::Deref;

/// A binary message in up to three pieces, so that a header and a checksum can surround a body without copying it.
///
/// On the wire it is one message: the bytes of `head`, `body` and `tail` in this order.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Parts {
    /// The bytes before the body.
    pub head: Bytes,
    /// The bulk of the message.
    pub body: Bytes,
    /// The bytes after the body.
    pub tail: Bytes,
}

impl Parts {
    /// The length of the message in bytes.
    pub fn len(&self) -> usize {
        self.head.len() + self.body.len() + self.tail.len()
    }

    /// Whether the message is empty.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The three parts, those that hold bytes first.
    pub(crate) fn into_full_first(self) -> [Bytes; 3] {
        let mut parts = [self.head, self.body, self.tail];
        parts.sort_by_key(Bytes::is_empty);
        parts
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

/// A whole message. Its `Debug` output has the length, not the content, so that logs show no payload; to print a text,
/// print the [`Text`] inside.
#[derive(Clone, PartialEq, Eq)]
pub enum Message {
    /// UTF-8 text.
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

#[cfg(test)]
mod tests;
