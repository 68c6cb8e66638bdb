//! What whoever queues transfers and whoever follows them tell each other.

use bowline_core::transfer::{Failure, Listing};
use bowline_store::StoreError;
use bowline_tokio::{Transfer, TransferError};
use std::time::Duration;
use tokio::sync::mpsc;

/// What is told of the transfers of a command, as they are found and queued. Each has a number.
#[derive(Debug)]
pub(crate) enum News {
    /// There is one more file, or folder, to transfer.
    Found { index: usize, subject: Subject },
    /// A transfer has begun, or could not begin.
    Begun { index: usize, result: Result<Transfer, TransferError> },
    /// Something here has to wait.
    PutOff { name: String, failure: Failure, after: Duration },
    /// Something will not be transferred.
    LeftOut { name: String, why: String, lost: Lost },
    /// A folder has been made here.
    FolderMade,
    /// A folder holds so much.
    Counted(Counted),
}

impl News {
    /// Something waits for what this error is about, and is tried again after this time.
    pub(crate) fn put_off(name: String, error: &StoreError, after: Duration) -> Self {
        Self::PutOff { name, failure: Failure::local(error.code(), error.reason()), after }
    }
}

/// What a transfer is about, for people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Subject {
    pub(crate) name: String,
    pub(crate) bytes: u64,
    pub(crate) folder: bool,
}

/// What a folder holds, itself included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Counted {
    pub(crate) files: u64,
    pub(crate) folders: u64,
    pub(crate) bytes: u64,
}

/// What it means that something is left out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Lost {
    /// It is nothing that could be transferred: links and devices.
    Nothing,
    /// Somebody misses so many files or folders: the command fails, though the others go on.
    Missed(u64),
}

/// A transfer has ended; if it was one of a folder's listing, this is it.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) index: usize,
    pub(crate) listing: Option<Listing>,
}

/// Ends of transfers, for whoever queues them. Bounded by the transfers that are under way.
pub(crate) type Ends = mpsc::UnboundedReceiver<Ended>;
