//! When each transfer has something to do, found without looking at all of them.

use super::TransferId;
use crate::Instant;
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec::Vec;

/// The deadlines of all transfers, the earliest first.
///
/// Each transfer computes its own deadline from its facts; code that changes those facts must enter it here again.
#[derive(Debug, Default)]
pub(super) struct Agenda {
    order: BTreeSet<(Instant, TransferId)>,
    of: BTreeMap<TransferId, Instant>,
}

impl Agenda {
    /// This transfer has something to do at `deadline`, and at no other time.
    pub(super) fn enter(&mut self, id: TransferId, deadline: Option<Instant>) {
        let before = match deadline {
            Some(deadline) => self.of.insert(id, deadline),
            None => self.of.remove(&id),
        };
        if before == deadline {
            return;
        }
        if let Some(before) = before {
            self.order.remove(&(before, id));
        }
        if let Some(deadline) = deadline {
            self.order.insert((deadline, id));
        }
    }

    pub(super) fn first(&self) -> Option<Instant> {
        self.order.first().map(|(deadline, _)| *deadline)
    }

    /// The transfers that are due, the longest waiting first.
    pub(super) fn due(&self, now: Instant) -> Vec<TransferId> {
        self.order.iter().take_while(|(deadline, _)| *deadline <= now).map(|(_, id)| *id).collect()
    }

    /// The first transfers, at most this many.
    pub(super) fn next(&self, most: usize) -> Vec<TransferId> {
        self.order.iter().take(most).map(|(_, id)| *id).collect()
    }

    pub(super) fn clear(&mut self) {
        self.order.clear();
        self.of.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(n: u8) -> TransferId {
        TransferId::from_bytes([n; 16])
    }

    #[test]
    fn the_earliest_entry_is_first_and_a_new_entry_replaces_the_old() {
        let at = Instant::from_secs;
        let mut agenda = Agenda::default();
        agenda.enter(id(1), Some(at(5)));
        agenda.enter(id(2), Some(at(3)));
        agenda.enter(id(3), Some(at(4)));
        assert_eq!(agenda.first(), Some(at(3)));
        assert_eq!(agenda.due(at(4)), [id(2), id(3)]);
        agenda.enter(id(2), Some(at(9)));
        assert_eq!(agenda.next(2), [id(3), id(1)]);
        agenda.enter(id(3), None);
        agenda.enter(id(3), None);
        assert_eq!((agenda.first(), agenda.due(at(4))), (Some(at(5)), Vec::new()));
        agenda.clear();
        assert_eq!(agenda.first(), None);
    }
}
