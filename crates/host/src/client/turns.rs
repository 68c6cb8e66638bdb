//! What is reported about a client's links, one after the other.

use std::time::{SystemTime, UNIX_EPOCH};

use bowline_core::closing::{History, Kind, Obstacle};
use bowline_core::{Disconnect, Instant, Retry, reconnect};
use bowline_handshake::client::Request;

use super::{GaveUp, LinkEvent, LinkState, once_reached};
use crate::dial;
use crate::dial::place;

/// The history of a client's links.
#[derive(Debug)]
pub(super) struct Turns {
    history: History,
    is_up: bool,
    /// How many links there have been.
    links: u32,
    /// How many dials there have been in this outage.
    attempt: u32,
    /// How many dials since the last link have timed out.
    late: u32,
    /// Why the link is down.
    why: String,
}

impl Turns {
    pub(super) fn new() -> Self {
        Self {
            history: History::default(),
            is_up: false,
            links: 0,
            attempt: 0,
            late: 0,
            why: "no answer yet".to_owned(),
        }
    }

    pub(super) fn is_up(&self) -> bool {
        self.is_up
    }

    pub(super) fn links(&self) -> u32 {
        self.links
    }

    /// How the links so far have ended, for the sentence about the end of the next one.
    pub(super) fn history(&self) -> History {
        self.history
    }

    /// The settings of the next dial, from the client's.
    pub(super) fn dial(&self, config: &dial::Config) -> dial::Config {
        config.after(self.late)
    }

    /// The network has changed: nothing is known about the new path.
    pub(super) fn handle_network_change(&mut self) {
        self.late = 0;
    }

    /// A dial begins: returns the state of the link, and the event to report.
    pub(super) fn handle_dial(&mut self) -> (LinkState, LinkEvent) {
        self.attempt = self.next_attempt();
        (LinkState::Dialing { attempt: self.attempt }, LinkEvent::Dialing { attempt: self.attempt })
    }

    /// A dial has failed: returns the event, and what to do. That depends on whether this client was connected to the
    /// server before.
    pub(super) fn handle_dial_failed(&mut self, mut disconnect: Disconnect) -> (LinkEvent, Retry) {
        if self.links > 0 {
            disconnect = once_reached(disconnect);
        }
        if disconnect.kind() == Kind::ConnectFailed(Obstacle::TimedOut) {
            self.late = self.late.saturating_add(1);
        }
        let retry = disconnect.retry();
        self.why = disconnect.to_string();
        (LinkEvent::DialFailed { attempt: self.attempt, disconnect }, retry)
    }

    pub(super) fn handle_up(&mut self) -> LinkEvent {
        (self.is_up, self.attempt, self.late) = (true, 0, 0);
        self.links += 1;
        LinkEvent::Up { link: self.links }
    }

    pub(super) fn handle_down(&mut self, disconnect: Disconnect) -> LinkEvent {
        self.is_up = false;
        self.history.record(&disconnect);
        self.why = disconnect.to_string();
        LinkEvent::Down { disconnect }
    }

    /// The next dial is at `until`: returns the state of the link, and the event to report.
    pub(super) fn handle_waiting(&self, now: Instant, until: Instant) -> (LinkState, LinkEvent) {
        let attempt = self.next_attempt();
        let state = LinkState::Waiting { attempt, until, why: self.why.clone() };
        (state, LinkEvent::Waiting { attempt, delay: until - now })
    }

    /// There will be no other dial: returns why, and the event to report.
    pub(super) fn handle_given_up(&self, gave_up: reconnect::GiveUp) -> (GaveUp, LinkEvent) {
        let ended = match gave_up {
            reconnect::GiveUp::No(_) => GaveUp::Refused(self.why.clone()),
            _ => GaveUp::Unreachable(format!("{}; gave up: {gave_up}", self.why)),
        };
        let event = LinkEvent::GaveUp { why: ended.to_string(), reached: self.links > 0 };
        (ended, event)
    }

    fn next_attempt(&self) -> u32 {
        self.attempt.saturating_add(1)
    }
}

/// The key of a path: the server, and the proxy in between, which may drop silent connections sooner.
pub(super) fn way(dial: &dial::Config, request: &Request) -> String {
    if let Some(path) = &dial.unix {
        return format!("unix:{}", path.display());
    }
    match dial.proxies.choose(request) {
        Ok(Some(proxy)) => format!("{} through {proxy}", place(request)),
        _ => place(request),
    }
}

/// The time of the wall clock, in seconds since 1970.
pub(super) fn unix() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs()
}
