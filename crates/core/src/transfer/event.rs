//! What [`Transfers`](super::Transfers) needs done, and what it reports.

use super::wire::Mode;
use super::{
    Batch, ByteRange, Code, Digest, Kind, Leftover, Retry, SafeName, TransferId, UnixMode, Validator,
};
use crate::words::OneLine;
use alloc::string::String;
use bytes::Bytes;
use core::fmt;
use core::time::Duration;

/// What [`Transfers`](super::Transfers) needs done, and what it reports.
///
/// The first group are effects: each names the command that answers it. Carry out the effects of one transfer in order,
/// except that a [`Sync`](Event::Sync) may run beside later writes, and a [`Hash`](Event::Hash) beside later reads.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Event {
    /// Read a piece of the source. Answer each with [`provide`](super::Transfers::provide), or with
    /// [`fail`](super::Transfers::fail) if it cannot be read.
    Read {
        /// Of which transfer.
        id: TransferId,
        /// From where.
        offset: u64,
        /// How many bytes; fewer are acceptable, but at least one. If the source was offered without a length, only the
        /// later of two reads must be answered.
        len: usize,
    },
    /// Everything below `upto` is durable at the receiver, so a source of unknown length, which may not be readable
    /// twice, may forget it. No answer.
    Release {
        /// Of which transfer.
        id: TransferId,
        /// Up to where.
        upto: u64,
    },
    /// Take the digest of the source's first bytes. Answer with [`provide_digest`](super::Transfers::provide_digest).
    Hash {
        /// Of which transfer.
        id: TransferId,
        /// How many bytes from the beginning.
        upto: u64,
    },
    /// Check whether the source is still the file that was offered. Answer with [`confirm`](super::Transfers::confirm),
    /// or with [`fail`](super::Transfers::fail) and [`Code::SourceChanged`].
    Check {
        /// Of which transfer.
        id: TransferId,
    },
    /// The peer requests a file, a part of it, or the listing of a folder. Answer with
    /// [`offer`](super::Transfers::offer) under this id, or with [`fail`](super::Transfers::fail): with
    /// [`Code::OutOfRange`] if the file has none of that part.
    Requested {
        /// The id for the transfer.
        id: TransferId,
        /// Which file.
        name: SafeName,
        /// Which bytes of it. Offer a file that consists only of these: its length, offsets, digests, and validator are
        /// those of the part.
        range: ByteRange,
    },
    /// The peer requests a listing rather than a file: of what has this name, or of everything that it may fetch.
    /// Answer as for [`Requested`](Self::Requested), with an offer of [`Kind::Listing`]; its name has no meaning.
    ListingRequested {
        /// The id for the transfer.
        id: TransferId,
        /// What to list. The listing of a file has one line, with the last part of its name. `None`: everything.
        name: Option<SafeName>,
    },
    /// The peer offers a file or a folder. Answer with [`answer`](super::Transfers::answer), or with
    /// [`fail`](super::Transfers::fail).
    Offered(Offered),
    /// Write these bytes. Answer with [`written`](super::Transfers::written).
    Write {
        /// Of which transfer.
        id: TransferId,
        /// To where; always the end of what was written before.
        offset: u64,
        /// The bytes.
        data: Bytes,
    },
    /// Make durable what has been written so far. Answer with [`commit`](super::Transfers::commit).
    Sync {
        /// Of which transfer.
        id: TransferId,
    },
    /// Everything is written: verify the file and move it into place. Answer with [`finish`](super::Transfers::finish).
    Finish {
        /// Of which transfer.
        id: TransferId,
        /// How many bytes the file has.
        length: u64,
        /// The digest that it must have.
        digest: Digest,
    },
    /// The link is gone or the transfer has ended early: make durable what is written, and release it. No answer.
    Detach {
        /// Of which transfer.
        id: TransferId,
    },
    /// The sender gave up for good: discard what there is. No answer.
    Discard {
        /// Of which transfer.
        id: TransferId,
    },

    /// The receiver accepted our offer; sending resumes from `resume`.
    Accepted {
        /// Which transfer.
        id: TransferId,
        /// From where.
        resume: u64,
    },
    /// The peer has paused a transfer. Nothing needs to be done.
    Paused {
        /// Which transfer.
        id: TransferId,
    },
    /// The peer has ended its pause.
    Resumed {
        /// Which transfer.
        id: TransferId,
    },
    /// A transfer will be tried again after a while.
    Retrying {
        /// Which transfer.
        id: TransferId,
        /// Why.
        failure: Failure,
        /// After how long.
        after: Duration,
    },
    /// A transfer is complete: verified, and durable at the receiver. Its id is forgotten.
    Done {
        /// Which transfer.
        id: TransferId,
        /// What it was: a request for a file is answered with a listing if a folder has that name.
        kind: Kind,
        /// How many bytes.
        length: u64,
        /// Their digest, computed by both ends.
        digest: Digest,
        /// The receiver already had the file.
        deduplicated: bool,
        /// Where its first link began: an earlier process had transferred everything before it.
        resumed: u64,
        /// How many bytes crossed more than once, as far as this end can tell.
        resent: u64,
    },
    /// A transfer has ended early. Its id is forgotten.
    Failed {
        /// Which transfer.
        id: TransferId,
        /// Why.
        failure: Failure,
    },
    /// The peer is going away and asks us to return after a while.
    GoingAway {
        /// Why.
        code: Code,
        /// After how long: at most an hour, whatever the peer says.
        retry_after: Duration,
    },
    /// The peer, or the path, violated the protocol, or the peer's credentials are no longer valid: this link cannot
    /// continue. Close it.
    Broken {
        /// Why.
        code: Code,
        /// Why, in words.
        text: String,
    },
}

/// What the peer offers.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Offered {
    /// The transfer.
    pub id: TransferId,
    /// Under what name.
    pub name: SafeName,
    /// What it is. A folder is answered with [`Answer::Folder`]; a listing comes only if it was asked for.
    pub kind: Kind,
    /// How many bytes. `None` if that is known only at the end: there may be more than there is room for.
    pub length: Option<u64>,
    /// When the file was last changed, in milliseconds since 1970; 0 if unknown.
    pub mtime_ms: i64,
    /// The permissions for it, if the sender specified them.
    pub unix_mode: Option<UnixMode>,
    /// A text that distinguishes this version of the file from others.
    pub validator: Option<Validator>,
    /// Which other transfers it belongs to.
    pub batch: Option<Batch>,
    /// What to do with an earlier part.
    pub mode: Mode,
    /// The epoch that the sender saw before, 0 if none.
    pub epoch_seen: u32,
    /// The process that offers.
    pub instance: [u8; 16],
    /// Whether we asked for this file.
    pub requested: bool,
}

/// The answers to an [`Event::Offered`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Answer {
    /// Accept it, from this offset on.
    Take {
        /// Everything below is durable here.
        from: u64,
        /// The digest of everything below.
        prefix: Digest,
        /// The number of this attachment: one more than that of the last one, on any link, beginning with 1. If another
        /// attachment held the transfer until now, call [`fail`](super::Transfers::fail) with [`Code::Fenced`] for it
        /// at its next event.
        epoch: u32,
        /// When the part is discarded if nothing more arrives, in seconds since 1970; `None` if never.
        expires: Option<u64>,
    },
    /// This very transfer was finished before.
    Complete {
        /// How many bytes the file has.
        length: u64,
        /// The digest of the file.
        digest: Digest,
    },
    /// A file with that name and length is already there, from another source. If the sender's digest is the same,
    /// nothing is left to do; if not, the name is taken. With an unknown length, no file is the same, and this ends in
    /// [`Code::Exists`].
    Present {
        /// The digest of the file.
        digest: Digest,
    },
    /// The folder exists.
    Folder {
        /// Whether it existed before.
        existed: bool,
    },
}

/// Why a transfer ended early.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Failure {
    /// Why, with its retry class.
    pub code: Code,
    /// Why, in words; may be empty.
    pub text: String,
    /// Whether the peer said so.
    pub by_peer: bool,
    /// When to try again, if a time is known; at most an hour if the peer says so.
    pub retry_after: Duration,
    /// What happens to the receiver's part, if one end has decided it.
    pub leftover: Option<Leftover>,
}

impl Failure {
    /// A failure that this end found.
    pub fn local(code: Code, text: impl Into<String>) -> Self {
        Self { code, text: text.into(), by_peer: false, retry_after: Duration::ZERO, leftover: None }
    }

    /// How long to wait before another attempt, if one can help after this many.
    pub(super) fn wait(&self, attempts: u32) -> Option<Duration> {
        match self.code.retry() {
            Retry::Same => Some(Duration::from_secs(1 << attempts.min(5))),
            Retry::Elsewhere => Some(Duration::from_secs(1)),
            Retry::Wait => Some(self.retry_after).filter(|after| !after.is_zero()),
            Retry::Never | Retry::Restart => None,
        }
    }

    /// Whether a sender gives up after hearing this from its receiver, and no other sender continues.
    pub(super) fn is_final(&self) -> bool {
        self.code != Code::Fenced && self.wait(0).is_none()
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.by_peer {
            f.write_str("the other side says: ")?;
        }
        // A text says more than the name of the code.
        if self.text.is_empty() { fmt::Display::fmt(&self.code, f) } else { OneLine(&self.text).fmt(f) }
    }
}

impl core::error::Error for Failure {}

/// What a transfer is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Stage {
    /// It waits for a link, for its turn, or for the time of another attempt.
    Waiting,
    /// It is offered or requested, and not yet answered.
    Opening,
    /// Bytes move.
    Moving,
    /// One end has paused it, or both.
    Paused {
        /// This end.
        here: bool,
        /// The other end.
        there: bool,
    },
    /// All bytes have moved; digests are being compared, and disks are at work.
    Finishing,
}

/// How far a transfer has come. A [`Meter`](super::Meter) computes a rate from several of these.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Progress {
    /// What it is doing.
    pub stage: Stage,
    /// How many bytes the file has, once known, which may be only at its end.
    pub length: Option<u64>,
    /// How many bytes from the beginning the receiver has in memory or on disk. 0 if another file has the name, until
    /// it is known to be the same.
    pub received: u64,
    /// How many bytes would survive a crash of the receiver.
    pub durable: u64,
    /// How many bytes crossed more than once, as far as this end can tell.
    pub resent: u64,
}
