//! What the application of a server wants of its clients' transfers.

use bowline_core::transfer::{Leftover, TransferId};
use bowline_host::transfer::Verb;

use super::{Access, Server};

impl Server {
    /// Others may come from now on, or may do something else. Connections whose token is not known any more, or allows
    /// something else, end with a sentence; their clients come again with the token that they have by then, and their
    /// transfers go on.
    pub fn set_access(&self, access: Access) {
        self.house.set_access(access);
    }

    /// Stops the bytes of a transfer until [`resume`](Self::resume), also on its later links. The id is that of a
    /// [`ServerEvent::Began`](super::ServerEvent::Began).
    pub fn pause(&self, id: TransferId) {
        self.house.order(id, Verb::Pause);
    }

    /// Takes a [`pause`](Self::pause) back. It moves again if the client has not paused it too.
    pub fn resume(&self, id: TransferId) {
        self.house.order(id, Verb::Resume);
    }

    /// Ends a transfer that is under way, and says what is to become of the part that its receiver has. The client is
    /// told. One whose client is away is not ended: it offers again.
    pub fn cancel(&self, id: TransferId, leftover: Leftover) {
        self.house.order(id, Verb::Cancel(leftover));
    }
}
