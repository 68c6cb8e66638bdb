//! What all links of a server share.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use std::time::{Duration, SystemTime};

use bowline_core::transfer::{SUBPROTOCOL, TransferId};
use bowline_core::{Instant, connection};
use bowline_handshake::server::{Accept, negotiate};
use bowline_store::worker::{Deliver, Spawn};
use bowline_store::{DiskStore, Principal, StoreError};
use http::header::{HeaderName, RETRY_AFTER, WWW_AUTHENTICATE};
use http::{HeaderValue, StatusCode};

use super::crowd::Crowd;
use super::figures::Tally;
use super::orders::Orders;
use super::pauses::Pauses;
use super::porch::Hurry;
use super::rates::Rates;
use super::seats::Seats;
use super::{Access, Figures, Pass, Peer, Refusal, Served, ServerConfig, ServerEvent, Talks};
use crate::AcceptError;
use crate::accept::Decision;
use crate::desk::carrying;
use crate::messages::Wake;
use crate::seed::certain_seed;
use crate::transfer::Verb;

/// How many transfers are looked at in one go of a sweep: a moment's work of a thread that others may want.
const SWEEP: usize = 256;

/// After so many seconds somebody may come again whose name has all the connections that it may have: twice before a client
/// gives up that was never let in.
const CROWDED: &str = "5";

/// What all links of a server share: its folder, its settings, who has how much open and has used what of his rate, what is
/// paused, and its sessions of messages.
#[derive(Debug)]
pub struct House {
    pub(super) store: DiskStore,
    config: ServerConfig,
    /// Names this process to its clients.
    pub(super) instance: [u8; 16],
    pub(super) seats: Seats,
    pub(super) rates: Rates,
    pub(super) crowd: Crowd,
    pub(super) tally: Tally,
    /// Who may come at present.
    access: RwLock<Arc<Access>>,
    edition: AtomicU64,
    /// How many links there have been.
    links: AtomicU64,
    orders: Orders,
    paused: Mutex<Pauses>,
    talks: Talks,
}

impl House {
    /// A server of the files in this store. `news` is to wake whoever waits for something of its [talks](Self::talks). All
    /// times that are told to it and to its links are of one clock.
    ///
    /// # Panics
    /// If the operating system has no randomness.
    pub fn new(store: DiskStore, config: ServerConfig, news: Wake, now: Instant) -> Self {
        let mut instance = [0; 16];
        instance.copy_from_slice(&certain_seed()[..16]);
        let access = RwLock::new(Arc::new(config.access.clone()));
        let talks = Talks::new(config.messages, news, now);
        let paused = Mutex::new(Pauses::new(store.config().expire_after));
        let (edition, links, orders, seats, rates, crowd, tally) = Default::default();
        Self {
            store,
            config,
            instance,
            seats,
            rates,
            crowd,
            tally,
            access,
            edition,
            links,
            orders,
            paused,
            talks,
        }
    }

    /// Its settings.
    pub fn config(&self) -> &ServerConfig {
        &self.config
    }

    /// How often its store is swept: no more than once a second, whatever the settings say.
    pub fn sweep_every(&self) -> Option<Duration> {
        self.config.sweep_every.map(|every| every.max(Duration::from_secs(1)))
    }

    /// Its sessions of messages.
    pub fn talks(&self) -> &Talks {
        &self.talks
    }

    /// What to answer to a request, and what its client may do if it may come.
    pub fn decide(&self, request: &http::Request<()>, offered: &[String]) -> (Decision, Option<Pass>) {
        if let Err(foreign) = self.config.origins.check(request.headers(), self.config.wants_tls()) {
            return (Decision::reject(StatusCode::FORBIDDEN, format!("{foreign}\n")), None);
        }
        let Some(pass) = self.access().pass(request.headers(), SystemTime::now()) else {
            return (unauthorized(), None);
        };
        if let Some(name) = negotiate(&[SUBPROTOCOL], offered) {
            return (Decision::Accept(Accept::new().with_subprotocol(name)), Some(pass));
        }
        let why = format!("this server speaks the subprotocol {SUBPROTOCOL}\n");
        (Decision::reject(StatusCode::BAD_REQUEST, why), None)
    }

    /// The same for one who came in by a door of the server, and takes one of its places. Whoever has a name has half of them
    /// at the most if others may come, so that one who holds as many as he gets leaves room for them. Without a name nobody
    /// knows whether it is one or many.
    pub fn decide_at_door(
        &self,
        request: &http::Request<()>,
        offered: &[String],
    ) -> (Decision, Option<Pass>) {
        let (decision, pass) = self.decide(request, offered);
        let mut pass = match pass {
            Some(pass) if !pass.principal().name().is_empty() => pass,
            pass => return (decision, pass),
        };
        let all = self.config.max_connections;
        let most = if self.access().has_others(pass.principal()) { all / 2 } else { all };
        match self.seats.admit(pass.principal(), most.max(1)) {
            Ok(place) => {
                pass.place = Some(Arc::new(place));
                (decision, Some(pass))
            }
            Err(taken) => (crowded(pass.principal(), taken), None),
        }
    }

    /// Others may come from now on, or may do something else. Connections whose token is not known any more, or allows
    /// something else, end with a sentence, as soon as they are [pumped](Served::pump); they are stirred for it. Their
    /// clients come again with the token that they have by then.
    pub fn set_access(&self, access: Access) {
        *self.access.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(access);
        self.edition.fetch_add(1, Ordering::Release);
        self.orders.stir();
    }

    /// The settings of a connection that begins.
    pub fn connection(&self) -> connection::Config {
        let ServerConfig { connection, transfer, messages, .. } = &self.config;
        carrying(connection, transfer, messages.is_some())
    }

    /// Serves a client over a connection with [these settings](Self::connection). The address is for events. Jobs on files go
    /// to `spawn`; what they report through `deliver` is to come back by [`Served::handle_report`]. `stir` is to wake whoever
    /// serves the link: there is something to [pump](Served::pump).
    pub fn serve(
        self: &Arc<Self>,
        pass: Pass,
        address: String,
        spawn: Spawn,
        deliver: Deliver,
        stir: Wake,
        now: Instant,
    ) -> Served {
        let link = self.links.fetch_add(1, Ordering::Relaxed) + 1;
        let peer = Peer { link, address, who: pass.grant.principal.clone() };
        // Only the same principal can have its session of messages back.
        let inbox = self.orders.join(link, stir.clone());
        let place = Talks::join(self, peer.who.name().as_bytes(), stir, now);
        Served::new(Arc::clone(self), pass, peer, (spawn, deliver), inbox, place, now)
    }

    /// Counts a client for whom there is no connection, and says so. Its address is for events.
    pub fn refuse(&self, address: String, why: Refusal, text: String) -> ServerEvent {
        self.tally.handle_refused(why);
        ServerEvent::Rejected { peer: address, why: text }
    }

    /// The same for one who was shaking hands and had to go.
    pub fn refuse_early(&self, address: String, why: Refusal, hurry: Hurry) -> ServerEvent {
        let text = match hurry {
            Hurry::Stop => "the server is stopping",
            Hurry::Others => {
                "all places were taken, no request had come, and others were waiting for this place"
            }
        };
        self.refuse(address, why, text.to_owned())
    }

    /// The same for one whose handshake came to this.
    pub fn refuse_handshake(&self, address: String, error: &AcceptError) -> ServerEvent {
        let status = if let AcceptError::Handshake(error) = error { error.status() } else { None };
        let why = match status {
            Some(StatusCode::UNAUTHORIZED) => Refusal::Token,
            Some(StatusCode::FORBIDDEN) => Refusal::Origin,
            Some(StatusCode::SERVICE_UNAVAILABLE) => Refusal::Crowd,
            _ => Refusal::Handshake,
        };
        self.refuse(address, why, error.to_string())
    }

    /// What the server has done so far, and what it has at the moment. Waits for the disk.
    pub fn figures(&self) -> Figures {
        let mut figures = self.tally.figures();
        (figures.unfinished_bytes, figures.unfinished_files) = self.store.unfinished();
        figures.free_bytes = self.store.free();
        figures
    }

    /// The application wants this of a transfer: each link that has it is stirred, and does it when it is
    /// [pumped](Served::pump). A pause is remembered for later links, for as long as the store keeps a file of which nothing
    /// more comes.
    pub fn order(&self, id: TransferId, verb: Verb) {
        match verb {
            Verb::Pause => self.paused().insert(SystemTime::now(), id),
            Verb::Resume | Verb::Cancel(_) => self.forget(id),
        }
        self.orders.tell(id, verb);
    }

    /// Removes what nobody came back for, for a moment; says whether there may be more. Waits for the disk.
    ///
    /// # Errors
    /// What the disk says.
    pub fn sweep(&self) -> Result<bool, StoreError> {
        self.store.sweep(SystemTime::now(), SWEEP).map(|swept| !swept.done)
    }

    pub(super) fn access(&self) -> Arc<Access> {
        Arc::clone(&self.access.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Which edition of the access it is: each change makes another one.
    pub(super) fn edition(&self) -> u64 {
        self.edition.load(Ordering::Acquire)
    }

    /// A transfer has begun on a link: whether it is paused.
    pub(super) fn is_paused(&self, id: TransferId) -> bool {
        self.paused().handle_seen(SystemTime::now(), id)
    }

    /// A transfer has ended: nothing is left to be paused.
    pub(super) fn forget(&self, id: TransferId) {
        self.paused().remove(id);
    }

    fn paused(&self) -> MutexGuard<'_, Pauses> {
        self.paused.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn crowded(who: &Principal, taken: usize) -> Decision {
    let why = format!("{} has {taken} connections, which is as many as one name may have here\n", who.name());
    rejected(StatusCode::SERVICE_UNAVAILABLE, why, RETRY_AFTER, CROWDED)
}

fn unauthorized() -> Decision {
    // RFC 9110 §15.5.2: a 401 says what it wants.
    rejected(StatusCode::UNAUTHORIZED, "a valid token is needed\n", WWW_AUTHENTICATE, "Bearer")
}

/// A refusal with a header that says what helps.
fn rejected(status: StatusCode, why: impl Into<String>, name: HeaderName, value: &'static str) -> Decision {
    let mut decision = Decision::reject(status, why);
    if let Decision::Reject(response) = &mut decision {
        response.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    decision
}
