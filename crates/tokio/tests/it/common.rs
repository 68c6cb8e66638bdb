//! Two ends of a pipe in memory, and what tests do with them.

use std::time::Duration;

use bowline_core::connection::{Config, Event};
use bowline_core::heartbeat;
use bowline_core::{Disconnect, Message};
use bowline_tokio::{Clock, Driver};
use tokio::io::{AsyncRead, AsyncWrite, DuplexStream, duplex};

/// How much a pipe holds in each direction.
pub(crate) const PIPE: usize = 64 << 10;

/// The default settings, with pings exactly on the second.
pub(crate) fn config() -> Config {
    let mut config = Config::default();
    config.heartbeat.jitter_percent = 0;
    config
}

/// Settings without a heartbeat.
pub(crate) fn quiet() -> Config {
    let mut config = Config::default();
    config.heartbeat.mode = heartbeat::Mode::Off;
    config
}

/// A client and a server, joined.
pub(crate) fn pair(client: Config, server: Config) -> (Driver<DuplexStream>, Driver<DuplexStream>) {
    let (near, far) = duplex(PIPE);
    let clock = Clock::start();
    let client = Driver::client(near, &[], client, clock).unwrap();
    (client, Driver::server(far, &[], server, clock).unwrap())
}

/// A client, and the raw stream at the other end.
pub(crate) fn client(config: Config) -> (Driver<DuplexStream>, DuplexStream) {
    let (near, far) = duplex(PIPE);
    (Driver::client(near, &[], config, Clock::start()).unwrap(), far)
}

/// The next event, whenever it comes.
pub(crate) async fn event<S: AsyncRead + AsyncWrite + Unpin>(driver: &mut Driver<S>) -> Event {
    loop {
        if let Some(event) = driver.conn_mut().poll_event() {
            return event;
        }
        driver.drive().await;
    }
}

/// All messages until the end, and the end.
pub(crate) async fn drain<S: AsyncRead + AsyncWrite + Unpin>(
    driver: &mut Driver<S>,
) -> (Vec<Message>, Disconnect) {
    let mut messages = Vec::new();
    loop {
        match event(driver).await {
            Event::Message(message) => messages.push(message),
            Event::Closed(disconnect) => return (messages, disconnect),
            _ => {}
        }
    }
}

/// Fails a test that hangs; generous enough for any machine.
pub(crate) async fn in_time<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(3600), future).await.expect("done within an hour")
}
