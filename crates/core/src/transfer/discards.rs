//! Parts that a receiver must discard, until it is known to have heard of it.
//!
//! A CANCEL has no answer, and a link that seems alive may be gone. So a PROBE follows it, and whatever was not
//! confirmed by a PROBE_ACK is said again on the next link.

use super::TransferId;
use super::wire::Offer;
use alloc::collections::BTreeMap;
use core::mem;

/// Parts that a receiver must discard, each with an offer that names it.
#[derive(Debug, Default)]
pub(super) struct Discards {
    /// Those that were not named on this link.
    waiting: BTreeMap<TransferId, Offer>,
    /// Those that were named on this link, each with the number of the PROBE behind it.
    told: BTreeMap<TransferId, (u64, Offer)>,
    /// How many PROBEs have left, and whether the last of them is unanswered.
    probes: u64,
    is_asked: bool,
}

impl Discards {
    /// This part will be named as soon as possible.
    pub(super) fn insert(&mut self, id: TransferId, offer: Offer) {
        self.waiting.insert(id, offer);
    }

    /// This part was just named.
    pub(super) fn handle_told(&mut self, id: TransferId, offer: Offer) {
        self.told.insert(id, (self.probes + 1, offer));
    }

    /// The PROBE with this number was answered, so everything named before it was heard. Returns false if no answer was
    /// expected.
    pub(super) fn handle_answered(&mut self, probe: u64) -> bool {
        let is_it = self.is_asked && probe == self.probes;
        if is_it {
            self.is_asked = false;
            self.told.retain(|_, (behind, _)| *behind > probe);
        }
        is_it
    }

    /// The link is gone.
    pub(super) fn handle_link_down(&mut self) {
        self.is_asked = false;
        let unheard = mem::take(&mut self.told).into_iter();
        self.waiting.extend(unheard.map(|(id, (_, offer))| (id, offer)));
    }

    /// This part is not to be discarded any more. Returns whether it may still be there.
    pub(super) fn remove(&mut self, id: TransferId) -> bool {
        self.waiting.remove(&id).is_some() | self.told.remove(&id).is_some()
    }

    /// Whether a part waits to be named.
    pub(super) fn are_waiting(&self) -> bool {
        !self.waiting.is_empty()
    }

    /// The next part to name, of those that the peer accepts.
    pub(super) fn next(&mut self, takes: impl Fn(&Offer) -> bool) -> Option<(TransferId, Offer)> {
        let id = *self.waiting.iter().find(|(_, offer)| takes(offer))?.0;
        self.waiting.remove_entry(&id)
    }

    /// The number of a PROBE to send, if any: only one is outstanding at a time, however many parts were named.
    pub(super) fn probe(&mut self) -> Option<u64> {
        if self.is_asked || self.told.is_empty() {
            return None;
        }
        self.is_asked = true;
        self.probes += 1;
        Some(self.probes)
    }
}
