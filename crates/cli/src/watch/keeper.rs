//! Keeps a connection to any WebSocket server open, and has what happens to it shown.

use super::view::{Now, View};
use crate::args::Watch;
use crate::exit::{Exit, Trouble};
use crate::target::{Target, greeting};
use bowline_core::Close;
use bowline_core::frame::Limits;
use bowline_core::message::Delivery;
use bowline_tokio::{GaveUp, LinkEvent, LinkState, Paths, ReconnectingConfig, ReconnectingWebSocket};
use std::time::Duration;
use tokio::time::{Instant, interval};

/// How often the current state is shown.
const TICK: Duration = Duration::from_millis(500);

pub(super) struct Keeper {
    socket: ReconnectingWebSocket,
    /// When the current link opened.
    since: Instant,
    /// When something last arrived, and how much had arrived by then.
    heard: Instant,
    bytes: u64,
}

impl Keeper {
    pub(super) fn new(target: Target, args: &Watch, paths: Paths, server: &str) -> Result<Self, Trouble> {
        let mut config = ReconnectingConfig::default();
        config.reconnect.first_contact = Some(args.reach.first_contact());
        config.reconnect.max_elapsed = Some(args.reach.outage());
        config.connection.heartbeat.interval = args.beat.heartbeat;
        config.connection.heartbeat.timeout = args.beat.timeout;
        // Messages are ignored, however large they are.
        config.connection.delivery = Delivery::Pieces;
        config.connection.limits = Limits::none();
        (config.paths, config.path) = (paths, Some(server.to_owned()));
        let request = target.reconnecting(&mut config);
        config.dial.longest_timeout = args.reach.dial(config.dial.longest_timeout);
        let socket = ReconnectingWebSocket::with_request(request, config);
        let now = Instant::now();
        Ok(Self { socket: socket.map_err(Trouble::failed)?, since: now, heard: now, bytes: 0 })
    }

    /// Connects again and again, until there is no hope; returns why, in one sentence. Cancel-safe.
    pub(super) async fn keep(&mut self, view: &mut View) -> Trouble {
        let mut ticks = interval(TICK);
        loop {
            tokio::select! {
                biased;
                event = self.socket.event() => match event {
                    Ok(event) => {
                        if let LinkEvent::Up { .. } = event {
                            self.greet().await;
                        }
                        self.tell(event, view);
                    }
                    Err(why) => return Self::trouble(&why),
                },
                _ = ticks.tick() => self.show(view),
            }
        }
    }

    async fn greet(&mut self) {
        if let Some(hello) = greeting(self.socket.subprotocol()) {
            // If it has already ended, the next event reports it.
            let _ = self.socket.send(hello).await;
        }
    }

    fn tell(&mut self, event: LinkEvent, view: &mut View) {
        match event {
            LinkEvent::Notice(event) => {
                view.notice(event);
                self.show(view);
            }
            LinkEvent::Up { .. } => {
                let now = Instant::now();
                (self.since, self.heard, self.bytes) = (now, now, 0);
                view.tell(&event);
                view.opened(self.socket.rtt().unwrap_or_default(), self.socket.heartbeat_interval());
            }
            event => view.tell(&event),
        }
    }

    fn show(&mut self, view: &mut View) {
        match self.socket.state() {
            LinkState::Waiting { until, .. } => view.wait(until - Instant::now()),
            LinkState::Up => {
                if let Some(link) = self.socket.link() {
                    let (now, bytes) = (Instant::now(), link.stats().bytes_received);
                    if bytes != self.bytes {
                        (self.heard, self.bytes) = (now, bytes);
                    }
                    view.show(Now {
                        up: now - self.since,
                        silence: now - self.heard,
                        round_trip: link.rtt(),
                    });
                }
            }
            _ => {}
        }
    }

    fn trouble(why: &GaveUp) -> Trouble {
        match why {
            // The server was reached, and trying again would not help.
            GaveUp::Refused(_) => Trouble::failed(why),
            _ => Trouble::new(Exit::Unreachable, why),
        }
    }

    /// Closes the link properly, if there is one.
    pub(super) async fn close(&mut self, view: &mut View) {
        self.socket.close(Close::normal());
        while let Ok(event) = self.socket.event().await {
            if let LinkEvent::Down { .. } = event {
                view.tell(&event);
            }
        }
    }
}
