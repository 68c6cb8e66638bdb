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
    /// The next text in [`Short`], of this length.
    Text(usize),
    /// The next binary message there.
    Binary(usize),
}

/// Short messages one behind the other: whoever has them lent needs no allocation for each.
#[derive(Debug, Default)]
struct Short {
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
        self.entries.push_back(Entry::Text(text.len()));
        self.short().push_text(text);
    }

    /// Queues a short binary message, which is copied.
    pub(super) fn push_binary(&mut self, bytes: &[u8]) {
        self.grow(bytes.len());
        self.entries.push_back(Entry::Binary(bytes.len()));
        self.short().push_binary(bytes);
    }

    /// The next event.
    pub(super) fn pop(&mut self) -> Option<Event> {
        Some(match self.take()? {
            Entry::Event(event) => event,
            Entry::Text(len) => Event::Message(Message::text(self.short().take_text(len))),
            Entry::Binary(len) => {
                let bytes = Bytes::copy_from_slice(self.short().take_binary(len));
                Event::Message(Message::Binary(bytes))
            }
        })
    }

    /// The next event, as it lies here.
    pub(super) fn lend(&mut self) -> Option<Lent<'_>> {
        Some(match self.take()? {
            Entry::Event(event) => Lent::Event(event),
            Entry::Text(len) => Lent::Text(self.short().take_text(len)),
            Entry::Binary(len) => Lent::Binary(self.short().take_binary(len)),
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
            Entry::Text(_) | Entry::Binary(_) => false,
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

    /// Takes the next entry out of the queue.
    #[inline]
    fn take(&mut self) -> Option<Entry> {
        let entry = self.entries.pop_front();
        self.is_awaited = entry.is_none();
        match entry.as_ref() {
            Some(Entry::Text(len) | Entry::Binary(len)) => self.shrink(*len),
            Some(Entry::Event(Event::Message(message))) => self.shrink(message.len()),
            Some(Entry::Event(Event::Piece(piece))) => self.shrink(piece.len()),
            Some(Entry::Event(event)) => {
                self.news = self.news.saturating_sub(1);
                self.has_close &= !matches!(event, Event::CloseReceived(_));
            }
            None if self.entries.capacity() > KEPT => self.entries = VecDeque::new(),
            None => {}
        }
        entry
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
        let short = self.short.as_ref().map_or(0, |short| short.texts.capacity() + short.binaries.capacity());
        self.entries.capacity() * size_of::<Entry>() + short
    }
}

impl Short {
    fn push_text(&mut self, text: &str) {
        if is_spent(self.texts_taken, self.texts.len()) {
            self.texts.drain(..mem::take(&mut self.texts_taken));
        }
        self.texts.push_str(text);
    }

    fn push_binary(&mut self, bytes: &[u8]) {
        if is_spent(self.binaries_taken, self.binaries.len()) {
            self.binaries.drain(..mem::take(&mut self.binaries_taken));
        }
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
