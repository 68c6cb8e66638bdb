//! What is to be sent is found on a thread of its own, some steps ahead of the transfers: by a walk through a folder, or because
//! somebody has named it.

use crate::descriptors::are_plenty;
use crate::queue::Told;
use bowline_store::{DiskStore, Found, Source, Walk};
use std::panic::resume_unwind;
use std::time::{Duration, Instant};
use tokio::runtime::Handle;
use tokio::sync::mpsc;

/// How many things are found ahead of the transfers.
const AHEAD: usize = 64;
/// So many of them must be taken before more are found: to wake a thread for each takes longer than to find and open a small file.
const GROUP: usize = AHEAD / 2;
/// Files up to this length are opened where they are found: to have another thread do it takes longer than to read them.
const SHORT: u64 = 64 << 10;
/// What was opened longer ago is opened anew.
const FRESH: Duration = Duration::from_secs(1);
/// How long a walk stands still that can open no folder.
pub(crate) const STANDSTILL: Duration = Duration::from_secs(1);

/// Something that was found.
pub(crate) struct Step<T> {
    pub(crate) found: T,
    /// If it is a short file.
    pub(crate) opened: Option<Opened>,
}

/// What is found, step by step.
pub(crate) struct Steps<T>(Told<Step<T>>);

impl<T> Steps<T> {
    /// The next one; `None` at the end. Cancel-safe.
    ///
    /// # Panics
    /// If whoever looks did: what he would have found is missing.
    pub(crate) async fn recv(&mut self) -> Option<Step<T>> {
        match self.0.next().await? {
            Ok(step) => Some(step),
            // With the runtime the one who looks has gone, and so has everybody who asks.
            Err(error) => error.try_into_panic().ok().and_then(|panic| resume_unwind(panic)),
        }
    }
}

/// A file that is open before its turn has come.
pub(crate) struct Opened {
    source: Source,
    at: Instant,
}

impl Opened {
    fn new(source: Source) -> Self {
        Self { source, at: Instant::now() }
    }

    /// The file, unless there may be another one of its name by now.
    pub(crate) fn if_fresh(self) -> Option<Source> {
        (self.at.elapsed() < FRESH).then_some(self.source)
    }
}

/// Whether a file of this length is opened before its turn has come.
pub(crate) fn is_short(length: u64) -> bool {
    length <= SHORT
}

/// Walks a few steps ahead. As long as too many files are open it stands still, and each step says so.
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

/// Finds what comes next a few steps ahead, on a thread of its own. `open` gives short files; if it fails, whoever takes the step
/// finds out why.
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

/// Whether to look again at what can be opened as soon as others close their files: only if somebody still takes the steps.
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
    async fn whoever_panics_on_the_way_does_not_look_as_if_all_were_found() {
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
    fn what_was_opened_long_ago_is_not_sent() {
        let dir = tempfile::tempdir().expect("a folder");
        std::fs::write(dir.path().join("a"), "a").expect("writable");
        let store = DiskStore::open(dir.path(), bowline_store::Config::default()).expect("a store");
        assert!(opened(&store, "a").if_fresh().is_some());
        let mut old = opened(&store, "a");
        old.at = old.at.checked_sub(FRESH).expect("this machine runs for longer");
        assert!(old.if_fresh().is_none());
    }
}
