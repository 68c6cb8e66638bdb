//! One of the two ends: its connection, and what is known about what it sends and receives.

use super::choices::Manner;
use super::pattern::{Message, Part};
use super::wire::Wire;
use bowline_core::closing::Transport;
use bowline_core::connection::{Event, Lent};
use bowline_core::message::{Parts, Piece};
use bowline_core::{Connection, Instant, Message as Sent, Role};
use bytes::Bytes;
use std::collections::VecDeque;

/// The longest fragment if nobody sets a limit: a mebibyte and what surrounds a chunk.
const LONGEST: usize = (1 << 20) + (1 << 10);

pub(super) struct End {
    pub(super) connection: Connection,
    /// What it has sent, in order.
    pub(super) messages: Vec<Message>,
    pub(super) wire: Wire,
    /// What has left and not been read yet.
    pub(super) pipe: Vec<u8>,
    /// Which message of the other end is next, and how much of it has been received.
    pub(super) heard: usize,
    at: usize,
    /// What its application has not dropped.
    pub(super) held: VecDeque<Held>,
    /// The last possible event.
    pub(super) closed: Option<Box<bowline_core::Disconnect>>,
    in_pieces: bool,
}

/// Received bytes, and where they belong.
pub(super) struct Held {
    bytes: Bytes,
    message: usize,
    at: usize,
}

impl End {
    pub(super) fn new(role: Role, manner: &Manner) -> Self {
        Self {
            connection: manner.connection(role),
            messages: Vec::new(),
            wire: Wire::new(role, manner.fragment().unwrap_or(LONGEST)),
            pipe: Vec::new(),
            heard: 0,
            at: 0,
            held: VecDeque::new(),
            closed: None,
            in_pieces: manner.in_pieces,
        }
    }

    // What is sent.

    pub(super) fn send(&mut self, now: Instant, is_text: bool, part: Part, shared: bool) {
        let sent = self.connection.send(now, body(is_text, part, shared));
        if sent.is_ok() {
            self.messages.push(Message::new(is_text, &[part]));
        }
    }

    pub(super) fn send_parts(&mut self, now: Instant, parts: [(Part, bool); 3]) {
        let [head, body, tail] =
            parts.map(|(part, shared)| if shared { part.shared() } else { part.owned() });
        if self.connection.send_parts(now, Parts { head, body, tail }).is_ok() {
            self.messages.push(Message::new(false, &parts.map(|(part, _)| part)));
        }
    }

    pub(super) fn send_piece(&mut self, now: Instant, is_text: bool, part: (Part, bool), is_last: bool) {
        let (part, shared) = part;
        let piece = Piece { part: body(is_text, part, shared), is_last };
        if self.connection.send_piece(now, piece).is_ok() {
            if self.messages.last().is_none_or(|message| message.is_whole) {
                self.messages.push(Message::begun(is_text));
            }
            let message = self.messages.last_mut().expect("one that has begun");
            message.push(part, is_last);
        }
    }

    pub(super) fn ping(&mut self, now: Instant, payload: &[u8]) {
        if self.connection.ping(now, payload).is_ok() {
            self.wire.pings.push_back((payload.to_vec(), self.wire.left));
        }
    }

    // What leaves.

    /// How many bytes are shown.
    pub(super) fn shown(&self) -> usize {
        self.connection.outputs().map(<[u8]>::len).sum()
    }

    /// The transport accepts this many bytes.
    pub(super) fn take_out(&mut self, most: usize) -> usize {
        let mut left = most;
        for piece in self.connection.outputs() {
            assert!(!piece.is_empty());
            let n = left.min(piece.len());
            self.wire.push(&piece[..n], &self.messages);
            self.pipe.extend(&piece[..n]);
            left -= n;
        }
        most - left
    }

    pub(super) fn write(&mut self, now: Instant, most: usize) -> bool {
        let n = self.take_out(most);
        self.connection.handle_written(now, n);
        n > 0
    }

    /// The host reports more than is shown, though perhaps less has left.
    pub(super) fn miscount(&mut self, now: Instant, taken: usize, more: usize) {
        let shown = self.shown();
        self.take_out(taken);
        self.connection.handle_written(now, shown + 1 + more);
        assert_eq!(self.connection.transport(), Transport::Drop, "it goes on after a miscount");
        assert!(self.connection.output().is_empty());
    }

    // What arrives.

    pub(super) fn read(&mut self, now: Instant, from: &mut Vec<u8>, most: usize, to_place: bool) -> bool {
        if !self.connection.wants_input() {
            return false;
        }
        let came: Vec<_> = from.drain(..most.min(from.len())).collect();
        if !to_place {
            self.connection.handle_input(now, &came);
            return !came.is_empty();
        }
        let mut rest = &came[..];
        while !rest.is_empty() {
            let place = self.connection.input();
            let spare = place.capacity() - place.len();
            let (now_read, later) = rest.split_at(rest.len().min(spare.max(1)));
            place.extend_from_slice(now_read);
            self.connection.handle_read(now);
            rest = later;
        }
        !came.is_empty()
    }

    /// The application takes an event; returns whether there was one.
    pub(super) fn take(&mut self, sent: &[Message], lent: bool) -> bool {
        let event = if lent {
            match self.connection.poll_lent() {
                Some(Lent::Event(event)) => Some(event),
                Some(short) => {
                    let (is_text, bytes) = match short {
                        Lent::Text(text) => (true, text.as_bytes()),
                        Lent::Binary(bytes) => (false, bytes),
                        other => panic!("{other:?}"),
                    };
                    assert!(!self.in_pieces && self.closed.is_none());
                    sent[self.heard].check_whole(is_text, bytes);
                    self.heard += 1;
                    return true;
                }
                None => None,
            }
        } else {
            self.connection.poll_event()
        };
        let is_any = event.is_some();
        if let Some(event) = event {
            self.hear(event, sent);
        }
        is_any
    }

    fn hear(&mut self, event: Event, sent: &[Message]) {
        assert!(self.closed.is_none(), "{event:?} after the end");
        match event {
            Event::Message(message) => {
                assert!(!self.in_pieces);
                let is_text = matches!(message, Sent::Text(_));
                sent[self.heard].check_whole(is_text, message.as_bytes());
                self.hold(message);
                self.heard += 1;
            }
            Event::Piece(Piece { part, is_last }) => {
                let message = &sent[self.heard];
                assert!(self.in_pieces && message.is_text == matches!(part, Sent::Text(_)));
                message.check(self.at, part.as_bytes());
                let len = part.len();
                self.hold(part);
                self.at += len;
                if is_last {
                    assert!(message.is_whole && message.len() == self.at);
                    (self.heard, self.at) = (self.heard + 1, 0);
                }
            }
            Event::Closed(disconnect) => self.closed = Some(Box::new(disconnect)),
            _ => {}
        }
    }

    fn hold(&mut self, part: Sent) {
        if let Sent::Binary(bytes) = part {
            self.held.push_back(Held { bytes, message: self.heard, at: self.at });
        }
    }

    /// The application drops the oldest of what it holds. Nobody has written to it since it arrived.
    pub(super) fn drop_held(&mut self, sent: &[Message], count: usize) {
        for held in self.held.drain(..count.min(self.held.len())) {
            sent[held.message].check(held.at, &held.bytes);
        }
    }
}

fn body(is_text: bool, part: Part, shared: bool) -> Sent {
    if is_text {
        Sent::text(std::str::from_utf8(part.as_slice()).expect("letters"))
    } else {
        Sent::Binary(if shared { part.shared() } else { part.owned() })
    }
}
