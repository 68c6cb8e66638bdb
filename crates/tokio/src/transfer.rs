//! One transfer, as the application that asked for it has it.

use std::sync::Arc;

use bowline_core::transfer::{Leftover, TransferId};
use bowline_host::transfer::{Size, Verb};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot, watch};

pub use bowline_host::transfer::{Finished, TransferError, TransferProgress};

use crate::client::Command;

/// A transfer under way. Dropping it does not end it; [`cancel`](Self::cancel) does.
#[derive(Debug)]
pub struct Transfer {
    id: TransferId,
    progress: watch::Receiver<TransferProgress>,
    end: oneshot::Receiver<Result<Finished, TransferError>>,
    commands: mpsc::UnboundedSender<Command>,
}

impl Transfer {
    /// The id that it has on the wire. It is a secret between the two ends.
    pub fn id(&self) -> TransferId {
        self.id
    }

    /// How far it has come, as a channel that always holds the latest; it is updated several times a second.
    pub fn progress(&self) -> watch::Receiver<TransferProgress> {
        self.progress.clone()
    }

    /// Waits for the end.
    ///
    /// Cancel-safe: call it again and it goes on waiting. After it has returned once, it returns
    /// [`TransferError::Closed`].
    ///
    /// # Errors
    /// Why the file has not arrived.
    pub async fn finished(&mut self) -> Result<Finished, TransferError> {
        if self.end.is_terminated() {
            return Err(TransferError::Closed);
        }
        (&mut self.end).await.unwrap_or(Err(TransferError::Closed))
    }

    /// What pauses, resumes and cancels it, also from elsewhere.
    pub fn control(&self) -> Control {
        Control { id: self.id, commands: self.commands.clone() }
    }

    /// Stops its bytes until [`resume`](Self::resume), over as many links as it takes. Others use its share meanwhile.
    pub fn pause(&self) {
        self.control().pause();
    }

    /// Takes [`pause`](Self::pause) back. It moves again if the peer has not paused it too.
    pub fn resume(&self) {
        self.control().resume();
    }

    /// Ends it before its time, and says what is to become of the part that the receiver has. It ends with
    /// [`TransferError::Failed`] and [`Code::Cancelled`](bowline_core::transfer::Code::Cancelled).
    pub fn cancel(&self, leftover: Leftover) {
        self.control().cancel(leftover);
    }
}

/// Pauses, resumes and cancels a [`Transfer`]; whoever waits for its end can keep it meanwhile. What has ended takes no
/// notice.
#[derive(Clone, Debug)]
pub struct Control {
    id: TransferId,
    commands: mpsc::UnboundedSender<Command>,
}

impl Control {
    /// See [`Transfer::pause`].
    pub fn pause(&self) {
        self.send(Verb::Pause);
    }

    /// See [`Transfer::resume`].
    pub fn resume(&self) {
        self.send(Verb::Resume);
    }

    /// See [`Transfer::cancel`].
    pub fn cancel(&self, leftover: Leftover) {
        self.send(Verb::Cancel(leftover));
    }

    fn send(&self, verb: Verb) {
        // If the client is gone, so is the transfer.
        let _ = self.commands.send(Command::Tell(self.id, verb));
    }
}

/// The other end of a [`Transfer`].
#[derive(Debug)]
pub(crate) struct Ticket {
    pub(crate) progress: watch::Sender<TransferProgress>,
    end: oneshot::Sender<Result<Finished, TransferError>>,
    /// Frees the place of this transfer for the next one.
    _permit: OwnedSemaphorePermit,
}

impl Ticket {
    pub(crate) fn new(
        id: TransferId,
        commands: mpsc::UnboundedSender<Command>,
        permit: OwnedSemaphorePermit,
    ) -> (Self, Transfer) {
        let (progress, watch) = watch::channel(TransferProgress::default());
        let (end, ended) = oneshot::channel();
        (Self { progress, end, _permit: permit }, Transfer { id, progress: watch, end: ended, commands })
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
