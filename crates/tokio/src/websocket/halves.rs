//! Two tasks that wait for one connection.
//!
//! ```text
//!          a half polls        the other half polls, too
//!  nobody ─────────────▶ alone ─────────────────────────▶ both ─┐
//!                          ▲        both have been woken,       │
//!                          └──────── one of them polls ─────────┘
//! ```

use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Wake, Waker};

/// One of the halves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Half {
    Receive,
    Send,
}

/// Combines two wakers into one.
///
/// A stream remembers only the last waker that it was given. Without this, a half that polls to send would take away
/// the wake-up of the half that waits to receive. While only one of them waits, which is most of the time, it is woken
/// directly.
#[derive(Debug)]
pub(super) struct Halves {
    /// The half that waits alone; then none wait together.
    alone: Option<(Half, Waker)>,
    together: Arc<Together>,
    both: Waker,
}

#[derive(Debug, Default)]
struct Together(Mutex<[Option<Waker>; 2]>);

impl Halves {
    pub(super) fn new() -> Self {
        let together = Arc::new(Together::default());
        Self { alone: None, both: Waker::from(Arc::clone(&together)), together }
    }

    /// Wakes all that wait.
    pub(super) fn waker(&self) -> &Waker {
        self.alone.as_ref().map_or(&self.both, |(_, waker)| waker)
    }

    /// `waker` will wake half `half`, once. Returns a waker for all that wait.
    pub(super) fn wake_later(&mut self, half: Half, waker: &Waker) -> &Waker {
        match &mut self.alone {
            Some((alone, known)) if *alone == half => known.clone_from(waker),
            _ => self.wait_together(half, waker),
        }
        self.waker()
    }

    /// Half `half` joins the other one, if that is waiting.
    fn wait_together(&mut self, half: Half, waker: &Waker) {
        let mut waiting = self.together.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((other, known)) = self.alone.take() {
            waiting[other as usize] = Some(known);
        }
        if waiting.iter().all(Option::is_none) {
            self.alone = Some((half, waker.clone()));
        } else {
            waiting[half as usize] = Some(waker.clone());
        }
    }
}

impl Wake for Together {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        let waiting = std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner));
        waiting.into_iter().flatten().for_each(Waker::wake);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicUsize, Ordering};

    #[derive(Default)]
    struct Count(AtomicUsize);

    impl Wake for Count {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    impl Count {
        fn get(&self) -> usize {
            self.0.load(Ordering::Relaxed)
        }
    }

    fn task() -> (Arc<Count>, Waker) {
        let count = Arc::new(Count::default());
        (Arc::clone(&count), count.into())
    }

    #[test]
    fn a_half_that_waits_alone_is_woken_directly() {
        let (mut halves, (_, first), (_, second)) = (Halves::new(), task(), task());
        assert!(halves.wake_later(Half::Send, &first).will_wake(&first));
        assert!(halves.wake_later(Half::Send, &second).will_wake(&second), "it has moved to another task");
        assert!(halves.waker().will_wake(&second));
    }

    #[test]
    fn two_waiting_halves_are_both_woken() {
        let (mut halves, (receiving, receiver), (sending, sender)) = (Halves::new(), task(), task());
        for round in 1..3 {
            // The first to come back is alone until the other one does.
            assert!(halves.wake_later(Half::Receive, &receiver).will_wake(&receiver));
            for _ in 0..2 {
                halves.wake_later(Half::Send, &sender);
                halves.wake_later(Half::Receive, &receiver);
            }
            halves.waker().wake_by_ref();
            halves.waker().wake_by_ref();
            assert_eq!([receiving.get(), sending.get()], [round, round]);
        }
    }
}
