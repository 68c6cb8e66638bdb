//! Callers that wait until what was sent has left.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use bowline_host::Unsent;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::{mpsc, oneshot};

use super::ask::Asker;
use super::task::Command;
use crate::driver::Driver;

/// Where the answer to a flush goes.
pub(super) type Flushed = oneshot::Sender<Result<(), Unsent>>;

/// The sending half's end: waits until everything queued before has left. Cancel-safe.
pub(super) async fn flush(
    commands: mpsc::Sender<Command>,
    asker: Asker,
    has_left: Arc<AtomicBool>,
) -> Result<(), Unsent> {
    let (answer, answered) = oneshot::channel();
    if commands.send(Command::Flush(answer)).await.is_ok() {
        if let Ok(answer) = answered.await {
            return answer;
        }
    }
    // Nothing more is queued; earlier messages may be on their way.
    if let Some(answer) = asker.flush().await {
        return answer;
    }
    if has_left.load(Ordering::Acquire) { Ok(()) } else { Err(Unsent::Lost) }
}

/// The task's end.
#[derive(Default)]
pub(super) struct Flushes {
    waiting: Vec<Flushed>,
    /// Whether a message was lost before it reached the connection.
    has_lost: bool,
    /// Whether nothing was lost, once the task has ended.
    has_left: Arc<AtomicBool>,
}

impl Flushes {
    /// Also returns the flag that says how it went, once the task has ended.
    pub(super) fn new() -> (Self, Arc<AtomicBool>) {
        let flushes = Self::default();
        let has_left = Arc::clone(&flushes.has_left);
        (flushes, has_left)
    }

    pub(super) fn push(&mut self, flushed: Flushed) {
        self.waiting.push(flushed);
    }

    /// Records whether a message is lost.
    pub(super) fn lose(&mut self, is_lost: bool) {
        self.has_lost |= is_lost;
    }

    pub(super) fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// Answers if nothing is left to leave.
    pub(super) fn look<S: AsyncRead + AsyncWrite + Unpin>(&mut self, driver: &Driver<S>) {
        self.waiting.retain(|flushed| !flushed.is_closed());
        if !self.is_empty() && !driver.has_output() {
            let result = self.result(driver);
            for flushed in self.waiting.drain(..) {
                // The caller may be gone.
                let _ = flushed.send(result);
            }
        }
    }

    /// The task ends.
    pub(super) fn end<S: AsyncRead + AsyncWrite + Unpin>(&mut self, driver: &Driver<S>) {
        self.has_left.store(self.result(driver).is_ok(), Ordering::Release);
    }

    fn result<S: AsyncRead + AsyncWrite + Unpin>(&self, driver: &Driver<S>) -> Result<(), Unsent> {
        if self.has_lost || driver.has_lost_output() { Err(Unsent::Lost) } else { Ok(()) }
    }
}
