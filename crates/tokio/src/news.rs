//! Waiting for what others bring about.

use std::sync::Arc;

use bowline_host::messages::Wake;
use tokio::sync::Notify;
use tokio::time::{Instant, sleep_until};

/// Something may have changed: whoever waits looks again. Clones are the same.
#[derive(Clone, Debug, Default)]
pub(crate) struct News(Arc<Notify>);

impl News {
    /// What tells it to everybody who waits.
    pub(crate) fn teller(&self) -> Wake {
        let Self(notify) = self.clone();
        Arc::new(move || notify.notify_waiters())
    }

    /// Looks until something is found; whoever has found nothing may say when to look again in any case.
    ///
    /// Cancel-safe: looking is all that it does.
    pub(crate) async fn look<T>(&self, mut find: impl FnMut() -> Result<T, Option<Instant>>) -> T {
        loop {
            // What is told from here on is not missed.
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

/// Wakes one task, whether it waits or is about to. Clones are the same.
#[derive(Clone, Debug, Default)]
pub(crate) struct Stir(Arc<Notify>);

impl Stir {
    pub(crate) fn waker(&self) -> Wake {
        let Self(notify) = self.clone();
        Arc::new(move || notify.notify_one())
    }

    /// Waits until somebody has woken the task since the last time.
    ///
    /// Cancel-safe: what happened meanwhile is found by the next call.
    pub(crate) async fn stirred(&self) {
        self.0.notified().await;
    }
}
