//! Two ends over loopback.

use std::net::{TcpListener, TcpStream};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use bowline_blocking::accept::{self, Decision};
use bowline_blocking::{WebSocket, dial};
use bowline_core::connection::Config;

/// Generous: no test waits for it when all is well.
pub(crate) const LIMIT: Duration = Duration::from_secs(60);

/// A client and a server that have shaken hands.
pub(crate) fn pair(client: Config, server: Config) -> (WebSocket<TcpStream>, WebSocket<TcpStream>) {
    let (dialed, accepted) = streams();
    (WebSocket::client(dialed, client).unwrap(), WebSocket::server(accepted, server).unwrap())
}

/// Two ends of a connection after the handshake, on which nobody speaks yet.
pub(crate) fn streams() -> (dial::Dialed<TcpStream>, accept::Accepted<TcpStream>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("ws://{}/", listener.local_addr().unwrap());
    let server = thread::spawn(move || {
        let stream = listener.accept().unwrap().0;
        accept::accept(stream, &accept::Config::default(), |_, _| Decision::accept()).unwrap()
    });
    let dialed = dial::connect(&url, &dial::Config::default()).unwrap();
    (dialed, server.join().unwrap())
}

/// A heartbeat of so many milliseconds each.
pub(crate) fn heartbeat(interval: u64, timeout: u64) -> Config {
    let mut config = Config::default();
    config.heartbeat.interval = Duration::from_millis(interval);
    config.heartbeat.timeout = Duration::from_millis(timeout);
    config.heartbeat.timeout_max = Duration::from_millis(timeout);
    config
}

/// What a thread comes to, within the limit.
pub(crate) fn within<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    let (done, result) = mpsc::channel();
    thread::spawn(move || drop(done.send(work())));
    result.recv_timeout(LIMIT).expect("in time")
}
