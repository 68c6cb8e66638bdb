//! TCP as a WebSocket needs it: connected to the first address that answers, and with short queues.

use std::io;
use std::net::{SocketAddr, TcpStream, ToSocketAddrs};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::Duration;

use bowline_host::socket::{STAGGER, interleave};

pub use bowline_host::socket::{UNSENT, set_unsent, tune};

/// Resolves a name; `None` if that takes longer than this.
pub(crate) fn resolve(host: &str, port: u16, time: Duration) -> Option<io::Result<Vec<SocketAddr>>> {
    // An address needs no look-up, and no thread.
    if let Ok(ip) = host.parse() {
        return Some(Ok(vec![SocketAddr::new(ip, port)]));
    }
    let (done, answer) = mpsc::channel();
    let host = host.to_owned();
    // The system has no way to cancel a look-up: it continues, and nobody receives the result.
    let looking = begin("bowline resolve", move || {
        let addresses = (host.as_str(), port).to_socket_addrs();
        let _ = done.send(addresses.map(Iterator::collect));
    });
    match looking {
        Ok(()) => answer.recv_timeout(time).ok(),
        Err(error) => Some(Err(error)),
    }
}

/// Starts a thread that nobody waits for.
fn begin(name: &str, work: impl FnOnce() + Send + 'static) -> io::Result<()> {
    thread::Builder::new().name(name.into()).spawn(work).map(drop)
}

/// Connects to the first of these addresses that answers; each gets a head start over the next. `None` if the time is
/// over first. If all fail, the error is that of the address that failed first.
pub(crate) fn connect(
    addresses: Vec<SocketAddr>,
    left: impl Fn() -> Duration,
) -> Option<io::Result<TcpStream>> {
    let mut waiting = interleave(addresses).into_iter();
    let (done, attempts) = mpsc::channel();
    let (mut under_way, mut first_error) = (0, None);
    loop {
        if let Some(address) = waiting.next() {
            // Attempts that are no longer waited for end when their own time is over.
            let (attempt, time) = (done.clone(), left().max(Duration::from_millis(1)));
            let connect = move || drop(attempt.send(TcpStream::connect_timeout(&address, time)));
            under_way += 1;
            if let Err(error) = begin("bowline connect", connect) {
                // An attempt that failed at once.
                let _ = done.send(Err(error));
            }
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

    /// In a process of its own that cannot have more threads.
    #[cfg(target_os = "linux")]
    #[test]
    fn a_lack_of_threads_is_reported() {
        const ALONE: &str = "BOWLINE_WITHOUT_THREADS";
        if std::env::var_os(ALONE).is_some() {
            let error = resolve("localhost", 80, LONG).unwrap().unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::WouldBlock);
            let error = connect(vec!["127.0.0.1:1".parse().unwrap()], || LONG).unwrap().unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::WouldBlock);
            return;
        }
        let mut alone = std::process::Command::new(std::env::current_exe().unwrap());
        alone.args(["--exact", "tcp::tests::a_lack_of_threads_is_reported", "--test-threads=1"]);
        // More than any system gives to one process in one piece.
        alone.env(ALONE, "1").env("RUST_MIN_STACK", (3_usize << (usize::BITS - 2)).to_string());
        let output = alone.output().unwrap();
        let said = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success() && said.contains("1 passed"), "{said}");
    }

    #[test]
    fn a_name_is_looked_up_and_an_address_is_not() {
        let addresses = resolve("localhost", 80, LONG).unwrap().unwrap();
        assert!(addresses.iter().all(|address| address.ip().is_loopback() && address.port() == 80));
        assert_eq!(resolve("::1", 80, Duration::ZERO).unwrap().unwrap(), ["[::1]:80".parse().unwrap()]);
    }
}
