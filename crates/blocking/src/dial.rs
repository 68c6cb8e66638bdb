//! The client's way to a connection: resolve, connect, shake hands.
//!
//! [`connect`] does all of it. [`handshake`] does the last step alone, over any stream: TLS, a proxy's tunnel, a Unix
//! socket.

use std::io;
use std::net::{SocketAddr, TcpStream, ToSocketAddrs};
use std::path::Path;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::Duration;

use bowline_core::Instant;
use bowline_handshake::client::Request;
use bowline_handshake::proxy::{Proxy, Tunnel};
#[cfg(unix)]
use bowline_host::dial::no_tls;
use bowline_host::dial::{Asking, handshake_limits, place};
use bowline_host::proxy::{proxy_place, refused};
use bowline_host::socket::{STAGGER, interleave, tune};
use bowline_host::{DialError, Stage};

use crate::clock::Clock;
use crate::exchange::exchange;
use crate::maybe_tls::MaybeTlsStream;
use crate::stream::Stream;

pub use bowline_host::dial::{Config, Dialed};

/// Dials a `ws://` URL, or with feature `tls` a `wss://` one: the first address that answers, tuned for short queues
/// ([`tune`]), or a [proxy](Config::proxies).
///
/// # Errors
/// Says in one sentence what is wrong, and in [`DialError::retry`] whether to try again.
pub fn connect(url: &str, config: &Config) -> Result<Dialed<MaybeTlsStream>, DialError> {
    connect_with(&Request::new(url)?, config)
}

/// Dials as [`connect`] does, with subprotocols and headers of the application's own.
///
/// # Errors
/// Says in one sentence what is wrong, and in [`DialError::retry`] whether to try again.
pub fn connect_with(request: &Request, config: &Config) -> Result<Dialed<MaybeTlsStream>, DialError> {
    if request.is_secure() && !cfg!(feature = "tls") {
        return Err(DialError::NoTls { place: place(request) });
    }
    let clock = Clock::start();
    let stream = if let Some(path) = &config.unix {
        unix_connect(path, request)?
    } else {
        let stream = match config.proxies.choose(request)? {
            Some(proxy) => tunnel(proxy, request, config, clock)?,
            None => tcp_connect(request.host(), request.port(), &place(request), config, clock)?,
        };
        encrypt(stream, request, config, clock)?
    };

    let (started, limits) = handshake_limits(config, clock.now());
    shake_hands(stream, request, limits, clock, started)
}

#[cfg(feature = "tls")]
fn encrypt(
    stream: TcpStream,
    request: &Request,
    config: &Config,
    clock: Clock,
) -> Result<MaybeTlsStream, DialError> {
    if !request.is_secure() {
        return Ok(stream.into());
    }
    let after = config.connect_timeout;
    match crate::tls::connect(stream, request, config, clock, Instant::ZERO + after) {
        Some(Ok(stream)) => Ok(stream.into()),
        Some(Err(source)) => Err(DialError::Tls { place: place(request), source }),
        None => Err(DialError::TimedOut { place: place(request), stage: Stage::Tls, after }),
    }
}

#[cfg(not(feature = "tls"))]
#[expect(clippy::unnecessary_wraps, reason = "the form for TLS needs it")]
fn encrypt(stream: TcpStream, _: &Request, _: &Config, _: Clock) -> Result<MaybeTlsStream, DialError> {
    Ok(stream.into())
}

/// Asks for a WebSocket over a stream that is connected, and encrypted if the URL asks for it.
///
/// # Errors
/// [`DialError::Handshake`], or the lack of random bytes.
pub fn handshake<S: Stream>(
    stream: S,
    request: &Request,
    limits: &bowline_handshake::Config,
) -> Result<Dialed<S>, DialError> {
    shake_hands(stream, request, limits.clone(), Clock::start(), Instant::ZERO)
}

/// The system answers at once, whether anybody listens there or not.
#[cfg(unix)]
fn unix_connect(path: &Path, request: &Request) -> Result<MaybeTlsStream, DialError> {
    let failed = |source| DialError::Unix { path: path.to_owned(), source };
    if request.is_secure() {
        return Err(failed(no_tls()));
    }
    std::os::unix::net::UnixStream::connect(path).map(MaybeTlsStream::Unix).map_err(failed)
}

#[cfg(not(unix))]
fn unix_connect(path: &Path, _: &Request) -> Result<MaybeTlsStream, DialError> {
    Err(DialError::Unix { path: path.to_owned(), source: io::ErrorKind::Unsupported.into() })
}

/// Connects to a proxy, and through it to the server.
fn tunnel(proxy: &Proxy, request: &Request, config: &Config, clock: Clock) -> Result<TcpStream, DialError> {
    let place = proxy_place(proxy);
    let mut stream = tcp_connect(proxy.host(), proxy.port(), &place, config, clock)?;
    let (started, limits) = handshake_limits(config, clock.now());
    let mut tunnel = bowline_host::proxy::tunnel(proxy, request, &limits, started);
    let result = exchange(&mut stream, &mut tunnel, clock, Tunnel::poll_result);
    result.map(|()| stream).map_err(|source| refused(proxy, request, source))
}

fn tcp_connect(
    host: &str,
    port: u16,
    place: &str,
    config: &Config,
    clock: Clock,
) -> Result<TcpStream, DialError> {
    let after = config.connect_timeout;
    let left = || Instant::ZERO + after - clock.now();
    let timed_out = |stage| DialError::TimedOut { place: place.to_owned(), stage, after };
    let unknown = |source| DialError::Resolve { place: place.to_owned(), source };

    let addresses = resolve(host, port, left()).ok_or_else(|| timed_out(Stage::Resolve))?;
    let addresses = addresses.map_err(unknown)?;
    if addresses.is_empty() {
        return Err(unknown(io::Error::other("the name has no address")));
    }

    let count = addresses.len();
    let stream = connect_first(addresses, left).ok_or_else(|| timed_out(Stage::Connect))?;
    let stream =
        stream.map_err(|source| DialError::Connect { place: place.to_owned(), addresses: count, source })?;
    tune(&stream);
    Ok(stream)
}

/// Looks a name up; `None` if that takes longer than this.
fn resolve(host: &str, port: u16, time: Duration) -> Option<io::Result<Vec<SocketAddr>>> {
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
fn connect_first(addresses: Vec<SocketAddr>, left: impl Fn() -> Duration) -> Option<io::Result<TcpStream>> {
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

fn shake_hands<S: Stream>(
    mut stream: S,
    request: &Request,
    limits: bowline_handshake::Config,
    clock: Clock,
    started: Instant,
) -> Result<Dialed<S>, DialError> {
    let mut asking = Asking::new(request, limits, started)?;
    let result = exchange(&mut stream, &mut asking, clock, Asking::poll_result);
    asking.conclude(stream, request, result)
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
        let stream = connect_first(vec![closed, address], || LONG).unwrap().unwrap();
        assert_eq!(stream.peer_addr().unwrap(), address);
    }

    #[test]
    fn the_error_is_that_of_the_first_address() {
        let closed = listener().1;
        let error = connect_first(vec![closed], || LONG).unwrap().unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::ConnectionRefused);
        let error = connect_first(Vec::new(), || LONG).unwrap().unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::AddrNotAvailable);
    }

    #[test]
    fn a_name_is_looked_up_and_an_address_is_not() {
        let addresses = resolve("localhost", 80, LONG).unwrap().unwrap();
        assert!(addresses.iter().all(|address| address.ip().is_loopback() && address.port() == 80));
        assert_eq!(resolve("::1", 80, Duration::ZERO).unwrap().unwrap(), ["[::1]:80".parse().unwrap()]);
    }
}
