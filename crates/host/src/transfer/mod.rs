//! One transfer, as reported to the application that asked for it.

mod control;

use std::time::Duration;

use bowline_core::transfer::wire::INITIAL_CREDIT;
use bowline_core::transfer::{
    Digest, Failure, Leftover, Listing, Meter, Progress, SafeName, Stage, TransferId,
};
use bowline_core::{Instant, Transfers};
use bowline_store::StoreError;

pub use control::{Control, Tell};

/// The progress of a transfer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct TransferProgress {
    /// What it is doing.
    pub stage: Stage,
    /// How many bytes the file has, once known; for a pipe that is at its end.
    pub length: Option<u64>,
    /// How many bytes the receiver has, from the beginning.
    pub received: u64,
    /// How many bytes would survive a crash of the receiver.
    pub durable: u64,
    /// How many bytes crossed more than once, as far as this end can tell.
    pub resent: u64,
    /// How many links have carried it, or at least an offer or a request of it.
    pub links: u32,
    /// How many bytes per second have arrived over the last five seconds, or since it began to move. `None` while it
    /// does not move (that is, in any stage but [`Stage::Moving`]), and for the first half second of moving; 0 if the
    /// path carries nothing. Bytes of earlier links or processes do not count.
    pub rate: Option<u64>,
    /// How long the rest will take at this rate; `None` if there is no rate, if it is 0, or if the length is unknown.
    pub time_left: Option<Duration>,
}

impl Default for TransferProgress {
    /// The progress of a transfer about which nothing is known yet.
    fn default() -> Self {
        Self {
            stage: Stage::Waiting,
            length: None,
            received: 0,
            durable: 0,
            resent: 0,
            links: 0,
            rate: None,
            time_left: None,
        }
    }
}

/// A transfer that is complete: verified by both ends, durable at the receiver.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Finished {
    /// The name of the file, as the peer knows it; `listing` for a listing of everything.
    pub name: SafeName,
    /// How many bytes it has.
    pub bytes: u64,
    /// Their digest, computed by both ends.
    pub digest: Digest,
    /// Whether the receiver already had the file.
    pub deduplicated: bool,
    /// How many of the bytes an earlier process had brought: this one continued there.
    pub resumed: u64,
    /// How many bytes crossed more than once, as far as this end can tell.
    pub resent: u64,
    /// How many links have carried it, or at least an offer or a request of it.
    pub links: u32,
    /// How long it took, from the call.
    pub seconds: f64,
    /// If a folder was fetched, or only a listing requested: the listing. Nothing was written.
    pub listing: Option<Listing>,
}

/// Why a transfer is not complete.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TransferError {
    /// A file on this side cannot be used.
    #[error(transparent)]
    File(#[from] StoreError),
    /// The transfer has ended early.
    #[error(transparent)]
    Failed(#[from] Failure),
    /// The server cannot be reached, and the time allowed for that is over.
    #[error("{0}")]
    Unreachable(String),
    /// The server refuses this client, or is not a server of this kind.
    #[error("{0}")]
    Refused(String),
    /// The client was closed.
    #[error("the client was closed")]
    Closed,
}

/// What to do with a running transfer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Verb {
    /// Stop its bytes.
    Pause,
    /// Move them again.
    Resume,
    /// End it, and do this with the receiver's part.
    Cancel(Leftover),
}

impl Verb {
    /// Carries it out. Returns false if there is no such transfer, or if it is too late.
    pub fn apply(self, now: Instant, transfers: &mut Transfers, id: TransferId) -> bool {
        match self {
            Self::Pause => transfers.pause(now, id),
            Self::Resume => transfers.resume(now, id),
            Self::Cancel(leftover) => transfers.cancel(now, id, leftover),
        }
    }
}

/// The two kinds of transfers that a client limits separately.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Size {
    /// More of them at once would only share the link, and all end late.
    Large,
    /// Files that cross in one round trip. Many at once hide the round trips of a tree of small files.
    Small,
}

impl Size {
    /// The kind of a file of this length, if known.
    pub fn of(length: Option<u64>) -> Self {
        if length.is_some_and(|length| length <= INITIAL_CREDIT) { Self::Small } else { Self::Large }
    }

    /// How many of them a client runs at once; the others wait for a place. Both together are as many as a server
    /// accepts, which limits the number of open files.
    pub fn places(self) -> usize {
        match self {
            Self::Large => 32,
            Self::Small => 224,
        }
    }
}

/// A transfer that somebody waits for; the adapter identifies the waiter by the ticket `T`.
#[derive(Debug)]
pub(crate) struct Tracked<T> {
    pub(crate) name: SafeName,
    pub(crate) ticket: T,
    began: Instant,
    links: u32,
    /// The last link that was counted.
    link: u32,
    meter: Meter,
    /// What was last reported.
    shown: TransferProgress,
}

impl<T> Tracked<T> {
    pub(crate) fn new(now: Instant, name: SafeName, ticket: T) -> Self {
        let (meter, shown) = (Meter::default(), TransferProgress::default());
        Self { name, ticket, began: now, links: 0, link: 0, meter, shown }
    }

    /// The transfer moves on this link.
    pub(crate) fn count_link(&mut self, link: u32) {
        if link != self.link {
            self.link = link;
            self.links += 1;
        }
    }

    /// Updates the progress; returns what to report, if that has changed.
    pub(crate) fn update(&mut self, now: Instant, progress: Progress) -> Option<TransferProgress> {
        self.meter.handle_progress(now, &progress);
        let shown = self.shown;
        let left = progress.length.map(|length| length.saturating_sub(progress.received));
        let news = TransferProgress {
            stage: progress.stage,
            // The end of a link does not take back any progress that was reported.
            length: progress.length.or(shown.length),
            received: if progress.stage == Stage::Moving {
                progress.received
            } else {
                progress.received.max(shown.received)
            },
            durable: progress.durable.max(shown.durable),
            resent: progress.resent.max(shown.resent),
            links: self.links,
            rate: self.meter.rate(now),
            time_left: left.and_then(|left| self.meter.time_for(now, left)),
        };
        self.shown = news;
        (news != shown).then_some(news)
    }

    /// It is complete. Returns whom to tell, and what.
    pub(crate) fn finish(self, now: Instant, done: Done) -> (T, TransferProgress, Finished) {
        let Self { name, ticket, began, links, shown, .. } = self;
        let Done { length: bytes, digest, deduplicated, resumed, resent, listing } = done;
        let progress = TransferProgress {
            received: bytes,
            durable: bytes,
            length: Some(bytes),
            resent,
            links,
            rate: None,
            time_left: None,
            ..shown
        };
        let seconds = (now - began).as_secs_f64();
        let finished =
            Finished { name, bytes, digest, deduplicated, resumed, resent, links, seconds, listing };
        (ticket, progress, finished)
    }
}

/// What is known about a completed transfer.
pub(crate) struct Done {
    pub(crate) length: u64,
    pub(crate) digest: Digest,
    pub(crate) deduplicated: bool,
    pub(crate) resumed: u64,
    pub(crate) resent: u64,
    pub(crate) listing: Option<Listing>,
}
