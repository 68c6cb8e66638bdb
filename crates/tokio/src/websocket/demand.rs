//! How far the owner of a receiver has come.

use std::sync::atomic::{AtomicU64, Ordering};

use tokio::sync::Notify;

/// Shared by a receiver and the task that serves it.
///
/// An owner that asks for the next message, or piece of one, has finished with the last one: its reply, if any, has
/// been sent. This tells the task when the peer's Close may be answered.
#[derive(Debug, Default)]
pub(super) struct Demand {
    /// How many pieces the owner had taken when it last asked for one.
    asked: AtomicU64,
    changed: Notify,
}

impl Demand {
    /// The owner has taken this many pieces, and asks for another.
    pub(super) fn ask(&self, taken: u64) {
        self.asked.store(taken, Ordering::Release);
    }

    /// The owner waits. Wakes a task that waits for that.
    pub(super) fn tell(&self) {
        self.changed.notify_waiters();
    }

    /// Whether the owner has taken this many, and asked for more.
    pub(super) fn is_met(&self, delivered: u64) -> bool {
        self.asked.load(Ordering::Acquire) == delivered
    }

    /// Waits until it has.
    pub(super) async fn met(&self, delivered: u64) {
        loop {
            let mut changed = std::pin::pin!(self.changed.notified());
            changed.as_mut().enable();
            if self.is_met(delivered) {
                return;
            }
            changed.await;
        }
    }
}
