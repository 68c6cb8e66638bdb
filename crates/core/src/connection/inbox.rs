//! Events that wait for the application.

use super::Event;
use alloc::collections::VecDeque;

/// What an event counts for beyond the bytes of its message, so that empty messages fill the queue too.
const EVENT_WEIGHT: usize = 64;
/// So much other news may wait: an application that does not listen for hours misses what was old then.
const MAX_NEWS: usize = 64;

#[derive(Debug)]
pub(super) struct Inbox {
    events: VecDeque<Event>,
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

impl Inbox {
    pub(super) fn new(limit: usize) -> Self {
        Self {
            events: VecDeque::new(),
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
            Event::Message(_) | Event::Piece(_) => self.weight = self.weight.saturating_add(weight(&event)),
            Event::CloseReceived(_) => {
                self.news += 1;
                self.has_close = true;
            }
            Event::CloseSent(_) => self.news += 1,
            Event::Closed(_) => self.is_closed = true,
            _ if self.news >= MAX_NEWS => return,
            _ => self.news += 1,
        }
        self.events.push_back(event);
    }

    pub(super) fn pop(&mut self) -> Option<Event> {
        let event = self.events.pop_front();
        self.is_awaited = event.is_none();
        let event = event?;
        match &event {
            Event::Message(_) | Event::Piece(_) => self.weight -= weight(&event),
            Event::CloseReceived(_) => {
                self.news = self.news.saturating_sub(1);
                self.has_close = false;
            }
            _ => self.news = self.news.saturating_sub(1),
        }
        if self.events.is_empty() && self.events.capacity() > 4 {
            self.events = VecDeque::new();
        }
        Some(event)
    }

    /// Whether as many bytes wait as may.
    pub(super) fn is_full(&self) -> bool {
        self.weight >= self.limit
    }

    pub(super) fn is_empty(&self) -> bool {
        self.events.is_empty()
    }

    /// Whether messages wait.
    pub(super) fn has_messages(&self) -> bool {
        self.weight > 0
    }

    /// Whether the next one is neither a message nor the peer's Close nor the end.
    pub(super) fn has_news(&self) -> bool {
        let is_more =
            |event: &Event| matches!(event, Event::Message(_) | Event::CloseReceived(_) | Event::Closed(_));
        self.events.front().is_some_and(|event| !is_more(event))
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
}

fn weight(event: &Event) -> usize {
    match event {
        Event::Message(message) => EVENT_WEIGHT.saturating_add(message.len()),
        Event::Piece(piece) => EVENT_WEIGHT.saturating_add(piece.len()),
        _ => 0,
    }
}
