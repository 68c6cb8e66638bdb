//! A connection that does only what it is told, so that everything else is the other side's doing. A server of bowline
//! gets a greeting, because it would end a connection without one.

use crate::target::{Target, greeting};
use bowline_core::connection::{Config, Event};
use bowline_core::frame::Limits;
use bowline_core::heartbeat;
use bowline_core::message::Delivery;
use bowline_core::{Close, Disconnect};
use bowline_tokio::{DialError, MaybeTlsStream, WebSocket};
use std::net::SocketAddr;
use std::time::Duration;
use tokio::time::{Instant, sleep, timeout, timeout_at};

/// The pause between two pings.
const PAUSE: Duration = Duration::from_millis(100);
/// How often to check whether everything has left.
const GLANCE: Duration = Duration::from_millis(10);

/// What was learned by opening a connection.
#[derive(Clone, Debug)]
pub(super) struct Opened {
    /// The address of the server, or of the proxy in between.
    pub(super) peer: Option<SocketAddr>,
    pub(super) proxy: Option<String>,
    /// The version of TLS, if TLS is used.
    pub(super) tls: Option<&'static str>,
    /// How long it took to connect: looking up the name, and the handshakes of TCP and, if it is used, TLS.
    pub(super) reached: Duration,
    /// The time from the request to the answer.
    pub(super) upgraded: Duration,
    pub(super) subprotocol: Option<String>,
    /// The `Server` header of the answer.
    pub(super) server: Option<String>,
}

/// What was learned by pinging.
#[derive(Clone, Debug)]
pub(super) struct Pings {
    pub(super) asked: u32,
    /// The round trips of the answered pings, in ascending order.
    pub(super) round_trips: Vec<Duration>,
    /// How long the last ping was waited for, if it was not answered.
    pub(super) waited: Duration,
    /// The end of the connection, if it ended meanwhile.
    pub(super) end: Option<Disconnect>,
}

/// What was learned by closing.
#[derive(Clone, Debug)]
pub(super) struct Closed {
    pub(super) took: Duration,
    pub(super) disconnect: Disconnect,
}

/// A connection without a heartbeat.
pub(super) struct Link {
    pub(super) socket: WebSocket<MaybeTlsStream>,
    patience: Duration,
    /// How many pings were sent, so that each has a payload of its own.
    pings: u64,
}

/// The outcome of a ping.
#[derive(Clone, Debug)]
pub(super) enum Answer {
    Came(Duration),
    /// None in time.
    None,
    Ended(Disconnect),
}

/// Opens a connection.
pub(super) async fn open(target: &Target) -> Result<(Link, Opened), DialError> {
    let start = Instant::now();
    let dialed = target.dial().await?;
    let took = start.elapsed();
    let server = dialed.response.headers().get("server");
    let opened = Opened {
        peer: dialed.stream.tcp().and_then(|stream| stream.peer_addr().ok()),
        proxy: target.proxy(),
        tls: dialed.stream.tls_version(),
        reached: took.saturating_sub(dialed.round_trip),
        upgraded: dialed.round_trip,
        subprotocol: dialed.subprotocol.clone(),
        server: server.map(|name| String::from_utf8_lossy(name.as_bytes()).into_owned()),
    };
    let mut config = Config::default();
    config.heartbeat.mode = heartbeat::Mode::Off;
    config.closing.close_timeout = target.patience();
    // An echo may be as large as what it answers, and is ignored.
    config.delivery = Delivery::Pieces;
    config.limits = Limits::none();
    let mut socket = WebSocket::client(dialed, config).map_err(DialError::System)?;
    if let Some(hello) = greeting(opened.subprotocol.as_deref()) {
        // If the connection has already ended, the next call reports it.
        let _ = socket.send(hello).await;
    }
    Ok((Link { socket, patience: target.patience(), pings: 0 }, opened))
}

impl Link {
    /// Sends this many pings, one after the other, as long as they are answered.
    pub(super) async fn ping(&mut self, count: u32) -> Pings {
        let mut pings = Pings { asked: 0, round_trips: Vec::new(), waited: Duration::ZERO, end: None };
        while pings.asked < count {
            if pings.asked > 0 {
                sleep(PAUSE).await;
            }
            pings.asked += 1;
            match self.ask(self.patience).await {
                Answer::Came(round_trip) => pings.round_trips.push(round_trip),
                Answer::None => {
                    pings.waited = self.patience;
                    break;
                }
                Answer::Ended(disconnect) => {
                    pings.end = Some(disconnect);
                    break;
                }
            }
        }
        pings.round_trips.sort();
        pings
    }

    /// Sends a ping, and returns its number; `None` if the connection is closing.
    pub(super) fn beat(&mut self) -> Option<u64> {
        self.pings += 1;
        self.socket.ping(&self.pings.to_be_bytes()).ok()
    }

    /// Waits until everything has left or the connection has ended, but no longer than this; returns whether that
    /// happened. Whatever arrives meanwhile is ignored. A ping can overtake what is still here, but nothing that has
    /// left.
    pub(super) async fn flush(&mut self, patience: Duration) -> bool {
        let until = Instant::now() + patience;
        while !self.socket.conn().output().is_empty() {
            if let Ok(Event::Closed(_)) = timeout(GLANCE, self.socket.event()).await {
                return true;
            }
            if Instant::now() >= until {
                return false;
            }
        }
        true
    }

    /// Sends a ping, and waits for the answer.
    pub(super) async fn ask(&mut self, patience: Duration) -> Answer {
        let asked = self.beat();
        let until = Instant::now() + patience;
        loop {
            match timeout_at(until, self.socket.event()).await {
                Err(_) => return Answer::None,
                Ok(Event::Answered { ping, rtt }) if Some(ping) == asked => return Answer::Came(rtt),
                Ok(Event::Closed(disconnect)) => return Answer::Ended(disconnect),
                Ok(_) => {}
            }
        }
    }

    /// Closes, and waits for the end.
    pub(super) async fn close(mut self) -> Closed {
        let start = Instant::now();
        // If it is closing already, all the better.
        let _ = self.socket.close(Close::normal());
        let disconnect = self.socket.ended().await;
        Closed { took: start.elapsed(), disconnect }
    }
}
