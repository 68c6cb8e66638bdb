//! What an application can do to a running transfer.

use std::fmt;
use std::sync::Arc;

use bowline_core::transfer::{Leftover, TransferId};

use super::Verb;

/// Tells the owner of the transfers what to do with one of them.
pub type Tell = Arc<dyn Fn(TransferId, Verb) + Send + Sync>;

/// Pauses, resumes and cancels a transfer; it can be kept while waiting for the end. It has no effect on a transfer
/// that has ended.
#[derive(Clone)]
pub struct Control {
    id: TransferId,
    tell: Tell,
}

impl Control {
    /// For the transfer with this id.
    pub fn new(id: TransferId, tell: Tell) -> Self {
        Self { id, tell }
    }

    /// Its id on the wire. It is a secret of the two ends.
    pub fn id(&self) -> TransferId {
        self.id
    }

    /// Stops its bytes until [`resume`](Self::resume), across links. Others use its share meanwhile.
    pub fn pause(&self) {
        (self.tell)(self.id, Verb::Pause);
    }

    /// Ends a [`pause`](Self::pause). Bytes move again unless the peer has paused it too.
    pub fn resume(&self) {
        (self.tell)(self.id, Verb::Resume);
    }

    /// Ends it early, and says what happens to the receiver's part. It ends with
    /// [`TransferError::Failed`](super::TransferError::Failed) and
    /// [`Code::Cancelled`](bowline_core::transfer::Code::Cancelled). A file that is complete by then may be moved into
    /// place all the same: that is not interrupted.
    ///
    /// A receiver that must discard a part is told until it has heard it, over the next link if necessary. If there is
    /// no more link, the part stays until it expires.
    pub fn cancel(&self, leftover: Leftover) {
        (self.tell)(self.id, Verb::Cancel(leftover));
    }
}

impl fmt::Debug for Control {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Control").field("id", &self.id).finish_non_exhaustive()
    }
}
