//! Our two ends, as plain as an application would write them.

use std::time::Duration;

use bowline_core::connection::Config;
use bowline_core::{Disconnect, Message};
use bowline_tokio::accept::{self, Decision};
use bowline_tokio::{MaybeTlsStream, WebSocket, dial, tcp};
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::time::{Instant, sleep};

/// What happened to one end until it was over, or until it had enough.
#[derive(Debug)]
pub(crate) struct Fate {
    pub(crate) lived: Duration,
    /// How it died, if it did.
    pub(crate) end: Option<Disconnect>,
    pub(crate) bytes: u64,
}

/// The default settings with a heartbeat of so many seconds.
pub(crate) fn heartbeat(interval: u64, timeout: u64) -> Config {
    let mut config = Config::default();
    config.heartbeat.interval = Duration::from_secs(interval);
    config.heartbeat.timeout = Duration::from_secs(timeout);
    config
}

/// Dials, and sends messages of one size as fast as they are taken.
pub(crate) async fn send(url: &str, config: Config, time: Duration, size: usize) -> Fate {
    let mut socket = dial(url, config).await;
    let message = Message::binary(vec![0; size]);
    let (start, mut bytes) = (Instant::now(), 0);
    while start.elapsed() < time {
        if socket.send(message.clone()).await.is_err() {
            return Fate { lived: start.elapsed(), end: Some(socket.ended().await), bytes };
        }
        bytes += size as u64;
    }
    Fate { lived: start.elapsed(), end: None, bytes }
}

/// Dials.
pub(crate) async fn dial(url: &str, config: Config) -> WebSocket<MaybeTlsStream> {
    let dialed = dial::connect(url, &dial::Config::default()).await.unwrap();
    WebSocket::client(dialed, config).unwrap()
}

/// A server for one client, which takes so long over each message. The second value tells its fate once the client is gone.
pub(crate) async fn receive(config: Config, each: Duration) -> (String, oneshot::Receiver<Fate>) {
    let (url, listener) = listen().await;
    let (teller, fate) = oneshot::channel();
    tokio::spawn(async move {
        let mut socket = accept(&listener, config).await;
        let (start, mut bytes) = (Instant::now(), 0);
        let end = loop {
            match socket.receive().await {
                Ok(message) => bytes += message.len() as u64,
                Err(disconnect) => break disconnect,
            }
            if !each.is_zero() {
                sleep(each).await;
            }
        };
        // Nobody may want to know.
        let _ = teller.send(Fate { lived: start.elapsed(), end: Some(end), bytes });
    });
    (url, fate)
}

/// A listener, and its URL.
pub(crate) async fn listen() -> (String, TcpListener) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    (format!("ws://{}", listener.local_addr().unwrap()), listener)
}

/// Accepts the next client.
pub(crate) async fn accept(listener: &TcpListener, config: Config) -> WebSocket<MaybeTlsStream> {
    let (stream, _) = listener.accept().await.unwrap();
    tcp::tune(&stream);
    let accepted =
        accept::accept(stream.into(), &accept::Config::default(), |_, _| Decision::accept()).await.unwrap();
    WebSocket::server(accepted, config).unwrap()
}
