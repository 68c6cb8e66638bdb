//! What is told of a client's links, one after the other.

use std::time::{SystemTime, UNIX_EPOCH};

use bowline_core::closing::History;
use bowline_core::reconnect::GiveUp;
use bowline_core::{Disconnect, Instant, Retry};
use bowline_handshake::client::Request;

use super::{LinkEvent, LinkState, once_reached};
use crate::dial;
use crate::dial::place;

/// The account of a client's links.
#[derive(Debug)]
pub(super) struct Turns {
    history: History,
    is_up: bool,
    /// How many links there have been.
    links: u32,
    /// How many dials this outage has seen.
    attempt: u32,
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
            why: "no answer yet".to_owned(),
        }
    }

    pub(super) fn is_up(&self) -> bool {
        self.is_up
    }

    pub(super) fn links(&self) -> u32 {
        self.links
    }

    /// Which attempt of this outage the present one is.
    pub(super) fn attempt(&self) -> u32 {
        self.attempt
    }

    /// Why the link is down, in one sentence.
    pub(super) fn why(&self) -> &str {
        &self.why
    }

    /// How the links so far have ended, for the sentence about the end of the next one.
    pub(super) fn history(&self) -> History {
        self.history
    }

    pub(super) fn handle_dial(&mut self) -> LinkEvent {
        self.attempt = self.attempt.saturating_add(1);
        LinkEvent::Dialing { attempt: self.attempt }
    }

    /// A dial has failed; also what to do about it, by somebody who was connected to this server before or not.
    pub(super) fn handle_dial_failed(&mut self, mut disconnect: Disconnect) -> (LinkEvent, Retry) {
        if self.links > 0 {
            disconnect = once_reached(disconnect);
        }
        let retry = disconnect.retry();
        self.why = disconnect.to_string();
        (LinkEvent::DialFailed { attempt: self.attempt, disconnect }, retry)
    }

    pub(super) fn handle_up(&mut self) -> LinkEvent {
        (self.is_up, self.attempt) = (true, 0);
        self.links += 1;
        LinkEvent::Up { link: self.links }
    }

    pub(super) fn handle_down(&mut self, disconnect: Disconnect) -> LinkEvent {
        self.is_up = false;
        self.history.record(&disconnect);
        self.why = disconnect.to_string();
        LinkEvent::Down { disconnect }
    }

    /// The next dial is at `until`.
    pub(super) fn handle_waiting(&mut self, now: Instant, until: Instant) -> LinkEvent {
        LinkEvent::Waiting { attempt: self.attempt.saturating_add(1), delay: until - now }
    }

    /// What the link is doing while it waits for that.
    pub(super) fn waiting(&self, until: Instant) -> LinkState {
        LinkState::Waiting { attempt: self.attempt.saturating_add(1), until, why: self.why.clone() }
    }

    /// There will be no other dial: the whole sentence is the reason from here on.
    pub(super) fn handle_given_up(&mut self, gave_up: GiveUp) -> LinkEvent {
        if !matches!(gave_up, GiveUp::No(_)) {
            self.why = format!("{}; gave up: {gave_up}", self.why);
        }
        LinkEvent::GaveUp { why: self.why.clone(), reached: self.links > 0 }
    }
}

/// What a path is known by: the server, and the proxy on the way, whose patience may be shorter.
pub(super) fn way(dial: &dial::Config, request: &Request) -> String {
    if let Some(path) = &dial.unix {
        return format!("unix:{}", path.display());
    }
    match dial.proxies.choose(request) {
        Ok(Some(proxy)) => format!("{} through {proxy}", place(request)),
        _ => place(request),
    }
}

/// What the wall clock shows, in seconds since 1970.
pub(super) fn unix() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs()
}
