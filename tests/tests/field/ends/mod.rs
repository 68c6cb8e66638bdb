//! Our two ends, as plain as an application would write them, with each adapter.

mod blocking;
mod tokio;

use std::time::Duration;

use ::tokio::net::TcpListener;
use ::tokio::sync::oneshot;
use ::tokio::time::Instant;
use bowline_core::connection::Config;
use bowline_core::{Connection, Disconnect, Instant as Now};

pub(crate) use crate::files::Adapter;
pub(crate) use blocking::aside;

/// One end of a connection.
pub(crate) enum Socket {
    Tokio(Box<tokio::Socket>),
    Blocking(Box<blocking::Socket>),
}

/// What happened at one end until it was over, or until it had enough.
#[derive(Debug)]
pub(crate) struct Fate {
    pub(crate) lived: Duration,
    /// How it died, if it did.
    pub(crate) end: Option<Disconnect>,
    pub(crate) bytes: u64,
}

/// The default settings with a heartbeat of this many seconds.
pub(crate) fn heartbeat(interval: u64, timeout: u64) -> Config {
    let mut config = Config::default();
    config.heartbeat.interval = Duration::from_secs(interval);
    config.heartbeat.timeout = Duration::from_secs(timeout);
    config
}

/// A listener, and its URL.
pub(crate) async fn listen() -> (String, TcpListener) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    (format!("ws://{}", listener.local_addr().unwrap()), listener)
}

impl Adapter {
    /// Dials.
    pub(crate) async fn dial(self, url: &str, config: Config) -> Socket {
        match self {
            Self::Tokio => Socket::Tokio(Box::new(tokio::dial(url, config).await)),
            Self::Blocking => {
                let url = url.to_owned();
                Socket::Blocking(Box::new(aside(move || blocking::dial(&url, config)).await))
            }
        }
    }

    /// Accepts the next client.
    pub(crate) async fn accept(self, listener: &TcpListener, config: Config) -> Socket {
        let stream = listener.accept().await.unwrap().0;
        match self {
            Self::Tokio => Socket::Tokio(Box::new(tokio::accept(stream, config).await)),
            Self::Blocking => {
                let stream = stream.into_std().unwrap();
                Socket::Blocking(Box::new(aside(|| blocking::accept(stream, config)).await))
            }
        }
    }

    /// A server for one client, which takes this long for each message. The second value yields its fate once the
    /// client is gone.
    pub(crate) async fn receive(self, config: Config, each: Duration) -> (String, oneshot::Receiver<Fate>) {
        let (url, listener) = listen().await;
        let (teller, fate) = oneshot::channel();
        ::tokio::spawn(async move {
            let received = match self.accept(&listener, config).await {
                Socket::Tokio(socket) => tokio::receive(*socket, each).await,
                Socket::Blocking(socket) => aside(move || blocking::receive(*socket, each)).await,
            };
            // Nobody may be interested.
            let _ = teller.send(received);
        });
        (url, fate)
    }

    /// Dials, and sends messages of one size as fast as they are accepted.
    pub(crate) async fn send(self, url: &str, config: Config, time: Duration, size: usize) -> Fate {
        match self.dial(url, config).await {
            Socket::Tokio(socket) => tokio::send(*socket, time, size).await,
            Socket::Blocking(socket) => aside(move || blocking::send(*socket, time, size)).await,
        }
    }
}

impl Socket {
    /// Drives one end, sending without a pause or not at all, and returns its end and the time of that.
    pub(crate) fn end(self, sends: bool) -> oneshot::Receiver<(Disconnect, Instant)> {
        let (teller, end) = oneshot::channel();
        ::tokio::spawn(async move {
            let disconnect = match self {
                Self::Tokio(socket) => tokio::end(*socket, sends).await,
                Self::Blocking(socket) => aside(move || blocking::end(*socket, sends)).await,
            };
            // Nobody may be interested any longer.
            let _ = teller.send((disconnect, Instant::now()));
        });
        end
    }

    /// Drives one end, and calls `look` whenever something has happened, and at least this often, until that has seen
    /// enough.
    pub(crate) async fn drive<L>(self, every: Option<Duration>, look: L)
    where
        L: FnMut(Now, &mut Connection) -> bool + Send + 'static,
    {
        match self {
            Self::Tokio(socket) => tokio::drive(*socket, every, look).await,
            Self::Blocking(socket) => aside(move || blocking::drive(*socket, every, look)).await,
        }
    }
}
