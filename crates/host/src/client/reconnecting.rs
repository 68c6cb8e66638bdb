//! A connection to any server that is re-established whenever it is lost.
//!
//! ```text
//!                        handle_up                    handle_down
//!  (new) ──▶ Dialing ───────────────▶ Up ───────────────────────────┐
//!              ▲  │ handle_dial_failed                              │
//!              │  ▼                                                 │
//!  time passes └─ Waiting ◀─────────────────────────────────────────┤
//!                                                                   ▼
//!                                  given up, or close: Ended ◀── from anywhere
//! ```

use std::collections::VecDeque;
use std::mem;
use std::path::PathBuf;
use std::time::Duration;

use bowline_core::adapt::{self, Adapt};
use bowline_core::reconnect::{self, Next};
use bowline_core::{Connection, Disconnect, Instant, Message, Reconnect, Rng, connection};
use bowline_handshake::client::Request;
use thiserror::Error;

use super::turns::{Turns, unix, way};
use super::{LinkEvent, LinkState, Paths, StartError};
use crate::seed::seed;
use crate::{Joiner, dial};

/// Settings of a WebSocket that reconnects whenever it is lost.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct ReconnectingConfig {
    /// Heartbeat, limits and buffers of each connection. The interval of the heartbeat is where learning starts.
    pub connection: connection::Config,
    /// How the interval of the heartbeat follows from what is learned of the path. Default: [`adapt::Mode::Learn`]; it
    /// shrinks as far as the path requires.
    pub learning: adapt::Mode,
    /// What is known about paths, and where to store what is learned. Default: nothing is known, and what is learned is
    /// forgotten with the WebSocket.
    pub paths: Paths,
    /// The key of this path. Include the network if you know it, because another network has other limits. Default:
    /// host and port of the server.
    pub path: Option<String>,
    /// When to reconnect, and when to give up.
    pub reconnect: reconnect::Config,
    /// How long one dial may take, and how it connects.
    pub dial: dial::Config,
    /// A file with a token that is sent as `Authorization: Bearer` and read at each dial. If the file cannot be read,
    /// the token of the request is used. Default: none.
    pub token_file: Option<PathBuf>,
}

/// Why there will be no further connection, in one sentence.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum GaveUp {
    /// The server has refused, or the last end says that trying again would not help.
    #[error("{0}")]
    Refused(String),
    /// All the attempts that the settings allow have failed.
    #[error("{0}")]
    Unreachable(String),
    /// It was closed on this side.
    #[error("closed")]
    Closed,
}

/// Decides when a client of any server dials, and with which settings it connects. The adapter dials while the state is
/// [`Dialing`](LinkState::Dialing), drives the connection while it is [`Up`](LinkState::Up), reports what happens
/// through the `handle_*` methods, and passes on the events of [`poll_event`](Self::poll_event).
///
/// Each end of a connection teaches how much silence the path allows, and is explained by what came before it.
#[derive(Debug)]
pub struct Reconnecting {
    config: ReconnectingConfig,
    reconnect: Reconnect,
    /// Whether the application has asked for a connection yet.
    is_wanted: bool,
    adapt: Adapt,
    /// The wall clock's time at `start`.
    unix: u64,
    start: Instant,
    turns: Turns,
    state: LinkState,
    ended: Option<GaveUp>,
    events: VecDeque<LinkEvent>,
    joiner: Joiner,
}

impl Reconnecting {
    /// A connection to the server of this request. The first [`handle_timeout`](Self::handle_timeout) dials it,
    /// whenever that is. Time limits start then.
    ///
    /// # Errors
    /// [`StartError::Random`].
    pub fn new(config: ReconnectingConfig, request: &Request, now: Instant) -> Result<Self, StartError> {
        let mut rng = Rng::from_seed(seed().map_err(StartError::Random)?);
        let mut settings = config.reconnect;
        settings.connect_timeout = config.dial.overdue();
        let mut learning = adapt::Config::default();
        learning.mode = config.learning;
        learning.interval = config.connection.heartbeat.interval;
        let path = config.path.clone().unwrap_or_else(|| way(&config.dial, request));
        Ok(Self {
            reconnect: Reconnect::new(settings, &mut rng, now),
            is_wanted: false,
            adapt: Adapt::new(learning, config.paths.path(&path)),
            config,
            unix: unix(),
            start: now,
            turns: Turns::new(),
            state: LinkState::Dialing { attempt: 1 },
            ended: None,
            events: VecDeque::new(),
            joiner: Joiner::default(),
        })
    }

    // ----- facts -----

    /// A dial has succeeded, and a connection with [these settings](Self::connection) runs on it.
    pub fn handle_up(&mut self, now: Instant) {
        if self.ended.is_some() {
            return;
        }
        self.reconnect.handle_open(now);
        let change = self.adapt.handle_open(self.unix(now));
        self.config.paths.note(self.adapt.path());
        self.state = LinkState::Up;
        let event = self.turns.handle_up();
        self.renew_dial_time();
        self.events.push_back(event);
        self.events.extend(change.map(learned));
    }

    /// A dial has failed.
    pub fn handle_dial_failed(&mut self, now: Instant, disconnect: Disconnect) {
        if self.ended.is_some() {
            return;
        }
        let (event, retry) = self.turns.handle_dial_failed(disconnect);
        self.events.push_back(event);
        self.renew_dial_time();
        let next = self.reconnect.handle_dial_failed(now, retry, None);
        self.follow(now, next);
    }

    /// The connection has ended.
    pub fn handle_down(&mut self, now: Instant, mut disconnect: Disconnect) {
        // The rest of an incomplete message will never arrive.
        self.joiner = Joiner::default();
        let change = self.adapt.record(self.unix(now), &mut disconnect);
        self.config.paths.note(self.adapt.path());
        let retry = disconnect.retry();
        let event = self.turns.handle_down(disconnect);
        self.events.push_back(event);
        self.events.extend(change.map(learned));
        if self.ended.is_none() {
            let next = self.reconnect.handle_lost(now, retry);
            self.follow(now, next);
        }
    }

    /// The network has changed: another interface, another address. A dial that was waiting happens soon.
    pub fn handle_network_change(&mut self, now: Instant) {
        if self.ended.is_none() {
            self.turns.handle_network_change();
            self.renew_dial_time();
            let next = self.reconnect.handle_network_change(now);
            self.follow(now, next);
        }
    }

    /// Time has passed. Early and repeated calls change nothing.
    pub fn handle_timeout(&mut self, now: Instant) {
        if self.ended.is_none() {
            if !mem::replace(&mut self.is_wanted, true) {
                self.reconnect.dial(now);
            }
            let next = self.reconnect.handle_timeout(now);
            self.follow(now, next);
        }
    }

    /// The connection [has survived](Connection::poll_survived) a silence of this length, which may allow another
    /// heartbeat.
    pub fn handle_survived(&mut self, now: Instant, silence: Duration, connection: &mut Connection) {
        if let Some(change) = self.adapt.handle_survived(self.unix(now), silence) {
            connection.set_heartbeat_interval(now, change.to, change.why);
        }
    }

    /// Dials now, whatever was decided before: for a user who asks for it, or an application that knows better. Changes
    /// nothing while a connection is up or a dial is under way, nor after [`close`](Self::close).
    pub fn dial(&mut self, now: Instant) {
        if self.ended != Some(GaveUp::Closed) {
            self.ended = None;
            self.reconnect.dial(now);
            self.handle_timeout(now);
        }
    }

    /// Stops dialling. A connection that is still up should be closed.
    pub fn close(&mut self) {
        self.end(GaveUp::Closed);
        // A dial that was announced will not happen.
        self.events.retain(|event| !matches!(event, LinkEvent::Dialing { .. } | LinkEvent::Waiting { .. }));
    }

    // ----- outputs -----

    /// The next event to report.
    pub fn poll_event(&mut self) -> Option<LinkEvent> {
        self.events.pop_front()
    }

    /// The message that arrives, or is completed, with this event: for applications that want only messages.
    pub fn message(&mut self, event: LinkEvent) -> Option<Message> {
        match event {
            LinkEvent::Notice(connection::Event::Message(message)) => Some(message),
            LinkEvent::Notice(connection::Event::Piece(piece)) => self.joiner.push(piece),
            _ => None,
        }
    }

    /// When to call [`handle_timeout`](Self::handle_timeout).
    pub fn poll_timeout(&self) -> Option<Instant> {
        if self.ended.is_some() { None } else { self.reconnect.poll_timeout() }
    }

    // ----- state -----

    /// The state of the link.
    pub fn state(&self) -> &LinkState {
        &self.state
    }

    /// Why there will be no further connection; `None` while there may be one.
    pub fn ended(&self) -> Option<&GaveUp> {
        self.ended.as_ref()
    }

    /// The heartbeat interval of a connection that starts now.
    pub fn heartbeat_interval(&self, now: Instant) -> Duration {
        self.adapt.interval_at(self.unix(now))
    }

    /// The settings of a connection that starts now.
    pub fn connection(&self, now: Instant) -> connection::Config {
        let mut config = self.config.connection.clone();
        config.heartbeat.interval = self.heartbeat_interval(now);
        config.history = self.turns.history();
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
        self.reconnect.set_connect_timeout(self.dial_config().overdue());
    }

    fn follow(&mut self, now: Instant, next: Option<Next>) {
        let Some(next) = next else { return };
        let event;
        match next {
            Next::Dial => (self.state, event) = self.turns.handle_dial(),
            Next::DialAt(until) => (self.state, event) = self.turns.handle_waiting(now, until),
            Next::GiveUp(why) => {
                let ended;
                (ended, event) = self.turns.handle_given_up(why);
                self.end(ended);
            }
        }
        self.events.push_back(event);
    }

    fn end(&mut self, why: GaveUp) {
        self.state = LinkState::Ended { why: why.to_string() };
        self.ended = Some(why);
    }

    fn unix(&self, now: Instant) -> u64 {
        self.unix.saturating_add((now - self.start).as_secs())
    }
}

/// Between two connections, the change is reported in the connection's stead.
fn learned(adapt::Change { from, to, why, .. }: adapt::Change) -> LinkEvent {
    LinkEvent::Notice(connection::Event::HeartbeatChanged { from, to, why })
}
