//! Work that waits for a disk.

use crate::news::News;
use bowline_core::transfer::Failure;
use bowline_store::{ErrorKind, StoreError};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;

/// How long to wait at first, and at most, until others may have closed their files.
const FIRST: Duration = Duration::from_secs(1);
const LONGEST: Duration = Duration::from_secs(30);

/// Runs a job that waits for a disk where it holds nobody up. While too many files are open, or the disk is full, it tells so,
/// and tries again: transfers that end close theirs, and people can make room.
pub(crate) async fn on_disk<T: Send + 'static>(
    name: &str,
    tell: &mpsc::Sender<News>,
    job: impl Fn() -> Result<T, StoreError> + Send + Sync + 'static,
) -> Result<T, StoreError> {
    let job = Arc::new(job);
    let mut after = FIRST;
    loop {
        let run = Arc::clone(&job);
        let result = match tokio::task::spawn_blocking(move || run()).await {
            Ok(result) => result,
            Err(panic) => std::panic::resume_unwind(panic.into_panic()),
        };
        let error = match result {
            Err(error) if matches!(error.kind(), ErrorKind::TooManyOpen | ErrorKind::NoSpace) => error,
            result => return result,
        };
        let wait = after.max(error.retry_after());
        let failure = Failure::local(error.code(), error.reason());
        // If nobody wants to know, the command has ended.
        if tell.send(News::PutOff { name: name.to_owned(), failure, after: wait }).await.is_err() {
            return Err(error);
        }
        tokio::time::sleep(wait).await;
        after = (after * 2).min(LONGEST);
    }
}
