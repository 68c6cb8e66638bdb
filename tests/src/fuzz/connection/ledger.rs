//! What a host knows on its own about what it has sent, and about what has arrived.

use crate::fuzz::reader::{Heard, Most, Reader};
use bowline_core::closing::Transport;
use bowline_core::message::Piece;
use bowline_core::{Connection, Message, Role};
use std::collections::VecDeque;

/// What we have accepted, and how the peer reads it.
pub(super) struct Outgoing {
    pub(super) accepted: VecDeque<Message>,
    /// The message that is being sent in pieces: whether it is text, and what there is of it.
    pub(super) begun: Option<(bool, Vec<u8>)>,
    /// The numbers of pings that may be answered next.
    pub(super) pings: VecDeque<u64>,
    reader: Reader,
    closed: bool,
    pub(super) newest_ping: Option<Vec<u8>>,
}

/// What arrived, read by another reader.
pub(super) struct Incoming {
    reader: Reader,
    pub(super) bytes: usize,
    /// The messages that must be delivered next, if any more are.
    messages: VecDeque<Message>,
    /// What was delivered of a message that arrives in pieces.
    delivered: Vec<u8>,
}

impl Outgoing {
    pub(super) fn new(sender: Role) -> Self {
        Self {
            accepted: VecDeque::new(),
            begun: None,
            pings: VecDeque::new(),
            reader: Reader::new(sender, Most::default()),
            closed: false,
            newest_ping: None,
        }
    }

    /// Whether this piece can continue the message that has begun, or begin one.
    pub(super) fn fits(&self, piece: &Piece) -> bool {
        self.begun.as_ref().is_none_or(|(is_text, _)| *is_text == is_text_part(&piece.part))
    }

    /// This piece was accepted.
    pub(super) fn handle_piece(&mut self, piece: &Piece) {
        let (is_text, mut bytes) = self.begun.take().unwrap_or((is_text_part(&piece.part), Vec::new()));
        bytes.extend(piece.part.as_bytes());
        if piece.is_last {
            self.accepted.push_back(whole(is_text, bytes));
        } else {
            self.begun = Some((is_text, bytes));
        }
    }

    /// The peer has answered this ping.
    pub(super) fn handle_answer(&mut self, ping: u64) {
        let place = self.pings.iter().position(|asked| *asked == ping);
        self.pings.drain(..=place.expect("asked, and not answered yet"));
    }

    /// These bytes leave. Any reader can read them, they say what was sent in its order, and nothing except answers to
    /// pings follows a Close.
    pub(super) fn handle(&mut self, bytes: &[u8]) {
        self.reader.push(bytes);
        while let Some(heard) = self.reader.next() {
            let heard = heard.expect("what we write is right");
            // RFC 6455 §5.5.2: until the peer has closed, its pings are answered.
            assert!(!self.closed || matches!(heard, Heard::Pong(_)), "{heard:?} behind a Close");
            match heard {
                Heard::Message(message) => assert_eq!(self.accepted.pop_front(), Some(message)),
                Heard::Ping(payload) => self.newest_ping = Some(payload),
                Heard::Pong(_) => {}
                Heard::Close(_) => self.closed = true,
            }
        }
    }
}

impl Incoming {
    pub(super) fn new(sender: Role) -> Self {
        let reader = Reader::new(sender, Most::default());
        Self { reader, bytes: 0, messages: VecDeque::new(), delivered: Vec::new() }
    }

    /// This message was delivered.
    pub(super) fn handle_message(&mut self, message: &Message) {
        assert_eq!(self.messages.pop_front().as_ref(), Some(message), "not what came");
    }

    /// This piece of a message was delivered.
    pub(super) fn handle_piece(&mut self, piece: &Piece) {
        assert!(piece.is_last || !piece.part.is_empty(), "nothing was delivered");
        self.delivered.extend(piece.part.as_bytes());
        if piece.is_last {
            let message = whole(is_text_part(&piece.part), std::mem::take(&mut self.delivered));
            self.handle_message(&message);
        } else if let Some(message) = self.messages.front() {
            assert!(message.as_bytes().starts_with(&self.delivered), "not what came");
        }
    }

    /// These bytes arrive, if the connection still accepts any.
    pub(super) fn handle(&mut self, bytes: &[u8], connection: &Connection) {
        if connection.transport() == Transport::Drop {
            return;
        }
        self.bytes += bytes.len();
        self.reader.push(bytes);
        while let Some(Ok(heard)) = self.reader.next() {
            if let Heard::Message(message) = heard {
                self.messages.push_back(message);
            }
        }
    }
}

fn is_text_part(part: &Message) -> bool {
    matches!(part, Message::Text(_))
}

fn whole(is_text: bool, bytes: Vec<u8>) -> Message {
    if is_text {
        Message::text(String::from_utf8(bytes).expect("pieces of text are text"))
    } else {
        Message::binary(bytes)
    }
}
