//! Letters to a thread that waits for a socket.

use std::collections::VecDeque;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bowline_host::messages::Wake;

use crate::wait::Waker;

/// Where letters to a thread are left. The thread is woken if it waits. Clones are the same box.
pub(crate) struct Post<M>(Arc<Shared<M>>);

struct Shared<M> {
    state: Mutex<State<M>>,
    waker: Waker,
}

struct State<M> {
    letters: VecDeque<M>,
    /// Whether the thread waits, and will not look here until it is woken.
    is_waiting: bool,
    /// Whether somebody has called without a letter.
    is_stirred: bool,
    /// Whether nobody will look here any longer.
    is_closed: bool,
}

impl<M> Post<M> {
    pub(crate) fn new(waker: Waker) -> Self {
        let state =
            State { letters: VecDeque::new(), is_waiting: false, is_stirred: false, is_closed: false };
        Self(Arc::new(Shared { state: Mutex::new(state), waker }))
    }

    /// Leaves a letter. Returns false, and drops it, if nobody will look here any longer.
    pub(crate) fn send(&self, letter: M) -> bool {
        let mut state = self.lock();
        if state.is_closed {
            // Dropping its contents may have effects of its own.
            drop(state);
            return false;
        }
        state.letters.push_back(letter);
        let wakes = std::mem::take(&mut state.is_waiting);
        drop(state);
        if wakes {
            self.0.waker.wake();
        }
        true
    }

    /// Makes the thread look around, whether it waits already or is about to.
    pub(crate) fn stir(&self) {
        let mut state = self.lock();
        state.is_stirred = true;
        let wakes = std::mem::take(&mut state.is_waiting);
        drop(state);
        if wakes {
            self.0.waker.wake();
        }
    }

    /// All letters so far.
    pub(crate) fn take(&self) -> VecDeque<M> {
        let mut state = self.lock();
        (state.is_waiting, state.is_stirred) = (false, false);
        std::mem::take(&mut state.letters)
    }

    /// The thread is about to wait; returns false if there are letters or calls, so that it must not.
    pub(crate) fn may_wait(&self) -> bool {
        let mut state = self.lock();
        state.is_waiting = state.letters.is_empty() && !state.is_stirred;
        state.is_waiting
    }

    /// From now on nobody looks here. Returns the remaining letters.
    pub(crate) fn close(&self) -> VecDeque<M> {
        let mut state = self.lock();
        state.is_closed = true;
        std::mem::take(&mut state.letters)
    }

    fn lock(&self) -> MutexGuard<'_, State<M>> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<M: Send + 'static> Post<M> {
    /// A waker that [stirs](Self::stir) the thread.
    pub(crate) fn waker(&self) -> Wake {
        let post = self.clone();
        Arc::new(move || post.stir())
    }
}

impl<M> Clone for Post<M> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<M> fmt::Debug for Post<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Post").field("letters", &self.lock().letters.len()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wait::waker;
    use std::time::Duration;

    #[test]
    fn a_letter_wakes_the_waiting_thread_and_prevents_a_wait_before_it() {
        let (waker, wakened) = waker().unwrap();
        let post = Post::new(waker);
        let woken = || wakened.wait(Some(Duration::ZERO)).unwrap();
        assert!(post.send(1) && !woken(), "nobody waits");
        assert!(!post.may_wait(), "there is a letter");
        assert_eq!(post.take(), [1]);
        assert!(post.may_wait(), "who could not wait would never rest");
        assert!(post.send(2) && post.send(3) && woken());
        assert!(!woken(), "once is enough");
        assert_eq!(post.take(), [2, 3]);
        post.stir();
        assert!(!post.may_wait() && !woken(), "it was called, and does not wait");
        assert!(post.take().is_empty() && post.may_wait());
        post.stir();
        assert!(woken() && post.send(2) && post.send(3));
        assert_eq!(post.close(), [2, 3]);
        assert!(!post.send(4), "nobody looks any more");
    }
}
