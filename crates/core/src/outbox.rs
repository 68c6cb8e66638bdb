//! The outgoing queue: messages cut into frames at the last moment, so that control frames need not wait.
//!
//! ```text
//!   send ──▶ data: messages, then perhaps a Close ──cut──▶ unit: what leaves next, at most F bytes and a header
//!   ping, pong ──▶ controls                                  │
//!                     └── before the unit, or, once a byte of it has left, right behind it ──▶ transport
//! ```
//!
//! A *unit* is either some small frames in one piece, or one fragment whose body is not copied if that can be
//! avoided: a server sends it as it is, and a client masks it in place if nobody else holds it.

mod controls;
mod outgoing;
mod unit;

use crate::frame::{Header, MAX_CONTROL, Opcode};
use crate::mask::{Key, Keys};
use crate::message::Parts;
use alloc::boxed::Box;
use alloc::collections::VecDeque;
use bytes::Bytes;
use controls::Controls;
use core::fmt;
use outgoing::{Outgoing, Piece};
use unit::Unit;

/// What is shorter is copied behind its header; a piece of its own costs more than that.
const COPY_BELOW: usize = 4 << 10;
/// What a message counts for beyond its bytes, so that empty ones fill the queue too.
const MESSAGE_WEIGHT: usize = 16;

/// Frames on their way to the transport.
pub(crate) struct Outbox {
    /// The client's; a server does not mask.
    keys: Option<Box<Keys>>,
    fragment: usize,
    controls: Controls,
    data: VecDeque<Item>,
    /// Payload bytes in `data`.
    waiting: usize,
    unit: Unit,
}

enum Item {
    Message(Outgoing),
    Close(Bytes),
}

/// What left the queue in one step.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Flushed {
    pub(crate) bytes: usize,
    /// Pings of which the last byte has left.
    pub(crate) pings: u32,
    /// Whether the last byte of the Close has left.
    pub(crate) close: bool,
}

impl Outbox {
    /// An empty queue, which cuts fragments of at most `fragment` bytes.
    pub(crate) fn new(keys: Option<Keys>, fragment: usize) -> Self {
        Self {
            keys: keys.map(Box::new),
            fragment: fragment.max(1),
            controls: Controls::default(),
            data: VecDeque::new(),
            waiting: 0,
            unit: Unit::default(),
        }
    }

    /// From now on fragments have at most this many bytes.
    pub(crate) fn set_fragment(&mut self, fragment: usize) {
        self.fragment = fragment.max(1);
    }

    /// Queues a message.
    pub(crate) fn send(&mut self, opcode: Opcode, parts: Parts) {
        if !self.send_small(opcode, [&parts.head, &parts.body, &parts.tail]) {
            self.waiting += parts.len();
            self.data.push_back(Item::Message(Outgoing::new(opcode, parts, self.keys.is_some())));
            self.fill();
        }
    }

    /// Queues a message of these pieces if it can be copied to what leaves next; says whether it was.
    pub(crate) fn send_small(&mut self, opcode: Opcode, pieces: [&[u8]; 3]) -> bool {
        let len = pieces.iter().map(|piece| piece.len()).sum();
        let is_small = len < COPY_BELOW && len <= self.fragment;
        let fits = is_small && self.data.is_empty() && self.takes_more() && self.fits(len);
        if fits {
            let header = self.header(opcode, true, len);
            self.unit.append(&header, pieces);
        }
        fits
    }

    /// Queues a Ping.
    pub(crate) fn ping(&mut self, payload: &[u8]) {
        let payload = short(payload);
        let header = self.header(Opcode::Ping, true, payload.len());
        self.controls.push_ping(&header, payload);
    }

    /// Queues a Pong. If there are very many already, it replaces the last one.
    pub(crate) fn pong(&mut self, payload: &[u8]) {
        let payload = short(payload);
        let header = self.header(Opcode::Pong, true, payload.len());
        self.controls.push_pong(&header, payload);
    }

    /// Queues a Close behind the data. Nothing may be sent after it.
    pub(crate) fn close(&mut self, payload: Bytes) {
        self.data.push_back(Item::Close(payload));
        self.fill();
    }

    /// Drops the data of which nothing has left, and lets a Close go in its place.
    pub(crate) fn close_now(&mut self, payload: Bytes) {
        self.data.clear();
        self.waiting = 0;
        if !self.unit.is_begun() {
            self.unit.reset();
        }
        self.close(payload);
    }

    /// Drops the messages that have not been cut. A Close stays.
    pub(crate) fn drop_messages(&mut self) {
        self.data.retain(|item| matches!(item, Item::Close(_)));
        self.waiting = 0;
        self.fill();
    }

    /// Drops everything.
    pub(crate) fn clear(&mut self) {
        *self = Self::new(self.keys.take().map(|keys| *keys), self.fragment);
    }

    /// Gives spare memory back, if nothing is queued.
    pub(crate) fn release(&mut self) {
        if self.is_empty() {
            self.controls = Controls::default();
            self.data = VecDeque::new();
            self.unit = Unit::default();
        }
    }

    /// The pieces to write next, in order; none is empty.
    pub(crate) fn pieces(&self) -> impl Iterator<Item = &[u8]> {
        let (controls, [a, b, c, d]) = (self.controls.rest(), self.unit.rest());
        let pieces = if self.unit.is_begun() { [a, b, c, d, controls] } else { [controls, a, b, c, d] };
        pieces.into_iter().filter(|piece| !piece.is_empty())
    }

    /// The transport took the first `n` bytes of [`pieces`](Self::pieces).
    pub(crate) fn written(&mut self, n: usize) -> Flushed {
        let is_begun = self.unit.is_begun();
        let mut bytes = if is_begun { self.unit.advance(n) } else { 0 };
        let (taken, pings) = self.controls.advance(n - bytes);
        bytes += taken;
        if !is_begun {
            bytes += self.unit.advance(n - bytes);
        }
        let close = self.unit.is_done() && self.unit.ends_with_close();
        if self.unit.is_done() {
            self.unit.reset();
        }
        self.fill();
        Flushed { bytes, pings, close }
    }

    /// Whether nothing waits to be written.
    pub(crate) fn is_empty(&self) -> bool {
        self.pieces().next().is_none()
    }

    /// Bytes of messages that wait to be written, with the headers of those that are cut already.
    pub(crate) fn queued(&self) -> usize {
        self.waiting + self.unit.left()
    }

    /// How much the queue counts against its limit.
    pub(crate) fn weight(&self) -> usize {
        self.queued() + self.data.len() * MESSAGE_WEIGHT
    }

    /// Whether a byte of our Close has left.
    pub(crate) fn is_closing(&self) -> bool {
        self.unit.is_begun() && self.unit.ends_with_close()
    }

    /// Cuts what leaves next.
    fn fill(&mut self) {
        while self.takes_more() {
            match self.data.pop_front() {
                Some(Item::Message(message)) => {
                    let left = message.len();
                    let len = left.min(self.fragment);
                    // What has to be cut anyway starts a unit of its own.
                    if !self.fits(len) || len < left && self.unit.left() > 0 {
                        return self.data.push_front(Item::Message(message));
                    }
                    self.cut(message, len);
                }
                Some(Item::Close(payload)) => {
                    if !self.fits(payload.len()) {
                        return self.data.push_front(Item::Close(payload));
                    }
                    let payload = short(&payload);
                    let header = self.header(Opcode::Close, true, payload.len());
                    self.unit.append_close(&header, payload);
                }
                None => return,
            }
        }
    }

    /// Moves the first `len` bytes of a message to the unit, and puts back what is left.
    fn cut(&mut self, mut message: Outgoing, len: usize) {
        let is_last = len == message.len();
        let header = self.header(message.next_opcode(), is_last, len);
        let pieces = message.cut(len);
        self.waiting -= len;
        if len < COPY_BELOW || header.mask.is_some() && !pieces.iter().all(Piece::can_be_masked) {
            self.unit.append(&header, pieces.each_ref().map(Piece::as_slice));
        } else {
            self.unit.append_shared(&header, pieces);
        }
        if !is_last {
            self.data.push_front(Item::Message(message));
        }
    }

    /// Whether frames may be added to the unit. A control frame waits for the end of a unit that has begun to leave,
    /// so that end must not move away from it.
    fn takes_more(&self) -> bool {
        self.unit.is_open() && (!self.unit.is_begun() || self.controls.rest().is_empty())
    }

    /// Whether a frame with this payload can be added without letting a control frame wait for more than one fragment.
    fn fits(&self, len: usize) -> bool {
        self.unit.is_empty() || self.unit.len().saturating_add(len) <= self.fragment
    }

    fn header(&mut self, opcode: Opcode, fin: bool, len: usize) -> Header {
        Header { fin, mask: self.key(), ..Header::new(opcode, len as u64) }
    }

    fn key(&mut self) -> Option<Key> {
        self.keys.as_mut().map(|keys| keys.next_key())
    }
}

/// The payload, or as much of it as a control frame can hold (RFC 6455 §5.5).
fn short(payload: &[u8]) -> &[u8] {
    &payload[..payload.len().min(MAX_CONTROL)]
}

impl fmt::Debug for Outbox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Outbox")
            .field("queued", &self.queued())
            .field("controls", &self.controls.rest().len())
            .field("fragment", &self.fragment)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
