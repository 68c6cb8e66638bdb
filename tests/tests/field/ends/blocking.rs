//! The ends through the adapter for blocking sockets.

use std::net::TcpStream;
use std::thread;
use std::time::{Duration, Instant};

use bowline_blocking::accept::{self, Decision};
use bowline_blocking::{MaybeTlsStream, WebSocket, dial, tcp};
use bowline_core::connection::Config;
use bowline_core::{Connection, Disconnect, Instant as Now, Message};
use tokio::sync::oneshot;

use super::Fate;

pub(super) type Socket = WebSocket<MaybeTlsStream>;

/// Lets a thread work, and waits for its result. If nobody waits any longer, the thread is left to itself.
pub(crate) async fn aside<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    let (done, result) = oneshot::channel();
    thread::spawn(move || drop(done.send(work())));
    result.await.expect("no panic")
}

pub(super) fn dial(url: &str, config: Config) -> Socket {
    let dialed = dial::connect(url, &dial::Config::default()).unwrap();
    WebSocket::client(dialed, config).unwrap()
}

pub(super) fn accept(stream: TcpStream, config: Config) -> Socket {
    tcp::tune(&stream);
    let stream = MaybeTlsStream::from(stream);
    let accepted = accept::accept(stream, &accept::Config::default(), |_, _| Decision::accept()).unwrap();
    WebSocket::server(accepted, config).unwrap()
}

pub(super) fn send(mut socket: Socket, time: Duration, size: usize) -> Fate {
    let message = Message::binary(vec![0; size]);
    let (start, mut bytes) = (Instant::now(), 0);
    while start.elapsed() < time {
        if socket.send(message.clone()).is_err() {
            return Fate { lived: start.elapsed(), end: Some(socket.ended()), bytes };
        }
        bytes += size as u64;
    }
    Fate { lived: start.elapsed(), end: None, bytes }
}

/// Driven by a thread of its own if the owner takes its time, as the documentation tells such an owner.
pub(super) fn receive(socket: Socket, each: Duration) -> Fate {
    let (_sender, mut receiver) = socket.spawn().unwrap();
    let (start, mut bytes) = (Instant::now(), 0);
    let end = loop {
        match receiver.receive() {
            Ok(message) => bytes += message.len() as u64,
            Err(disconnect) => break disconnect,
        }
        if !each.is_zero() {
            thread::sleep(each);
        }
    };
    Fate { lived: start.elapsed(), end: Some(end), bytes }
}

pub(super) fn end(mut socket: Socket, sends: bool) -> Disconnect {
    let message = Message::binary(vec![0; 16 << 10]);
    while sends && socket.send(message.clone()).is_ok() {}
    socket.ended()
}

pub(super) fn drive<L>(socket: Socket, every: Option<Duration>, mut look: L)
where
    L: FnMut(Now, &mut Connection) -> bool,
{
    let mut driver = socket.into_driver();
    while look(driver.now(), driver.conn_mut()) {
        let until = every.map(|every| driver.now() + every);
        driver.drive(until);
    }
}
