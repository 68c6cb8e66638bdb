//! Places for clients being served: of one listener, or of all listeners of a server.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::wait::Waker;

/// A number of places. Clones are the same ones.
#[derive(Clone, Debug)]
pub(crate) struct Places(Arc<Mutex<State>>);

#[derive(Debug)]
struct State {
    free: usize,
    /// Those that wait for a place.
    waiting: Vec<Waker>,
}

/// One place, until it is dropped, even by a panic.
#[derive(Debug)]
pub(crate) struct Place(Places);

impl Places {
    pub(crate) fn new(most: usize) -> Self {
        Self(Arc::new(Mutex::new(State { free: most.max(1), waiting: Vec::new() })))
    }

    /// A place, if one is free; otherwise `waker` is woken when one may be.
    pub(crate) fn take(&self, waker: &Waker) -> Option<Place> {
        let mut state = self.lock();
        if state.free > 0 {
            state.free -= 1;
            return Some(Place(self.clone()));
        }
        if !state.waiting.iter().any(|waiting| waiting.is(waker)) {
            state.waiting.push(waker.clone());
        }
        None
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut state = self.0.lock();
        state.free += 1;
        for waiting in state.waiting.drain(..) {
            waiting.wake();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wait::waker;
    use std::time::Duration;

    #[test]
    fn a_client_that_has_found_no_place_is_called_once() {
        let (places, (waker, wakened)) = (Places::new(1), waker().unwrap());
        let place = places.take(&waker).expect("free");
        assert!(places.take(&waker).is_none() && places.take(&waker).is_none());
        assert_eq!(places.lock().waiting.len(), 1);
        assert!(!wakened.wait(Some(Duration::ZERO)).unwrap());
        drop(place);
        assert!(wakened.wait(Some(Duration::ZERO)).unwrap());
        drop(places.take(&waker).expect("free again"));
        assert!(!wakened.wait(Some(Duration::ZERO)).unwrap(), "nobody waits");
    }
}
