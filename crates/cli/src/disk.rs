//! Work that waits for a disk.

use crate::news::News;
use bowline_store::{ErrorKind, StoreError};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;

/// How long to wait for others to close their files, at first and at most.
const FIRST: Duration = Duration::from_secs(1);
const LONGEST: Duration = Duration::from_secs(30);

/// Runs a job that waits for a disk, without blocking anything else. While too many files are open, or the disk is
/// full, it reports that and tries again: transfers that end close their files, and people can free space.
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
        // If nobody is listening, the command has ended.
        if tell.send(News::put_off(name.to_owned(), &error, wait)).await.is_err() {
            return Err(error);
        }
        tokio::time::sleep(wait).await;
        after = (after * 2).min(LONGEST);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bowline_core::transfer::{Code, SafeName, TransferId};
    use bowline_store::{Attach, Config, DiskStore, Mode, Spec};
    use std::sync::atomic::{AtomicU32, Ordering};
    use std::time::SystemTime;

    /// The error of a disk that has no space for a file.
    fn full() -> StoreError {
        let dir = tempfile::tempdir().expect("a folder");
        let store = DiskStore::open(dir.path(), Config::fetching()).expect("a store");
        let spec = Spec::new(SafeName::parse("huge").expect("a good name"), Some(1 << 60));
        let attach = Attach::new(Mode::AttachOrCreate, [1; 16]);
        let attached = store.attach(TransferId::from_bytes([1; 16]), &spec, attach, SystemTime::UNIX_EPOCH);
        attached.expect_err("no disk is so large")
    }

    #[tokio::test(start_paused = true)]
    async fn a_full_disk_is_waited_for_and_reported() {
        let (tell, mut news) = mpsc::channel(10);
        let tries = AtomicU32::new(0);
        let began = tokio::time::Instant::now();
        let job = move || match tries.fetch_add(1, Ordering::SeqCst) {
            0 | 1 => Err(full()),
            tries => Ok(tries),
        };
        assert_eq!(on_disk("a", &tell, job).await.expect("there is room again"), 2);
        assert_eq!(began.elapsed().as_secs(), 60);
        drop(tell);
        let mut told = 0;
        while let Some(news) = news.recv().await {
            let News::PutOff { failure, after, .. } = news else { panic!("{news:?}") };
            assert_eq!((failure.code, after), (Code::NoSpace, Duration::from_secs(30)));
            told += 1;
        }
        assert_eq!(told, 2);
    }
}
