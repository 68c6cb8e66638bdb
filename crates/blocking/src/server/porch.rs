//! The clients of the server's listeners that have not sent their requests.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bowline_host::server::COURTESY;

use super::link::Letter;
use crate::clock::Clock;
use crate::post::Post;

type Standing = bowline_host::server::Porch<Post<Letter>>;

/// Those of all listeners. Clones are the same one.
#[derive(Clone, Debug)]
pub(super) struct Porch {
    standing: Arc<Mutex<Standing>>,
    clock: Clock,
}

/// The position of one of them, until this is dropped or its request has arrived.
#[derive(Debug)]
pub(super) struct Stand {
    porch: Porch,
    number: u64,
}

impl Porch {
    pub(super) fn new(clock: Clock) -> Self {
        Self { standing: Arc::default(), clock }
    }

    /// A client has a place; it is called when it must leave.
    pub(super) fn enter(&self, post: &Post<Letter>) -> Stand {
        let number = self.lock().enter(self.clock.now(), post.clone());
        Stand { porch: self.clone(), number }
    }

    /// All places are taken, and another client waits. Returns after what time to call this again.
    pub(super) fn make_room(&self) -> Duration {
        let now = self.clock.now();
        let mut standing = self.lock();
        if let Some(post) = standing.make_room(now) {
            post.stir();
        }
        // The thread of a client with a place may not have started, and another listener may let somebody in.
        standing.poll_timeout().map_or(COURTESY, |due| due - now)
    }

    /// Whether any client may have to leave.
    #[cfg(test)]
    pub(super) fn is_looked_at(&self) -> bool {
        self.lock().poll_timeout().is_some()
    }

    fn lock(&self) -> MutexGuard<'_, Standing> {
        self.standing.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Stand {
    /// The client keeps its place.
    pub(super) fn leave(&self) {
        self.porch.lock().leave(self.number);
    }

    /// Whether the client was called.
    pub(super) fn has_to_go(&self) -> bool {
        !self.porch.lock().is_standing(self.number)
    }
}

impl Drop for Stand {
    fn drop(&mut self) {
        self.leave();
    }
}
