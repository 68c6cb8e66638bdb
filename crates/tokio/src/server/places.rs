//! The places of a server: one for each client of its listeners.

use std::future::pending;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bowline_host::server::{COURTESY, Porch};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};
use tokio::time::sleep_until;

use crate::clock::Clock;

/// The places of a server. Clones are the same ones.
#[derive(Clone, Debug)]
pub(super) struct Places {
    free: Arc<Semaphore>,
    porch: Arc<Mutex<Porch<oneshot::Sender<()>>>>,
    clock: Clock,
}

/// The position of a client that has not sent its request, until this is dropped.
#[derive(Debug)]
pub(super) struct Stand {
    places: Places,
    number: u64,
}

/// Tells the client to leave, because another needs its place.
#[derive(Debug)]
pub(super) struct Away(Option<oneshot::Receiver<()>>);

impl Places {
    pub(super) fn new(most: usize, clock: Clock) -> Self {
        // More places than a semaphore can count mean no limit.
        let free = Arc::new(Semaphore::new(most.clamp(1, Semaphore::MAX_PERMITS)));
        Self { free, porch: Arc::default(), clock }
    }

    /// Waits for a place for a new client. Meanwhile, clients that keep a place without a request have to leave.
    /// Cancel-safe.
    pub(super) async fn take(&self) -> OwnedSemaphorePermit {
        loop {
            // Others may come in meanwhile, and have the usual time.
            let due = self.porch().poll_timeout().unwrap_or_else(|| self.clock.now() + COURTESY);
            tokio::select! {
                biased;
                // The semaphore is never closed, so a place will be free.
                Ok(place) = Arc::clone(&self.free).acquire_owned() => return place,
                () = sleep_until(self.clock.deadline(due)) => {
                    if let Some(word) = self.porch().make_room(self.clock.now()) {
                        // The client may have left by itself.
                        let _ = word.send(());
                    }
                }
            }
        }
    }

    /// A client with a place stands in the porch until it has sent its request.
    pub(super) fn stand(&self) -> (Stand, Away) {
        let (word, told) = oneshot::channel();
        let number = self.porch().enter(self.clock.now(), word);
        (Stand { places: self.clone(), number }, Away(Some(told)))
    }

    /// Whether any client may have to leave.
    #[cfg(test)]
    pub(super) fn is_looked_at(&self) -> bool {
        self.porch().poll_timeout().is_some()
    }

    fn porch(&self) -> MutexGuard<'_, Porch<oneshot::Sender<()>>> {
        self.porch.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Stand {
    fn drop(&mut self) {
        self.places.porch().leave(self.number);
    }
}

impl Away {
    /// For a client that uses none of the server's places.
    pub(super) fn never() -> Self {
        Self(None)
    }

    /// Completes when the client must leave; never once it has sent its request.
    pub(super) async fn told(&mut self) {
        if let Some(told) = &mut self.0 {
            let told = told.await;
            self.0 = None;
            if told.is_ok() {
                return;
            }
        }
        pending::<()>().await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bowline_core::Instant;
    use tokio::time::{self, timeout};

    #[tokio::test(start_paused = true)]
    async fn a_place_is_wanted_only_if_somebody_waits_for_it() {
        let places = Places::new(1, Clock::start());
        let place = places.take().await;
        let (stand, mut away) = places.stand();
        timeout(10 * COURTESY, away.told()).await.expect_err("nobody waits");
        let waiting = tokio::spawn({
            let places = places.clone();
            async move { drop(places.take().await) }
        });
        away.told().await;
        drop((stand, place));
        waiting.await.unwrap();
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_that_has_sent_its_request_stays() {
        let places = Places::new(1, Clock::start());
        let _place = places.take().await;
        let (stand, mut away) = places.stand();
        drop(stand);
        timeout(10 * COURTESY, places.take()).await.expect_err("the place is taken");
        timeout(COURTESY, away.told()).await.expect_err("nobody has to go");
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_that_comes_by_another_door_has_to_leave_too() {
        let places = Places::new(1, Clock::start());
        let first = places.take().await;
        let take = || {
            let places = places.clone();
            tokio::spawn(async move {
                let place = places.take().await;
                let (_stand, mut away) = places.stand();
                away.told().await;
                drop(place);
            })
        };
        // Both start waiting while nobody stands in the porch.
        let (_second, third) = (take(), take());
        tokio::task::yield_now().await;
        drop(first);
        let wanted = tokio::spawn({
            let places = places.clone();
            async move { drop(places.take().await) }
        });
        timeout(10 * COURTESY, third).await.expect("in time").unwrap();
        wanted.await.unwrap();
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_that_asks_at_the_last_moment_stays_and_the_next_has_to_leave() {
        let places = Places::new(2, Clock::start());
        let _first = places.take().await;
        let (stand, mut away) = places.stand();
        let second = places.take().await;
        let (next, mut away_next) = places.stand();
        let waiting = tokio::spawn({
            let places = places.clone();
            async move { drop(places.take().await) }
        });
        away.told().await;
        drop(stand);
        away_next.told().await;
        assert!(time::Instant::now() - places.clock.deadline(Instant::ZERO) < 2 * COURTESY);
        drop((next, second));
        waiting.await.unwrap();
    }
}
