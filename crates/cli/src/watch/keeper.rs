//! Keeps a connection to any WebSocket server, as a client keeps its own.

use super::view::{Now, View};
use crate::args::Watch;
use crate::exit::{Exit, Trouble};
use crate::target::Target;
use bowline_core::adapt::{self, Adapt};
use bowline_core::closing::History;
use bowline_core::connection::{Config, Event};
use bowline_core::frame::Limits;
use bowline_core::message::Delivery;
use bowline_core::reconnect::{self, Next};
use bowline_core::{Close, Disconnect, Instant, Reconnect, Rng};
use bowline_host::client::once_reached;
use bowline_tokio::{Clock, LinkEvent, MaybeTlsStream, Paths, WebSocket};
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tokio::time::{interval, timeout_at};

/// How often the present is shown.
const TICK: Duration = Duration::from_millis(500);

pub(super) struct Keeper {
    target: Target,
    heartbeat: Duration,
    timeout: Duration,
    clock: Clock,
    reconnect: Reconnect,
    adapt: Adapt,
    paths: Paths,
    history: History,
    links: u32,
    link: Option<WebSocket<MaybeTlsStream>>,
}

impl Keeper {
    pub(super) fn new(target: Target, args: &Watch, paths: Paths, server: &str) -> Self {
        let mut config = reconnect::Config::default();
        config.first_contact = Some(args.reach.first_contact());
        config.max_elapsed = Some(args.reach.outage());
        // The dial ends first, and says what it waited for.
        config.connect_timeout = target.patience() + Duration::from_secs(1);
        let mut learning = adapt::Config::default();
        learning.interval = args.beat.heartbeat;
        // Without randomness no connection can be dialled either, and that is told; here it only spreads attempts.
        let (clock, mut rng) = (Clock::start(), Rng::from_seed(bowline_host::seed().unwrap_or_default()));
        Self {
            reconnect: Reconnect::new(config, &mut rng, clock.now()),
            adapt: Adapt::new(learning, paths.path(server)),
            heartbeat: args.beat.heartbeat,
            timeout: args.beat.timeout,
            target,
            clock,
            paths,
            history: History::default(),
            links: 0,
            link: None,
        }
    }

    /// Connects again and again, until there is no hope: why, in one sentence. Cancel-safe.
    pub(super) async fn keep(&mut self, view: &mut View) -> Trouble {
        let mut last = String::new();
        let mut next = self.reconnect.handle_timeout(self.clock.now());
        loop {
            next = match next {
                Some(Next::Dial) => self.dial(view, &mut last).await,
                Some(Next::DialAt(at)) => {
                    view.tell(&LinkEvent::Waiting {
                        attempt: self.reconnect.attempts(),
                        delay: at - self.clock.now(),
                    });
                    self.wait(at, view).await
                }
                // It was reached, and to try again is of no use.
                Some(Next::GiveUp(reconnect::GiveUp::No(_))) => return Trouble::failed(last),
                Some(Next::GiveUp(why)) => {
                    return Trouble::new(Exit::Unreachable, format!("{last}; gave up: {why}"));
                }
                None => match self.reconnect.poll_timeout() {
                    Some(at) => self.wait(at, view).await,
                    None => return Trouble::new(Exit::Unreachable, last),
                },
            };
        }
    }

    async fn wait(&mut self, at: Instant, view: &View) -> Option<Next> {
        let (mut ticks, deadline) = (interval(TICK), self.clock.deadline(at));
        while timeout_at(deadline, ticks.tick()).await.is_ok() {
            view.wait(at - self.clock.now());
        }
        self.reconnect.handle_timeout(self.clock.now())
    }

    /// One dial, and the life of the link if there is one.
    async fn dial(&mut self, view: &mut View, last: &mut String) -> Option<Next> {
        let attempt = self.reconnect.attempts() + 1;
        view.tell(&LinkEvent::Dialing { attempt });
        let opened = match self.target.dial().await {
            Ok(dialed) => {
                let round_trip = dialed.round_trip;
                WebSocket::client(dialed, self.config())
                    .map(|link| (link, round_trip))
                    .map_err(bowline_tokio::DialError::System)
            }
            Err(error) => Err(error),
        };
        let disconnect = match opened {
            Ok((link, round_trip)) => {
                self.open(link, round_trip, view);
                self.live(view).await
            }
            Err(error) => {
                let mut disconnect = error.disconnect();
                if self.links > 0 {
                    disconnect = once_reached(disconnect);
                }
                *last = disconnect.to_string();
                let retry = disconnect.retry();
                view.tell(&LinkEvent::DialFailed { attempt, disconnect });
                return self.reconnect.handle_dial_failed(self.clock.now(), retry, None);
            }
        };
        *last = disconnect.to_string();
        let retry = disconnect.retry();
        self.bury(disconnect, view);
        self.reconnect.handle_lost(self.clock.now(), retry)
    }

    fn config(&self) -> Config {
        let mut config = Config::default();
        config.heartbeat.interval = self.adapt.interval_at(unix()).min(self.heartbeat);
        config.heartbeat.timeout = self.timeout;
        config.history = self.history;
        // Messages are of no interest, however large they are.
        config.delivery = Delivery::Pieces;
        config.limits = Limits::none();
        config
    }

    fn open(&mut self, link: WebSocket<MaybeTlsStream>, round_trip: Duration, view: &mut View) {
        self.reconnect.handle_open(self.clock.now());
        self.adapt.handle_open(unix());
        self.remember();
        self.links += 1;
        self.link = Some(link);
        view.tell(&LinkEvent::Up { link: self.links });
        view.opened(round_trip, self.adapt.interval_at(unix()).min(self.heartbeat));
    }

    /// Up to the end of the link.
    async fn live(&mut self, view: &mut View) -> Disconnect {
        let Some(link) = &mut self.link else { std::future::pending().await };
        let (mut ticks, start) = (interval(TICK), self.clock.now());
        let (mut bytes, mut heard) = (0, start);
        loop {
            let event = tokio::select! {
                event = link.event() => Some(event),
                _ = ticks.tick() => None,
            };
            let (now, received) = (self.clock.now(), link.stats().bytes_received);
            if received != bytes {
                (bytes, heard) = (received, now);
            }
            match event {
                Some(Event::Closed(disconnect)) => return disconnect,
                Some(event) => view.notice(event),
                None => {}
            }
            view.show(Now { up: now - start, silence: now - heard, round_trip: link.rtt() });
        }
    }

    fn bury(&mut self, mut disconnect: Disconnect, view: &mut View) {
        self.link = None;
        self.history.record(&disconnect);
        let change = self.adapt.record(unix(), &mut disconnect);
        self.remember();
        view.tell(&LinkEvent::Down { disconnect });
        if let Some(adapt::Change { from, to, why, .. }) = change {
            view.notice(Event::HeartbeatChanged { from, to, why });
        }
    }

    /// Keeps what was learned of the path.
    fn remember(&self) {
        self.paths.insert(self.adapt.path().clone());
    }

    /// Ends the link, if there is one, as it should be ended.
    pub(super) async fn close(&mut self, view: &mut View) {
        let Some(mut link) = self.link.take() else { return };
        // If it is closing already, so much the better.
        let _ = link.close(Close::normal());
        let disconnect = link.ended().await;
        view.tell(&LinkEvent::Down { disconnect });
    }
}

/// What the wall clock shows, in seconds since 1970.
fn unix() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs()
}
