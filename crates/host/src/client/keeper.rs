//! Keeps the link of a client: when to dial, what to report about it, and what remains when it is given up.
//!
//! ```text
//!                 Dial                handle_link_up              (the connection ends)
//!  (new) ─────────────────▶ dialing ─────────────────▶ up ────────────────────────────┐
//!    ▲                         │ handle_dial_failed                                   │
//!    │                         ▼                                                      │
//!    └─── time passes ──── waiting, or given up ◀─────────────────────────────────────┘
//! ```
//!
//! If a link falls silent while something is waiting for it, it stays up, and a second one is dialled next to it. If
//! that opens before anything arrives on the first, it replaces it ([`replace`](Keeper::replace)).

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use bowline_core::session::{self, Event, Session};
use bowline_core::transfer::TransferId;
use bowline_core::{Close, Connection, Disconnect, Instant, connection, reconnect};
use bowline_handshake::client::Request;
use bowline_store::worker::{Deliver, Report, Spawn};
use bowline_store::{DiskStore, Worker};

use super::talk::Anchor;
use super::turns::{Turns, unix, way};
use super::{ClientConfig, Download, GaveUp, LinkEvent, LinkState, Output, StartError, Talk};
use crate::desk::{Desk, carrying};
use crate::dial;
use crate::seed::seed;
use crate::transfer::{Tracked, TransferError};

/// Keeps the link of a client, and moves the transfers over it. The adapter dials, carries bytes, reports the time, and
/// carries out [`poll_output`](Self::poll_output). `T` is what the adapter needs to report to the owner of a transfer.
///
/// After each `handle_*` and each command, [`pump`](Self::pump) if there is a link, then take all outputs.
#[derive(Debug)]
pub struct Keeper<T> {
    pub(super) config: ClientConfig,
    pub(super) desk: Desk,
    pub(super) tracked: BTreeMap<TransferId, Tracked<T>>,
    /// Where downloads go.
    pub(super) places: BTreeMap<TransferId, (DiskStore, Download)>,
    pub(super) turns: Turns,
    pub(super) ended: Option<GaveUp>,
    has_told_end: bool,
    wanted: Wanted,
    pub(super) talk: Anchor,
    /// When progress is next reported.
    pub(super) due: Instant,
    pub(super) outputs: VecDeque<Output<T>>,
}

/// What the application wants from the client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Wanted {
    Service,
    /// To finish what is under way; there will be nothing more.
    Rest,
    Nothing,
}

impl<T> Keeper<T> {
    /// A client of the server of this request. Jobs on files go to `spawn`; pass what they report through `deliver` to
    /// [`handle_report`](Self::handle_report). If [`ClientConfig::messages`] is set, the application sends and receives
    /// messages through `talk`.
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
        settings.path = config.paths.path(config.path.as_deref().unwrap_or(&way(&config.dial, request)));
        settings.unix = unix();
        settings.reconnect = config.reconnect;
        settings.reconnect.connect_timeout = config.dial.overdue();
        settings.transfer = config.transfer.clone();
        settings.messages = config.messages;
        let session = Session::client(settings, seed, now);
        Ok(Self {
            config,
            desk: Desk { session, worker: Worker::new(spawn, deliver) },
            tracked: BTreeMap::new(),
            places: BTreeMap::new(),
            turns: Turns::new(),
            ended: None,
            has_told_end: false,
            wanted: Wanted::Service,
            talk: Anchor(talk),
            due: now,
            outputs: VecDeque::new(),
        })
    }

    // ----- facts -----

    /// A dial has succeeded, and a connection with [these settings](Self::connection) runs on it.
    pub fn handle_link_up(&mut self, now: Instant, round_trip: Duration) {
        self.desk.session.handle_link_up(now, Some(round_trip));
        self.remember();
        let event = self.turns.handle_up();
        self.renew_dial_time();
        self.outputs.push_back(Output::State(LinkState::Up));
        self.tell(event);
    }

    /// A dial has succeeded while this connection is up. Returns whether the new connection replaces it: if so, take
    /// all outputs, then call [`handle_link_up`](Self::handle_link_up); if not, close the new connection.
    pub fn replace(&mut self, now: Instant, connection: &mut Connection) -> bool {
        if connection.is_doubtful() {
            self.count_unanswered();
        }
        let replaces = self.desk.session.replace(now, connection);
        self.handle_events(now);
        if !replaces && connection.is_open() {
            self.tell(LinkEvent::Kept);
        }
        replaces
    }

    /// A dial has failed.
    pub fn handle_dial_failed(&mut self, now: Instant, disconnect: Disconnect) {
        if self.turns.is_up() {
            self.desk.session.handle_dial_failed(now, disconnect.retry());
            return self.tell(LinkEvent::DialBesideFailed { disconnect });
        }
        let (event, retry) = self.turns.handle_dial_failed(disconnect);
        self.tell(event);
        self.renew_dial_time();
        self.desk.session.handle_dial_failed(now, retry);
    }

    /// The network has changed: another interface, another address.
    pub fn handle_network_change(&mut self, now: Instant) {
        self.turns.handle_network_change();
        self.renew_dial_time();
        self.desk.session.handle_network_change(now);
    }

    /// The result of a job on files.
    pub fn handle_report(&mut self, now: Instant, report: Report) {
        self.desk.handle_report(now, report);
    }

    /// Time has passed. Early and repeated calls change nothing.
    pub fn handle_timeout(&mut self, now: Instant) {
        self.desk.session.handle_timeout(now);
    }

    /// Moves what can move between the link, the session and the application, and closes the link if the client is
    /// done.
    pub fn pump(&mut self, now: Instant, connection: &mut Connection) {
        if !connection.is_open() {
            self.count_unanswered();
        }
        self.desk.pump(now, connection);
        // Events may lead to something to send, and so may messages of the application.
        while (self.handle_events(now) | self.converse(now)) && self.turns.is_up() {
            self.desk.pump(now, connection);
        }
        self.settle();
        if self.wanted == Wanted::Nothing && connection.is_open() {
            // If it is closing already, that is just as good.
            let _ = connection.close(now, Close::normal());
        }
    }

    // ----- commands about the link; those about transfers and messages are in files of their own -----

    /// Dials now, whatever was decided. Changes nothing while there is a link or a dial is under way, nor after it has
    /// given up.
    pub fn dial(&mut self, now: Instant) {
        if self.ended.is_none() && self.wanted != Wanted::Nothing {
            self.desk.session.dial(now);
        }
    }

    /// Nobody will ask for anything more: the link is closed once no transfer is under way and every message has
    /// arrived.
    pub fn release(&mut self) {
        if self.wanted == Wanted::Service {
            self.wanted = Wanted::Rest;
            self.settle();
        }
    }

    /// Closes the link. Transfers under way are abandoned: their tickets are dropped.
    pub fn close(&mut self) {
        if self.wanted != Wanted::Nothing {
            self.wanted = Wanted::Nothing;
            self.tracked.clear();
            self.talk.0.close();
            self.outputs.push_back(Output::Abandon);
        }
    }

    // ----- outputs -----

    /// The next thing to do or to report.
    pub fn poll_output(&mut self, now: Instant) -> Option<Output<T>> {
        if self.outputs.is_empty() {
            self.handle_events(now);
            // With a link, `pump` does this, and sends the results.
            if !self.turns.is_up() {
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

    /// Whether the client was closed, and nothing is left to do except [`rest`](Self::rest).
    pub fn is_over(&self) -> bool {
        self.wanted == Wanted::Nothing && !self.turns.is_up()
    }

    /// Drops all sources: nothing more is sent, and messages that may not have arrived are returned. What was received
    /// becomes durable; wait for the jobs that are still under way.
    pub fn rest(&mut self, now: Instant) {
        self.desk.worker.drop_sources();
        self.end_talk(now);
    }

    // ----- state -----

    /// The settings of a connection that starts now.
    pub fn connection(&self, now: Instant) -> connection::Config {
        let ClientConfig { connection, transfer, messages, .. } = &self.config;
        let mut config = carrying(connection, transfer, messages.is_some());
        config.history = self.turns.history();
        if let Some(interval) = self.desk.session.heartbeat_interval(now) {
            config.heartbeat.interval = interval;
        }
        config
    }

    /// The settings of a dial that starts now: after one that timed out, it may [take
    /// longer](dial::Config::longest_timeout).
    pub fn dial_config(&self) -> dial::Config {
        self.turns.dial(&self.config.dial)
    }

    // ----- inside -----

    /// Call it whenever the time that a dial may take may have changed.
    fn renew_dial_time(&mut self) {
        self.desk.session.set_connect_timeout(self.dial_config().overdue());
    }

    /// Handles all events so far; returns whether there were any.
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
            Event::Dial => self.start_dial(),
            Event::DialBeside if self.wanted != Wanted::Nothing => {
                self.tell(LinkEvent::DialingBeside);
                self.outputs.push_back(Output::Dial);
            }
            Event::Waiting { until } if self.wanted != Wanted::Nothing => self.handle_waiting(now, until),
            Event::GaveUp(why) => self.give_up(now, why),
            Event::LinkDown(disconnect) => self.handle_link_down(disconnect),
            Event::Link(event) => self.tell(LinkEvent::Notice(event)),
            Event::Transfer(event) => self.handle_transfer(now, event),
            Event::Messages(event) => self.talk.0.tell(event),
            _ => {}
        }
    }

    fn start_dial(&mut self) {
        let (state, event) = self.turns.handle_dial();
        self.outputs.push_back(Output::State(state));
        self.tell(event);
        self.outputs.push_back(Output::Dial);
    }

    fn handle_waiting(&mut self, now: Instant, until: Instant) {
        let (state, event) = self.turns.handle_waiting(now, until);
        self.outputs.push_back(Output::Abandon);
        self.outputs.push_back(Output::State(state));
        self.tell(event);
    }

    fn handle_link_down(&mut self, disconnect: Disconnect) {
        self.outputs.push_back(Output::LetGo);
        self.remember();
        let event = self.turns.handle_down(disconnect);
        self.tell(event);
    }

    /// Stores what was learned about the path.
    fn remember(&self) {
        if let Some(path) = self.desk.session.path() {
            self.config.paths.note(path);
        }
    }

    fn give_up(&mut self, now: Instant, gave_up: reconnect::GiveUp) {
        self.outputs.push_back(Output::Abandon);
        let (ended, event) = self.turns.handle_given_up(gave_up);
        // Whoever learns of the end of a transfer, or that no more messages will come, may look at the link next.
        self.tell_end(ended.to_string());
        for (id, tracked) in std::mem::take(&mut self.tracked) {
            let result = Err(ended.clone().into());
            self.outputs.push_back(Output::Ended { ticket: tracked.ticket, id, result });
        }
        self.ended = Some(ended);
        self.places.clear();
        self.desk.worker.drop_sources();
        self.end_talk(now);
        self.tell(event);
    }

    /// Reports that there will be no other link.
    fn tell_end(&mut self, why: String) {
        if !std::mem::replace(&mut self.has_told_end, true) {
            self.outputs.push_back(Output::State(LinkState::Ended { why }));
        }
    }

    /// Closes the link if nobody needs it any longer, and reports when it is gone.
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
