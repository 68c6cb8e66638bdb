//! What the task that queues transfers and the one that follows them tell each other.

use bowline_core::transfer::{Failure, Listing};
use bowline_store::StoreError;
use bowline_tokio::{Transfer, TransferError};
use std::time::Duration;
use tokio::sync::mpsc;

/// What is reported about the transfers of a command, as they are found and queued. Each has a number.
#[derive(Debug)]
pub(crate) enum News {
    /// There is another file or folder to transfer.
    Found { index: usize, subject: Subject },
    /// A transfer has begun, or could not begin.
    Begun { index: usize, result: Result<Transfer, TransferError> },
    /// Something on this machine has to wait.
    PutOff { name: String, failure: Failure, after: Duration },
    /// Something will not be transferred.
    LeftOut { name: String, why: String, lost: Lost },
    /// A local folder has been created.
    FolderMade,
    /// The totals of a folder.
    Counted(Counted),
}

impl News {
    /// Something waits because of this error, and is tried again after this time.
    pub(crate) fn put_off(name: String, error: &StoreError, after: Duration) -> Self {
        Self::PutOff { name, failure: Failure::local(error.code(), error.reason()), after }
    }
}

/// What a transfer is about, for people to read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Subject {
    pub(crate) name: String,
    pub(crate) bytes: u64,
    pub(crate) folder: bool,
}

/// The totals of a folder, including itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Counted {
    pub(crate) files: u64,
    pub(crate) folders: u64,
    pub(crate) bytes: u64,
}

/// What it means that something is left out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Lost {
    /// It could not be transferred anyway: links and devices.
    Nothing,
    /// This many files or folders are missing: the command fails, though the others continue.
    Missed(u64),
}

/// A transfer has ended; if it was the listing of a folder, this is it.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) index: usize,
    pub(crate) listing: Option<Listing>,
}

/// Ends of transfers, for the task that queues them. At most as many as transfers are under way.
pub(crate) type Ends = mpsc::UnboundedReceiver<Ended>;
