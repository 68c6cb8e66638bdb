//! How many connections, open transfers, and jobs on files each principal has.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use bowline_store::Principal;
use bowline_store::worker::Spawn;

/// How many jobs on files a principal may always have, however few transfers.
const LEAST_JOBS: usize = 64;

/// Counts the connections and open transfers of each principal, and its unfinished jobs on files. A cancelled transfer
/// leaves its jobs behind: if only transfers were counted, a client that offers and cancels could make everybody wait
/// behind its jobs.
#[derive(Clone, Debug, Default)]
pub(super) struct Seats {
    counts: Arc<Mutex<BTreeMap<Principal, Count>>>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Count {
    links: usize,
    open: usize,
    jobs: usize,
}

/// Why there is no seat, with the number in use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Full {
    /// The maximum number of transfers is open.
    Open(usize),
    /// Twice as many jobs are unfinished: one that writes and one that syncs for each transfer.
    Jobs(usize),
}

/// One open transfer; it counts until it is dropped.
#[derive(Debug)]
pub(super) struct Seat {
    _counted: Counted,
}

/// Decrements a count when it is dropped.
#[derive(Debug)]
pub(super) struct Counted {
    seats: Seats,
    principal: Principal,
    what: fn(&mut Count) -> &mut usize,
}

impl Seats {
    /// A seat for one more transfer.
    ///
    /// # Errors
    /// If `most` are taken, or too many jobs are unfinished.
    pub(super) fn take(&self, principal: &Principal, most: Option<usize>) -> Result<Seat, Full> {
        self.count(principal, |count| {
            if let Some(most) = most {
                if count.open >= most {
                    return Err(Full::Open(count.open));
                }
                if count.jobs >= most.saturating_mul(2).max(LEAST_JOBS) {
                    return Err(Full::Jobs(count.jobs));
                }
            }
            count.open += 1;
            Ok(())
        })?;
        Ok(Seat { _counted: self.counted(principal, |count| &mut count.open) })
    }

    /// One more connection.
    ///
    /// # Errors
    /// If there are `most`.
    pub(super) fn admit(&self, principal: &Principal, most: usize) -> Result<Counted, usize> {
        self.count(principal, |count| {
            if count.links >= most {
                return Err(count.links);
            }
            count.links += 1;
            Ok(())
        })?;
        Ok(self.counted(principal, |count| &mut count.links))
    }

    /// The same threads; this principal's jobs on them are counted until they are done.
    pub(super) fn counting(&self, principal: &Principal, spawn: Spawn) -> Spawn {
        let (seats, principal) = (self.clone(), principal.clone());
        Arc::new(move |job| {
            seats.count(&principal, |count| count.jobs += 1);
            let counted = seats.counted(&principal, |count| &mut count.jobs);
            spawn(Box::new(move || {
                job();
                drop(counted);
            }));
        })
    }

    fn counted(&self, principal: &Principal, what: fn(&mut Count) -> &mut usize) -> Counted {
        Counted { seats: self.clone(), principal: principal.clone(), what }
    }

    /// Changes the counts of a principal.
    fn count<T>(&self, principal: &Principal, step: impl FnOnce(&mut Count) -> T) -> T {
        self.with(|counts| step(counts.entry(principal.clone()).or_default()))
    }

    fn with<T>(&self, step: impl FnOnce(&mut BTreeMap<Principal, Count>) -> T) -> T {
        step(&mut self.counts.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.seats.with(|counts| {
            if let Some(count) = counts.get_mut(&self.principal) {
                *(self.what)(count) -= 1;
                if *count == Count::default() {
                    counts.remove(&self.principal);
                }
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seat_is_taken_until_it_is_dropped_and_by_one_principal_only() {
        let seats = Seats::default();
        let [alice, bob] = ["alice", "bob"].map(|name| Principal::named(name).expect("short"));
        let first = seats.take(&alice, Some(2)).expect("free");
        let second = seats.take(&alice, Some(2)).expect("free");
        assert_eq!(seats.take(&alice, Some(2)).map(drop), Err(Full::Open(2)));
        assert!(seats.take(&alice, None).is_ok() && seats.take(&bob, Some(2)).is_ok());
        drop(first);
        let third = seats.take(&alice, Some(2)).expect("free again");
        drop((second, third));
        assert!(seats.with(|counts| counts.is_empty()));
    }

    #[test]
    fn jobs_count_until_they_are_done() {
        let (seats, queue) = (Seats::default(), Arc::new(Mutex::new(Vec::new())));
        let [alice, bob] = ["alice", "bob"].map(|name| Principal::named(name).expect("short"));
        let threads = Arc::clone(&queue);
        let spawn = seats.counting(&alice, Arc::new(move |job| threads.lock().unwrap().push(job)));
        (0..LEAST_JOBS).for_each(|_| spawn(Box::new(|| ())));
        assert_eq!(seats.take(&alice, Some(1)).map(drop), Err(Full::Jobs(LEAST_JOBS)));
        assert!(seats.take(&alice, Some(LEAST_JOBS)).is_ok(), "there may be two for each transfer");
        assert!(seats.take(&alice, None).is_ok() && seats.take(&bob, Some(1)).is_ok());
        queue.lock().unwrap().pop().expect("it waits")();
        assert!(seats.take(&alice, Some(1)).is_ok(), "one is done");
        // Jobs that are dropped without being run count no more.
        queue.lock().unwrap().clear();
        assert!(seats.with(|counts| counts.is_empty()));
    }
}
