//! One transfer, as seen by the application that asked for it.

use std::sync::Arc;

use bowline_core::transfer::{Leftover, TransferId};
use bowline_host::transfer::Size;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot, watch};

pub use bowline_host::transfer::{Control, Finished, TransferError, TransferProgress};

use crate::client::Command;

/// A running transfer. Dropping it does not end it; [`cancel`](Self::cancel) does. Once the transfer has ended, keeping
/// this value does not keep the client alive.
#[derive(Debug)]
pub struct Transfer {
    progress: watch::Receiver<TransferProgress>,
    end: oneshot::Receiver<Result<Finished, TransferError>>,
    /// The result, once it has ended.
    ended: Option<Result<Finished, TransferError>>,
    control: Control,
}

impl Transfer {
    /// Its id on the wire. It is a secret of the two ends.
    pub fn id(&self) -> TransferId {
        self.control.id()
    }

    /// How far it has come, as a channel that always holds the latest state; it is updated several times a second.
    pub fn progress(&self) -> watch::Receiver<TransferProgress> {
        self.progress.clone()
    }

    /// Waits for the end.
    ///
    /// Cancel-safe: call it again to keep waiting. Every call after the end returns the same result.
    ///
    /// # Errors
    /// Why the file has not arrived.
    pub async fn finished(&mut self) -> Result<Finished, TransferError> {
        if let Some(ended) = &self.ended {
            return ended.clone();
        }
        let ended = (&mut self.end).await.unwrap_or(Err(TransferError::Closed));
        self.ended.insert(ended).clone()
    }

    /// A handle that can pause, resume and cancel it from anywhere.
    pub fn control(&self) -> Control {
        self.control.clone()
    }

    /// Stops its bytes until [`resume`](Self::resume); see [`Control::pause`].
    pub fn pause(&self) {
        self.control.pause();
    }

    /// Ends a [`pause`](Self::pause); see [`Control::resume`].
    pub fn resume(&self) {
        self.control.resume();
    }

    /// Ends it early; see [`Control::cancel`].
    pub fn cancel(&self, leftover: Leftover) {
        self.control.cancel(leftover);
    }
}

/// The other end of a [`Transfer`].
#[derive(Debug)]
pub(crate) struct Ticket {
    pub(crate) progress: watch::Sender<TransferProgress>,
    end: oneshot::Sender<Result<Finished, TransferError>>,
    /// Frees the place of this transfer for the next one.
    _permit: OwnedSemaphorePermit,
    /// Keeps the client alive for those that control the transfer, until it ends.
    _commands: mpsc::UnboundedSender<Command>,
}

impl Ticket {
    pub(crate) fn new(
        id: TransferId,
        commands: mpsc::UnboundedSender<Command>,
        permit: OwnedSemaphorePermit,
    ) -> (Self, Transfer) {
        let (progress, watch) = watch::channel(TransferProgress::default());
        let (end, ended) = oneshot::channel();
        let control = commands.downgrade();
        let tell = Arc::new(move |id, verb| {
            // If the client is gone, so is the transfer.
            if let Some(commands) = control.upgrade() {
                let _ = commands.send(Command::Tell(id, verb));
            }
        });
        let transfer = Transfer { progress: watch, end: ended, ended: None, control: Control::new(id, tell) };
        (Self { progress, end, _permit: permit, _commands: commands }, transfer)
    }

    /// Reports the end. Nobody may be waiting.
    pub(crate) fn end(self, result: Result<(TransferProgress, Finished), TransferError>) {
        let result = result.map(|(last, finished)| {
            self.progress.send_replace(last);
            finished
        });
        let _ = self.end.send(result);
    }
}

/// A shared limit on running transfers.
#[derive(Clone, Debug)]
pub(crate) struct Places {
    large: Arc<Semaphore>,
    small: Arc<Semaphore>,
}

impl Places {
    pub(crate) fn new() -> Self {
        let places = |size: Size| Arc::new(Semaphore::new(size.places()));
        Self { large: places(Size::Large), small: places(Size::Small) }
    }

    /// Waits for a place for a file of this length, if known. Never `None` while the client exists.
    pub(crate) async fn take(&self, length: Option<u64>) -> Option<OwnedSemaphorePermit> {
        let places = match Size::of(length) {
            Size::Small => &self.small,
            Size::Large => &self.large,
        };
        Arc::clone(places).acquire_owned().await.ok()
    }
}
