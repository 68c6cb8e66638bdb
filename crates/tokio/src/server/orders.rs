//! What the application of a server wants of its clients' transfers.

use bowline_core::transfer::{Leftover, TransferId};
use bowline_host::transfer::Verb;

use super::{Access, Server};

impl Server {
    /// Changes who may connect, and what each may do, from now on. Connections whose token is no longer known, or now
    /// allows something else, end with a sentence. Their clients reconnect with the token that they have by then, and
    /// their transfers continue.
    pub fn set_access(&self, access: Access) {
        self.house.set_access(access);
    }

    /// Stops the bytes of a transfer until [`resume`](Self::resume), also on its later links. The id is that of a
    /// [`ServerEvent::Began`](super::ServerEvent::Began).
    pub fn pause(&self, id: TransferId) {
        self.house.order(id, Verb::Pause);
    }

    /// Takes a [`pause`](Self::pause) back. The transfer moves again if the client has not paused it too.
    pub fn resume(&self, id: TransferId) {
        self.house.order(id, Verb::Resume);
    }

    /// Ends a transfer that is under way, and says what is to happen to the part that its receiver has. The client is
    /// told. A transfer whose client is away does not end: the client offers it again.
    pub fn cancel(&self, id: TransferId, leftover: Leftover) {
        self.house.order(id, Verb::Cancel(leftover));
    }
}
