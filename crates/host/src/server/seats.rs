//! How many transfers each principal has open, over all its connections.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use bowline_store::Principal;

/// Counts the open transfers of each principal.
#[derive(Clone, Debug, Default)]
pub(super) struct Seats {
    taken: Arc<Mutex<BTreeMap<Principal, usize>>>,
}

/// One open transfer; it counts until it is dropped.
#[derive(Debug)]
pub(super) struct Seat {
    seats: Seats,
    principal: Principal,
}

impl Seats {
    /// A seat for one more transfer.
    ///
    /// # Errors
    /// `most` are taken: how many there are.
    pub(super) fn take(&self, principal: &Principal, most: Option<usize>) -> Result<Seat, usize> {
        self.with(|taken| {
            let count = taken.entry(principal.clone()).or_default();
            if most.is_some_and(|most| *count >= most) {
                return Err(*count);
            }
            *count += 1;
            Ok(())
        })?;
        Ok(Seat { seats: self.clone(), principal: principal.clone() })
    }

    fn with<T>(&self, step: impl FnOnce(&mut BTreeMap<Principal, usize>) -> T) -> T {
        step(&mut self.taken.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.seats.with(|taken| {
            if let Some(count) = taken.get_mut(&self.principal) {
                *count -= 1;
                if *count == 0 {
                    taken.remove(&self.principal);
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
        assert_eq!(seats.take(&alice, Some(2)).map(drop), Err(2));
        assert!(seats.take(&alice, None).is_ok() && seats.take(&bob, Some(2)).is_ok());
        drop(first);
        let third = seats.take(&alice, Some(2)).expect("free again");
        drop((second, third));
        assert!(seats.with(|taken| taken.is_empty()));
    }
}
