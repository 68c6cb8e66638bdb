//! Two tasks that wait for one connection.

use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Wake, Waker};

/// Which of them.
#[derive(Clone, Copy, Debug)]
pub(super) enum Half {
    Receive,
    Send,
}

/// Both wakers behind one.
///
/// A stream remembers only the last waker that it was given. Without this, a half that polls to send would take away
/// the wake-up of the half that waits to receive.
#[derive(Debug)]
pub(super) struct Halves {
    waiting: Arc<Waiting>,
    waker: Waker,
}

#[derive(Debug, Default)]
struct Waiting(Mutex<[Option<Waker>; 2]>);

impl Halves {
    pub(super) fn new() -> Self {
        let waiting = Arc::new(Waiting::default());
        Self { waker: Waker::from(Arc::clone(&waiting)), waiting }
    }

    /// Wakes both halves.
    pub(super) fn waker(&self) -> &Waker {
        &self.waker
    }

    /// Half `half` is to be woken by `waker`, once.
    pub(super) fn wake_later(&self, half: Half, waker: &Waker) {
        let mut waiting = self.waiting.0.lock().unwrap_or_else(PoisonError::into_inner);
        match &mut waiting[half as usize] {
            Some(known) => known.clone_from(waker),
            unknown => *unknown = Some(waker.clone()),
        }
    }
}

impl Wake for Waiting {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        let waiting = std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner));
        waiting.into_iter().flatten().for_each(Waker::wake);
    }
}
