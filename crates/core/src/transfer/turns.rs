//! Which transfer is offered next, and whose chunk is next.
//!
//! Transfers are offered in the order in which they came, as many at once as the peer accepts. Open transfers share the
//! link by weighted fair queueing: what a transfer has sent, divided by its weight, is its *due*, and the transfer with
//! the least due is next. So small files do not wait behind large ones, and the order of chunks does not depend on
//! their sizes.

use super::TransferId;
use alloc::collections::{BTreeMap, VecDeque};
use alloc::vec::Vec;
use core::mem;

/// The due of one byte, before it is divided by the weight.
const UNIT: u64 = 1 << 16;

/// Outgoing transfers, by what they wait for.
#[derive(Debug, Default)]
pub(super) struct Turns {
    /// Waiting to be offered.
    waiting: VecDeque<TransferId>,
    /// Under way, the least due first.
    shares: Vec<Share>,
    /// Those with nothing to send until something happens to them: very many may wait for an answer.
    asleep: BTreeMap<TransferId, Share>,
    /// The due of the transfer served last.
    clock: u64,
    /// The least due of a transfer that wakes up now.
    floor: u64,
}

#[derive(Debug)]
struct Share {
    id: TransferId,
    weight: u64,
    due: u64,
}

impl Turns {
    /// A new transfer, or one that must be offered again.
    pub(super) fn wait(&mut self, id: TransferId) {
        self.drop_share(id);
        self.waiting.push_back(id);
    }

    /// The link is gone: transfers under way are offered first on the next one, in their present order.
    pub(super) fn wait_all(&mut self, waits: impl Fn(TransferId) -> bool) {
        self.wake_all();
        for share in self.shares.iter().rev().filter(|share| waits(share.id)) {
            self.waiting.push_front(share.id);
        }
        self.shares.retain(|share| !waits(share.id));
    }

    /// The transfer that waits longest.
    pub(super) fn first_waiting(&self) -> Option<TransferId> {
        self.waiting.front().copied()
    }

    /// Removes the transfer that has waited longest.
    pub(super) fn drop_first(&mut self) {
        self.waiting.pop_front();
    }

    /// This transfer is open. Each step of priority is one more share of the link.
    pub(super) fn join(&mut self, id: TransferId, priority: u16) {
        self.drop_share(id);
        self.insert(Share { id, weight: u64::from(priority) + 1, due: self.clock });
    }

    /// This transfer has ended.
    pub(super) fn leave(&mut self, id: TransferId) {
        if !self.drop_share(id) {
            self.waiting.retain(|waiting| *waiting != id);
        }
    }

    /// Something has happened to this transfer, so it may have something to send.
    pub(super) fn wake(&mut self, id: TransferId) {
        if let Some(share) = self.asleep.remove(&id) {
            self.rouse(share);
        }
    }

    /// The same for all of them.
    pub(super) fn wake_all(&mut self) {
        for share in mem::take(&mut self.asleep).into_values() {
            self.rouse(share);
        }
    }

    /// The transfers under way that may have something to send, the next one first.
    pub(super) fn ids(&self) -> impl Iterator<Item = TransferId> {
        self.shares.iter().map(|share| share.id)
    }

    /// The first `count` of [`ids`](Self::ids) have nothing to send until they are [woken](Self::wake).
    pub(super) fn skip(&mut self, count: usize) {
        let count = count.min(self.shares.len());
        self.asleep.extend(self.shares.drain(..count).map(|share| (share.id, share)));
    }

    /// The first of [`ids`](Self::ids) has sent this many bytes.
    pub(super) fn serve(&mut self, len: u64) {
        if self.shares.is_empty() {
            return;
        }
        let mut served = self.shares.remove(0);
        self.clock = self.clock.max(served.due);
        let cost = len.saturating_mul(UNIT);
        // A transfer with nothing to send may catch up by two such chunks, but does not save up its turns for ever.
        self.floor = self.clock.saturating_sub(cost.saturating_mul(2));
        served.due = served.due.saturating_add(cost / served.weight);
        self.insert(served);
    }

    /// Removes the share of this transfer; returns whether it had one.
    fn drop_share(&mut self, id: TransferId) -> bool {
        if self.asleep.remove(&id).is_some() {
            return true;
        }
        let before = self.shares.len();
        self.shares.retain(|share| share.id != id);
        self.shares.len() < before
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.waiting.len() + self.shares.len() + self.asleep.len()
    }

    fn rouse(&mut self, mut share: Share) {
        share.due = share.due.max(self.floor);
        self.insert(share);
    }

    fn insert(&mut self, share: Share) {
        let place = self.shares.partition_point(|other| other.due <= share.due);
        self.shares.insert(place, share);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::collections::BTreeMap;

    fn id(n: u8) -> TransferId {
        TransferId::from_bytes([n; 16])
    }

    /// How many of the next `chunks` each transfer sends, while those in `dry` have none; afterwards these have some.
    fn served(turns: &mut Turns, chunks: usize, len: u64, dry: &[u8]) -> BTreeMap<TransferId, usize> {
        let mut counts = BTreeMap::new();
        for _ in 0..chunks {
            let next = turns.ids().enumerate().find(|(_, next)| !dry.iter().any(|n| id(*n) == *next));
            let Some((place, next)) = next else { break };
            *counts.entry(next).or_default() += 1;
            turns.skip(place);
            turns.serve(len);
        }
        for n in dry {
            turns.wake(id(*n));
        }
        counts
    }

    fn counts<const N: usize>(of: [(u8, usize); N]) -> BTreeMap<TransferId, usize> {
        of.into_iter().map(|(n, count)| (id(n), count)).collect()
    }

    #[test]
    fn equal_transfers_get_equal_shares() {
        let mut turns = Turns::default();
        for n in 1..=3 {
            turns.join(id(n), 0);
        }
        assert_eq!(served(&mut turns, 9, 1000, &[]), counts([(1, 3), (2, 3), (3, 3)]));
    }

    #[test]
    fn each_step_of_priority_adds_a_share() {
        let mut turns = Turns::default();
        turns.join(id(1), 0);
        turns.join(id(2), 2);
        assert_eq!(served(&mut turns, 40, 1000, &[]), counts([(1, 10), (2, 30)]));
    }

    #[test]
    fn a_new_transfer_owes_nothing_and_is_owed_nothing() {
        let mut turns = Turns::default();
        turns.join(id(1), 0);
        served(&mut turns, 100, 1000, &[]);
        turns.join(id(2), 0);
        assert_eq!(served(&mut turns, 10, 1000, &[]), counts([(1, 5), (2, 5)]));
    }

    #[test]
    fn a_transfer_that_had_nothing_to_send_catches_up_on_two_chunks() {
        let mut turns = Turns::default();
        turns.join(id(1), 0);
        turns.join(id(2), 0);
        served(&mut turns, 100, 1000, &[1]);
        assert_eq!(served(&mut turns, 3, 1000, &[]), counts([(1, 3)]));
        assert_eq!(served(&mut turns, 20, 1000, &[]), counts([(1, 10), (2, 10)]));
    }

    #[test]
    fn a_transfer_with_nothing_to_send_is_skipped_until_it_wakes_up() {
        let mut turns = Turns::default();
        for n in 1..=4 {
            turns.join(id(n), 0);
        }
        turns.skip(2);
        assert_eq!(turns.ids().collect::<Vec<_>>(), [id(3), id(4)]);
        turns.wake(id(2));
        assert_eq!(turns.ids().collect::<Vec<_>>(), [id(3), id(4), id(2)]);
        turns.leave(id(1));
        turns.wake(id(1));
        assert_eq!(turns.ids().count(), 3, "who has left does not come back");
        turns.skip(1);
        turns.wait(id(3));
        turns.wake(id(3));
        assert_eq!((turns.ids().count(), turns.first_waiting()), (2, Some(id(3))));
    }

    #[test]
    fn transfers_under_way_are_offered_before_those_still_waiting() {
        let mut turns = Turns::default();
        turns.wait(id(3));
        turns.join(id(1), 0);
        turns.join(id(2), 0);
        turns.join(id(4), 0);
        turns.skip(1);
        turns.wait_all(|next| next != id(2));
        assert_eq!(turns.waiting, [id(4), id(1), id(3)]);
        assert_eq!(turns.ids().collect::<Vec<_>>(), [id(2)]);
    }

    #[test]
    fn a_transfer_that_ends_while_it_waits_is_forgotten() {
        let mut turns = Turns::default();
        turns.wait(id(1));
        turns.wait(id(2));
        turns.leave(id(1));
        assert_eq!(turns.first_waiting(), Some(id(2)));
    }

    #[test]
    fn absurd_lengths_and_positions_do_no_harm() {
        let mut turns = Turns::default();
        turns.join(id(1), u16::MAX);
        turns.serve(u64::MAX);
        turns.serve(u64::MAX);
        turns.skip(7);
        turns.serve(1);
        assert_eq!(turns.ids().count(), 0);
        turns.wake(id(1));
        assert_eq!(turns.ids().collect::<Vec<_>>(), [id(1)]);
    }
}
