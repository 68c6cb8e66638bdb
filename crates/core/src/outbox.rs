//! The outgoing queue: messages cut into frames at the last moment, so that control frames need not wait.
//!
//! ```text
//!   send ──▶ data: messages, then perhaps a Close ──cut──▶ units of at most F bytes and a header ──▶ transport
//!   ping, pong ──▶ controls ── before the first unit, or behind it once a byte of it has left ──┘
//! ```
//!
//! A *unit* is either some small frames in one piece, or one fragment whose body is not copied if that can be avoided.
//! A server sends the body as it is. A client masks it in place if nobody else holds it; otherwise it copies and masks
//! it in small portions as it leaves. As many units are prepared as one write may take; all but the first can still be
//! overtaken.

mod controls;
mod cutting;
mod outgoing;
mod pieces;
mod unit;
mod units;

use crate::frame::{Header, MAX_CONTROL, Opcode};
use crate::mask::{Key, Keys};
use crate::message::Parts;
use alloc::boxed::Box;
use alloc::collections::VecDeque;
use bytes::Bytes;
use controls::Controls;
use core::fmt;
use outgoing::Outgoing;
use pieces::Pieces;
use units::Units;

/// A shorter payload is copied behind its header; a piece of its own would cost more.
const COPY_BELOW: usize = 4 << 10;
/// How many bytes are prepared: what an adapter hands to the transport in one write.
const AHEAD: usize = 64 << 10;
/// How many units are prepared at most, however short.
const MAX_UNITS: usize = 16;
/// How many bytes of a shared body are masked at once as it leaves: 256 KiB, and what surrounds them. One socket write
/// of this size costs less than four of a quarter, even though a smaller buffer would stay in the cache.
const MASKED: usize = (256 << 10) + (1 << 10);
/// The weight of a message besides its bytes, so that empty messages fill the queue too.
const MESSAGE_WEIGHT: usize = 16;

/// Frames on their way to the transport.
pub(crate) struct Outbox {
    /// The client's mask keys; a server does not mask.
    keys: Option<Box<Keys>>,
    fragment: usize,
    controls: Controls,
    data: VecDeque<Outgoing>,
    /// Payload bytes in `data`.
    waiting: usize,
    units: Units,
    farewell: Farewell,
    /// Whether the last message has begun, and its end was not queued.
    in_message: bool,
    /// Whether messages, or parts of them, were dropped.
    lost: bool,
    /// How many bytes were dropped. The count saturates; it is narrow to keep connections small.
    lost_bytes: u32,
}

/// Where our Close is.
#[derive(Default)]
enum Farewell {
    #[default]
    None,
    /// To be cut once there is no more data.
    Waiting(Bytes),
    /// In the last unit, with this payload.
    Ready(Bytes),
}

/// What left the queue in one step.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Flushed {
    pub(crate) bytes: usize,
    /// How many pings have left completely.
    pub(crate) pings: u32,
    /// Whether the last byte of the Close has left.
    pub(crate) close: bool,
}

impl Outbox {
    /// An empty queue that cuts fragments of at most `fragment` bytes.
    pub(crate) fn new(keys: Option<Keys>, fragment: usize) -> Self {
        Self {
            keys: keys.map(Box::new),
            fragment: fragment.max(1),
            controls: Controls::default(),
            data: VecDeque::new(),
            waiting: 0,
            units: Units::default(),
            farewell: Farewell::None,
            in_message: false,
            lost: false,
            lost_bytes: 0,
        }
    }

    /// Sets the maximum size of fragments from now on.
    pub(crate) fn set_fragment(&mut self, fragment: usize) {
        self.fragment = fragment.max(1);
    }

    /// Queues a message.
    pub(crate) fn send(&mut self, opcode: Opcode, parts: Parts) {
        self.push(opcode, parts, true);
    }

    /// Queues a message if it can be copied into the last unit; returns whether it was.
    #[inline]
    pub(crate) fn send_small(&mut self, opcode: Opcode, payload: &[u8]) -> bool {
        self.push_small(opcode, [payload], true)
    }

    /// Queues a part of a message with this opcode.
    pub(crate) fn send_piece(&mut self, opcode: Opcode, payload: Bytes, is_last: bool) {
        if payload.is_empty() && !is_last {
            return;
        }
        let opcode = if self.in_message { Opcode::Continuation } else { opcode };
        self.in_message = !is_last;
        self.push(opcode, payload.into(), is_last);
    }

    fn push(&mut self, opcode: Opcode, parts: Parts, fin: bool) {
        if self.push_small(opcode, [&parts.head, &parts.body, &parts.tail], fin) {
            return;
        }
        let len = parts.len();
        let message = Outgoing::new(opcode, parts, fin, self.keys.is_some());
        if len <= self.fragment && self.data.is_empty() && self.make_place(len, false) {
            return self.append(message.next_header(len), message.into_pieces());
        }
        self.waiting += len;
        self.data.push_back(message);
        self.fill();
    }

    #[inline]
    fn push_small<const N: usize>(&mut self, opcode: Opcode, payload: [&[u8]; N], fin: bool) -> bool {
        let len = payload.iter().map(|piece| piece.len()).sum();
        let is_small = len < COPY_BELOW && len <= self.fragment;
        let fits = is_small && self.data.is_empty() && self.make_place(len, false);
        if fits {
            let header = Header { fin, ..self.header(opcode, len) };
            self.units.append(&header, payload);
        }
        fits
    }

    /// Queues a Ping.
    pub(crate) fn ping(&mut self, payload: &[u8]) {
        let payload = short(payload);
        let header = self.header(Opcode::Ping, payload.len());
        self.controls.push_ping(&header, payload);
    }

    /// Queues a Pong. If very many are queued, it replaces the newest of them.
    pub(crate) fn pong(&mut self, payload: &[u8]) {
        let payload = short(payload);
        let header = self.header(Opcode::Pong, payload.len());
        self.controls.push_pong(&header, payload);
    }

    /// Queues a Close behind the data. Nothing may be sent after it.
    pub(crate) fn close(&mut self, payload: Bytes) {
        self.farewell = Farewell::Waiting(payload);
        self.fill();
    }

    /// Drops all data that has not begun to leave, and queues a Close in its place.
    pub(crate) fn close_now(&mut self, payload: Bytes) {
        self.farewell = Farewell::Waiting(payload);
        self.drop_messages();
    }

    /// Drops all data that has not begun to leave. A Close stays.
    pub(crate) fn drop_messages(&mut self) {
        let (ready, waiting) = (self.ready(), core::mem::take(&mut self.waiting));
        self.lost |= !self.data.is_empty();
        self.data.clear();
        self.units.drop_waiting();
        if !self.is_closing() {
            self.farewell = match core::mem::take(&mut self.farewell) {
                Farewell::Ready(payload) => Farewell::Waiting(payload),
                other => other,
            };
        }
        let left = self.ready();
        self.lost |= left < ready;
        self.lost_bytes = self.lost_bytes.saturating_add(short_count(waiting + ready.saturating_sub(left)));
        self.fill();
    }

    /// Drops everything.
    pub(crate) fn clear(&mut self) {
        let lost = self.lost || !self.data.is_empty() || self.ready() > 0;
        let lost_bytes = short_count(self.lost_by_end());
        *self = Self { lost, lost_bytes, ..Self::new(self.keys.take().map(|keys| *keys), self.fragment) };
    }

    /// Whether messages, or parts of them, were dropped before they had left.
    pub(crate) fn has_lost_messages(&self) -> bool {
        self.lost
    }

    /// How many bytes of messages, including the headers already cut, will have been lost if this is the end.
    pub(crate) fn lost_by_end(&self) -> usize {
        self.lost_bytes as usize + self.waiting + self.ready()
    }

    /// Frees spare memory, if nothing is queued.
    pub(crate) fn release(&mut self) {
        if self.is_empty() {
            self.controls = Controls::default();
            self.release_messages();
        }
    }

    /// Frees the memory that messages used, if nothing is queued.
    pub(crate) fn release_messages(&mut self) {
        if self.is_empty() {
            self.data = VecDeque::new();
            self.units = Units::default();
        }
    }

    /// The first of [`pieces`](Self::pieces); empty if there is none.
    #[inline]
    pub(crate) fn first_piece(&self) -> &[u8] {
        match self.units.first() {
            Some(unit) if unit.is_begun() || self.controls.is_empty() => unit.first_piece(),
            _ => self.controls.rest(),
        }
    }

    /// The pieces to write next, in order; none is empty.
    #[inline]
    pub(crate) fn pieces(&self) -> Pieces<'_> {
        Pieces::new(self)
    }

    /// The transport accepted the first `n` bytes of [`pieces`](Self::pieces). If the result has fewer, there were no
    /// more.
    #[inline]
    pub(crate) fn written(&mut self, n: usize) -> Flushed {
        let flushed = if self.controls.is_empty() {
            let (bytes, close) = self.units.advance(n);
            Flushed { bytes, pings: 0, close }
        } else {
            self.written_with_controls(n)
        };
        if flushed.close {
            // RFC 6455 §5.5.1: there is only one Close, and nothing brings it back.
            self.farewell = Farewell::None;
        }
        self.fill();
        flushed
    }

    /// A unit that has begun to leave precedes the control frames; other units follow them.
    #[cold]
    fn written_with_controls(&mut self, n: usize) -> Flushed {
        let (mut bytes, mut pings, mut close) = (0, 0, false);
        let mut is_ready = true;
        if let Some(begun) = self.units.first().filter(|unit| unit.is_begun()) {
            is_ready = begun.is_ready();
            (bytes, close) = self.units.advance(n.min(begun.left()));
        }
        // Behind a unit that is not ready, nothing was shown.
        if is_ready {
            let (taken, left) = self.controls.advance(n - bytes);
            (bytes, pings) = (bytes + taken, left);
        }
        if bytes < n && self.controls.is_empty() {
            let (taken, last) = self.units.advance(n - bytes);
            (bytes, close) = (bytes + taken, close || last);
        }
        Flushed { bytes, pings, close }
    }

    /// Whether nothing is queued to be written.
    pub(crate) fn is_empty(&self) -> bool {
        self.units.is_empty() && self.controls.is_empty()
    }

    /// Bytes of queued messages, including the headers already cut.
    pub(crate) fn queued(&self) -> usize {
        self.waiting + self.units.left()
    }

    /// How much the queue counts towards its limit.
    #[inline]
    pub(crate) fn weight(&self) -> usize {
        self.queued() + self.data.len() * MESSAGE_WEIGHT
    }

    /// Whether our Close has begun to leave, so that nothing can overtake it any more.
    pub(crate) fn is_closing(&self) -> bool {
        self.units.first().is_some_and(|unit| unit.is_begun() && unit.ends_with_close())
    }

    #[cfg(test)]
    pub(crate) fn memory(&self) -> usize {
        self.controls.memory() + self.units.memory() + self.data.capacity() * size_of::<Outgoing>()
    }

    /// Bytes of messages in the units, with their headers: all but our Close, which comes last.
    fn ready(&self) -> usize {
        let close = match &self.farewell {
            Farewell::Ready(payload) => {
                let mask = if self.keys.is_some() { size_of::<Key>() } else { 0 };
                2 + mask + short(payload).len()
            }
            _ => 0,
        };
        self.units.left().saturating_sub(close)
    }

    /// The header of an unfragmented frame.
    fn header(&mut self, opcode: Opcode, len: usize) -> Header {
        Header { mask: self.key(), ..Header::new(opcode, len as u64) }
    }

    fn key(&mut self) -> Option<Key> {
        self.keys.as_mut().map(|keys| keys.next_key())
    }
}

/// The number, or the maximum.
fn short_count(bytes: usize) -> u32 {
    bytes.try_into().unwrap_or(u32::MAX)
}

/// The payload, cut to what a control frame can hold (RFC 6455 §5.5).
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
