//! The ends through the adapter for tokio.

use std::time::Duration;

use bowline_core::connection::Config;
use bowline_core::{Connection, Disconnect, Instant as Now, Message};
use bowline_tokio::accept::{self, Decision};
use bowline_tokio::{MaybeTlsStream, WebSocket, dial, tcp};
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep, timeout};

use super::Fate;

pub(super) type Socket = WebSocket<MaybeTlsStream>;

pub(super) async fn dial(url: &str, config: Config) -> Socket {
    let dialed = dial::connect(url, &dial::Config::default()).await.unwrap();
    WebSocket::client(dialed, config).unwrap()
}

pub(super) async fn accept(stream: TcpStream, config: Config) -> Socket {
    tcp::tune(&stream);
    let accepted =
        accept::accept(stream.into(), &accept::Config::default(), |_, _| Decision::accept()).await.unwrap();
    WebSocket::server(accepted, config).unwrap()
}

pub(super) async fn send(mut socket: Socket, time: Duration, size: usize) -> Fate {
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

pub(super) async fn receive(mut socket: Socket, each: Duration) -> Fate {
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
    Fate { lived: start.elapsed(), end: Some(end), bytes }
}

pub(super) async fn end(mut socket: Socket, sends: bool) -> Disconnect {
    let message = Message::binary(vec![0; 16 << 10]);
    while sends && socket.send(message.clone()).await.is_ok() {}
    socket.ended().await
}

pub(super) async fn drive<L>(socket: Socket, every: Option<Duration>, mut look: L)
where
    L: FnMut(Now, &mut Connection) -> bool,
{
    let mut driver = socket.into_driver();
    while look(driver.now(), driver.conn_mut()) {
        // Having waited long enough is a reason to look as well.
        let _ = timeout(every.unwrap_or(Duration::MAX), driver.drive()).await;
    }
}
