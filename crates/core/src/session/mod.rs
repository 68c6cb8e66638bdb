//! The application's view across many links: transfers and messages that continue, and a client that reconnects by
//! itself.
//!
//! A [`Session`] combines [`Reconnect`], [`Adapt`](crate::Adapt), [`Transfers`] and [`Messages`](crate::Messages). A
//! client's session says when to dial, and how often the connection should ping. The code that dials reports the
//! beginning and the end of each link, and [`pump`](crate::pump) moves messages between the session and the current
//! [`Connection`](crate::Connection). The handshake of a link must request
//! [`SUBPROTOCOL`](crate::transfer::wire::SUBPROTOCOL), and get it: a link without it counts as a failed dial. A
//! server's session lives as long as one link; its messages live in [`Sessions`](crate::Sessions), which outlives all
//! links. The [manual](crate::manual::session) shows both as programs.
//!
//! There are two deadlines: the session's and the connection's. A client that is done closes the connection, and drops
//! the session when the connection has ended, or at once if there is none.
//!
//! ```text
//!               Dial                  handle_link_up                 handle_link_down
//!  (new) ──────────────▶ dialing ──────────────────────▶ up ───────────────────────────┐
//!    ▲                      │ handle_dial_failed                                       │
//!    │                      ▼                                                          │
//!    └──── time passes ── Waiting, or GaveUp ◀─────────────────────────────────────────┘
//!
//!         the link is doubtful: DialBeside
//!     up ──────────────────────────────────▶ up, dialing a second link
//!     ▲                                                 │
//!     └─────────────────────────────────────────────────┘
//!       handle_dial_failed; or replace, and if that is true, handle_link_up
//! ```

mod beside;
mod learning;
mod speech;

use crate::adapt;
use crate::closing::{Close, CloseCode, Disconnect, Retry, Why};
use crate::connection;
use crate::message::Parts;
use crate::messages;
use crate::reconnect::{self, GiveUp, Next, Reconnect};
use crate::time::earliest;
use crate::transfer::{self, Code, Transfers, Unseen};
use crate::{Instant, Rng, Role};
use alloc::collections::VecDeque;
use beside::Beside;
use bytes::Bytes;
use core::time::Duration;
use learning::Learning;
use speech::Speech;

#[cfg(test)]
mod tests;

/// Settings of a [`Session`].
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Config {
    /// When to dial again, and when to give up. A server ignores it.
    pub reconnect: reconnect::Config,
    /// Limits of the transfers.
    pub transfer: transfer::Config,
    /// Whether messages are supported, and a client's limits for them; a server's limits are those of its
    /// [`Sessions`](crate::Sessions). Default: they are not supported.
    pub messages: Option<messages::Config>,
    /// How the heartbeat interval follows from what is learned about the path, and where it starts. A server ignores
    /// it.
    pub adapt: adapt::Config,
    /// What is known about the path. Default: nothing.
    pub path: adapt::Path,
    /// The wall clock's time when the session begins, in seconds since 1970, because what is known about a path carries
    /// a date. Default: 0, which is enough if nothing is stored.
    pub unix: u64,
}

/// What a [`Session`] wants done, and what it reports.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Event {
    /// Dial now. Answer with [`handle_link_up`](Session::handle_link_up) or
    /// [`handle_dial_failed`](Session::handle_dial_failed).
    Dial,
    /// The link is [doubtful](connection::Event::Doubtful), and something is waiting for it: dial once more, beside it.
    /// If that succeeds, call [`replace`](Session::replace), which decides which of the two to keep; if it fails, call
    /// [`handle_dial_failed`](Session::handle_dial_failed). A host may ignore this, and wait until the link is found
    /// dead.
    DialBeside,
    /// The next dial is at this time; abandon any dial under way.
    Waiting {
        /// When.
        until: Instant,
    },
    /// There will be no further dials, so the remaining transfers can only be failed.
    GaveUp(GiveUp),
    /// The link has ended, for this reason. Drop its connection. A server also drops the session: everything that it
    /// wants done with files has already been reported.
    LinkDown(Disconnect),
    /// An event of the connection that concerns only the application.
    Link(connection::Event),
    /// A transfer wants something done, or reports something.
    Transfer(transfer::Event),
    /// A client's message session reports something. Take received messages with
    /// [`Messages::poll_received`](messages::Messages::poll_received).
    Messages(messages::Event),
}

/// Transfers and messages across many links. See the [module](self).
#[derive(Debug)]
pub struct Session {
    transfers: Transfers,
    speech: Speech,
    reconnect: Option<Reconnect>,
    learning: Option<Learning>,
    beside: Beside,
    /// The advice for the next end of a link, if it overrides that of the connection.
    advice: Option<Retry>,
    /// The path has damaged data, and that has not yet excused the end of a link.
    damaged: bool,
    close: Option<Close>,
    events: VecDeque<Event>,
    unseen: Unseen,
}

impl Session {
    /// A client's session. Its first event is a [`Dial`](Event::Dial). The seed must be random: it spreads the dials,
    /// yields the name and the secret of the message session, and the [instance](transfer::Config::instance) if the
    /// settings have none.
    pub fn client(mut config: Config, seed: [u8; 32], now: Instant) -> Self {
        let mut rng = Rng::from_seed(seed);
        let mut reconnect = Reconnect::new(config.reconnect, &mut rng, now);
        let first = reconnect.handle_timeout(now);
        let learning = Learning::new(&config, now);
        let speech = Speech::client(config.messages, &mut rng, now);
        // Without one, it would look like its own rival after a link on which an answer was lost.
        if config.transfer.instance == [0; 16] {
            config.transfer.instance = rng.bytes();
        }
        let mut session = Self::new(Role::Client, config.transfer, speech, now);
        session.reconnect = Some(reconnect);
        session.learning = Some(learning);
        session.follow(first);
        session
    }

    /// The session of one link that a server has accepted. Report that the link [is up](Self::handle_link_up) before
    /// anything that arrives on it.
    pub fn server(config: Config, now: Instant) -> Self {
        let speech = Speech::server(config.messages);
        Self::new(Role::Server, config.transfer, speech, now)
    }

    fn new(role: Role, config: transfer::Config, speech: Speech, now: Instant) -> Self {
        let mut transfers = Transfers::new(role, config, now);
        transfers.announce(speech.features());
        Self {
            transfers,
            speech,
            reconnect: None,
            learning: None,
            beside: Beside::default(),
            advice: None,
            damaged: false,
            close: None,
            events: VecDeque::new(),
            unseen: Unseen::default(),
        }
    }

    // ----- facts -----

    /// A link is up: the WebSocket is open, and uses [`SUBPROTOCOL`](crate::transfer::wire::SUBPROTOCOL). Call this
    /// before the first message of the link, on servers and clients alike. Build a client's connection with
    /// [`heartbeat_interval`](Self::heartbeat_interval). Pass the round-trip time if the handshake has measured it.
    pub fn handle_link_up(&mut self, now: Instant, rtt: Option<Duration>) {
        if let Some(reconnect) = &mut self.reconnect {
            reconnect.handle_open(now);
        }
        (self.advice, self.close) = (None, None);
        self.beside.handle_link_up(now);
        self.events.extend(self.learning.as_mut().and_then(|learning| learning.handle_link_up(now)));
        self.transfers.handle_link_up(now, rtt);
        self.speech.handle_link_up(now);
        self.collect();
    }

    /// The link has ended. A client decides when to reconnect. [`pump`](crate::pump) makes this call by itself.
    pub fn handle_link_down(&mut self, now: Instant, mut disconnect: Disconnect) {
        if let Some(reconnect) = &mut self.reconnect {
            if self.transfers.has_carried() || self.speech.has_carried() {
                reconnect.handle_progress(now);
            } else if let Some(since) = earliest(self.transfers.awaits_since(), self.speech.awaits_since(now))
            {
                reconnect.handle_stuck(now, now - since);
            }
        }
        if self.speech.is_superseded(&disconnect) {
            disconnect = disconnect.with_retry(Retry::Backoff);
        }
        self.damaged |= self.transfers.is_damaged();
        // A path that damages chunks also damages the headers of frames, which is the fault of neither end. Damage
        // excuses only one such end, so that dialling does not go on for ever.
        if self.damaged && matches!(disconnect.retry(), Retry::No(Why::SameAgain | Why::Invalid)) {
            self.damaged = false;
            disconnect = disconnect.with_retry(Retry::Backoff);
        }
        self.transfers.handle_link_down(now);
        self.speech.handle_link_down(now);
        self.collect();
        let retry = self.advice.take().unwrap_or(disconnect.retry());
        let learning = self.learning.as_mut();
        let lesson = learning.and_then(|learning| learning.handle_link_down(now, &mut disconnect));
        self.events.push_back(Event::LinkDown(disconnect));
        self.events.extend(lesson);
        let Some(reconnect) = &mut self.reconnect else { return };
        if self.beside.replaces() {
            reconnect.handle_replaced(now);
        } else {
            let next = reconnect.handle_lost(now, retry);
            self.follow(next);
        }
    }

    /// A dial has failed, with this advice: that of the opening handshake's error, which `bowline-handshake` provides,
    /// or that of a [`Disconnect::connect_failed`]. It is [`Retry::Backoff`] if nobody answered, and [`Retry::No`] if
    /// the server refused. A server that does not support [`SUBPROTOCOL`](crate::transfer::wire::SUBPROTOCOL) counts as
    /// [no WebSocket server](crate::closing::Obstacle::NotWebSocket):
    /// `Disconnect::connect_failed(Obstacle::NotWebSocket, "").retry()`.
    pub fn handle_dial_failed(&mut self, now: Instant, retry: Retry) {
        self.beside.handle_done();
        let next =
            self.reconnect.as_mut().and_then(|reconnect| reconnect.handle_dial_failed(now, retry, None));
        self.follow(next);
    }

    /// The network has changed: what failed before may succeed.
    pub fn handle_network_change(&mut self, now: Instant) {
        let next = self.reconnect.as_mut().and_then(|reconnect| reconnect.handle_network_change(now));
        self.follow(next);
    }

    /// The round-trip time of the link was measured.
    pub fn handle_rtt(&mut self, now: Instant, rtt: Duration) {
        self.transfers.handle_rtt(now, rtt);
    }

    /// The link survived a silence of this length.
    pub fn handle_survived(&mut self, now: Instant, silence: Duration) {
        if let Some(learning) = &mut self.learning {
            learning.handle_survived(now, silence);
        }
    }

    /// A binary message arrived. It is returned if it does not belong to this protocol.
    pub fn handle_message(&mut self, now: Instant, message: Bytes) -> Option<Bytes> {
        self.collect();
        let told = self.events.len();
        let foreign = self.hear(now, message);
        self.collect();
        if let Some(why) = self.unseen.handle_message(told, self.events.len()) {
            self.break_link(Code::Internal, why);
        }
        foreign
    }

    /// The connection reported an event that is neither a message nor its end.
    pub fn handle_link_event(&mut self, event: connection::Event) {
        self.events.push_back(Event::Link(event));
    }

    /// Time has passed. Early and repeated calls change nothing.
    pub fn handle_timeout(&mut self, now: Instant) {
        self.transfers.handle_timeout(now);
        self.speech.handle_timeout(now);
        self.beside.handle_timeout(now);
        self.collect();
        let next = self.reconnect.as_mut().and_then(|reconnect| reconnect.handle_timeout(now));
        self.follow(next);
    }

    // ----- commands -----

    /// Offers, requests and answers files. Their events come out of [`poll_event`](Self::poll_event).
    pub fn transfers_mut(&mut self) -> &mut Transfers {
        &mut self.transfers
    }

    /// Dials now, whatever was decided: see [`Reconnect::dial`]. This also works after it has [given up](Event::GaveUp).
    /// A server does not dial.
    pub fn dial(&mut self, now: Instant) {
        if let Some(reconnect) = &mut self.reconnect {
            reconnect.dial(now);
            self.handle_timeout(now);
        }
    }

    /// Sets how long a client's dials may take from now on: see [`Reconnect::set_connect_timeout`].
    pub fn set_connect_timeout(&mut self, timeout: Duration) {
        if let Some(reconnect) = &mut self.reconnect {
            reconnect.set_connect_timeout(timeout);
        }
    }

    // ----- outputs -----

    /// The next thing to do or to report. If a host never asks, the link ends once the peer has caused some 65,000 of
    /// these.
    pub fn poll_event(&mut self) -> Option<Event> {
        self.collect();
        let event = self.events.pop_front();
        self.unseen.handle_look(self.events.len());
        event
    }

    /// The next message to send, unless `room` is 0. See [`Transfers::poll_message`]. Control frames of transfers go
    /// first. Then the application's messages and chunks of files share the link.
    pub fn poll_message(&mut self, now: Instant, room: usize) -> Option<Parts> {
        let message = if room == 0 { None } else { self.speak(now) };
        self.collect();
        message
    }

    /// The Close to send once [`poll_message`](Self::poll_message) has nothing left: the link cannot continue, for
    /// example because the protocol of the transfers was violated.
    pub fn poll_close(&mut self) -> Option<Close> {
        self.close.take()
    }

    /// A new heartbeat interval for the current link. A client that [explores](adapt::Mode::Explore) its path tries
    /// longer ones, but not while a transfer is under way.
    pub fn poll_heartbeat(&mut self, now: Instant) -> Option<adapt::Change> {
        let busy = !self.transfers.is_empty() || self.speech.is_busy();
        self.learning.as_mut()?.poll_change(now, busy)
    }

    /// When to call [`handle_timeout`](Self::handle_timeout).
    pub fn poll_timeout(&self) -> Option<Instant> {
        let reconnect = self.reconnect.as_ref().and_then(Reconnect::poll_timeout);
        let link = earliest(self.beside.poll_timeout(), reconnect);
        earliest(earliest(self.transfers.poll_timeout(), self.speech.poll_timeout()), link)
    }

    // ----- state -----

    /// The transfers, to inspect.
    pub fn transfers(&self) -> &Transfers {
        &self.transfers
    }

    /// The heartbeat interval for a connection that a client opens now; a server's intervals are as configured.
    pub fn heartbeat_interval(&self, now: Instant) -> Option<Duration> {
        self.learning.as_ref().map(|learning| learning.interval(now))
    }

    /// What a client knows about its path. Store it for the next session.
    pub fn path(&self) -> Option<&adapt::Path> {
        self.learning.as_ref().map(Learning::path)
    }

    /// How many attempts the current outage has cost.
    pub fn attempts(&self) -> u32 {
        self.reconnect.as_ref().map_or(0, Reconnect::attempts)
    }

    // ----- inside -----

    pub(crate) fn has_link(&self) -> bool {
        self.transfers.has_link()
    }

    fn collect(&mut self) {
        self.collect_messages();
        while let Some(event) = self.transfers.poll_event() {
            if let transfer::Event::Broken { code, text } = &event {
                self.break_off(*code, text);
            }
            self.events.push_back(Event::Transfer(event));
        }
    }

    fn break_off(&mut self, code: Code, text: &str) {
        // Damage on the way is nobody's fault. Like a peer that does not answer, it may not happen again.
        let (close, advice) = match code {
            Code::CorruptFrame | Code::Stalled | Code::Internal => {
                (CloseCode::INTERNAL_ERROR, Some(Retry::Backoff))
            }
            // The peer has announced this itself, and we believe it.
            Code::ShuttingDown => (CloseCode::GOING_AWAY, Some(Retry::Backoff)),
            // A client that has new credentials by now returns with them; others are refused by the next handshake.
            Code::Unauthorized => (CloseCode::UNAUTHORIZED, Some(Retry::Backoff)),
            _ => (CloseCode::PROTOCOL_ERROR, None),
        };
        self.advice = advice;
        self.close = Some(Close::ours(close, text));
    }

    fn follow(&mut self, next: Option<Next>) {
        self.events.extend(next.map(|next| match next {
            Next::Dial => Event::Dial,
            Next::DialAt(until) => Event::Waiting { until },
            Next::GiveUp(why) => Event::GaveUp(why),
        }));
    }
}
