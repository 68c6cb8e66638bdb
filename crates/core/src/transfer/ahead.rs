//! How many offers and requests of a link may be outstanding.
//!
//! An offer has some 200 bytes. A link that breaks before any bytes of the offered files has achieved nothing, so on
//! the next link only a few are outstanding at first. Each makes room for two more when it is *settled*: its bytes have
//! left or arrived, or it waits for something other than the link. A first link may have the best of paths, and begins
//! with as many as the peer accepts.

use super::send::Outgoing;
use super::wire::Handle;
use alloc::collections::BTreeSet;

/// How many may be outstanding on any link: together they are as long as its first frame of a file.
const LEAST: usize = 4;

/// The offers and requests of a link that are not settled.
#[derive(Debug)]
pub(super) struct Ahead {
    /// How many may be outstanding when this link begins.
    first: usize,
    /// How many may be outstanding now.
    most: usize,
    out: BTreeSet<Handle>,
    /// How many transfers have been completed on this link.
    ended: usize,
}

impl Default for Ahead {
    /// Nothing is known about the path.
    fn default() -> Self {
        Self::new(usize::MAX)
    }
}

impl Ahead {
    fn new(first: usize) -> Self {
        Self { first, most: first, out: BTreeSet::new(), ended: 0 }
    }

    /// The limits for the next link. If this one broke while transfers were open, the next begins with as many as this
    /// one has completed, at least the minimum.
    pub(super) fn next(&self, was_open: bool) -> Self {
        let first = if was_open { LEAST } else { self.first };
        Self::new(first.max(self.ended))
    }

    /// The peer repeats a request for what was offered before: the previous link broke.
    pub(super) fn limit(&mut self) {
        if !self.is_limited() {
            self.most = LEAST;
        }
    }

    /// Whether this link follows one that broke early.
    pub(super) fn is_limited(&self) -> bool {
        self.most < usize::MAX
    }

    /// Whether another offer or request may leave.
    pub(super) fn admits(&self) -> bool {
        self.out.len() < self.most
    }

    /// An offer or request has left.
    pub(super) fn handle_sent(&mut self, handle: Handle) {
        if self.is_limited() {
            self.out.insert(handle);
        }
    }

    /// The peer offers what we requested, under another handle, and nothing of it has arrived.
    pub(super) fn handle_offered(&mut self, asked: Handle, offered: Handle) {
        if self.out.remove(&asked) {
            self.out.insert(offered);
        }
    }

    /// This one is settled.
    pub(super) fn handle_settled(&mut self, handle: Handle) {
        if self.out.remove(&handle) {
            self.most = self.most.saturating_add(1);
        }
    }

    /// Something has happened to this transfer: checks whether it is settled.
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

    /// How many leave before something has to move.
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
    fn a_link_after_a_fruitless_one_starts_with_few_and_grows_with_each_answer() {
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
    fn a_link_begins_with_as_many_as_the_previous_one_completed() {
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
