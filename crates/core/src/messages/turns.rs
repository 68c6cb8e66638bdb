//! The events of sessions, until somebody polls them.

use alloc::collections::VecDeque;

/// Events in the lives of sessions, in order and limited in number. If nobody polls, the oldest are lost, but never one
/// that returns messages: of those there are at most as many as the application has sent messages.
#[derive(Debug)]
pub(super) struct Turns<E> {
    queue: VecDeque<E>,
    most: usize,
}

impl<E> Turns<E> {
    /// Keeps at most this many.
    pub(super) fn new(most: usize) -> Self {
        Self { queue: VecDeque::new(), most }
    }

    /// Adds an event. `is_passing` says whether missing an event loses no message.
    pub(super) fn push(&mut self, turn: E, is_passing: impl FnMut(&E) -> bool) {
        self.queue.push_back(turn);
        if self.queue.len() > self.most {
            if let Some(oldest) = self.queue.iter().position(is_passing) {
                self.queue.remove(oldest);
            }
        }
    }

    pub(super) fn pop(&mut self) -> Option<E> {
        self.queue.pop_front()
    }
}
