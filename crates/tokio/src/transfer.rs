//! One transfer, as seen by the application that asked for it.

use std::sync::Arc;

use bowline_core::transfer::{Leftover, TransferId};
use bowline_host::transfer::Size;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot, watch};

pub use bowline_host::transfer::{Control, Finished, TransferError, TransferProgress};

use crate::client::Command;

/// A transfer under way. Dropping it does not end it; [`cancel`](Self::cancel) does. Once the transfer has ended,
/// keeping this value does not keep the client alive.
#[derive(Debug)]
pub struct Transfer {
    progress: watch::Receiver<TransferProgress>,
    end: oneshot::Receiver<Result<Finished, TransferError>>,
    /// What has come of that.
    ended: Option<Result<Finished, TransferError>>,
    control: Control,
}

impl Transfer {
    /// The id that it has on the wire. It is a secret between the two ends.
    pub fn id(&self) -> TransferId {
        self.control.id()
    }

    /// How far it has come, as a channel that always holds the latest state; it is updated several times a second.
    pub fn progress(&self) -> watch::Receiver<TransferProgress> {
        self.progress.clone()
    }

    /// Waits for the end.
    ///
    /// Cancel-safe: call it again, and it continues to wait. After it has returned once, it returns the same.
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

    /// A handle that pauses, resumes and cancels it, also from elsewhere.
    pub fn control(&self) -> Control {
        self.control.clone()
    }

    /// Stops its bytes until [`resume`](Self::resume); see [`Control::pause`].
    pub fn pause(&self) {
        self.control.pause();
    }

    /// Takes [`pause`](Self::pause) back; see [`Control::resume`].
    pub fn resume(&self) {
        self.control.resume();
    }

    /// Ends it before its time; see [`Control::cancel`].
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
    /// The client stays for whoever controls the transfer, until it ends.
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

    /// Tells the end. Nobody may be waiting.
    pub(crate) fn end(self, result: Result<(TransferProgress, Finished), TransferError>) {
        let result = result.map(|(last, finished)| {
            self.progress.send_replace(last);
            finished
        });
        let _ = self.end.send(result);
    }
}

/// A shared bound on the transfers under way.
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

    /// A place for a file of this length, if it is known. `None` never comes while the client is there.
    pub(crate) async fn take(&self, length: Option<u64>) -> Option<OwnedSemaphorePermit> {
        let places = match Size::of(length) {
            Size::Small => &self.small,
            Size::Large => &self.large,
        };
        Arc::clone(places).acquire_owned().await.ok()
    }
}
