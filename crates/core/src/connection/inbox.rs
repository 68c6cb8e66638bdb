//! Events that wait for the application.

use super::{Event, Lent};
use crate::message::Message;
use alloc::boxed::Box;
use alloc::collections::VecDeque;
use alloc::string::String;
use alloc::vec::Vec;
use bytes::Bytes;
use core::mem;

/// What an event counts for beyond the bytes of its message, so that empty messages fill the queue too.
const EVENT_WEIGHT: usize = 64;
/// So much other news may wait: an application that does not listen for hours misses what was old then.
const MAX_NEWS: usize = 64;
/// A queue that has run empty keeps room for this many events, until [`Inbox::release`].
const KEPT: usize = 64;
/// What has been handed out of the short messages is dropped from this length on.
const SPENT: usize = 4 << 10;

#[derive(Debug)]
pub(super) struct Inbox {
    entries: VecDeque<Entry>,
    /// Once there has been one, until [`release`](Self::release).
    short: Option<Box<Short>>,
    limit: usize,
    weight: usize,
    /// How many of the events are no messages.
    news: usize,
    /// Whether the peer's Close is among them.
    has_close: bool,
    /// Whether the application wanted one more than there were.
    is_awaited: bool,
    is_closed: bool,
}

#[derive(Debug)]
enum Entry {
    Event(Event),
    /// So many short messages, the next ones in [`Short`].
    Short(usize),
}

/// What is taken out of the queue.
enum Taken {
    Event(Event),
    Short(Place),
}

/// A short message, by its length.
#[derive(Clone, Copy, Debug)]
enum Place {
    Text(usize),
    Binary(usize),
}

/// Short messages one behind the other: whoever has them lent needs no allocation for each.
#[derive(Debug, Default)]
struct Short {
    /// All that wait, in order. Thousands may come in one read, so this is much smaller than an event.
    places: VecDeque<Place>,
    texts: String,
    binaries: Vec<u8>,
    /// How much of them has been handed out.
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
            _ if self.news >= MAX_NEWS => return,
            _ => self.news += 1,
        }
        self.entries.push_back(Entry::Event(event));
    }

    /// Queues a short text, which is copied.
    pub(super) fn push_text(&mut self, text: &str) {
        self.grow(text.len());
        self.expect_short();
        self.short().push_text(text);
    }

    /// Queues a short binary message, which is copied.
    pub(super) fn push_binary(&mut self, bytes: &[u8]) {
        self.grow(bytes.len());
        self.expect_short();
        self.short().push_binary(bytes);
    }

    /// The next event.
    pub(super) fn pop(&mut self) -> Option<Event> {
        Some(match self.take()? {
            Taken::Event(event) => event,
            Taken::Short(Place::Text(len)) => Event::Message(Message::text(self.short().take_text(len))),
            Taken::Short(Place::Binary(len)) => {
                let bytes = Bytes::copy_from_slice(self.short().take_binary(len));
                Event::Message(Message::Binary(bytes))
            }
        })
    }

    /// The next event, as it lies here.
    pub(super) fn lend(&mut self) -> Option<Lent<'_>> {
        Some(match self.take()? {
            Taken::Event(event) => Lent::Event(event),
            Taken::Short(Place::Text(len)) => Lent::Text(self.short().take_text(len)),
            Taken::Short(Place::Binary(len)) => Lent::Binary(self.short().take_binary(len)),
        })
    }

    /// Gives spare memory back, if nothing waits.
    pub(super) fn release(&mut self) {
        if self.entries.is_empty() {
            self.entries = VecDeque::new();
            self.short = None;
        }
    }

    /// Whether as many bytes wait as may.
    pub(super) fn is_full(&self) -> bool {
        self.weight >= self.limit
    }

    pub(super) fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Whether messages wait.
    pub(super) fn has_messages(&self) -> bool {
        self.weight > 0
    }

    /// Whether the next one is neither a message nor the peer's Close nor the end.
    pub(super) fn has_news(&self) -> bool {
        self.entries.front().is_some_and(|entry| match entry {
            Entry::Event(event) => {
                !matches!(event, Event::Message(_) | Event::CloseReceived(_) | Event::Closed(_))
            }
            Entry::Short(_) => false,
        })
    }

    /// Whether the peer's Close waits to be taken.
    pub(super) fn has_close(&self) -> bool {
        self.has_close
    }

    /// Whether the application has seen every message, and has come back for more: it has nothing to say to them.
    pub(super) fn is_awaited(&self) -> bool {
        self.is_awaited && !self.has_messages()
    }

    /// Whether the end has been told.
    pub(super) fn is_closed(&self) -> bool {
        self.is_closed
    }

    /// Takes the next event or short message out of the queue.
    #[inline]
    fn take(&mut self) -> Option<Taken> {
        self.is_awaited = self.entries.is_empty();
        if let Some(Entry::Short(left @ 2..)) = self.entries.front_mut() {
            *left -= 1;
            return self.take_short();
        }
        match self.entries.pop_front() {
            Some(Entry::Short(_)) => self.take_short(),
            Some(Entry::Event(event)) => Some(Taken::Event(self.take_event(event))),
            None if self.entries.capacity() > KEPT => {
                self.entries = VecDeque::new();
                None
            }
            None => None,
        }
    }

    #[inline]
    fn take_short(&mut self) -> Option<Taken> {
        let place = self.short().places.pop_front()?;
        let (Place::Text(len) | Place::Binary(len)) = place;
        self.shrink(len);
        Some(Taken::Short(place))
    }

    fn take_event(&mut self, event: Event) -> Event {
        match &event {
            Event::Message(message) => self.shrink(message.len()),
            Event::Piece(piece) => self.shrink(piece.len()),
            other => {
                self.news = self.news.saturating_sub(1);
                self.has_close &= !matches!(other, Event::CloseReceived(_));
            }
        }
        event
    }

    /// One more short message waits.
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

impl Short {
    fn push_text(&mut self, text: &str) {
        if is_spent(self.texts_taken, self.texts.len()) {
            self.texts.drain(..mem::take(&mut self.texts_taken));
        }
        self.places.push_back(Place::Text(text.len()));
        self.texts.push_str(text);
    }

    fn push_binary(&mut self, bytes: &[u8]) {
        if is_spent(self.binaries_taken, self.binaries.len()) {
            self.binaries.drain(..mem::take(&mut self.binaries_taken));
        }
        self.places.push_back(Place::Binary(bytes.len()));
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

/// Whether most of it has been handed out, so that to move the rest is cheap. Somebody may take messages for ever and
/// never run out of them.
fn is_spent(taken: usize, len: usize) -> bool {
    taken == len || taken >= SPENT && taken >= len / 2
}
