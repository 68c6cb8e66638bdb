//! Waiting for changes made by others.

use std::sync::Arc;

use bowline_host::messages::Wake;
use tokio::sync::Notify;
use tokio::time::{Instant, sleep_until};

/// Something may have changed: waiters check again. Clones are the same one.
#[derive(Clone, Debug, Default)]
pub(crate) struct News(Arc<Notify>);

impl News {
    /// Wakes all waiters.
    pub(crate) fn teller(&self) -> Wake {
        let Self(notify) = self.clone();
        Arc::new(move || notify.notify_waiters())
    }

    /// Calls `find` until it finds something; it may return a time to check again in any case.
    ///
    /// Cancel-safe: it only checks.
    pub(crate) async fn look<T>(&self, mut find: impl FnMut() -> Result<T, Option<Instant>>) -> T {
        loop {
            // Changes from here on are not missed.
            let told = self.0.notified();
            match find() {
                Ok(found) => return found,
                Err(None) => told.await,
                Err(Some(due)) => tokio::select! {
                    () = told => {}
                    () = sleep_until(due) => {}
                },
            }
        }
    }
}

/// Wakes one task, whether it is waiting or about to. Clones are the same one.
#[derive(Clone, Debug, Default)]
pub(crate) struct Stir(Arc<Notify>);

impl Stir {
    pub(crate) fn waker(&self) -> Wake {
        let Self(notify) = self.clone();
        Arc::new(move || notify.notify_one())
    }

    /// Waits until the task was woken since the last time.
    ///
    /// Cancel-safe: what happened meanwhile is found by the next call.
    pub(crate) async fn stirred(&self) {
        self.0.notified().await;
    }
}
