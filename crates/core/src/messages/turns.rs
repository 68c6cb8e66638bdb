//! What sessions have to tell, until somebody listens.

use alloc::collections::VecDeque;

/// Turns in the lives of sessions, in order and bounded. Whoever does not listen misses the oldest of them, but none
/// that hands messages back: of those there are no more than the application has sent messages.
#[derive(Debug)]
pub(super) struct Turns<E> {
    queue: VecDeque<E>,
    most: usize,
}

impl<E> Turns<E> {
    /// So many at most.
    pub(super) fn new(most: usize) -> Self {
        Self { queue: VecDeque::new(), most }
    }

    /// Something has happened. `is_passing` says of a turn that whoever does not hear of it has lost no message.
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
