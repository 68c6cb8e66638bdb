//! Counts what is running on other threads, so that it can be waited for.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// A count of running things. Clones count together.
#[derive(Clone, Debug, Default)]
pub(crate) struct Count(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    count: Mutex<usize>,
    changed: Condvar,
}

/// One running thing; counted until it is dropped, even by a panic.
#[derive(Debug)]
pub(crate) struct Counted(Count);

impl Count {
    /// Counts one more.
    pub(crate) fn enter(&self) -> Counted {
        *self.lock() += 1;
        Counted(self.clone())
    }

    pub(crate) fn get(&self) -> usize {
        *self.lock()
    }

    /// Waits until nothing is running.
    pub(crate) fn wait(&self) {
        let count = self.0.changed.wait_while(self.lock(), |count| *count > 0);
        drop(count.unwrap_or_else(PoisonError::into_inner));
    }

    /// The same, but no longer than this; returns whether nothing is running.
    pub(crate) fn wait_for(&self, time: Duration) -> bool {
        let waited = self.0.changed.wait_timeout_while(self.lock(), time, |count| *count > 0);
        *waited.unwrap_or_else(PoisonError::into_inner).0 == 0
    }

    fn lock(&self) -> MutexGuard<'_, usize> {
        self.0.count.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        *self.0.lock() -= 1;
        self.0.0.changed.notify_all();
    }
}
