//! Keeps the link of a client: when to dial, what to say of it, and what is left when it is given up.
//!
//! ```text
//!                 Dial                handle_link_up              (the connection ends)
//!  (new) ─────────────────▶ dialing ─────────────────▶ up ────────────────────────────┐
//!    ▲                         │ handle_dial_failed                                   │
//!    │                         ▼                                                      ▼
//!    └─── time passes ──── waiting ◀──────────────────────────── given up ◀───────────┘
//! ```

use std::collections::{BTreeMap, VecDeque};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bowline_core::closing::History;
use bowline_core::reconnect::GiveUp;
use bowline_core::session::{self, Event, Session};
use bowline_core::transfer::TransferId;
use bowline_core::{Close, Connection, Disconnect, Instant, adapt, connection};
use bowline_handshake::client::Request;
use bowline_store::worker::{Deliver, Report, Spawn};
use bowline_store::{DiskStore, Worker};

use super::output::Ended;
use super::talk::Anchor;
use super::{ClientConfig, Download, LinkEvent, LinkState, Output, StartError, Talk, once_reached};
use crate::desk::{Desk, carrying};
use crate::dial::place;
use crate::seed::seed;
use crate::transfer::{Tracked, TransferError};

/// Keeps the link of a client, and moves the transfers over it. The adapter dials, carries bytes, tells the time, and
/// does what comes out of [`poll_output`](Self::poll_output). `T` is what it needs to tell somebody of a transfer.
///
/// After each `handle_*` and each command: [`pump`](Self::pump), if there is a link, then take all outputs.
#[derive(Debug)]
pub struct Keeper<T> {
    pub(super) config: ClientConfig,
    pub(super) desk: Desk,
    pub(super) tracked: BTreeMap<TransferId, Tracked<T>>,
    /// Where what we asked for goes.
    pub(super) places: BTreeMap<TransferId, (DiskStore, Download)>,
    history: History,
    is_up: bool,
    /// How many links there have been.
    pub(super) links: u32,
    /// How many dials this outage has seen.
    attempt: u32,
    /// Why the link is down.
    why: String,
    pub(super) ended: Option<Ended>,
    has_told_end: bool,
    wanted: Wanted,
    pub(super) talk: Anchor,
    /// When progress is told next.
    pub(super) due: Instant,
    pub(super) outputs: VecDeque<Output<T>>,
}

/// What the application wants of the client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Wanted {
    Service,
    /// What is under way; nobody will ask for more.
    Rest,
    Nothing,
}

impl<T> Keeper<T> {
    /// A client of the server that this request asks. Jobs on files go to `spawn`; what they report through `deliver` is
    /// to come back by [`handle_report`](Self::handle_report). If [`ClientConfig::messages`] is set, the application says
    /// and hears them by `talk`.
    ///
    /// # Errors
    /// [`StartError::Random`].
    pub fn new(
        config: ClientConfig,
        request: &Request,
        spawn: Spawn,
        deliver: Deliver,
        talk: Talk,
        now: Instant,
    ) -> Result<Self, StartError> {
        let seed = seed().map_err(StartError::Random)?;
        if config.messages.is_some() {
            talk.open();
        }
        let mut settings = session::Config::default();
        settings.adapt.mode = config.learning;
        settings.adapt.interval = config.connection.heartbeat.interval;
        settings.path = config.paths.path(config.path.as_deref().unwrap_or(&way(&config, request)));
        settings.unix = unix();
        settings.reconnect = config.reconnect;
        // The dial ends first, and says what it waited for.
        settings.reconnect.connect_timeout = config.dial.connect_timeout + Duration::from_secs(1);
        settings.transfer = config.transfer.clone();
        settings.messages = config.messages;
        let session = Session::client(settings, seed, now);
        Ok(Self {
            config,
            desk: Desk { session, worker: Worker::new(spawn, deliver) },
            tracked: BTreeMap::new(),
            places: BTreeMap::new(),
            history: History::default(),
            is_up: false,
            links: 0,
            attempt: 0,
            why: "no answer yet".to_owned(),
            ended: None,
            has_told_end: false,
            wanted: Wanted::Service,
            talk: Anchor(talk),
            due: now,
            outputs: VecDeque::new(),
        })
    }

    // ----- facts -----

    /// A dial has succeeded, and a connection with [these settings](Self::connection) runs over it.
    pub fn handle_link_up(&mut self, now: Instant, round_trip: Duration) {
        self.is_up = true;
        self.links += 1;
        self.attempt = 0;
        self.desk.session.handle_link_up(now, Some(round_trip));
        self.remember();
        self.outputs.push_back(Output::State(LinkState::Up));
        self.tell(LinkEvent::Up { link: self.links });
    }

    /// A dial has failed.
    pub fn handle_dial_failed(&mut self, now: Instant, mut disconnect: Disconnect) {
        if self.links > 0 {
            disconnect = once_reached(disconnect);
        }
        let (attempt, retry) = (self.attempt, disconnect.retry());
        self.why = disconnect.to_string();
        self.tell(LinkEvent::DialFailed { attempt, disconnect });
        self.desk.session.handle_dial_failed(now, retry);
    }

    /// The network has changed: another interface, another address.
    pub fn handle_network_change(&mut self, now: Instant) {
        self.desk.session.handle_network_change(now);
    }

    /// A job on files has come to this.
    pub fn handle_report(&mut self, now: Instant, report: Report) {
        self.desk.handle_report(now, report);
    }

    /// Time has passed. Early and repeated calls change nothing.
    pub fn handle_timeout(&mut self, now: Instant) {
        self.desk.session.handle_timeout(now);
    }

    /// Moves what can move between the link, the session and the application, and closes the link if the client is done.
    pub fn pump(&mut self, now: Instant, connection: &mut Connection) {
        if !connection.is_open() {
            self.count_offered();
        }
        self.desk.pump(now, connection);
        // What is decided about events may have to be said, and so does what the application says.
        while (self.handle_events(now) | self.converse(now)) && self.is_up {
            self.desk.pump(now, connection);
        }
        self.settle();
        if self.wanted == Wanted::Nothing && connection.is_open() {
            // Already closing is as good.
            let _ = connection.close(now, Close::normal());
        }
    }

    // ----- commands about the link; those about transfers and messages are in files of their own -----

    /// Nobody will ask for anything more: the link is closed when no transfer is under way and every message has arrived.
    pub fn release(&mut self) {
        if self.wanted == Wanted::Service {
            self.wanted = Wanted::Rest;
            self.settle();
        }
    }

    /// Closes the link. Transfers under way come to nothing: their tickets are dropped.
    pub fn close(&mut self) {
        if self.wanted != Wanted::Nothing {
            self.wanted = Wanted::Nothing;
            self.tracked.clear();
            self.talk.0.close();
            self.outputs.push_back(Output::Abandon);
        }
    }

    // ----- outputs -----

    /// What to do or to tell next.
    pub fn poll_output(&mut self, now: Instant) -> Option<Output<T>> {
        if self.outputs.is_empty() {
            self.handle_events(now);
            // With a link, pump does that: it brings on its way what comes of it.
            if !self.is_up {
                self.converse(now);
            }
            self.settle();
        }
        self.outputs.pop_front()
    }

    /// When to call [`handle_timeout`](Self::handle_timeout), or to ask for [progress](Self::progress).
    pub fn poll_timeout(&self) -> Option<Instant> {
        let progress = (!self.tracked.is_empty()).then_some(self.due);
        [self.desk.session.poll_timeout(), progress].into_iter().flatten().min()
    }

    /// Whether the client was closed and nothing is left to do but to [rest](Self::rest).
    pub fn is_over(&self) -> bool {
        self.wanted == Wanted::Nothing && !self.is_up
    }

    /// Lets go of all sources: nothing is sent any more, and messages that are not known to have arrived are handed back.
    /// What was received becomes durable; wait for the jobs that are still under way.
    pub fn rest(&mut self, now: Instant) {
        self.desk.worker.drop_sources();
        self.end_talk(now);
    }

    // ----- looks -----

    /// The settings of a connection that begins now.
    pub fn connection(&self, now: Instant) -> connection::Config {
        let ClientConfig { connection, transfer, messages, .. } = &self.config;
        let mut config = carrying(connection, transfer, messages.is_some());
        config.history = self.history;
        if let Some(interval) = self.desk.session.heartbeat_interval(now) {
            config.heartbeat.interval = interval;
        }
        config
    }

    // ----- inside -----

    /// Decides about everything that has happened; whether anything has.
    fn handle_events(&mut self, now: Instant) -> bool {
        let mut has_any = false;
        while let Some(event) = self.desk.poll_event() {
            has_any = true;
            self.handle_event(now, event);
        }
        has_any
    }

    fn handle_event(&mut self, now: Instant, event: Event) {
        match event {
            Event::Dial => self.dial(),
            Event::Waiting { until } if self.wanted != Wanted::Nothing => self.handle_waiting(now, until),
            Event::GaveUp(why) => self.give_up(now, why),
            Event::LinkDown(disconnect) => self.handle_link_down(disconnect),
            Event::Link(event) => self.tell(LinkEvent::Notice(event)),
            Event::Transfer(event) => self.handle_transfer(now, event),
            Event::Messages(event) => self.talk.0.tell(event),
            _ => {}
        }
    }

    fn dial(&mut self) {
        self.attempt = self.attempt.saturating_add(1);
        let attempt = self.attempt;
        self.outputs.push_back(Output::State(LinkState::Dialing { attempt }));
        self.tell(LinkEvent::Dialing { attempt });
        self.outputs.push_back(Output::Dial);
    }

    fn handle_waiting(&mut self, now: Instant, until: Instant) {
        let (attempt, why) = (self.attempt.saturating_add(1), self.why.clone());
        self.outputs.push_back(Output::Abandon);
        self.outputs.push_back(Output::State(LinkState::Waiting { attempt, until, why }));
        self.tell(LinkEvent::Waiting { attempt, delay: until - now });
    }

    fn handle_link_down(&mut self, disconnect: Disconnect) {
        self.is_up = false;
        self.outputs.push_back(Output::LetGo);
        self.history.record(&disconnect);
        self.remember();
        self.why = disconnect.to_string();
        self.tell(LinkEvent::Down { disconnect });
    }

    /// Keeps what was learned of the path.
    fn remember(&self) {
        let known = |path: &&adapt::Path| self.config.paths.path(path.key()) == **path;
        if let Some(path) = self.desk.session.path().filter(|path| !known(path)) {
            self.config.paths.insert(path.clone());
        }
    }

    fn give_up(&mut self, now: Instant, gave_up: GiveUp) {
        self.outputs.push_back(Output::Abandon);
        let reached = self.links > 0;
        let (why, ended) = if let GiveUp::No(_) = gave_up {
            (self.why.clone(), Ended::Refused(self.why.clone()))
        } else {
            let why = format!("{}; gave up: {gave_up}", self.why);
            (why.clone(), Ended::Unreachable(why))
        };
        for (id, tracked) in std::mem::take(&mut self.tracked) {
            let result = Err(ended.clone().into());
            self.outputs.push_back(Output::Ended { ticket: tracked.ticket, id, result });
        }
        self.ended = Some(ended);
        self.places.clear();
        self.desk.worker.drop_sources();
        self.end_talk(now);
        self.tell_end(why.clone());
        self.tell(LinkEvent::GaveUp { why, reached });
    }

    /// There will be no other link.
    fn tell_end(&mut self, why: String) {
        if !std::mem::replace(&mut self.has_told_end, true) {
            self.outputs.push_back(Output::State(LinkState::Ended { why }));
        }
    }

    /// Closes the link if nobody wants it any more, and tells when it is gone.
    fn settle(&mut self) {
        if self.wanted == Wanted::Rest && self.tracked.is_empty() && self.is_silent() {
            self.close();
        }
        if self.is_over() {
            self.tell_end(TransferError::Closed.to_string());
        }
    }

    pub(super) fn tell(&mut self, event: LinkEvent) {
        self.outputs.push_back(Output::Link(event));
    }
}

/// What a path is known by: the server, and the proxy on the way, whose patience may be shorter.
fn way(config: &ClientConfig, request: &Request) -> String {
    if let Some(path) = &config.dial.unix {
        return format!("unix:{}", path.display());
    }
    match config.dial.proxies.choose(request) {
        Ok(Some(proxy)) => format!("{} through {proxy}", place(request)),
        _ => place(request),
    }
}

/// What the wall clock shows, in seconds since 1970.
fn unix() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs()
}
