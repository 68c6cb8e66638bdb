//! What an application does to a transfer under way.

use std::fmt;
use std::sync::Arc;

use bowline_core::transfer::{Leftover, TransferId};

use super::Verb;

/// Tells whoever keeps the transfers what is wanted of one.
pub type Tell = Arc<dyn Fn(TransferId, Verb) + Send + Sync>;

/// Pauses, resumes and cancels a transfer; whoever waits for its end can keep it meanwhile. What has ended takes no notice.
#[derive(Clone)]
pub struct Control {
    id: TransferId,
    tell: Tell,
}

impl Control {
    /// That of the transfer with this id.
    pub fn new(id: TransferId, tell: Tell) -> Self {
        Self { id, tell }
    }

    /// The id that it has on the wire. It is a secret between the two ends.
    pub fn id(&self) -> TransferId {
        self.id
    }

    /// Stops its bytes until [`resume`](Self::resume), over as many links as it takes. Others use its share meanwhile.
    pub fn pause(&self) {
        (self.tell)(self.id, Verb::Pause);
    }

    /// Takes [`pause`](Self::pause) back. It moves again if the peer has not paused it too.
    pub fn resume(&self) {
        (self.tell)(self.id, Verb::Resume);
    }

    /// Ends it before its time, and says what is to become of the part that the receiver has. It ends with
    /// [`TransferError::Failed`](super::TransferError::Failed) and
    /// [`Code::Cancelled`](bowline_core::transfer::Code::Cancelled). A file that is whole by then may be in its place all
    /// the same: one that is on its way there is not stopped.
    ///
    /// Whoever is to throw a part away is told until it has heard that, over the next link if need be. Where there is none any more,
    /// the part stays until it expires.
    pub fn cancel(&self, leftover: Leftover) {
        (self.tell)(self.id, Verb::Cancel(leftover));
    }
}

impl fmt::Debug for Control {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Control").field("id", &self.id).finish_non_exhaustive()
    }
}
