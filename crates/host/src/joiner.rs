//! Joins pieces, for code that wants whole messages.

use bowline_core::Message;
use bowline_core::message::Piece;
use bytes::BytesMut;

/// The message whose pieces are arriving.
#[derive(Debug, Default)]
pub struct Joiner(Option<Begun>);

#[derive(Debug)]
enum Begun {
    Text(String),
    Binary(BytesMut),
}

impl Joiner {
    /// Adds a piece. Returns the message if this was its last piece; a message of one piece is not copied.
    pub fn push(&mut self, piece: Piece) -> Option<Message> {
        if piece.is_last && self.0.is_none() {
            return Some(piece.part);
        }
        match (&mut self.0, &piece.part) {
            (Some(Begun::Text(whole)), Message::Text(part)) => whole.push_str(part),
            (Some(Begun::Binary(whole)), Message::Binary(part)) => whole.extend_from_slice(part),
            // The first one; all pieces of a message are of the same kind.
            (begun, Message::Text(part)) => *begun = Some(Begun::Text(part.as_str().to_owned())),
            (begun, Message::Binary(part)) => *begun = Some(Begun::Binary(BytesMut::from(&part[..]))),
        }
        if !piece.is_last {
            return None;
        }
        self.0.take().map(|begun| match begun {
            Begun::Text(whole) => Message::text(whole),
            Begun::Binary(whole) => Message::binary(whole.freeze()),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_make_messages() {
        let mut joiner = Joiner::default();
        assert_eq!(joiner.push(Piece::text("whole").last()), Some(Message::text("whole")));
        assert_eq!(joiner.push(Piece::text("a")), None);
        assert_eq!(joiner.push(Piece::text("b")), None);
        assert_eq!(joiner.push(Piece::text("c").last()), Some(Message::text("abc")));
        assert_eq!(joiner.push(Piece::binary("a")), None);
        assert_eq!(joiner.push(Piece::binary("").last()), Some(Message::binary("a")));
    }
}
