//! The transfers of one client: which may begin, and what is reported of each.

use std::time::Duration;

use bowline_core::Instant;
use bowline_core::transfer::{Batch, Code, Event, Failure, Kind, Retry, SafeName, Stage, TransferId};

use super::{Output, Served};
use crate::server::figures::{Stages, Way};
use crate::server::seats::{Full, Seat};
use crate::server::{FileEvent, Grant, ServerEvent};

/// How long a client must wait whose principal has too many open transfers.
const BUSY_WAIT: Duration = Duration::from_secs(1);

/// What a transfer is about.
#[derive(Debug)]
pub(super) struct Subject {
    /// `None`: everything that the client may fetch.
    name: Option<SafeName>,
    way: Way,
    kind: Kind,
    batch: Option<Batch>,
    /// It counts until the transfer has ended. A refused transfer has none.
    seat: Option<Seat>,
}

impl Subject {
    /// What the client requests.
    fn wanted(name: Option<SafeName>, kind: Kind) -> Self {
        Self { name, way: Way::Out, kind, batch: None, seat: None }
    }
}

impl Served {
    /// How many incoming and outgoing transfers are in each stage.
    pub(super) fn stages(&self) -> (Stages, Stages) {
        let mut stages = (Stages::default(), Stages::default());
        let transfers = self.desk.session.transfers();
        for (id, subject) in self.subjects.iter().filter(|(_, subject)| subject.seat.is_some()) {
            let stage = transfers.progress(*id).map_or(Stage::Opening, |progress| progress.stage);
            match subject.way {
                Way::In => stages.0.count(stage),
                Way::Out => stages.1.count(stage),
            }
        }
        stages
    }

    /// Whether a file is being received.
    pub(super) fn receives(&self) -> bool {
        self.subjects.values().any(|subject| subject.seat.is_some() && matches!(subject.way, Way::In))
    }

    pub(super) fn fail(&mut self, now: Instant, id: TransferId, failure: Failure) {
        self.desk.session.transfers_mut().fail(now, id, failure);
    }

    /// Admits a transfer, and counts it for this client's principal. The client is told if it may not send or fetch, or
    /// if too many are open. Returns whether the transfer has begun.
    fn begin(&mut self, now: Instant, id: TransferId, mut subject: Subject) -> bool {
        // From here on it can get orders; an earlier pause is remembered.
        self.inbox.begin(id);
        match self.seat(&subject) {
            Ok(seat) => subject.seat = Some(seat),
            Err(failure) => {
                // Its end is reported like any other.
                self.subjects.insert(id, subject);
                self.fail(now, id, failure);
                return false;
            }
        }
        let name = self.whole(subject.name.clone());
        self.subjects.insert(id, subject);
        if self.house.is_paused(id) {
            self.desk.session.transfers_mut().pause(now, id);
        }
        self.tell(ServerEvent::Began { peer: self.peer.clone(), id, name });
        true
    }

    fn seat(&self, subject: &Subject) -> Result<Seat, Failure> {
        let Grant { may_send, may_fetch, may_list, .. } = self.pass.grant;
        let refusal = match subject.way {
            Way::In if !may_send => Some("you may not send files to this server"),
            Way::Out if !may_fetch => Some("you may not fetch files from this server"),
            Way::Out if !may_list && subject.name.is_none() => {
                Some("this server does not list what it holds; ask for a file or a folder by its name")
            }
            _ => None,
        };
        if let Some(refusal) = refusal {
            return Err(Failure::local(Code::Rejected, refusal));
        }
        let most = self.house.config().max_open;
        self.house.seats.take(self.store.principal(), most).map_err(|full| {
            let text = match full {
                Full::Open(open) => {
                    format!("you have {open} transfers open; at most {} may be", most.unwrap_or(open))
                }
                Full::Jobs(jobs) => format!("{jobs} jobs of your transfers are still waiting for the disk"),
            };
            let mut failure = Failure::local(Code::Busy, text);
            failure.retry_after = BUSY_WAIT;
            failure
        })
    }

    /// The name relative to the store, of which the client may see only a folder. `None`: the store.
    fn whole(&self, name: Option<SafeName>) -> Option<SafeName> {
        let Some(folder) = &self.pass.grant.folder else { return name };
        // A name that becomes too long was not transferred either, and is reported as the client sent it.
        Some(name.map_or_else(|| folder.clone(), |name| folder.child(name.as_str()).unwrap_or(name)))
    }

    pub(super) fn handle_transfer(&mut self, now: Instant, event: Event) {
        let peer = self.peer.clone();
        match event {
            Event::Offered(offered) => {
                let (name, kind, batch) = (Some(offered.name.clone()), offered.kind, offered.batch);
                if self.begin(now, offered.id, Subject { name, way: Way::In, kind, batch, seat: None }) {
                    self.desk.worker.attach(&self.store, offered);
                }
            }
            Event::Requested { id, name, range } => {
                if self.begin(now, id, Subject::wanted(Some(name.clone()), Kind::File)) {
                    self.desk.worker.offer(&self.store, id, name, range);
                }
            }
            Event::ListingRequested { id, name } => {
                if self.begin(now, id, Subject::wanted(name.clone(), Kind::Listing)) {
                    self.desk.worker.offer_listing(&self.store, id, name);
                }
            }
            Event::Done { id, kind, length, digest, deduplicated, .. } => {
                self.inbox.end(id);
                self.house.forget(id);
                let Some(Subject { name, way, batch, .. }) = self.subjects.remove(&id) else { return };
                if kind == Kind::File {
                    self.share.handle_done(way, length, deduplicated);
                }
                self.count = Some(now);
                let (name, folder) = (self.whole(name), kind == Kind::Folder);
                if kind == Kind::Listing {
                    return self.tell(ServerEvent::Listed { peer, name, bytes: length });
                }
                let Some(name) = name else { return };
                let file = FileEvent { peer, name, bytes: length, digest, deduplicated, folder, batch };
                self.tell(match way {
                    Way::In => ServerEvent::Received(file),
                    Way::Out => ServerEvent::Sent(file),
                });
            }
            Event::Failed { id, failure } => {
                self.inbox.end(id);
                if is_over(failure.code) {
                    self.house.forget(id);
                }
                self.count = Some(now);
                let subject = self.subjects.remove(&id);
                if let Some(Subject { way, .. }) = &subject {
                    self.share.handle_failed(*way, failure.code);
                }
                let listing = subject.as_ref().is_some_and(|subject| subject.kind == Kind::Listing);
                let name = subject.and_then(|subject| self.whole(subject.name));
                self.tell(ServerEvent::Failed { peer, name, listing, failure });
            }
            other => self.outputs.push_back(Output::Transfer(other)),
        }
    }
}

/// Whether a transfer that ended like this is over for good. One that was put off comes again, and one that another
/// link took over continues.
fn is_over(code: Code) -> bool {
    code != Code::Fenced && matches!(code.retry(), Retry::Never | Retry::Restart)
}
