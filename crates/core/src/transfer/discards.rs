//! Parts that a receiver is to throw away, until it is known to have heard of that.
//!
//! A CANCEL has no answer, and a link that seems to live may be gone. So a PROBE follows it, and what no PROBE_ACK has come
//! behind is said again on the next link.

use super::TransferId;
use super::wire::Offer;
use alloc::collections::BTreeMap;
use core::mem;

/// Parts that a receiver is to throw away, each with an offer that names it.
#[derive(Debug, Default)]
pub(super) struct Discards {
    /// Those that nothing was said of on this link.
    waiting: BTreeMap<TransferId, Offer>,
    /// Those that were named on this link, and the number of the PROBE behind that.
    told: BTreeMap<TransferId, (u64, Offer)>,
    /// How many PROBEs have left, and whether the last of them waits for its answer.
    probes: u64,
    is_asked: bool,
}

impl Discards {
    /// This one is named as soon as that is possible.
    pub(super) fn insert(&mut self, id: TransferId, offer: Offer) {
        self.waiting.insert(id, offer);
    }

    /// This one was named right now.
    pub(super) fn handle_told(&mut self, id: TransferId, offer: Offer) {
        self.told.insert(id, (self.probes + 1, offer));
    }

    /// The PROBE with this number has its answer: what was named before it was heard. False if nobody waits for that.
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

    /// This one is not to be thrown away any more. Says whether it may still be there.
    pub(super) fn remove(&mut self, id: TransferId) -> bool {
        self.waiting.remove(&id).is_some() | self.told.remove(&id).is_some()
    }

    /// Whether one waits to be named.
    pub(super) fn are_waiting(&self) -> bool {
        !self.waiting.is_empty()
    }

    /// The next one to be named, of those that the peer takes.
    pub(super) fn next(&mut self, takes: impl Fn(&Offer) -> bool) -> Option<(TransferId, Offer)> {
        let id = *self.waiting.iter().find(|(_, offer)| takes(offer))?.0;
        self.waiting.remove_entry(&id)
    }

    /// The number of a PROBE, if one is to leave: one at a time, however many were named.
    pub(super) fn probe(&mut self) -> Option<u64> {
        if self.is_asked || self.told.is_empty() {
            return None;
        }
        self.is_asked = true;
        self.probes += 1;
        Some(self.probes)
    }
}
