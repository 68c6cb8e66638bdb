//! What the application of a server wants of its clients' transfers.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bowline_core::transfer::{Leftover, TransferId};
use tokio::sync::broadcast;

use super::Server;
use crate::transfer::Verb;

/// How many orders a link may be behind. Pauses that it misses are found when the transfer begins on the next one.
const BEHIND: usize = 1024;

/// Brings orders to the links, and remembers the pauses, which outlive them.
#[derive(Clone, Debug)]
pub(super) struct Orders {
    paused: Arc<Mutex<BTreeSet<TransferId>>>,
    links: broadcast::Sender<(TransferId, Verb)>,
}

impl Default for Orders {
    fn default() -> Self {
        Self { paused: Arc::default(), links: broadcast::channel(BEHIND).0 }
    }
}

impl Orders {
    pub(super) fn listen(&self) -> broadcast::Receiver<(TransferId, Verb)> {
        self.links.subscribe()
    }

    pub(super) fn is_paused(&self, id: TransferId) -> bool {
        self.paused().contains(&id)
    }

    /// A transfer has ended: nothing is left to be paused.
    pub(super) fn forget(&self, id: TransferId) {
        self.paused().remove(&id);
    }

    fn give(&self, id: TransferId, verb: Verb) {
        // Nobody may be connected.
        let _ = self.links.send((id, verb));
    }

    fn paused(&self) -> MutexGuard<'_, BTreeSet<TransferId>> {
        self.paused.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Server {
    /// Stops the bytes of a transfer until [`resume`](Self::resume), also on its later links. The id is that of a
    /// [`ServerEvent::Began`](super::ServerEvent::Began).
    pub fn pause(&self, id: TransferId) {
        self.orders.paused().insert(id);
        self.orders.give(id, Verb::Pause);
    }

    /// Takes a [`pause`](Self::pause) back. It moves again if the client has not paused it too.
    pub fn resume(&self, id: TransferId) {
        self.orders.forget(id);
        self.orders.give(id, Verb::Resume);
    }

    /// Ends a transfer that is under way, and says what is to become of the part that its receiver has. The client is
    /// told. One whose client is away is not ended: it offers again.
    pub fn cancel(&self, id: TransferId, leftover: Leftover) {
        self.orders.forget(id);
        self.orders.give(id, Verb::Cancel(leftover));
    }
}
