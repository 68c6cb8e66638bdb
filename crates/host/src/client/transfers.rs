//! The transfers of a client: what its application requests, and how they end.

use std::time::Duration;

use bowline_core::Instant;
use bowline_core::transfer::{
    AlreadyKnown, Code, Event, Failure, Leftover, Offer, Offered, SafeName, Stage, Traffic, TransferId, What,
};
use bowline_store::DiskStore;

use super::{Download, Feed, Keeper, LinkEvent, Output};
use crate::transfer::{Done, Tracked, TransferError, TransferProgress, Verb};

/// How often progress is reported.
const PROGRESS_EVERY: Duration = Duration::from_millis(100);

impl<T> Keeper<T> {
    /// Sends the file or folder of this offer.
    pub fn upload(&mut self, now: Instant, offer: Offer, feed: Feed, ticket: T) {
        let (id, name) = (offer.id, offer.name.clone());
        self.begin(now, id, name, ticket, |keeper| {
            keeper.desk.session.transfers_mut().offer(now, offer)?;
            match feed {
                Feed::Nothing => {}
                Feed::Source(source) => keeper.desk.worker.add_source(id, source),
                Feed::Pipe(pipe) => keeper.desk.worker.add_pipe(id, pipe),
            }
            Ok(())
        });
    }

    /// Fetches a file, or a listing, into a store.
    pub fn download(&mut self, now: Instant, download: Download, store: DiskStore, ticket: T) {
        let (id, what, range) = (download.id, download.what.clone(), download.range);
        self.begin(now, id, what.label(), ticket, |keeper| {
            let transfers = keeper.desk.session.transfers_mut();
            match what {
                What::Named(name) if download.begun => transfers.request_rest(now, id, name, range)?,
                What::Named(name) => transfers.request_range(now, id, name, range)?,
                What::Listing(name) => transfers.request_listing(now, id, name)?,
            }
            keeper.places.insert(id, (store, download));
            Ok(())
        });
    }

    /// Applies this command to a transfer. One that has ended ignores it.
    pub fn tell_transfer(&mut self, now: Instant, id: TransferId, verb: Verb) {
        verb.apply(now, self.desk.session.transfers_mut(), id);
        if let (Verb::Cancel(Leftover::Discard), Some((store, _))) = (verb, self.places.get(&id)) {
            self.desk.worker.discard(store, id);
        }
    }

    /// Whether it is time to report the links' [traffic](Self::traffic), and the [progress](Self::progress) of the
    /// transfers.
    pub fn is_due(&self, now: Instant) -> bool {
        self.due <= now
    }

    /// What the links carry. Report it when it is [due](Self::is_due), and before the end of a transfer or a link.
    pub fn traffic(&self) -> Traffic {
        self.desk.session.transfers().traffic()
    }

    /// The transfers whose progress is to be reported, if it is time for that.
    pub fn progress(&mut self, now: Instant) -> impl Iterator<Item = (&mut T, TransferProgress)> {
        let is_due = self.is_due(now);
        if is_due {
            self.due = now + PROGRESS_EVERY;
        }
        let transfers = self.desk.session.transfers();
        self.tracked.iter_mut().filter(move |_| is_due).filter_map(move |(id, tracked)| {
            let news = tracked.update(now, transfers.progress(*id)?)?;
            Some((&mut tracked.ticket, news))
        })
    }

    fn begin(
        &mut self,
        now: Instant,
        id: TransferId,
        name: SafeName,
        ticket: T,
        begin: impl FnOnce(&mut Self) -> Result<(), AlreadyKnown>,
    ) {
        let begun = match self.ended.clone() {
            Some(ended) => Err(ended.into()),
            None => begin(self).map_err(|e| Failure::local(Code::Busy, e.to_string()).into()),
        };
        match begun {
            Ok(()) => drop(self.tracked.insert(id, Tracked::new(now, name, ticket))),
            Err(error) => self.end(id, ticket, error),
        }
    }

    pub(super) fn handle_transfer(&mut self, now: Instant, event: Event) {
        match event {
            Event::Offered(offered) => self.handle_offered(now, offered),
            Event::Accepted { id, .. } => {
                self.count_link(id);
                self.outputs.push_back(Output::Transfer(event));
            }
            Event::Retrying { id, ref failure, after } => {
                if let Some(name) = self.tracked.get(&id).map(|tracked| tracked.name.clone()) {
                    self.tell(LinkEvent::Retrying { name, failure: failure.clone(), delay: after });
                }
                self.outputs.push_back(Output::Transfer(event));
            }
            Event::Done { id, length, digest, deduplicated, resumed, resent, .. } => {
                self.places.remove(&id);
                let listing = self.desk.worker.take_listing(id);
                let Some(tracked) = self.tracked.remove(&id) else { return };
                let done = Done { length, digest, deduplicated, resumed, resent, listing };
                let (ticket, progress, finished) = tracked.finish(now, done);
                self.outputs.push_back(Output::Ended { ticket, id, result: Ok((progress, finished)) });
            }
            Event::Failed { id, failure } => {
                self.places.remove(&id);
                let Some(tracked) = self.tracked.remove(&id) else { return };
                self.end(id, tracked.ticket, failure.into());
            }
            Event::Requested { id, .. } | Event::ListingRequested { id, .. } => {
                let failure = Failure::local(Code::Unsupported, "this client does not give out files");
                self.desk.session.transfers_mut().fail(now, id, failure);
            }
            other => self.outputs.push_back(Output::Transfer(other)),
        }
    }

    fn handle_offered(&mut self, now: Instant, mut offered: Offered) {
        let id = offered.id;
        if let Some((store, download)) = self.places.get(&id) {
            offered.name = download.local.clone();
            offered.unix_mode = offered.unix_mode.filter(|_| download.unix_mode);
            self.desk.worker.attach(store, offered);
            self.count_link(id);
        } else {
            let failure = Failure::local(Code::Rejected, "this client accepts only what it asked for");
            self.desk.session.transfers_mut().fail(now, id, failure);
        }
    }

    fn count_link(&mut self, id: TransferId) {
        let links = self.turns.links();
        if let Some(tracked) = self.tracked.get_mut(&id) {
            tracked.count_link(links);
        }
    }

    /// The link ends, or has ended. It also counts for each transfer whose offer or request it carried without an
    /// answer.
    pub(super) fn count_unanswered(&mut self) {
        let transfers = self.desk.session.transfers();
        for (id, tracked) in &mut self.tracked {
            if transfers.progress(*id).is_some_and(|progress| progress.stage == Stage::Opening) {
                tracked.count_link(self.turns.links());
            }
        }
    }

    fn end(&mut self, id: TransferId, ticket: T, error: TransferError) {
        self.outputs.push_back(Output::Ended { ticket, id, result: Err(error) });
    }
}
