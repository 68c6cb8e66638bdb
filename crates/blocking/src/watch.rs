//! Values that change now and then, and their observers.

use std::fmt;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, mpsc};
use std::time::{Duration, Instant};

use bowline_host::messages::Wake;

/// The current state of something that changes. As an iterator it waits for each change, and ends when there will be no
/// more; changes in quick succession count as one. Each clone observes separately.
#[derive(Clone)]
pub struct Watch<T> {
    shared: Arc<Shared<T>>,
    /// The change that was last seen.
    seen: u64,
}

/// Makes the changes. Dropping it says that there will be no more.
pub(crate) struct Teller<T>(Arc<Shared<T>>);

struct Shared<T> {
    state: Mutex<State<T>>,
    changed: Condvar,
}

struct State<T> {
    value: T,
    changes: u64,
    is_over: bool,
}

/// Something to be observed, starting with this value.
pub(crate) fn watch<T: Clone>(value: T) -> (Teller<T>, Watch<T>) {
    let state = Mutex::new(State { value, changes: 0, is_over: false });
    let shared = Arc::new(Shared { state, changed: Condvar::new() });
    (Teller(Arc::clone(&shared)), Watch { shared, seen: 0 })
}

impl<T: Clone> Watch<T> {
    /// The current value.
    pub fn get(&self) -> T {
        self.shared.lock().value.clone()
    }

    /// The next change if one comes within this time.
    pub fn next_timeout(&mut self, time: Duration) -> Option<T> {
        self.change(Instant::now().checked_add(time))
    }

    /// Waits until the value is like this, and returns it; `None` if it never will be.
    pub fn wait_for(&mut self, mut is_it: impl FnMut(&T) -> bool) -> Option<T> {
        let value = self.get();
        if is_it(&value) { Some(value) } else { self.find(is_it) }
    }

    /// A change that was not seen, if there is one.
    pub(crate) fn news(&mut self) -> Option<T> {
        self.change(Some(Instant::now()))
    }

    /// Whether there will be no more changes.
    pub(crate) fn is_over(&self) -> bool {
        self.shared.lock().is_over
    }

    fn change(&mut self, until: Option<Instant>) -> Option<T> {
        let mut state = self.shared.lock();
        while state.changes == self.seen && !state.is_over {
            state = match until.map(|until| until.saturating_duration_since(Instant::now())) {
                None => self.shared.changed.wait(state).unwrap_or_else(PoisonError::into_inner),
                Some(Duration::ZERO) => return None,
                Some(time) => {
                    let waited = self.shared.changed.wait_timeout(state, time);
                    waited.unwrap_or_else(PoisonError::into_inner).0
                }
            };
        }
        let is_news = state.changes != self.seen;
        self.seen = state.changes;
        is_news.then(|| state.value.clone())
    }
}

impl<T: Clone> Iterator for Watch<T> {
    type Item = T;

    fn next(&mut self) -> Option<T> {
        self.change(None)
    }
}

impl<T> Teller<T> {
    pub(crate) fn tell(&self, value: T) {
        let mut state = self.0.lock();
        state.value = value;
        state.changes += 1;
        self.0.changed.notify_all();
    }
}

impl Teller<()> {
    /// A waker that signals a change.
    pub(crate) fn into_wake(self) -> Wake {
        Arc::new(move || self.tell(()))
    }
}

impl<T> Drop for Teller<T> {
    fn drop(&mut self) {
        self.0.lock().is_over = true;
        self.0.changed.notify_all();
    }
}

impl<T> Shared<T> {
    fn lock(&self) -> MutexGuard<'_, State<T>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T: fmt::Debug> fmt::Debug for Watch<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Watch").field(&self.shared.lock().value).finish()
    }
}

impl<T: fmt::Debug> fmt::Debug for Teller<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Teller").field(&self.0.lock().value).finish()
    }
}

/// Calls `find`, and again whenever there is news, until it finds something or this time has come. It may return a time
/// to check again in any case.
pub(crate) fn look<T>(
    news: &Watch<()>,
    until: Option<Instant>,
    mut find: impl FnMut() -> Result<T, Option<Instant>>,
) -> Option<T> {
    let mut news = news.clone();
    loop {
        // Changes from here on are not missed.
        news.news();
        match find() {
            Ok(found) => return Some(found),
            Err(_) if until.is_some_and(|until| until <= Instant::now()) => return None,
            Err(due) => news.change([due, until].into_iter().flatten().min()),
        };
    }
}

/// The receivers of all events; `None` once there will be no more events.
#[derive(Debug)]
pub(crate) struct Audience<E>(Mutex<Option<Vec<mpsc::SyncSender<E>>>>);

impl<E: Clone> Audience<E> {
    /// The events from now on. A receiver with this many unread events misses later ones.
    pub(crate) fn join(&self, waiting: usize) -> mpsc::Receiver<E> {
        let (sender, receiver) = mpsc::sync_channel(waiting);
        if let Some(listeners) = &mut *self.lock() {
            listeners.push(sender);
        }
        receiver
    }

    pub(crate) fn tell(&self, event: &E) {
        let is_there = |sender: &mpsc::SyncSender<E>| {
            !matches!(sender.try_send(event.clone()), Err(mpsc::TrySendError::Disconnected(_)))
        };
        if let Some(listeners) = &mut *self.lock() {
            listeners.retain(is_there);
        }
    }

    /// There will be no more events.
    pub(crate) fn leave(&self) {
        *self.lock() = None;
    }

    fn lock(&self) -> MutexGuard<'_, Option<Vec<mpsc::SyncSender<E>>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<E> Default for Audience<E> {
    fn default() -> Self {
        Self(Mutex::new(Some(Vec::new())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_watch_shows_the_latest_and_ends_with_its_teller() {
        let (teller, mut look) = watch(0);
        assert_eq!((look.get(), look.news()), (0, None));
        teller.tell(1);
        teller.tell(2);
        let mut other = look.clone();
        assert_eq!(look.next(), Some(2));
        assert_eq!(look.next_timeout(Duration::from_millis(1)), None);
        let counting = std::thread::spawn(move || (3..=5).for_each(|n| teller.tell(n)));
        assert_eq!(look.wait_for(|n| *n == 5), Some(5));
        assert_eq!(look.wait_for(|n| *n == 6), None, "it will not be");
        assert_eq!((look.next(), other.next(), other.next()), (None, Some(5), None));
        counting.join().unwrap();
    }

    #[test]
    fn a_look_is_repeated_at_news_and_at_the_times_it_asks_for() {
        let (teller, news) = watch(());
        teller.tell(());
        let mut looks = 0;
        let mut third = |due: Option<Duration>| {
            looks += 1;
            if looks % 3 == 0 { Ok(looks) } else { Err(due.map(|time| Instant::now() + time)) }
        };
        let soon = Duration::from_millis(1);
        assert_eq!(look(&news, None, || third(Some(soon))), Some(3));
        assert_eq!(look(&news, Some(Instant::now() + soon), || third(None)), None, "nothing is told");
        let telling = std::thread::spawn(move || {
            while !news_is_enough(&teller) {
                std::thread::yield_now();
            }
        });
        assert_eq!(look(&news, None, || third(None)), Some(6));
        drop(news);
        telling.join().unwrap();
    }

    /// Signals until nobody observes any more.
    fn news_is_enough(teller: &Teller<()>) -> bool {
        teller.tell(());
        Arc::strong_count(&teller.0) == 1
    }

    #[test]
    fn a_slow_listener_misses_events_and_holds_nobody_up() {
        let audience = Audience::default();
        let (slow, gone) = (audience.join(2), audience.join(2));
        drop(gone);
        (0..5).for_each(|n| audience.tell(&n));
        assert_eq!(audience.lock().as_ref().map(Vec::len), Some(1));
        audience.leave();
        assert_eq!(slow.iter().collect::<Vec<_>>(), [0, 1]);
        let late = audience.join(2);
        assert_eq!(late.try_recv(), Err(mpsc::TryRecvError::Disconnected), "nothing else will happen");
    }
}
