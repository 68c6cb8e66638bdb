//! What arrived while the owner was busy sending.

use std::collections::VecDeque;

use bowline_core::connection::{Event, SendError};

/// Several times as much as a sender with the usual buffers has under way.
const LIMIT: usize = 16 << 20;

/// Events that wait for the owner to receive.
#[derive(Debug)]
pub(super) struct Held {
    events: VecDeque<Event>,
    bytes: usize,
    limit: usize,
}

impl Default for Held {
    fn default() -> Self {
        Self { events: VecDeque::new(), bytes: 0, limit: LIMIT }
    }
}

impl Held {
    pub(super) fn set_limit(&mut self, most: Option<usize>) {
        self.limit = most.unwrap_or(usize::MAX);
    }

    pub(super) fn push(&mut self, event: Option<Event>) {
        self.bytes += event.as_ref().map_or(0, weight);
        self.events.extend(event);
    }

    pub(super) fn pop(&mut self) -> Option<Event> {
        let event = self.events.pop_front()?;
        self.bytes -= weight(&event);
        Some(event)
    }

    pub(super) fn is_full(&self) -> bool {
        self.bytes >= self.limit
    }

    /// How many bytes are held, and how many may be.
    pub(super) fn fill(&self) -> (usize, usize) {
        (self.bytes, self.limit)
    }
}

/// The memory that an event holds; even an empty message counts.
fn weight(event: &Event) -> usize {
    let bytes = match event {
        Event::Message(message) => message.len(),
        Event::Piece(piece) => piece.part.len(),
        _ => 0,
    };
    bytes + size_of::<Event>()
}

/// Why nothing can be sent.
pub(super) enum NoRoom {
    Closing,
    Full { held: usize, limit: usize },
}

impl NoRoom {
    /// The same as an error with what could not be sent.
    pub(super) fn of<T>(self, message: T) -> SendError<T> {
        match self {
            Self::Closing => SendError::Closing(message),
            Self::Full { held, limit } => SendError::Full { message, held, limit },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bowline_core::Message;

    #[test]
    fn an_empty_message_counts_towards_the_limit() {
        let mut held = Held::default();
        held.set_limit(Some(1));
        held.push(Some(Event::Message(Message::text(""))));
        assert!(held.is_full());
        assert!(held.pop().is_some());
        assert_eq!(held.fill(), (0, 1));
    }
}
