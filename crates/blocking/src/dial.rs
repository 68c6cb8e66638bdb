//! The client's way to a connection: resolve, connect, shake hands.
//!
//! [`connect`] does all of it. [`handshake`] does the last step alone, over any stream: TLS, a proxy's tunnel, a Unix
//! socket.

use std::io;
use std::net::TcpStream;
use std::path::Path;

use bowline_core::Instant;
use bowline_handshake::client::Request;
use bowline_handshake::proxy::{Proxy, Tunnel};
#[cfg(unix)]
use bowline_host::dial::no_tls;
use bowline_host::dial::{Asking, handshake_limits, place};
use bowline_host::proxy::{proxy_place, refused};
use bowline_host::{DialError, Stage};

use crate::clock::Clock;
use crate::exchange::exchange;
use crate::maybe_tls::MaybeTlsStream;
use crate::stream::Stream;
use crate::tcp;

pub use bowline_host::dial::{Config, Dialed};

/// Dials a `ws://` URL, or with feature `tls` a `wss://` one: the first address that answers, tuned for short queues
/// ([`tcp::tune`]), or a [proxy](Config::proxies).
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
    std::os::unix::net::UnixStream::connect(path).map(MaybeTlsStream::from).map_err(failed)
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

    let addresses = tcp::resolve(host, port, left()).ok_or_else(|| timed_out(Stage::Resolve))?;
    let addresses = addresses.map_err(unknown)?;
    if addresses.is_empty() {
        return Err(unknown(io::Error::other("the name has no address")));
    }

    let count = addresses.len();
    let stream = tcp::connect(addresses, left).ok_or_else(|| timed_out(Stage::Connect))?;
    let stream =
        stream.map_err(|source| DialError::Connect { place: place.to_owned(), addresses: count, source })?;
    tcp::tune(&stream);
    Ok(stream)
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
