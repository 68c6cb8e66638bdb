//! TCP as a WebSocket needs it: connected to the first address that answers, and with short queues.

use std::io;
use std::net::{SocketAddr, TcpStream, ToSocketAddrs};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::Duration;

use bowline_host::socket::{STAGGER, interleave};

pub use bowline_host::socket::{UNSENT, tune};

/// Looks a name up; `None` if that takes longer than this.
pub(crate) fn resolve(host: &str, port: u16, time: Duration) -> Option<io::Result<Vec<SocketAddr>>> {
    // An address needs no look-up, and no thread.
    if let Ok(ip) = host.parse() {
        return Some(Ok(vec![SocketAddr::new(ip, port)]));
    }
    let (done, answer) = mpsc::channel();
    let host = host.to_owned();
    // The system gives no way to end a look-up: this one goes on, and nobody listens.
    thread::spawn(move || {
        let addresses = (host.as_str(), port).to_socket_addrs();
        let _ = done.send(addresses.map(Iterator::collect));
    });
    answer.recv_timeout(time).ok()
}

/// Connects to the first of these addresses that answers; each gets a head start over the next. `None` if the time is over
/// first; the error is that of the address which failed first, if all do.
pub(crate) fn connect(
    addresses: Vec<SocketAddr>,
    left: impl Fn() -> Duration,
) -> Option<io::Result<TcpStream>> {
    let mut waiting = interleave(addresses).into_iter();
    let (done, attempts) = mpsc::channel();
    let (mut under_way, mut first_error) = (0, None);
    loop {
        if let Some(address) = waiting.next() {
            // Attempts that are not waited for any more end when their own time is over.
            let (done, time) = (done.clone(), left().max(Duration::from_millis(1)));
            thread::spawn(move || drop(done.send(TcpStream::connect_timeout(&address, time))));
            under_way += 1;
        }
        if under_way == 0 {
            return Some(Err(first_error.unwrap_or_else(|| io::ErrorKind::AddrNotAvailable.into())));
        }
        let time = if waiting.len() > 0 { STAGGER.min(left()) } else { left() };
        match attempts.recv_timeout(time) {
            Ok(Ok(stream)) => return Some(Ok(stream)),
            Ok(Err(error)) => {
                under_way -= 1;
                first_error.get_or_insert(error);
            }
            Err(RecvTimeoutError::Timeout) if left().is_zero() => return None,
            Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::TcpListener;

    const LONG: Duration = Duration::from_secs(10);

    fn listener() -> (TcpListener, SocketAddr) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        (listener, address)
    }

    #[test]
    fn an_address_that_refuses_does_not_hide_the_next() {
        let (_listener, address) = listener();
        let closed = listener().1;
        let stream = connect(vec![closed, address], || LONG).unwrap().unwrap();
        assert_eq!(stream.peer_addr().unwrap(), address);
    }

    #[test]
    fn the_error_is_that_of_the_first_address() {
        let closed = listener().1;
        let error = connect(vec![closed], || LONG).unwrap().unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::ConnectionRefused);
        let error = connect(Vec::new(), || LONG).unwrap().unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::AddrNotAvailable);
    }

    #[test]
    fn a_name_is_looked_up_and_an_address_is_not() {
        let addresses = resolve("localhost", 80, LONG).unwrap().unwrap();
        assert!(addresses.iter().all(|address| address.ip().is_loopback() && address.port() == 80));
        assert_eq!(resolve("::1", 80, Duration::ZERO).unwrap().unwrap(), ["[::1]:80".parse().unwrap()]);
    }
}
