//! The queue of events for the application.

use super::{Event, Lent};
use crate::closing::{Retry, Why};
use crate::message::{self, Message};
use alloc::boxed::Box;
use alloc::collections::VecDeque;
use alloc::string::String;
use alloc::vec::Vec;
use bytes::Bytes;
use core::mem;
use core::time::Duration;

/// The weight of an event besides the bytes of its message, so that empty messages fill the queue too.
const EVENT_WEIGHT: usize = 64;
/// How many other events may be queued: an application that does not poll for hours misses later ones.
const MAX_NEWS: u32 = 64;
/// A queue that has run empty keeps room for this many events, until [`Inbox::release`].
const KEPT: usize = 64;
/// Short messages that were handed out are dropped once they have this many bytes.
const SPENT: usize = 4 << 10;

#[derive(Debug)]
pub(super) struct Inbox {
    entries: VecDeque<Entry>,
    /// Present since the first short message, until [`release`](Self::release).
    short: Option<Box<Short>>,
    limit: usize,
    weight: usize,
    /// How many events are answers to pings, and how many are neither these nor messages.
    answers: u32,
    news: u32,
    /// Whether the peer's Close is queued.
    has_close: bool,
    /// Whether the application has polled and found the queue empty.
    is_awaited: bool,
    is_closed: bool,
}

#[derive(Debug)]
enum Entry {
    Event(Event),
    /// This many short messages; the next ones in [`Short`].
    Short(usize),
}

/// The length of a short message. Thousands may arrive in one read, and all of them should stay in the nearest cache,
/// so this is much smaller than an event.
#[derive(Clone, Copy, Debug)]
enum Place {
    Text(u16),
    Binary(u16),
}

/// Short messages, one after the other: lending them needs no allocation.
#[derive(Debug, Default)]
struct Short {
    /// All that are queued, in order.
    places: VecDeque<Place>,
    texts: String,
    binaries: Vec<u8>,
    /// How many of those bytes were handed out.
    texts_taken: usize,
    binaries_taken: usize,
}

impl Inbox {
    pub(super) fn new(limit: usize) -> Self {
        Self {
            entries: VecDeque::new(),
            short: None,
            limit: limit.max(1),
            weight: 0,
            answers: 0,
            news: 0,
            has_close: false,
            is_awaited: true,
            is_closed: false,
        }
    }

    /// Queues an event; none after [`Event::Closed`].
    pub(super) fn push(&mut self, event: Event) {
        if self.is_closed {
            return;
        }
        match &event {
            Event::Message(message) => self.grow(message.len()),
            Event::Piece(piece) => self.grow(piece.len()),
            Event::CloseReceived(_) => {
                self.news += 1;
                self.has_close = true;
            }
            Event::CloseSent(_) => self.news += 1,
            Event::Closed(_) => self.is_closed = true,
            // Somebody may wait for it.
            Event::Answered { .. } if self.answers < MAX_NEWS => self.answers += 1,
            Event::Answered { .. } => return,
            _ if self.news >= MAX_NEWS => return,
            _ => self.news += 1,
        }
        self.entries.push_back(Entry::Event(event));
    }

    /// Queues a short message by copying it behind the others. Returns its length in bytes.
    #[inline]
    pub(super) fn push_short(&mut self, message: message::Short<'_>) -> usize {
        match message {
            message::Short::Text(text) => {
                self.push_text(text);
                text.len()
            }
            message::Short::Binary(bytes) => {
                self.push_binary(bytes);
                bytes.len()
            }
        }
    }

    /// Queues a text by copying it; a short one is copied behind the others.
    pub(super) fn push_text(&mut self, text: &str) {
        let Ok(len) = u16::try_from(text.len()) else {
            return self.push(Event::Message(Message::text(text)));
        };
        self.grow(text.len());
        self.expect_short();
        self.short().push_text(len, text);
    }

    /// Queues a binary message by copying it; a short one is copied behind the others.
    pub(super) fn push_binary(&mut self, bytes: &[u8]) {
        let Ok(len) = u16::try_from(bytes.len()) else {
            return self.push(Event::Message(Message::Binary(Bytes::copy_from_slice(bytes))));
        };
        self.grow(bytes.len());
        self.expect_short();
        self.short().push_binary(len, bytes);
    }

    /// The next event.
    #[inline]
    pub(super) fn pop(&mut self) -> Option<Event> {
        match self.take_short() {
            Some(Place::Text(len)) => Some(Event::Message(Message::text(self.short().take_text(len.into())))),
            Some(Place::Binary(len)) => {
                let bytes = Bytes::copy_from_slice(self.short().take_binary(len.into()));
                Some(Event::Message(Message::Binary(bytes)))
            }
            None => self.take_event(),
        }
    }

    /// The next event; a short message is borrowed from here.
    #[inline]
    pub(super) fn lend(&mut self) -> Option<Lent<'_>> {
        match self.take_short() {
            Some(Place::Text(len)) => Some(Lent::Text(self.short().take_text(len.into()))),
            Some(Place::Binary(len)) => Some(Lent::Binary(self.short().take_binary(len.into()))),
            None => self.take_event().map(Lent::Event),
        }
    }

    /// The next answer to a ping, no matter what is queued before it: its number and its round-trip time.
    pub(super) fn pop_answer(&mut self) -> Option<(u64, Duration)> {
        if self.answers == 0 {
            return None;
        }
        let is_answer = |entry: &Entry| matches!(entry, Entry::Event(Event::Answered { .. }));
        let at = self.entries.iter().position(is_answer)?;
        let Entry::Event(Event::Answered { ping, rtt }) = self.entries.remove(at)? else { return None };
        self.answers -= 1;
        Some((ping, rtt))
    }

    /// Whether the answer to this ping is queued.
    pub(super) fn has_answer(&self, number: u64) -> bool {
        let is_it =
            |entry: &Entry| matches!(entry, Entry::Event(Event::Answered { ping, .. }) if *ping == number);
        self.answers > 0 && self.entries.iter().any(is_it)
    }

    /// Frees spare memory, if nothing is queued.
    pub(super) fn release(&mut self) {
        if self.entries.is_empty() {
            self.entries = VecDeque::new();
            self.short = None;
        }
    }

    /// How many bytes may be queued.
    pub(super) fn limit(&self) -> usize {
        self.limit
    }

    /// Whether as many bytes are queued as allowed.
    pub(super) fn is_full(&self) -> bool {
        self.weight >= self.limit
    }

    pub(super) fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Whether messages are queued.
    pub(super) fn has_messages(&self) -> bool {
        self.weight > 0
    }

    /// Whether the next event is neither a message nor the peer's Close nor the end.
    pub(super) fn has_news(&self) -> bool {
        self.entries.front().is_some_and(|entry| match entry {
            Entry::Event(event) => !matches!(
                event,
                Event::Message(_) | Event::Piece(_) | Event::CloseReceived(_) | Event::Closed(_)
            ),
            Entry::Short(_) => false,
        })
    }

    /// Whether the peer's Close is queued.
    pub(super) fn has_close(&self) -> bool {
        self.has_close
    }

    /// Whether the application has seen every message and asked for more, so that it has nothing to reply.
    pub(super) fn is_awaited(&self) -> bool {
        self.is_awaited && !self.has_messages()
    }

    /// The application may have a reply, until it asks for more.
    pub(super) fn hold(&mut self) {
        self.is_awaited = false;
    }

    /// Whether the end was queued.
    pub(super) fn is_closed(&self) -> bool {
        self.is_closed
    }

    /// The application asked for the end before it heard of it, so it wants no other connection.
    pub(super) fn ask_for_end(&mut self) {
        if let Some(Entry::Event(Event::Closed(disconnect))) = self.entries.back_mut() {
            disconnect.set_retry(Retry::No(Why::Asked));
        }
    }

    /// Takes a short message, if the next event is one.
    #[inline]
    fn take_short(&mut self) -> Option<Place> {
        let Some(Entry::Short(left)) = self.entries.front_mut() else { return None };
        *left -= 1;
        if *left == 0 {
            self.entries.pop_front();
        }
        self.is_awaited = false;
        let place = self.short().places.pop_front()?;
        self.shrink(place.len());
        Some(place)
    }

    /// Takes the next event, which is not a short message.
    fn take_event(&mut self) -> Option<Event> {
        self.is_awaited = self.entries.is_empty();
        let Some(Entry::Event(event)) = self.entries.pop_front() else {
            if self.entries.capacity() > KEPT {
                self.entries = VecDeque::new();
            }
            return None;
        };
        match &event {
            Event::Message(message) => self.shrink(message.len()),
            Event::Piece(piece) => self.shrink(piece.len()),
            Event::Answered { .. } => self.answers = self.answers.saturating_sub(1),
            other => {
                self.news = self.news.saturating_sub(1);
                self.has_close &= !matches!(other, Event::CloseReceived(_));
            }
        }
        Some(event)
    }

    /// Counts one more short message.
    #[inline]
    fn expect_short(&mut self) {
        match self.entries.back_mut() {
            Some(Entry::Short(count)) => *count += 1,
            _ => self.entries.push_back(Entry::Short(1)),
        }
    }

    fn short(&mut self) -> &mut Short {
        self.short.get_or_insert_default()
    }

    fn grow(&mut self, len: usize) {
        self.weight = self.weight.saturating_add(EVENT_WEIGHT.saturating_add(len));
    }

    fn shrink(&mut self, len: usize) {
        self.weight -= EVENT_WEIGHT.saturating_add(len);
    }

    #[cfg(test)]
    pub(super) fn memory(&self) -> usize {
        let short = self.short.as_ref().map_or(0, |short| {
            let places = short.places.capacity() * size_of::<Place>();
            places + short.texts.capacity() + short.binaries.capacity()
        });
        self.entries.capacity() * size_of::<Entry>() + short
    }
}

impl Place {
    fn len(self) -> usize {
        let (Self::Text(len) | Self::Binary(len)) = self;
        len.into()
    }
}

impl Short {
    fn push_text(&mut self, len: u16, text: &str) {
        if is_spent(self.texts_taken, self.texts.len()) {
            self.texts.drain(..mem::take(&mut self.texts_taken));
        }
        self.places.push_back(Place::Text(len));
        self.texts.push_str(text);
    }

    fn push_binary(&mut self, len: u16, bytes: &[u8]) {
        if is_spent(self.binaries_taken, self.binaries.len()) {
            self.binaries.drain(..mem::take(&mut self.binaries_taken));
        }
        self.places.push_back(Place::Binary(len));
        self.binaries.extend_from_slice(bytes);
    }

    fn take_text(&mut self, len: usize) -> &str {
        let start = self.texts_taken;
        self.texts_taken += len;
        self.texts.get(start..self.texts_taken).unwrap_or_default()
    }

    fn take_binary(&mut self, len: usize) -> &[u8] {
        let start = self.binaries_taken;
        self.binaries_taken += len;
        self.binaries.get(start..self.binaries_taken).unwrap_or_default()
    }
}

/// Whether most of it was handed out, so that moving the rest is cheap. Without this, an application that never quite
/// empties the queue would let it grow for ever.
fn is_spent(taken: usize, len: usize) -> bool {
    taken == len || taken >= SPENT && taken >= len / 2
}
