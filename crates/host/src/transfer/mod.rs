//! One transfer, as the application that asked for it is told of it.

mod control;

use std::time::Duration;

use bowline_core::transfer::wire::INITIAL_CREDIT;
use bowline_core::transfer::{
    Digest, Failure, Leftover, Listing, Meter, Progress, SafeName, Stage, TransferId,
};
use bowline_core::{Instant, Transfers};
use bowline_store::StoreError;

pub use control::{Control, Tell};

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
    /// How many links have carried it, or an offer or a request of it at least.
    pub links: u32,
    /// How many bytes a second have come over the last five seconds, or since it began to move. `None` while it does not
    /// move (that is, in any stage but [`Stage::Moving`]), and for the first half second of moving; 0 if the path carries
    /// nothing. What earlier links or processes had brought does not count.
    pub rate: Option<u64>,
    /// How long the rest will take at this rate; `None` if there is none, if it is 0, or if nobody knows how much is left.
    pub time_left: Option<Duration>,
}

impl Default for TransferProgress {
    /// That of a transfer of which nothing is known yet.
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
    /// The name of the file, as the peer knows it; a listing of all that there is goes by `listing`.
    pub name: SafeName,
    /// How many bytes it has.
    pub bytes: u64,
    /// Their digest, which both ends have computed.
    pub digest: Digest,
    /// The receiver had the file already.
    pub deduplicated: bool,
    /// How many of the bytes an earlier process had brought: this one went on there.
    pub resumed: u64,
    /// How many bytes have crossed more than once, as far as this end can tell.
    pub resent: u64,
    /// How many links have carried it, or an offer or a request of it at least.
    pub links: u32,
    /// How long it took, from the call on.
    pub seconds: f64,
    /// What was fetched is a folder, and this is what it holds; or nothing but a listing was asked for. Nothing was written.
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

/// What somebody wants of a transfer under way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Verb {
    /// Stop its bytes.
    Pause,
    /// Take that back.
    Resume,
    /// End it, and do this with what the receiver has of it.
    Cancel(Leftover),
}

impl Verb {
    /// Does it. False if there is no such transfer, or if it is too late.
    pub fn apply(self, now: Instant, transfers: &mut Transfers, id: TransferId) -> bool {
        match self {
            Self::Pause => transfers.pause(now, id),
            Self::Resume => transfers.resume(now, id),
            Self::Cancel(leftover) => transfers.cancel(now, id, leftover),
        }
    }
}

/// The two kinds of transfers that a client bounds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Size {
    /// More of them at once would only share the link, and all end late.
    Large,
    /// Files that cross in one round trip. Many at once hide the round trips of a tree of small files.
    Small,
}

impl Size {
    /// That of a file of this length, if it is known.
    pub fn of(length: Option<u64>) -> Self {
        if length.is_some_and(|length| length <= INITIAL_CREDIT) { Self::Small } else { Self::Large }
    }

    /// How many of them a client has under way at once; the others wait for a place. Both together as many as a server
    /// takes, which bounds the number of open files.
    pub fn places(self) -> usize {
        match self {
            Self::Large => 32,
            Self::Small => 224,
        }
    }
}

/// A transfer that somebody waits for: by the ticket `T` the adapter finds out who.
#[derive(Debug)]
pub(crate) struct Tracked<T> {
    pub(crate) name: SafeName,
    pub(crate) ticket: T,
    began: Instant,
    links: u32,
    /// The last link that was counted.
    link: u32,
    meter: Meter,
    /// What was told last.
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

    /// Looks at the transfer; what is to be told of it, if that is news.
    pub(crate) fn update(&mut self, now: Instant, progress: Progress) -> Option<TransferProgress> {
        self.meter.handle_progress(now, &progress);
        let shown = self.shown;
        let left = progress.length.map(|length| length.saturating_sub(progress.received));
        let news = TransferProgress {
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
            links: self.links,
            rate: self.meter.rate(now),
            time_left: left.and_then(|left| self.meter.time_for(now, left)),
        };
        self.shown = news;
        (news != shown).then_some(news)
    }

    /// It is complete: who is to hear of it, and what.
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

/// What is known of a transfer when it is complete.
pub(crate) struct Done {
    pub(crate) length: u64,
    pub(crate) digest: Digest,
    pub(crate) deduplicated: bool,
    pub(crate) resumed: u64,
    pub(crate) resent: u64,
    pub(crate) listing: Option<Listing>,
}
