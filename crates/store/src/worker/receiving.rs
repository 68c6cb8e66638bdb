//! The place of one incoming transfer: written and hashed on one lane, synced beside it.

use super::lane::Lane;
use super::place::{self, Opened, Place};
use super::{Outcome, Reporter, Spawn};
use crate::present::Present;
use crate::turn::Turn;
use crate::{Attach, DiskStore, LinkOrder, StoreError};
use bowline_core::transfer::{Answer, Digest, Offered};
use bytes::Bytes;
use std::ops::ControlFlow::{self, Break, Continue};
use std::sync::{Arc, Weak};

pub(super) struct Receiving {
    spawn: Spawn,
    reporter: Reporter,
    store: DiskStore,
    writing: Lane<Option<Place>>,
    /// Kept while the answer to the last offer is awaited.
    waiting: Arc<()>,
    /// Who offered it last, and when.
    sender: Option<(Turn, Attach)>,
}

impl Receiving {
    pub(super) fn new(spawn: &Spawn, reporter: &Reporter, store: &DiskStore) -> Self {
        let writing = Lane::new(spawn, None);
        Self {
            spawn: Arc::clone(spawn),
            reporter: reporter.clone(),
            store: store.clone(),
            writing,
            waiting: Arc::default(),
            sender: None,
        }
    }

    pub(super) fn generation(&self) -> u64 {
        self.reporter.generation
    }

    /// Opens the place; from here on this reporter reports about it.
    pub(super) fn attach(&mut self, reporter: Reporter, link: LinkOrder, offered: Offered) {
        self.reporter = reporter.clone();
        self.waiting = Arc::default();
        let (spawn, store, waiting) =
            (Arc::clone(&self.spawn), self.store.clone(), Arc::downgrade(&self.waiting));
        // Threads may run in any order, but an earlier attach must not fence its own successor.
        let turn = Turn::on(link);
        self.sender = Some((turn, place::attach(&offered)));
        self.writing.submit(move |place| {
            // Otherwise a peer that cancels at once could keep the disk busy for nobody.
            if waiting.strong_count() == 0 {
                return;
            }
            match place::open(&store, turn, &offered, place.take()) {
                Ok(Opened::Now(opened, answer)) => {
                    *place = opened;
                    reporter.report(Outcome::Attached(answer));
                }
                Ok(Opened::Present(mut present)) => {
                    store.strides().submit(&spawn, move || compare(&mut present, &waiting, &reporter));
                }
                Err(error) => reporter.report_result(Err(error.seen_in(store.folder()))),
            }
        });
    }

    pub(super) fn write(&self, offset: u64, data: Bytes) {
        self.with_place(move |place| place.write(offset, &data));
    }

    /// Takes a snapshot after all earlier writes, and makes it durable on another thread.
    pub(super) fn sync(&self) {
        let (spawn, reporter) = (Arc::clone(&self.spawn), self.reporter.clone());
        self.writing.submit(move |place| {
            // Nothing can be promised for what is in memory, so nothing is reported.
            let Some(Place::File(partial)) = place else { return };
            let flush = partial.flush();
            spawn(Box::new(move || reporter.report_result(flush.run().map(|safe| Outcome::Synced { safe }))));
        });
    }

    pub(super) fn finish(&self, length: u64, digest: Digest) {
        let (reporter, store) = (self.reporter.clone(), self.store.clone());
        self.writing.submit(move |place| {
            let Some(place) = place.take() else { return };
            let finished = place.finish(length, digest);
            reporter.report_result(finished.map_err(|error| error.seen_in(store.folder())));
        });
    }

    /// From here on this reporter reports about it.
    pub(super) fn report_to(&mut self, next: Reporter) {
        self.reporter = next;
    }

    pub(super) fn detach(&mut self, next: Reporter) {
        self.report_to(next);
        self.waiting = Arc::default();
        self.writing.submit(|place| *place = place.take().and_then(Place::detach));
    }

    pub(super) fn discard(self) {
        let (store, id, sender) = (self.store, self.reporter.id, self.sender);
        self.writing.submit(move |place| match place.take() {
            Some(place) => place.discard(),
            // It is closed: what it left is found by its id. What cannot be removed expires.
            None => drop(store.discard_for(sender, id)),
        });
    }

    fn with_place(&self, job: impl FnOnce(&mut Place) -> Result<Outcome, StoreError> + Send + 'static) {
        let reporter = self.reporter.clone();
        self.writing.submit(move |place| {
            // After a failure the rest of the queue has nothing to work on.
            let Some(opened) = place else { return };
            let result = job(opened);
            let failed = result.is_err();
            reporter.report_result(result);
            if failed {
                drop(place.take().and_then(Place::detach));
            }
        });
    }
}

/// One stride of hashing the file that has the name; breaks when there is an answer, or nobody waits for it.
fn compare(present: &mut Present, waiting: &Weak<()>, reporter: &Reporter) -> ControlFlow<()> {
    if waiting.strong_count() == 0 {
        return Break(());
    }
    let Some(digest) = present.stride().transpose() else { return Continue(()) };
    reporter.report_result(digest.map(|digest| Outcome::Attached(Answer::Present { digest })));
    Break(())
}
