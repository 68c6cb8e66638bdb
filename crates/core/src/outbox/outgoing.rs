//! A queued message, or a part of one, and the pieces it is cut into.

use crate::frame::{Header, Opcode};
use crate::mask::{self, Key};
use crate::message::Parts;
use bytes::{Bytes, BytesMut};
use core::mem;

/// A queued message, or a part of one, that was not completely cut off yet.
#[derive(Debug)]
pub(super) struct Outgoing {
    opcode: Opcode,
    /// Whether a fragment was cut off already.
    is_begun: bool,
    /// Whether its end is the end of the message.
    fin: bool,
    /// Initially, the pieces that hold bytes come first.
    parts: Pieces,
}

/// The pieces of a fragment, in order; some may be empty.
pub(super) type Pieces = [Piece; 3];

/// Some bytes of a message.
#[derive(Debug)]
pub(super) enum Piece {
    /// Others may hold these bytes too.
    Shared(Bytes),
    /// Only we hold these bytes, so they can be masked in place.
    Owned(BytesMut),
}

impl Outgoing {
    pub(super) fn new(opcode: Opcode, parts: Parts, fin: bool, masked: bool) -> Self {
        let piece = if masked { Piece::for_masking } else { Piece::Shared };
        Self { opcode, is_begun: false, fin, parts: parts.into_full_first().map(piece) }
    }

    /// How many bytes are left of it.
    pub(super) fn len(&self) -> usize {
        self.parts.iter().map(Piece::len).sum()
    }

    /// The header of the next `len` bytes, without a mask.
    pub(super) fn next_header(&self, len: usize) -> Header {
        let opcode = if self.is_begun { Opcode::Continuation } else { self.opcode };
        Header { fin: self.fin && len == self.len(), ..Header::new(opcode, len as u64) }
    }

    /// All of it.
    pub(super) fn into_pieces(self) -> Pieces {
        self.parts
    }

    /// Cuts off the first `len` bytes.
    pub(super) fn cut(&mut self, mut len: usize) -> Pieces {
        self.is_begun = true;
        self.parts.each_mut().map(|part| {
            let piece = part.cut(len);
            len -= piece.len();
            piece
        })
    }
}

impl Piece {
    /// Copies a small piece, so that it does not force a large one beside it to be copied too.
    fn for_masking(bytes: Bytes) -> Self {
        if bytes.len() < super::COPY_BELOW {
            return Self::Owned(BytesMut::from(&bytes[..]));
        }
        bytes.try_into_mut().map_or_else(Self::Shared, Self::Owned)
    }

    pub(super) fn len(&self) -> usize {
        self.as_slice().len()
    }

    pub(super) fn as_slice(&self) -> &[u8] {
        match self {
            Self::Shared(bytes) => bytes,
            Self::Owned(bytes) => bytes,
        }
    }

    pub(super) fn can_be_masked(&self) -> bool {
        matches!(self, Self::Owned(_))
    }

    /// Masks the piece in place. `phase` is its offset in the payload.
    pub(super) fn mask(&mut self, key: Key, phase: usize) {
        if let Self::Owned(bytes) = self {
            mask::apply(bytes, key, phase);
        }
    }

    /// Cuts off the first bytes, at most `len`.
    pub(super) fn cut(&mut self, len: usize) -> Self {
        if len >= self.len() {
            return mem::take(self);
        }
        match self {
            Self::Shared(bytes) => Self::Shared(bytes.split_to(len)),
            Self::Owned(bytes) => Self::Owned(bytes.split_to(len)),
        }
    }
}

/// An empty piece, which needs no copy to be masked.
impl Default for Piece {
    fn default() -> Self {
        Self::Owned(BytesMut::new())
    }
}
