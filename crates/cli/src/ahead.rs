//! Finds what is to be sent, some steps ahead of the transfers and on a thread of its own: by walking through a folder,
//! or because somebody has named it.

use crate::descriptors::are_plenty;
use crate::queue::Told;
use bowline_store::{DiskStore, Found, Source, Walk};
use std::panic::resume_unwind;
use std::time::{Duration, Instant};
use tokio::runtime::Handle;
use tokio::sync::mpsc;

/// How many items may be found ahead of the transfers.
const AHEAD: usize = 64;
/// This many must be taken before more are found: waking a thread for each takes longer than finding and opening a
/// small file.
const GROUP: usize = AHEAD / 2;
/// Files up to this length are opened where they are found: having another thread do it takes longer than reading them.
const SHORT: u64 = 64 << 10;
/// A file that was opened longer ago than this is opened again.
const FRESH: Duration = Duration::from_secs(1);
/// How long a walk pauses when it cannot open any folder.
pub(crate) const STANDSTILL: Duration = Duration::from_secs(1);

/// An item that was found.
pub(crate) struct Step<T> {
    pub(crate) found: T,
    /// Present if it is a short file.
    pub(crate) opened: Option<Opened>,
}

/// The items, as they are found.
pub(crate) struct Steps<T>(Told<Step<T>>);

impl<T> Steps<T> {
    /// The next item; `None` at the end. Cancel-safe.
    ///
    /// # Panics
    /// If the finder has panicked, because the items that it would have found are missing.
    pub(crate) async fn recv(&mut self) -> Option<Step<T>> {
        match self.0.next().await? {
            Ok(step) => Some(step),
            // Not a panic: the finder ended with the runtime, and so does everybody who asks.
            Err(error) => error.try_into_panic().ok().and_then(|panic| resume_unwind(panic)),
        }
    }
}

/// A file that was opened ahead of its turn.
pub(crate) struct Opened {
    source: Source,
    at: Instant,
}

impl Opened {
    fn new(source: Source) -> Self {
        Self { source, at: Instant::now() }
    }

    /// The file, unless another one may have its name by now.
    pub(crate) fn if_fresh(self) -> Option<Source> {
        (self.at.elapsed() < FRESH).then_some(self.source)
    }
}

/// Whether a file of this length is opened ahead of its turn.
pub(crate) fn is_short(length: u64) -> bool {
    length <= SHORT
}

/// Walks a few steps ahead. While too many files are open, the walk pauses, and each step says so.
pub(crate) fn walk(mut walk: Walk, store: DiskStore) -> Steps<Found> {
    let open = move |found: &Found| match found {
        Found::File(entry) if is_short(entry.length) => store.source(&entry.name).ok(),
        _ => None,
    };
    let mut is_stuck = false;
    let next = move |tell: &mpsc::Sender<Step<Found>>| {
        if stands_still(is_stuck, tell) {
            std::thread::sleep(STANDSTILL);
            walk.look_again();
        }
        let found = walk.next()?;
        is_stuck = matches!(&found, Found::LeftOut { why, .. } if why.is_passing());
        Some(found)
    };
    ahead(next, open)
}

/// Finds the next items a few steps ahead, on a thread of its own. `open` opens short files; if it fails, whoever takes
/// the step finds out why.
pub(crate) fn ahead<T: Send + 'static>(
    mut next: impl FnMut(&mpsc::Sender<Step<T>>) -> Option<T> + Send + 'static,
    open: impl Fn(&T) -> Option<Source> + Send + 'static,
) -> Steps<T> {
    let (tell, steps) = mpsc::channel(AHEAD);
    let (opens, runtime) = (are_plenty(), Handle::current());
    let finder = tokio::task::spawn_blocking(move || {
        while let Ok(places) = runtime.block_on(tell.reserve_many(GROUP)) {
            for place in places {
                let Some(found) = next(&tell) else { return };
                let opened = if opens { open(&found) } else { None };
                place.send(Step { found, opened: opened.map(Opened::new) });
            }
        }
    });
    Steps(Told::by(finder, steps))
}

/// Whether to pause, and then to try again once others have closed their files: only while somebody still takes the
/// steps.
fn stands_still(is_stuck: bool, tell: &mpsc::Sender<Step<Found>>) -> bool {
    is_stuck && !tell.is_closed()
}

#[cfg(test)]
mod tests {
    use super::*;
    use bowline_core::transfer::SafeName;

    fn opened(store: &DiskStore, name: &str) -> Opened {
        Opened::new(store.source(&SafeName::parse(name).expect("a good name")).expect("there"))
    }

    #[tokio::test]
    async fn short_files_are_open_when_their_turn_comes_and_others_are_not() {
        let dir = tempfile::tempdir().expect("a folder");
        for (name, len) in [("a", SHORT), ("b", SHORT + 1), ("c", 0)] {
            std::fs::File::create(dir.path().join(name))
                .and_then(|file| file.set_len(len))
                .expect("writable");
        }
        std::fs::create_dir(dir.path().join("d")).expect("writable");
        let store = DiskStore::open(dir.path(), bowline_store::Config::default()).expect("a store");
        let mut steps = walk(store.walk(None).expect("a walk"), store);
        let mut are_open = Vec::new();
        while let Some(step) = steps.recv().await {
            are_open.push(step.opened.is_some());
        }
        assert_eq!(are_open, [true, false, true, false, false], "a, b, c, d and the end of d");
    }

    #[tokio::test]
    async fn a_walk_that_panics_does_not_look_complete() {
        let mut left = 3;
        let mut steps = ahead(
            move |_| {
                left -= 1;
                assert!(left > 0, "the disk is gone");
                Some(left)
            },
            |_| None,
        );
        let taken = tokio::spawn(async move { while steps.recv().await.is_some() {} });
        assert!(taken.await.expect_err("not all was found").is_panic());
    }

    #[test]
    fn a_walk_stands_still_only_as_long_as_somebody_takes_its_steps() {
        let (tell, steps) = mpsc::channel(1);
        assert!(!stands_still(false, &tell), "it can go on");
        assert!(stands_still(true, &tell), "others may close their files");
        drop(steps);
        assert!(!stands_still(true, &tell), "nobody wants to know");
    }

    #[test]
    fn a_file_opened_long_ago_is_not_sent() {
        let dir = tempfile::tempdir().expect("a folder");
        std::fs::write(dir.path().join("a"), "a").expect("writable");
        let store = DiskStore::open(dir.path(), bowline_store::Config::default()).expect("a store");
        assert!(opened(&store, "a").if_fresh().is_some());
        let mut old = opened(&store, "a");
        old.at = old.at.checked_sub(FRESH).expect("this machine runs for longer");
        assert!(old.if_fresh().is_none());
    }
}
