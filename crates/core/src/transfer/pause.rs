//! Pause and resume: either end stops the bytes of one transfer for a while, and the others get its share.
//!
//! A pause belongs to the end that asked for it, and outlives links: an end does not start a transfer that it has
//! paused, and an end that answers one pauses it again on the next link. Bytes move when neither end has paused.
//!
//! The credit of a paused transfer is void, so that the receiver can promise its memory to others. PAUSE is the last
//! thing that a sender says before it stops, whether it pauses itself or answers its receiver, and it counts its
//! PAUSEs. A receiver's RESUME says how many of them it has heard. So both know which acknowledgements are older than
//! the pause.

use super::receive::Incoming;
use super::send::Outgoing;
use super::{TransferId, Transfers};
use crate::Instant;

/// Who has paused a transfer.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Halt {
    /// This end.
    pub(super) here: bool,
    /// Whether our PAUSE left on this link, with no RESUME after it.
    pub(super) said: bool,
    /// The other end, and since when.
    pub(super) there: Option<Instant>,
}

impl Halt {
    /// Whether no bytes may move.
    pub(super) fn is_on(&self) -> bool {
        self.here || self.there.is_some()
    }

    /// A new link: the other end repeats its pause, or it is over.
    pub(super) fn begin_link(&mut self) {
        *self = Self { here: self.here, ..Self::default() };
    }
}

impl Transfers {
    /// Stops the bytes of a transfer until [`resume`](Self::resume), on this link and all later ones. Bytes that are
    /// under way still arrive, and a file that has completely arrived is finished. Returns false if there is no such
    /// transfer.
    ///
    /// A pause of ours has no deadline. A pause of the peer is accepted for
    /// [`pause_timeout`](super::Config::pause_timeout).
    pub fn pause(&mut self, now: Instant, id: TransferId) -> bool {
        self.advance(now);
        if !self.sends(id) && !self.receives(id) {
            return false;
        }
        self.paused.insert(id);
        self.outgoing_step(now, id, Outgoing::pause);
        self.incoming_step(now, id, Incoming::pause);
        self.note(id);
        true
    }

    /// Ends our [`pause`](Self::pause). Returns false if we had not paused it. Bytes move again unless the peer has
    /// paused it too.
    pub fn resume(&mut self, now: Instant, id: TransferId) -> bool {
        self.advance(now);
        if !self.paused.remove(&id) {
            return false;
        }
        self.outgoing_step(now, id, Outgoing::resume);
        self.incoming_step(now, id, Incoming::resume);
        if self.outgoing.get(&id).is_some_and(|outgoing| outgoing.wants_offer(self.now)) {
            self.turns.leave(id);
            self.turns.wait(id);
        }
        if self.wanted.get_mut(&id).is_some_and(|wanted| wanted.wake(self.now)) {
            self.asking.push_back(id);
        }
        self.note(id);
        true
    }

    /// Whether this end has paused a transfer.
    pub fn is_paused(&self, id: TransferId) -> bool {
        self.paused.contains(&id)
    }
}
