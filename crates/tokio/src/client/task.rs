//! The task behind a client: it keeps the link, and moves the transfers over it.

use std::collections::BTreeMap;
use std::future::Future;
use std::pin::Pin;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bowline_core::adapt;
use bowline_core::closing::{CloseCode, History, Obstacle};
use bowline_core::connection;
use bowline_core::message::Delivery;
use bowline_core::reconnect::GiveUp;
use bowline_core::session::{self, Session};
use bowline_core::transfer::{SUBPROTOCOL, TransferId};
use bowline_core::{Close, Disconnect};
use bowline_handshake::client::Request;
use bowline_host::DialError;
use bowline_host::dial::place;
use bowline_store::DiskStore;
use tokio::net::TcpStream;
use tokio::sync::{broadcast, mpsc, oneshot, watch};
use tokio::time::interval;

use super::messages::Far;
use super::{ClientConfig, Command, Download, LinkEvent, LinkState};
use crate::clock::Clock;
use crate::dial::{self, Dialed};
use crate::driver::Driver;
use crate::host::{Host, let_go, seed};
use crate::pings::{Pings, Waiter};
use crate::transfer::{Tracked, TransferError};

mod messages;
mod transfers;

use messages::Talk;

/// How often progress is published.
const PROGRESS_EVERY: Duration = Duration::from_millis(100);

type Dial = Pin<Box<dyn Future<Output = Result<Dialed<TcpStream>, DialError>> + Send>>;

/// The task behind a client.
pub(super) struct Task {
    request: Request,
    config: ClientConfig,
    host: Host,
    driver: Option<Driver<TcpStream>>,
    dial: Option<Dial>,
    commands: mpsc::UnboundedReceiver<Command>,
    state: watch::Sender<LinkState>,
    events: broadcast::Sender<LinkEvent>,
    tracked: BTreeMap<TransferId, Tracked>,
    /// Where what we asked for goes.
    places: BTreeMap<TransferId, (DiskStore, Download)>,
    history: History,
    pings: Pings,
    /// Numbers the pings: no two carry the same.
    pinged: u64,
    link: u32,
    /// How many dials this outage has seen.
    attempt: u32,
    /// Why the link is down.
    why: String,
    ended: Option<Ended>,
    closing: Vec<oneshot::Sender<()>>,
    talk: Talk,
}

/// Why there will be no other link.
#[derive(Clone, Debug)]
enum Ended {
    Unreachable(String),
    Refused(String),
}

impl Task {
    pub(super) fn new(
        request: Request,
        config: ClientConfig,
        commands: mpsc::UnboundedReceiver<Command>,
        line: Far,
        state: watch::Sender<LinkState>,
        events: broadcast::Sender<LinkEvent>,
    ) -> Self {
        let clock = Clock::start();
        let mut settings = session::Config::default();
        settings.adapt.mode = config.learning;
        settings.adapt.interval = config.connection.heartbeat.interval;
        settings.path = config.paths.path(config.path.as_deref().unwrap_or(&place(&request)));
        settings.unix = unix();
        settings.reconnect = config.reconnect;
        // The dial ends first, and says what it waited for.
        settings.reconnect.connect_timeout = config.dial.connect_timeout + Duration::from_secs(1);
        settings.transfer = config.transfer.clone();
        settings.messages = config.messages;
        let talk = Talk::new(line, config.messages.is_some());
        let session = Session::client(settings, seed(), clock.now());
        Self {
            request,
            config,
            host: Host::new(session, clock),
            driver: None,
            dial: None,
            commands,
            state,
            events,
            tracked: BTreeMap::new(),
            places: BTreeMap::new(),
            history: History::default(),
            pings: Pings::default(),
            pinged: 0,
            link: 0,
            attempt: 0,
            why: String::new(),
            ended: None,
            closing: Vec::new(),
            talk,
        }
    }

    pub(super) async fn run(mut self) {
        let mut progress = interval(PROGRESS_EVERY);
        progress.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let mut wanted = true;
        loop {
            self.handle_events();
            self.say();
            if !wanted && self.driver.is_none() && (self.is_idle() || !self.closing.is_empty()) {
                break;
            }
            let (dialing, news, listens) = (self.dial.is_some(), self.has_news(), self.talk.listens());
            tokio::select! {
                () = self.host.step(self.driver.as_mut()) => {}
                result = dial_result(&mut self.dial), if dialing => self.handle_dialed(result),
                command = self.commands.recv(), if wanted => match command {
                    Some(Command::Close(done)) => {
                        self.closing.push(done);
                        wanted = false;
                        self.close();
                    }
                    Some(command) => self.handle_command(command),
                    None => {
                        wanted = false;
                    }
                },
                said = self.talk.line.said.recv(), if listens => self.handle_said(said),
                Ok(place) = self.talk.line.heard.clone().reserve_owned(), if news => self.deliver(place),
                _ = progress.tick() => self.publish(),
            }
            if !wanted && self.is_idle() && self.closing.is_empty() {
                self.close();
            }
        }
        self.host.rest().await;
        for done in self.closing {
            let _ = done.send(());
        }
    }

    fn handle_events(&mut self) {
        while let Some(event) = self.host.poll_event(self.driver.as_mut()) {
            match event {
                session::Event::Dial => self.start_dial(),
                session::Event::Waiting { until } => self.handle_waiting(until),
                session::Event::GaveUp(why) => self.give_up(why),
                session::Event::LinkDown(disconnect) => self.handle_link_down(disconnect),
                session::Event::Link(event) => {
                    match &event {
                        connection::Event::HeartbeatChanged { from, to, why } => {
                            tracing::info!(?from, ?to, %why, "another heartbeat");
                        }
                        connection::Event::Answered { ping, rtt } => self.pings.handle_answered(*ping, *rtt),
                        _ => tracing::debug!(?event, "link"),
                    }
                    self.tell(LinkEvent::Notice(event));
                }
                session::Event::Transfer(event) => self.handle_transfer(event),
                session::Event::Messages(event) => self.handle_messages(event),
                _ => {}
            }
        }
    }

    // ----- the link -----

    fn start_dial(&mut self) {
        self.attempt = self.attempt.saturating_add(1);
        let attempt = self.attempt;
        self.set_state(LinkState::Dialing { attempt });
        self.tell(LinkEvent::Dialing { attempt });
        let (request, config) = (self.request.clone(), self.config.dial.clone());
        self.dial = Some(Box::pin(async move { dial::connect_with(&request, &config).await }));
    }

    fn handle_dialed(&mut self, result: Result<Dialed<TcpStream>, DialError>) {
        self.dial = None;
        match result {
            Ok(dialed) if dialed.subprotocol.as_deref() == Some(SUBPROTOCOL) => {
                let mut config = self.config.connection.clone();
                // Chunks of files are messages of the protocol, and none is large.
                config.delivery = Delivery::Whole;
                config.history = self.history;
                if let Some(interval) = self.host.session.heartbeat_interval(self.host.clock.now()) {
                    config.heartbeat.interval = interval;
                }
                let Dialed { stream, leftover, round_trip, .. } = dialed;
                match Driver::client(stream, &leftover, config, self.host.clock) {
                    Ok(driver) => self.handle_link_up(driver, round_trip),
                    Err(error) => self.dial_failed(DialError::Random(error).disconnect()),
                }
            }
            Ok(_) => {
                let why = format!("the server speaks WebSocket, but not {SUBPROTOCOL}");
                self.dial_failed(Disconnect::connect_failed(Obstacle::NotWebSocket, why));
            }
            Err(error) => self.dial_failed(error.disconnect()),
        }
    }

    fn handle_link_up(&mut self, driver: Driver<TcpStream>, round_trip: Duration) {
        self.driver = Some(driver);
        self.link += 1;
        self.attempt = 0;
        self.host.session.handle_link_up(self.host.clock.now(), Some(round_trip));
        self.remember();
        tracing::info!(link = self.link, ?round_trip, "connected");
        self.set_state(LinkState::Up);
        self.tell(LinkEvent::Up { link: self.link });
    }

    fn dial_failed(&mut self, disconnect: Disconnect) {
        tracing::info!(%disconnect, "dial failed");
        let (attempt, retry) = (self.attempt, disconnect.retry());
        self.why = disconnect.to_string();
        self.tell(LinkEvent::DialFailed { attempt, disconnect });
        let now = self.host.clock.now();
        self.host.session.handle_dial_failed(now, retry);
    }

    fn handle_waiting(&mut self, until: bowline_core::Instant) {
        self.dial = None;
        let delay = until - self.host.clock.now();
        let until = self.host.clock.deadline(until);
        let attempt = self.attempt.saturating_add(1);
        self.set_state(LinkState::Waiting { attempt, until, why: self.why.clone() });
        self.tell(LinkEvent::Waiting { attempt, delay });
    }

    fn handle_link_down(&mut self, disconnect: Disconnect) {
        tracing::info!(link = self.link, %disconnect, "disconnected");
        tracing::debug!("{}", disconnect.explain());
        if let Some(driver) = self.driver.take() {
            let_go(driver);
        }
        self.pings.clear();
        self.history.record(&disconnect);
        self.remember();
        self.why = disconnect.to_string();
        self.tell(LinkEvent::Down { disconnect });
    }

    /// Keeps what was learned of the path.
    fn remember(&self) {
        let known = |path: &&adapt::Path| self.config.paths.path(path.key()) == **path;
        if let Some(path) = self.host.session.path().filter(|path| !known(path)) {
            self.config.paths.insert(path.clone());
        }
    }

    fn give_up(&mut self, gave_up: GiveUp) {
        self.dial = None;
        let reached = self.link > 0;
        let (why, ended) = if let GiveUp::No(_) = gave_up {
            (self.why.clone(), Ended::Refused(self.why.clone()))
        } else {
            let why = format!("{}; gave up: {gave_up}", self.why);
            (why.clone(), Ended::Unreachable(why))
        };
        tracing::info!(%why, "gave up");
        self.ended = Some(ended.clone());
        for (_, tracked) in std::mem::take(&mut self.tracked) {
            let _ = tracked.end.send(Err(ended.clone().into()));
        }
        self.places.clear();
        self.host.worker.drop_sources();
        self.end_messages();
        self.set_state(LinkState::Ended { why: why.clone() });
        self.tell(LinkEvent::GaveUp { why, reached });
    }

    pub(super) fn ping(&mut self, waiter: Waiter) {
        // Without a link the waiter is dropped, which says so.
        let Some(driver) = &mut self.driver else { return };
        self.pinged += 1;
        self.pings.ask(driver, &self.pinged.to_be_bytes(), waiter);
    }

    fn close(&mut self) {
        self.tracked.clear();
        self.dial = None;
        let now = self.host.clock.now();
        if let (Some(driver), Ok(close)) = (&mut self.driver, Close::new(CloseCode::NORMAL, "")) {
            // Already closing is as good.
            let _ = driver.conn_mut().close(now, close);
        }
    }

    /// Whether nothing is under way.
    fn is_idle(&self) -> bool {
        self.tracked.is_empty() && self.is_silent()
    }

    fn set_state(&self, state: LinkState) {
        self.state.send_replace(state);
    }

    fn tell(&self, event: LinkEvent) {
        // Nobody may be listening.
        let _ = self.events.send(event);
    }
}

impl From<Ended> for TransferError {
    fn from(ended: Ended) -> Self {
        match ended {
            Ended::Unreachable(why) => Self::Unreachable(why),
            Ended::Refused(why) => Self::Refused(why),
        }
    }
}

/// What the wall clock shows, in seconds since 1970.
fn unix() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs()
}

async fn dial_result(dial: &mut Option<Dial>) -> Result<Dialed<TcpStream>, DialError> {
    match dial {
        Some(dial) => dial.await,
        None => std::future::pending().await,
    }
}
