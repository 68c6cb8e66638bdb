//! What the application of a server wants done to transfers, on its way to the links that carry them.
//!
//! ```text
//!              tell               take
//!  application ────▶ Inbox of a ──────▶ Served
//!                    link: its
//!  application ────▶ transfers ◀─────── Served
//!              tell            begin, end
//! ```

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bowline_core::transfer::TransferId;

use crate::messages::Wake;
use crate::transfer::Verb;

/// All links, by number.
#[derive(Clone, Debug, Default)]
pub(super) struct Orders(Arc<Mutex<BTreeMap<u64, Slot>>>);

/// The orders for a link. However many are given, it holds at most one per transfer of the link.
#[derive(Clone)]
struct Slot {
    /// The transfers on the link, and what is wanted of each.
    wanted: Arc<Mutex<BTreeMap<TransferId, Option<Verb>>>>,
    wake: Wake,
}

/// The orders for one link. Dropping it removes them.
#[derive(Debug)]
pub(super) struct Inbox {
    orders: Orders,
    link: u64,
    slot: Slot,
}

impl Orders {
    /// A link is up. `wake` wakes whoever serves it.
    pub(super) fn join(&self, link: u64, wake: Wake) -> Inbox {
        let slot = Slot { wanted: Arc::default(), wake };
        lock(&self.0).insert(link, slot.clone());
        Inbox { orders: self.clone(), link, slot }
    }

    /// The application wants this of a transfer: wakes the links that carry it.
    pub(super) fn tell(&self, id: TransferId, verb: Verb) {
        self.wake_those(|slot| lock(&slot.wanted).get_mut(&id).is_some_and(|wanted| want(wanted, verb)));
    }

    /// Something has changed that every link must check.
    pub(super) fn stir(&self) {
        self.wake_those(|_| true);
    }

    fn wake_those(&self, concerns: impl Fn(&Slot) -> bool) {
        let links = lock(&self.0);
        let wakes: Vec<_> =
            links.values().filter(|slot| concerns(slot)).map(|slot| slot.wake.clone()).collect();
        drop(links);
        for wake in wakes {
            wake();
        }
    }
}

impl Inbox {
    /// A transfer has begun on this link.
    pub(super) fn begin(&self, id: TransferId) {
        lock(&self.slot.wanted).entry(id).or_default();
    }

    /// It has ended there.
    pub(super) fn end(&self, id: TransferId) {
        lock(&self.slot.wanted).remove(&id);
    }

    /// The orders that have not been taken.
    pub(super) fn take(&self) -> Vec<(TransferId, Verb)> {
        let mut all = lock(&self.slot.wanted);
        all.iter_mut().filter_map(|(id, wanted)| Some((*id, wanted.take()?))).collect()
    }
}

impl Drop for Inbox {
    fn drop(&mut self) {
        lock(&self.orders.0).remove(&self.link);
    }
}

/// Adds an order for a transfer to an earlier one; returns whether anything is new.
fn want(wanted: &mut Option<Verb>, verb: Verb) -> bool {
    // A cancelled transfer is over, whatever follows.
    let is_over = matches!(wanted, Some(Verb::Cancel(_)));
    if !is_over {
        *wanted = Some(verb);
    }
    !is_over
}

/// Nothing panics while holding this lock; and if it did, the entries would still be right.
fn lock<T>(of: &Mutex<T>) -> MutexGuard<'_, T> {
    of.lock().unwrap_or_else(PoisonError::into_inner)
}

impl fmt::Debug for Slot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Slot").field("transfers", &lock(&self.wanted).len()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bowline_core::transfer::Leftover;
    use std::sync::atomic::{AtomicUsize, Ordering};

    fn id(n: u128) -> TransferId {
        TransferId::from_bytes(n.to_be_bytes())
    }

    fn woken() -> (Arc<AtomicUsize>, Wake) {
        let count = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&count);
        (count, Arc::new(move || _ = counted.fetch_add(1, Ordering::Relaxed)))
    }

    #[test]
    fn an_order_reaches_only_the_links_that_have_the_transfer() {
        let orders = Orders::default();
        let ((first_woken, wake), (second_woken, other)) = (woken(), woken());
        let (first, second) = (orders.join(1, wake), orders.join(2, other));
        first.begin(id(1));
        second.begin(id(2));
        orders.tell(id(1), Verb::Pause);
        orders.tell(id(3), Verb::Pause);
        assert_eq!((first.take(), second.take()), (vec![(id(1), Verb::Pause)], vec![]));
        assert_eq!(first.take(), [], "once");
        let counts = || [&first_woken, &second_woken].map(|count| count.load(Ordering::Relaxed));
        assert_eq!(counts(), [1, 0]);
        orders.stir();
        assert_eq!(counts(), [2, 1]);
        drop(second);
        first.end(id(1));
        orders.tell(id(1), Verb::Pause);
        orders.tell(id(2), Verb::Pause);
        assert_eq!((first.take(), counts()), (vec![], [2, 1]));
    }

    #[test]
    fn the_last_order_counts_and_a_cancel_is_the_last() {
        let orders = Orders::default();
        let inbox = orders.join(1, woken().1);
        inbox.begin(id(1));
        let after = |verbs: &[Verb]| {
            for verb in verbs {
                orders.tell(id(1), *verb);
            }
            inbox.take().into_iter().map(|(_, verb)| verb).collect::<Vec<_>>()
        };
        assert_eq!(after(&[Verb::Pause, Verb::Resume]), [Verb::Resume]);
        let (keep, discard) = (Verb::Cancel(Leftover::Keep), Verb::Cancel(Leftover::Discard));
        assert_eq!(after(&[Verb::Pause, keep, discard, Verb::Resume]), [keep]);
    }

    #[test]
    fn a_transfer_that_begins_again_keeps_its_order() {
        let orders = Orders::default();
        let inbox = orders.join(1, woken().1);
        inbox.begin(id(1));
        orders.tell(id(1), Verb::Pause);
        inbox.begin(id(1));
        assert_eq!(inbox.take(), [(id(1), Verb::Pause)]);
    }
}
