//! The transfers that are under way, one by one.

use super::pace::Pace;
use bowline_core::transfer::Stage;
use bowline_tokio::TransferProgress;
use std::time::Instant;
use tokio::sync::watch;

/// A file, or a folder, that is not over.
#[derive(Debug)]
pub(super) struct Row {
    pub(super) name: String,
    pub(super) bytes: u64,
    pub(super) folder: bool,
    pub(super) state: State,
}

#[derive(Debug)]
pub(super) enum State {
    Queued,
    Under {
        progress: watch::Receiver<TransferProgress>,
        pace: Pace,
        /// The most that has ever arrived.
        most: u64,
        /// Whether some of it arrived before its length was known.
        open: bool,
        told: Option<(Instant, Stage)>,
    },
}
