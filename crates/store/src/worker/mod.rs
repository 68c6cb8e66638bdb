//! Carries out the effects of [`Transfers`] on files, on threads that an adapter provides.
//!
//! An adapter passes every event of its `Transfers` to [`Worker::carry_out`] and gets back those that are not about
//! files, or that need a decision. It passes an [`Offered`](Event::Offered) to [`Worker::attach`], a
//! [`Requested`](Event::Requested) to [`Worker::offer`], a [`ListingRequested`](Event::ListingRequested) to
//! [`Worker::offer_listing`], or any of them to [`Transfers::fail`]. Every [`Report`] that comes in return must be
//! [applied](Report::apply); afterwards there may be something to send. A worker has no deadline, so [`Deliver`] must
//! wake the adapter. Reading, hashing, writing and syncing overlap with each other and with the socket: each transfer
//! has queues of its own, and no thread is held while there is nothing to do.
//!
//! A client has one worker for all its links, a server one for each link. When a server's link is down, the worker can
//! be dropped as soon as the earlier events have been carried out: work that they have begun is finished.
//!
//! ```text
//!  Transfers ── Read, Hash, Check ──▶ reading lane, hashing lane ──┐
//!      ▲     ── Write, Finish ──────▶ writing lane ── Sync ──▶ flush│
//!      └───────────────────────── Report::apply ◀──────────────────┘
//! ```

mod buffers;
mod lane;
mod listing;
mod piping;
mod place;
mod receiving;
mod sending;
#[cfg(test)]
mod tests;

use crate::source::not_divided;
use crate::strides::Strides;
use crate::{DiskStore, ErrorKind, LinkOrder, Pipe, Source, StoreError};
use bowline_core::Instant;
use bowline_core::transfer::{
    Answer, ByteRange, Digest, Event, Failure, Listing, Offer, Offered, SafeName, TransferId, Transfers, What,
};
use buffers::Buffers;
use bytes::Bytes;
use piping::Piping;
use receiving::Receiving;
use sending::Sending;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

/// Runs a job on another thread, soon. Jobs block on disks, and none waits for another.
pub type Spawn = Arc<dyn Fn(Box<dyn FnOnce() + Send>) + Send + Sync>;
/// Takes a report, on any thread, and brings it to where the `Transfers` are.
pub type Deliver = Arc<dyn Fn(Report) + Send + Sync>;

/// Carries out effects on files. See the [module](self).
pub struct Worker {
    spawn: Spawn,
    deliver: Deliver,
    link: LinkOrder,
    buffers: Buffers,
    /// For digests of what is sent.
    strides: Strides,
    /// Counts sources and attachments, to distinguish the reports of an earlier one from those of the present one.
    generation: u64,
    sending: BTreeMap<TransferId, Sending>,
    piping: BTreeMap<TransferId, Piping>,
    receiving: BTreeMap<TransferId, Receiving>,
    listings: BTreeMap<TransferId, Listing>,
    /// Searches for requested files; each is kept for the job that does it.
    asked: BTreeMap<TransferId, Arc<()>>,
}

impl Worker {
    /// A worker without files, on these threads. At a server it is for one link, which is about to come up: create it
    /// before the answer to the client's handshake leaves, or say [when](Self::set_link_order) that was.
    pub fn new(spawn: Spawn, deliver: Deliver) -> Self {
        Self {
            spawn,
            deliver,
            link: LinkOrder::next(),
            buffers: Buffers::default(),
            strides: Strides::default(),
            generation: 0,
            sending: BTreeMap::new(),
            piping: BTreeMap::new(),
            receiving: BTreeMap::new(),
            listings: BTreeMap::new(),
            asked: BTreeMap::new(),
        }
    }

    /// Says that its link came up before the worker was created.
    pub fn set_link_order(&mut self, link: LinkOrder) {
        self.link = link;
    }

    /// Sets the source of a transfer that is about to be offered.
    pub fn add_source(&mut self, id: TransferId, source: Source) {
        let reporter = self.reporter(id);
        let buffers = self.buffers.clone();
        self.asked.remove(&id);
        self.sending.insert(id, Sending::new(&self.spawn, &self.strides, reporter, buffers, source));
    }

    /// Sets the pipe of a transfer that is about to be offered without a length.
    pub fn add_pipe(&mut self, id: TransferId, pipe: Pipe) {
        let reporter = self.reporter(id);
        self.piping.insert(id, Piping::new(&self.spawn, reporter, pipe));
    }

    /// Opens a place for an offered file, or makes the folder, and answers the offer. A requested listing is kept in
    /// memory, and available when the transfer is done: [`take_listing`](Self::take_listing).
    pub fn attach(&mut self, store: &DiskStore, offered: Offered) {
        let reporter = self.reporter(offered.id);
        // Queued behind everything that an earlier link brought, so that none of it is lost.
        let receiving =
            self.receiving.entry(offered.id).or_insert_with(|| Receiving::new(&self.spawn, &reporter, store));
        receiving.attach(reporter, self.link, offered);
    }

    /// Opens the file with this name, or lists the folder, and offers it to the peer that requested it. A folder can be
    /// requested only as a whole.
    pub fn offer(&mut self, store: &DiskStore, id: TransferId, name: SafeName, range: ByteRange) {
        let label = name.clone();
        self.look(store, id, label, move |store| {
            let source = store.source(&name).or_else(|error| match error.kind() {
                ErrorKind::NotAFile if !range.is_whole() => Err(not_divided(error.path())),
                ErrorKind::NotAFile => store.listing(Some(&name)).map_err(|other| match other.kind() {
                    ErrorKind::NotAFolder => error,
                    _ => other,
                }),
                _ => Err(error),
            });
            source.and_then(|source| source.range(range))
        });
    }

    /// Lists what has this name, or everything in the store, and offers the listing to the peer that requested it.
    pub fn offer_listing(&mut self, store: &DiskStore, id: TransferId, name: Option<SafeName>) {
        let label = What::Listing(name.clone()).label();
        self.look(store, id, label, move |store| {
            store.listing(name.as_ref()).or_else(|error| match &name {
                Some(name) if error.kind() == ErrorKind::NotAFolder => store.listing_of_file(name),
                _ => Err(error),
            })
        });
    }

    /// Looks for what the peer requested, and offers it under this name.
    fn look(
        &mut self,
        store: &DiskStore,
        id: TransferId,
        name: SafeName,
        find: impl FnOnce(&DiskStore) -> Result<Source, StoreError> + Send + 'static,
    ) {
        let (reporter, store, waiting) = (self.reporter(id), store.clone(), Arc::new(()));
        let waits = Arc::downgrade(&waiting);
        self.asked.insert(id, waiting);
        (self.spawn)(Box::new(move || {
            // Otherwise a peer that cancels at once could have folders listed for nobody.
            if waits.strong_count() == 0 {
                return;
            }
            let source = find(&store).map_err(|error| error.seen_in(store.folder()));
            reporter.report_result(source.map(|source| Outcome::Opened { name, source }));
        }));
    }

    /// Discards what an earlier process has left of a transfer that has not begun here. For those that have, there is
    /// [`Event::Discard`].
    pub fn discard(&mut self, store: &DiskStore, id: TransferId) {
        if !self.receiving.contains_key(&id) {
            let store = store.clone();
            // What cannot be removed expires.
            (self.spawn)(Box::new(move || drop(store.discard(id))));
        }
    }

    /// Carries out an effect on a file. Returns any other event; the end of a transfer is returned too, after its files
    /// were released.
    pub fn carry_out(&mut self, event: Event) -> Option<Event> {
        match event {
            Event::Read { id, offset, len } => match self.piping.get(&id) {
                Some(pipe) => pipe.read(offset, len),
                None => self.sending.get_mut(&id)?.read(offset, len),
            },
            Event::Hash { id, upto } => match self.piping.get(&id) {
                Some(pipe) => pipe.hash(upto),
                None => self.sending.get(&id)?.hash(upto),
            },
            Event::Check { id } => match self.piping.get(&id) {
                Some(pipe) => pipe.check(),
                None => self.sending.get(&id)?.check(),
            },
            Event::Release { id, upto } => self.piping.get(&id)?.release(upto),
            Event::Write { id, offset, data } => self.receiving.get(&id)?.write(offset, data),
            Event::Sync { id } => self.receiving.get(&id)?.sync(),
            Event::Finish { id, length, digest } => self.receiving.get(&id)?.finish(length, digest),
            Event::Detach { id } => {
                // Anyone who waits for the next link does not care what is still on its way to the disk.
                let silent = self.reporter(id);
                self.receiving.get_mut(&id)?.detach(silent);
            }
            Event::Discard { id } => self.receiving.remove(&id)?.discard(),
            Event::Done { id, .. } | Event::Failed { id, .. } => {
                self.sending.remove(&id);
                self.piping.remove(&id);
                self.receiving.remove(&id);
                self.asked.remove(&id);
                return Some(event);
            }
            other => return Some(other),
        }
        None
    }

    /// The listing that a transfer has brought. Take it when the transfer is done, or it stays here.
    pub fn take_listing(&mut self, id: TransferId) -> Option<Listing> {
        self.listings.remove(&id)
    }

    /// Releases all sources, because there will be no more link. Hashing in progress stops.
    pub fn drop_sources(&mut self) {
        self.sending.clear();
        self.piping.clear();
        self.asked.clear();
    }

    /// Makes the reporter for a new source or attachment.
    fn reporter(&mut self, id: TransferId) -> Reporter {
        self.generation += 1;
        Reporter { id, generation: self.generation, deliver: Arc::clone(&self.deliver) }
    }

    /// Nobody needs the results of work in progress: it fails for the same reason as what has failed.
    fn retire(&mut self, id: TransferId) {
        let next = self.reporter(id);
        if let Some(receiving) = self.receiving.get_mut(&id) {
            receiving.report_to(next);
        }
    }

    /// Whether a report is about what exists now, and not about what existed before the link was lost, or the transfer
    /// ended or failed.
    fn is_current(&self, report: &Report, transfers: &Transfers) -> bool {
        let piping = || self.piping.get(&report.id).map(Piping::generation);
        let sending = self.sending.get(&report.id).map(Sending::generation).or_else(piping);
        let present = sending.or_else(|| self.receiving.get(&report.id).map(Receiving::generation));
        // Without files there is only the search for a requested one.
        present.map_or_else(|| transfers.is_requested(report.id), |present| present == report.generation)
    }
}

impl fmt::Debug for Worker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (sending, receiving) = (self.sending.len(), self.receiving.len());
        f.debug_struct("Worker")
            .field("sending", &sending)
            .field("piping", &self.piping.len())
            .field("receiving", &receiving)
            .finish_non_exhaustive()
    }
}

/// The result of an effect.
#[derive(Debug)]
pub struct Report {
    id: TransferId,
    generation: u64,
    outcome: Outcome,
}

#[derive(Debug)]
enum Outcome {
    Opened { name: SafeName, source: Source },
    Read { offset: u64, data: Bytes },
    Ended { length: u64 },
    Hashed { upto: u64, digest: Digest },
    Checked,
    Attached(Answer),
    Written { upto: u64 },
    Synced { safe: u64 },
    Finished,
    Listed(Listing),
    Failed(Failure),
}

impl Report {
    /// Answers the effect.
    pub fn apply(self, now: Instant, transfers: &mut Transfers, worker: &mut Worker) {
        if !worker.is_current(&self, transfers) {
            return;
        }
        let id = self.id;
        match self.outcome {
            Outcome::Opened { name, source } => {
                let mut offer = Offer::new(id, name, source.length());
                offer.kind = source.kind();
                offer.mtime_ms = source.mtime_ms();
                offer.unix_mode = source.unix_mode();
                offer.validator = Some(source.validator());
                if transfers.offer(now, offer).is_ok() {
                    worker.add_source(id, source);
                }
            }
            Outcome::Read { offset, data } => transfers.provide(now, id, offset, data),
            Outcome::Ended { length } => transfers.end(now, id, length),
            Outcome::Hashed { upto, digest } => transfers.provide_digest(now, id, upto, digest),
            Outcome::Checked => transfers.confirm(now, id),
            Outcome::Attached(answer) => {
                // The link may have ended while the disk was busy.
                if !transfers.answer(now, id, answer) {
                    worker.carry_out(Event::Detach { id });
                }
            }
            Outcome::Written { upto } => transfers.written(now, id, upto),
            Outcome::Synced { safe } => transfers.commit(now, id, safe),
            Outcome::Finished => transfers.finish(now, id),
            Outcome::Listed(listing) => {
                worker.listings.insert(id, listing);
                transfers.finish(now, id);
            }
            Outcome::Failed(failure) => {
                worker.retire(id);
                transfers.fail(now, id, failure);
            }
        }
    }
}

/// Makes reports of the results of effects.
#[derive(Clone)]
struct Reporter {
    id: TransferId,
    generation: u64,
    deliver: Deliver,
}

impl Reporter {
    fn report(&self, outcome: Outcome) {
        (self.deliver)(Report { id: self.id, generation: self.generation, outcome });
    }

    fn report_result(&self, result: Result<Outcome, StoreError>) {
        self.report(result.unwrap_or_else(|error| {
            let mut failure = Failure::local(error.code(), error.reason());
            failure.retry_after = error.retry_after();
            failure.leftover = error.leftover();
            Outcome::Failed(failure)
        }));
    }
}
