//! What the application of a server wants of its clients' transfers.

use bowline_core::transfer::{Leftover, TransferId};
use bowline_host::transfer::Verb;

use super::{Access, Server};

/// How many orders a link may be behind. Pauses that it misses are found when the transfer begins on the next one.
pub(super) const BEHIND: usize = 1024;

/// What reaches all links.
#[derive(Clone, Copy, Debug)]
pub(super) enum Order {
    /// This is wanted of a transfer, which is on one of them.
    Tell(TransferId, Verb),
    /// Something has changed that each looks at by itself.
    Look,
}

impl Server {
    /// Others may come from now on, or may do something else. Connections whose token is not known any more, or allows
    /// something else, end with a sentence; their clients come again with the token that they have by then, and their
    /// transfers go on.
    pub fn set_access(&self, access: Access) {
        self.house.set_access(access);
        // Nobody may be connected; and whoever is behind looks when next anything happens to him.
        let _ = self.orders.send(Order::Look);
    }

    /// Stops the bytes of a transfer until [`resume`](Self::resume), also on its later links. The id is that of a
    /// [`ServerEvent::Began`](super::ServerEvent::Began).
    pub fn pause(&self, id: TransferId) {
        self.order(id, Verb::Pause);
    }

    /// Takes a [`pause`](Self::pause) back. It moves again if the client has not paused it too.
    pub fn resume(&self, id: TransferId) {
        self.order(id, Verb::Resume);
    }

    /// Ends a transfer that is under way, and says what is to become of the part that its receiver has. The client is
    /// told. One whose client is away is not ended: it offers again.
    pub fn cancel(&self, id: TransferId, leftover: Leftover) {
        self.order(id, Verb::Cancel(leftover));
    }

    fn order(&self, id: TransferId, verb: Verb) {
        self.house.order(id, verb);
        // Nobody may be connected.
        let _ = self.orders.send(Order::Tell(id, verb));
    }
}
