//! Who came in by a door of the server and has not asked yet.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bowline_host::server::COURTESY;

use super::link::Letter;
use crate::clock::Clock;
use crate::post::Post;

type Standing = bowline_host::server::Porch<Post<Letter>>;

/// Those of all doors. Clones are the same.
#[derive(Clone, Debug)]
pub(super) struct Porch {
    standing: Arc<Mutex<Standing>>,
    clock: Clock,
}

/// Where one of them stands, until this is dropped or he has asked.
#[derive(Debug)]
pub(super) struct Stand {
    porch: Porch,
    number: u64,
}

impl Porch {
    pub(super) fn new(clock: Clock) -> Self {
        Self { standing: Arc::default(), clock }
    }

    /// Somebody has a place; he is called when he has to go.
    pub(super) fn enter(&self, post: &Post<Letter>) -> Stand {
        let number = self.lock().enter(self.clock.now(), post.clone());
        Stand { porch: self.clone(), number }
    }

    /// All places are taken, and somebody waits for one. Says after what time to ask again.
    pub(super) fn make_room(&self) -> Duration {
        let now = self.clock.now();
        let mut standing = self.lock();
        if let Some(post) = standing.make_room(now) {
            post.stir();
        }
        // The thread of one who has a place may not have begun, and another door may let somebody in.
        standing.poll_timeout().map_or(COURTESY, |due| due - now)
    }

    /// Whether anybody may have to go.
    #[cfg(test)]
    pub(super) fn is_looked_at(&self) -> bool {
        self.lock().poll_timeout().is_some()
    }

    fn lock(&self) -> MutexGuard<'_, Standing> {
        self.standing.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Stand {
    /// He keeps his place.
    pub(super) fn leave(&self) {
        self.porch.lock().leave(self.number);
    }

    /// Whether he was called.
    pub(super) fn has_to_go(&self) -> bool {
        !self.porch.lock().is_standing(self.number)
    }
}

impl Drop for Stand {
    fn drop(&mut self) {
        self.leave();
    }
}
