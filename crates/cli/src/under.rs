//! The transfers of a command that are under way: it waits for each, and can pause all together.

use crate::exit::Trouble;
use crate::signals::Wish;
use bowline_core::transfer::Leftover;
use bowline_tokio::{Control, Finished, TransferError};
use std::collections::BTreeMap;
use std::future::Future;
use tokio::task::JoinSet;

/// What is under way. Nothing is kept of what is over, however much that is.
#[derive(Debug, Default)]
pub(crate) struct Under {
    paused: bool,
    /// By the number of the transfer.
    controls: BTreeMap<usize, Control>,
    ends: JoinSet<End>,
}

/// The number of a transfer, and how it ended.
type End = (usize, Result<Finished, TransferError>);

impl Under {
    /// Waits for one more. If it begins while the others are paused, it is paused too.
    pub(crate) fn begin(
        &mut self,
        index: usize,
        control: Control,
        end: impl Future<Output = Result<Finished, TransferError>> + Send + 'static,
    ) {
        if self.paused {
            control.pause();
        }
        self.controls.insert(index, control);
        self.ends.spawn(async move { (index, end.await) });
    }

    /// Waits for the next end; `None` if nothing is under way. Cancel-safe.
    pub(crate) async fn next(&mut self) -> Option<Result<End, Trouble>> {
        let end = self.ends.join_next().await?;
        Some(match end {
            Ok((index, result)) => {
                self.controls.remove(&index);
                Ok((index, result))
            }
            Err(panic) => Err(Trouble::failed(format!("internal error: {panic}"))),
        })
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// Pauses or resumes all transfers, including later ones.
    pub(crate) fn carry_out(&mut self, wish: Wish) {
        self.paused = wish == Wish::Pause;
        self.controls.values().for_each(if self.paused { Control::pause } else { Control::resume });
    }

    /// Cancels all transfers; `leftover` says what happens to what has arrived of each.
    pub(crate) fn cancel(&self, leftover: Leftover) {
        self.controls.values().for_each(|control| control.cancel(leftover));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bowline_core::transfer::TransferId;
    use std::sync::{Arc, Mutex};

    /// A control, and the commands that it receives.
    fn control() -> (Control, Arc<Mutex<Vec<String>>>) {
        let told: Arc<Mutex<Vec<String>>> = Arc::default();
        let tell = Arc::clone(&told);
        let tell = Arc::new(move |_, verb| tell.lock().expect("no panic").push(format!("{verb:?}")));
        (Control::new(TransferId::from_bytes([1; 16]), tell), told)
    }

    #[tokio::test]
    async fn nothing_is_kept_of_a_transfer_that_is_over() {
        let mut under = Under::default();
        for index in 0..1000 {
            under.begin(index, control().0, async { Err(TransferError::Closed) });
            assert!(matches!(under.next().await, Some(Ok((i, Err(TransferError::Closed)))) if i == index));
            assert_eq!(under.controls.len(), 0);
        }
        assert!(under.is_empty() && under.next().await.is_none());
    }

    #[tokio::test]
    async fn a_transfer_that_begins_while_all_are_paused_is_paused_too() {
        let mut under = Under::default();
        let ((first, of_first), (second, of_second), (third, of_third)) = (control(), control(), control());
        under.begin(0, first, std::future::pending());
        under.carry_out(Wish::Pause);
        under.begin(1, second, std::future::pending());
        under.carry_out(Wish::Resume);
        under.begin(2, third, std::future::pending());
        under.cancel(Leftover::Discard);
        for (told, words) in [
            (of_first, &["Pause", "Resume", "Cancel(Discard)"][..]),
            (of_second, &["Pause", "Resume", "Cancel(Discard)"]),
            (of_third, &["Cancel(Discard)"]),
        ] {
            assert_eq!(*told.lock().expect("no panic"), words);
        }
    }
}
