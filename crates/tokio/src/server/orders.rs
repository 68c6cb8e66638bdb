//! What the application of a server wants done to its clients' transfers.

use bowline_core::transfer::{Leftover, TransferId};
use bowline_host::transfer::Verb;

use super::{Access, Server};

impl Server {
    /// Changes who may connect, and what each may do, from now on. Connections whose token is no longer known, or now
    /// permits something else, end with a sentence. Their clients reconnect with the token that they have by then, and
    /// their transfers continue.
    pub fn set_access(&self, access: Access) {
        self.house.set_access(access);
    }

    /// Stops the bytes of a transfer until [`resume`](Self::resume), on its later links too. The id is that of a
    /// [`ServerEvent::Began`](super::ServerEvent::Began).
    pub fn pause(&self, id: TransferId) {
        self.house.order(id, Verb::Pause);
    }

    /// Ends a [`pause`](Self::pause). The transfer moves again unless the client has paused it too.
    pub fn resume(&self, id: TransferId) {
        self.house.order(id, Verb::Resume);
    }

    /// Ends a running transfer, and says what happens to the receiver's part. The client is told. A transfer whose
    /// client is not connected does not end: the client will offer it again.
    pub fn cancel(&self, id: TransferId, leftover: Leftover) {
        self.house.order(id, Verb::Cancel(leftover));
    }
}
