//! How many offers and requests of a link may be out before something of them has moved.
//!
//! An offer has some 200 bytes, and a link that breaks before the bytes of the files that are offered has brought nothing. So
//! after such a link few are out at first, and each makes room for two when it is *settled*: its bytes have left or come, or
//! it waits for something else than the link. A first link may have the best of paths, and begins with all that the peer takes.

use super::send::Outgoing;
use super::wire::Handle;
use alloc::collections::BTreeSet;

/// So many may be out on any link: as many bytes as its first frame of a file.
const LEAST: usize = 4;

/// The offers and requests of a link that are not settled.
#[derive(Debug)]
pub(super) struct Ahead {
    /// So many may be out on this link from the beginning on.
    first: usize,
    /// So many may be out now.
    most: usize,
    out: BTreeSet<Handle>,
    /// How many transfers have been completed on this link.
    ended: usize,
}

impl Default for Ahead {
    /// Nothing is known of the path.
    fn default() -> Self {
        Self::new(usize::MAX)
    }
}

impl Ahead {
    fn new(first: usize) -> Self {
        Self { first, most: first, out: BTreeSet::new(), ended: 0 }
    }

    /// For the link after this one. It begins with as many as this one has completed, if it broke while others were open.
    pub(super) fn next(&self, was_open: bool) -> Self {
        let first = if was_open { LEAST } else { self.first };
        Self::new(first.max(self.ended))
    }

    /// The peer asks again for what was offered before: the link before this one broke.
    pub(super) fn limit(&mut self) {
        if !self.is_limited() {
            self.most = LEAST;
        }
    }

    /// Whether this link follows one that broke early.
    pub(super) fn is_limited(&self) -> bool {
        self.most < usize::MAX
    }

    /// Whether another may leave.
    pub(super) fn admits(&self) -> bool {
        self.out.len() < self.most
    }

    /// This one has left.
    pub(super) fn handle_sent(&mut self, handle: Handle) {
        if self.is_limited() {
            self.out.insert(handle);
        }
    }

    /// What was asked for by one handle is offered by another, and nothing of it has come.
    pub(super) fn handle_offered(&mut self, asked: Handle, offered: Handle) {
        if self.out.remove(&asked) {
            self.out.insert(offered);
        }
    }

    /// Nobody waits for this one any more.
    pub(super) fn handle_settled(&mut self, handle: Handle) {
        if self.out.remove(&handle) {
            self.most = self.most.saturating_add(1);
        }
    }

    /// Something has happened to this transfer.
    pub(super) fn look(&mut self, outgoing: &Outgoing) {
        if let Some(handle) = self.is_limited().then(|| outgoing.settled()).flatten() {
            self.handle_settled(handle);
        }
    }

    /// A transfer was completed.
    pub(super) fn handle_ended(&mut self) {
        self.ended += 1;
    }

    /// How many transfers have been completed on this link.
    pub(super) fn ended(&self) -> usize {
        self.ended
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How many leave before something of them has to move.
    fn fill(ahead: &mut Ahead, from: Handle) -> u32 {
        let mut count = 0;
        while ahead.admits() {
            ahead.handle_sent(from + count);
            count += 1;
        }
        count
    }

    #[test]
    fn a_first_link_has_no_limit() {
        let mut ahead = Ahead::default();
        for handle in 0..1000 {
            assert!(ahead.admits());
            ahead.handle_sent(handle);
        }
    }

    #[test]
    fn after_a_link_that_completed_nothing_few_are_out_and_each_that_is_settled_makes_room_for_two() {
        let mut ahead = Ahead::default().next(true);
        assert_eq!(fill(&mut ahead, 0), 4);
        ahead.handle_settled(2);
        assert_eq!(fill(&mut ahead, 10), 2);
        for handle in [2, 0, 1, 3, 77] {
            ahead.handle_settled(handle);
        }
        assert_eq!(fill(&mut ahead, 20), 6, "each counts once, and only if it was waited for");
    }

    #[test]
    fn a_link_begins_with_as_many_as_the_one_before_has_completed() {
        let mut ahead = Ahead::default();
        for ended in [9, 3] {
            (0..ended).for_each(|_| ahead.handle_ended());
            ahead = ahead.next(true);
            assert_eq!(fill(&mut ahead, 0), ended.max(4));
        }
    }

    #[test]
    fn a_link_that_ends_with_nothing_open_changes_nothing() {
        let mut ahead = Ahead::default().next(false);
        assert!(ahead.admits());
        ahead = ahead.next(true).next(false);
        assert_eq!(fill(&mut ahead, 0), 4);
        (0..9).for_each(|_| ahead.handle_ended());
        assert_eq!(fill(&mut ahead.next(false), 0), 9, "but for what it has completed");
    }
}
