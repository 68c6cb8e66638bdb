//! A connection that does only what it is asked to, so that whatever else happens is the other side's doing; a server of
//! bowline's is greeted, for it ends a connection on which it is not.

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

/// Between one ping and the next.
const PAUSE: Duration = Duration::from_millis(100);
/// How often it is looked whether all has left.
const GLANCE: Duration = Duration::from_millis(10);

/// What opening a connection has shown.
#[derive(Clone, Debug)]
pub(super) struct Opened {
    /// Of the server, or of the proxy on the way.
    pub(super) peer: Option<SocketAddr>,
    pub(super) proxy: Option<String>,
    /// Which version of TLS is spoken, if any is.
    pub(super) tls: Option<&'static str>,
    /// How long it took until there was a connection: the name was looked up, and TCP had shaken hands, and TLS where it is
    /// spoken.
    pub(super) reached: Duration,
    /// From request to answer.
    pub(super) upgraded: Duration,
    pub(super) subprotocol: Option<String>,
    /// What the server says of itself.
    pub(super) server: Option<String>,
}

/// What pings have shown.
#[derive(Clone, Debug)]
pub(super) struct Pings {
    pub(super) asked: u32,
    /// The round trips of those that were answered, the shortest first.
    pub(super) round_trips: Vec<Duration>,
    /// How long the last one was waited for, if it was not answered.
    pub(super) waited: Duration,
    /// Whether the connection ended meanwhile.
    pub(super) end: Option<Disconnect>,
}

/// What closing has shown.
#[derive(Clone, Debug)]
pub(super) struct Closed {
    pub(super) took: Duration,
    pub(super) disconnect: Disconnect,
}

/// A connection without a heartbeat.
pub(super) struct Link {
    pub(super) socket: WebSocket<MaybeTlsStream>,
    patience: Duration,
    /// How many pings there were: none is taken for another.
    pings: u64,
}

/// What became of a ping.
#[derive(Clone, Debug)]
pub(super) enum Answer {
    Came(Duration),
    /// Nothing, for as long as there is patience.
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
    // An echo may be as large as what it answers, and is of no interest.
    config.delivery = Delivery::Pieces;
    config.limits = Limits::none();
    let mut socket = WebSocket::client(dialed, config).map_err(DialError::System)?;
    if let Some(hello) = greeting(opened.subprotocol.as_deref()) {
        // If it has ended already, whoever asks next hears of it.
        let _ = socket.send(hello).await;
    }
    Ok((Link { socket, patience: target.patience(), pings: 0 }, opened))
}

impl Link {
    /// Pings so many times, one after the other; only as long as they are answered.
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

    /// Sends a ping, and gives its number. Who is closing has nothing to say any more but its end.
    pub(super) fn beat(&mut self) -> Option<u64> {
        self.pings += 1;
        self.socket.ping(&self.pings.to_be_bytes()).ok()
    }

    /// Waits until all that was said has left, or the connection has ended, and for no longer than this; says whether that is
    /// so. What comes meanwhile is of no interest. A ping overtakes what is still here, and nothing that has left.
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

    /// Asks whether anybody is there, and waits for the answer.
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
        // If it is closing already, so much the better.
        let _ = self.socket.close(Close::normal());
        let disconnect = self.socket.ended().await;
        Closed { took: start.elapsed(), disconnect }
    }
}
