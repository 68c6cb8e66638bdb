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

/// How many transfers one step of a sweep looks at: a short piece of work on a thread that others may need.
const SWEEP: usize = 256;

/// After how many seconds a principal that has all the connections it may have should try again: twice before a client
/// that was never let in gives up.
const CROWDED: &str = "5";

/// What all links of a server share: its folder, its settings, how many transfers each principal has open and how much
/// of its rate it has used, what is paused, and the message sessions.
#[derive(Debug)]
pub struct House {
    pub(super) store: DiskStore,
    config: ServerConfig,
    /// Identifies this process to its clients.
    pub(super) instance: [u8; 16],
    pub(super) seats: Seats,
    pub(super) rates: Rates,
    pub(super) crowd: Crowd,
    pub(super) tally: Tally,
    /// Who may connect at present.
    access: RwLock<Arc<Access>>,
    edition: AtomicU64,
    /// How many links there have been.
    links: AtomicU64,
    orders: Orders,
    paused: Mutex<Pauses>,
    talks: Talks,
}

impl House {
    /// A server of the files in this store. `news` wakes application code that waits for the [talks](Self::talks). All
    /// times passed to it and to its links must be of one clock.
    ///
    /// # Panics
    /// If the operating system provides no random bytes.
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

    /// How often to sweep its store: at most once a second, whatever the settings say.
    pub fn sweep_every(&self) -> Option<Duration> {
        self.config.sweep_every.map(|every| every.max(Duration::from_secs(1)))
    }

    /// Its message sessions.
    pub fn talks(&self) -> &Talks {
        &self.talks
    }

    /// How to answer a request, and what the client may do if it may connect.
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

    /// The same for a client of one of the server's listeners, which takes one of its places. If others may connect, a
    /// principal with a name gets at most half of the places, so that one that opens as many as it can leaves room for
    /// others. Without a name, nobody knows whether it is one client or many.
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

    /// Changes who may connect, or what each may do. Connections whose token is no longer known, or now permits
    /// something else, are woken and end with a sentence at their next [pump](Served::pump). Their clients reconnect
    /// with the token that they have by then.
    pub fn set_access(&self, access: Access) {
        *self.access.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(access);
        self.edition.fetch_add(1, Ordering::Release);
        self.orders.stir();
    }

    /// The settings for a new connection.
    pub fn connection(&self) -> connection::Config {
        let ServerConfig { connection, transfer, messages, .. } = &self.config;
        carrying(connection, transfer, messages.is_some())
    }

    /// Serves a client over a connection with [these settings](Self::connection). The address is for events. Jobs on
    /// files go to `spawn`; pass the reports that they `deliver` to [`Served::handle_report`]. `stir` wakes whoever
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
        // Only the same principal can resume its message session.
        let inbox = self.orders.join(link, stir.clone());
        let place = Talks::join(self, peer.who.name().as_bytes(), stir, now);
        Served::new(Arc::clone(self), pass, peer, (spawn, deliver), inbox, place, now)
    }

    /// Counts a client that gets no connection, and returns the event. The address is for events.
    pub fn refuse(&self, address: String, why: Refusal, text: String) -> ServerEvent {
        self.tally.handle_refused(why);
        ServerEvent::Rejected { peer: address, why: text }
    }

    /// The same for a client that had to leave during its handshake.
    pub fn refuse_early(&self, address: String, why: Refusal, hurry: Hurry) -> ServerEvent {
        let text = match hurry {
            Hurry::Stop => "the server is stopping",
            Hurry::Others => {
                "all places were taken, no request had come, and others were waiting for this place"
            }
        };
        self.refuse(address, why, text.to_owned())
    }

    /// The same for a client whose handshake failed like this.
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

    /// What the server has done so far, and its current state. Blocks on the disk.
    pub fn figures(&self) -> Figures {
        let mut figures = self.tally.figures();
        (figures.unfinished_bytes, figures.unfinished_files) = self.store.unfinished();
        figures.free_bytes = self.store.free();
        figures
    }

    /// The application wants this done to a transfer: each link that carries it is woken, and does it at the next
    /// [pump](Served::pump). A pause is remembered for later links, for as long as the store keeps a file that nobody
    /// continues.
    pub fn order(&self, id: TransferId, verb: Verb) {
        match verb {
            Verb::Pause => self.paused().insert(SystemTime::now(), id),
            Verb::Resume | Verb::Cancel(_) => self.forget(id),
        }
        self.orders.tell(id, verb);
    }

    /// Removes expired parts for a moment; returns whether there may be more. Blocks on the disk.
    ///
    /// # Errors
    /// The disk's error.
    pub fn sweep(&self) -> Result<bool, StoreError> {
        self.store.sweep(SystemTime::now(), SWEEP).map(|swept| !swept.done)
    }

    pub(super) fn access(&self) -> Arc<Access> {
        Arc::clone(&self.access.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// The version of the access settings; each change makes a new one.
    pub(super) fn edition(&self) -> u64 {
        self.edition.load(Ordering::Acquire)
    }

    /// A transfer has begun on a link. Returns whether it is paused.
    pub(super) fn is_paused(&self, id: TransferId) -> bool {
        self.paused().handle_seen(SystemTime::now(), id)
    }

    /// A transfer has ended, and with it its pause.
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
    // RFC 9110 §15.5.2: a 401 must say which authentication it wants.
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
