//! One transfer, as the application that asked for it sees it.

use std::sync::Arc;
use std::time::{Duration, Instant};

use bowline_core::Transfers;
use bowline_core::transfer::wire::INITIAL_CREDIT;
use bowline_core::transfer::{
    Digest, Failure, Leftover, Listing, Meter, Progress, SafeName, Stage, TransferId,
};
use bowline_store::StoreError;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot, watch};

use crate::client::Command;

/// How far a transfer has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct TransferProgress {
    /// What it is doing.
    pub stage: Stage,
    /// How many bytes the file has, once that is known; of what comes through a pipe that is at its end.
    pub length: Option<u64>,
    /// How many bytes the receiver has, from the beginning.
    pub received: u64,
    /// How many bytes would survive a crash of the receiver.
    pub durable: u64,
    /// How many bytes have crossed more than once, as far as this end can tell.
    pub resent: u64,
    /// How many links have carried it.
    pub links: u32,
    /// How many bytes a second have come over the last five seconds, or since it began to move. `None` while it does not
    /// move (that is, in any stage but [`Stage::Moving`]), and for the first half second of moving; 0 if the path carries
    /// nothing. What earlier links or processes had brought does not count.
    pub rate: Option<u64>,
    /// How long the rest will take at this rate; `None` if there is none, if it is 0, or if nobody knows how much is left.
    pub time_left: Option<Duration>,
}

/// A transfer that is complete: verified by both ends, durable at the receiver.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Finished {
    /// The name of the file, as the peer knows it.
    pub name: SafeName,
    /// How many bytes it has.
    pub bytes: u64,
    /// Their digest, which both ends have computed.
    pub digest: Digest,
    /// The receiver had the file already.
    pub deduplicated: bool,
    /// How many bytes have crossed more than once, as far as this end can tell.
    pub resent: u64,
    /// How many links have carried it.
    pub links: u32,
    /// How long it took, from the call on.
    pub seconds: f64,
    /// What was fetched is a folder, and this is what it holds. Nothing was written.
    pub listing: Option<Listing>,
}

/// Why a transfer is not complete.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TransferError {
    /// A file on this side cannot be used.
    #[error(transparent)]
    File(#[from] StoreError),
    /// The transfer has ended early.
    #[error(transparent)]
    Failed(#[from] Failure),
    /// The server cannot be reached, and the time that was given for it is over.
    #[error("{0}")]
    Unreachable(String),
    /// The server does not want this client, or is no server of this kind.
    #[error("{0}")]
    Refused(String),
    /// The client was closed.
    #[error("the client was closed")]
    Closed,
}

/// A transfer under way. Dropping it does not end it; [`cancel`](Self::cancel) does.
#[derive(Debug)]
pub struct Transfer {
    pub(crate) id: TransferId,
    pub(crate) progress: watch::Receiver<TransferProgress>,
    pub(crate) end: oneshot::Receiver<Result<Finished, TransferError>>,
    pub(crate) commands: mpsc::UnboundedSender<Command>,
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

/// What somebody wants of a transfer under way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verb {
    Pause,
    Resume,
    Cancel(Leftover),
}

impl Verb {
    /// Does it. False if there is no such transfer, or if it is too late.
    pub(crate) fn apply(self, now: bowline_core::Instant, transfers: &mut Transfers, id: TransferId) -> bool {
        match self {
            Self::Pause => transfers.pause(now, id),
            Self::Resume => transfers.resume(now, id),
            Self::Cancel(leftover) => transfers.cancel(now, id, leftover),
        }
    }
}

/// The other end of a [`Transfer`].
pub(crate) struct Tracked {
    pub(crate) name: SafeName,
    pub(crate) progress: watch::Sender<TransferProgress>,
    pub(crate) end: oneshot::Sender<Result<Finished, TransferError>>,
    pub(crate) began: Instant,
    pub(crate) links: u32,
    /// The last link that was counted.
    pub(crate) link: u32,
    meter: Meter,
    /// Frees the place of this transfer for the next one.
    pub(crate) _permit: OwnedSemaphorePermit,
}

impl Tracked {
    pub(crate) fn new(
        id: TransferId,
        name: SafeName,
        commands: mpsc::UnboundedSender<Command>,
        permit: OwnedSemaphorePermit,
    ) -> (Self, Transfer) {
        let none = TransferProgress {
            stage: Stage::Waiting,
            length: None,
            received: 0,
            durable: 0,
            resent: 0,
            links: 0,
            rate: None,
            time_left: None,
        };
        let (progress, watch) = watch::channel(none);
        let (end, ended) = oneshot::channel();
        let (began, meter) = (Instant::now(), Meter::default());
        let tracked = Self { name, progress, end, began, links: 0, link: 0, meter, _permit: permit };
        (tracked, Transfer { id, progress: watch, end: ended, commands })
    }

    /// The transfer moves on this link.
    pub(crate) fn count_link(&mut self, link: u32) {
        if link != self.link {
            self.link = link;
            self.links += 1;
        }
    }

    pub(crate) fn update(&mut self, now: bowline_core::Instant, progress: Progress) {
        self.meter.handle_progress(now, &progress);
        let (links, rate) = (self.links, self.meter.rate(now));
        let left = progress.length.map(|length| length.saturating_sub(progress.received));
        let time_left = left.and_then(|left| self.meter.time_for(now, left));
        self.progress.send_if_modified(|shown| {
            let new = TransferProgress {
                stage: progress.stage,
                // A link that has ended takes back nothing that was shown.
                length: progress.length.or(shown.length),
                received: if progress.stage == Stage::Moving {
                    progress.received
                } else {
                    progress.received.max(shown.received)
                },
                durable: progress.durable.max(shown.durable),
                resent: progress.resent.max(shown.resent),
                links,
                rate,
                time_left,
            };
            let changed = new != *shown;
            *shown = new;
            changed
        });
    }

    pub(crate) fn finish(
        self,
        bytes: u64,
        digest: Digest,
        deduplicated: bool,
        resent: u64,
        listing: Option<Listing>,
    ) {
        let Self { name, progress, end, began, links, .. } = self;
        progress.send_modify(|shown| {
            *shown = TransferProgress {
                received: bytes,
                durable: bytes,
                length: Some(bytes),
                resent,
                links,
                rate: None,
                time_left: None,
                ..*shown
            };
        });
        let seconds = began.elapsed().as_secs_f64();
        // Nobody may be waiting.
        let _ = end.send(Ok(Finished { name, bytes, digest, deduplicated, resent, links, seconds, listing }));
    }
}

/// A shared bound on the transfers under way: some for large files, and more for those that cross in one round trip.
#[derive(Clone, Debug)]
pub(crate) struct Places {
    large: Arc<Semaphore>,
    small: Arc<Semaphore>,
}

impl Places {
    pub(crate) fn new(large: usize, small: usize) -> Self {
        Self { large: Arc::new(Semaphore::new(large)), small: Arc::new(Semaphore::new(small)) }
    }

    /// A place for a file of this length, if it is known. `None` never comes while the client is there.
    pub(crate) async fn take(&self, length: Option<u64>) -> Option<OwnedSemaphorePermit> {
        let is_small = length.is_some_and(|length| length <= INITIAL_CREDIT);
        let places = if is_small { &self.small } else { &self.large };
        Arc::clone(places).acquire_owned().await.ok()
    }
}
