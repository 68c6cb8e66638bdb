//! The places of a server: one for everybody who came in by a door of it.

use std::future::pending;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bowline_host::server::{COURTESY, Porch};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};
use tokio::time::sleep_until;

use crate::clock::Clock;

/// As many as there are. Clones are the same ones.
#[derive(Clone, Debug)]
pub(super) struct Places {
    free: Arc<Semaphore>,
    porch: Arc<Mutex<Porch<oneshot::Sender<()>>>>,
    clock: Clock,
}

/// Where somebody stands who has not asked yet, until this is dropped.
#[derive(Debug)]
pub(super) struct Stand {
    places: Places,
    number: u64,
}

/// Tells him that somebody else is to have his place.
#[derive(Debug)]
pub(super) struct Away(Option<oneshot::Receiver<()>>);

impl Places {
    pub(super) fn new(most: usize, clock: Clock) -> Self {
        // More than a semaphore can count are as many as come.
        let free = Arc::new(Semaphore::new(most.clamp(1, Semaphore::MAX_PERMITS)));
        Self { free, porch: Arc::default(), clock }
    }

    /// Waits for a place for somebody who has come. Meanwhile those who keep one without a request have to go. Cancel-safe.
    pub(super) async fn take(&self) -> OwnedSemaphorePermit {
        loop {
            // Others may be let in by another door meanwhile, and have as much time as anybody.
            let due = self.porch().poll_timeout().unwrap_or_else(|| self.clock.now() + COURTESY);
            tokio::select! {
                biased;
                // Never closed, so one comes free.
                Ok(place) = Arc::clone(&self.free).acquire_owned() => return place,
                () = sleep_until(self.clock.deadline(due)) => {
                    if let Some(word) = self.porch().make_room(self.clock.now()) {
                        // He may have gone by himself.
                        let _ = word.send(());
                    }
                }
            }
        }
    }

    /// Whoever has a place stands in the porch until he has asked.
    pub(super) fn stand(&self) -> (Stand, Away) {
        let (word, told) = oneshot::channel();
        let number = self.porch().enter(self.clock.now(), word);
        (Stand { places: self.clone(), number }, Away(Some(told)))
    }

    /// Whether anybody may have to go.
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
    /// For somebody who has no place of the server's.
    pub(super) fn never() -> Self {
        Self(None)
    }

    /// Completes when he has to go; not at all once he has asked.
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
    async fn who_has_asked_stays() {
        let places = Places::new(1, Clock::start());
        let _place = places.take().await;
        let (stand, mut away) = places.stand();
        drop(stand);
        timeout(10 * COURTESY, places.take()).await.expect_err("the place is taken");
        timeout(COURTESY, away.told()).await.expect_err("nobody has to go");
    }

    #[tokio::test(start_paused = true)]
    async fn who_comes_by_another_door_has_to_go_as_well() {
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
        // Both begin to wait while nobody stands in the porch.
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
    async fn who_asks_at_the_last_moment_leaves_it_to_the_next_to_go() {
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
