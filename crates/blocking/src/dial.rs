//! The client's side of a connection: resolve, connect, handshake.
//!
//! [`connect`] does all of it. [`handshake`] does the last step alone, over any stream: TLS, a proxy's tunnel, a Unix
//! socket.

use std::io;
use std::net::TcpStream;
use std::path::Path;

use bowline_core::Instant;
use bowline_handshake::client::Request;
use bowline_handshake::proxy::{Proxy, Tunnel};
use bowline_host::dial::{Asking, Leg, handshake_limits, place, wants_tls};
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

/// Dials as [`connect`] does, with the application's own subprotocols and headers.
///
/// # Errors
/// Says in one sentence what is wrong, and in [`DialError::retry`] whether to try again.
pub fn connect_with(request: &Request, config: &Config) -> Result<Dialed<MaybeTlsStream>, DialError> {
    let is_secure = wants_tls(request, cfg!(feature = "tls"))?;
    let clock = Clock::start();
    let stream = if let Some(path) = &config.unix {
        unix_connect(path, request, config)?
    } else {
        let leg = Leg::new(place(request), config);
        let stream = match config.proxies.choose(request)? {
            Some(proxy) => tunnel(proxy, request, config, clock)?,
            None => tcp_connect(request.host(), request.port(), &leg, config, clock)?,
        };
        if is_secure { encrypt(stream, request, &leg, config, clock)? } else { stream.into() }
    };

    let (started, limits) = handshake_limits(config, clock.now());
    shake_hands(stream, request, limits, clock, started)
}

#[cfg(feature = "tls")]
fn encrypt(
    stream: TcpStream,
    request: &Request,
    leg: &Leg,
    config: &Config,
    clock: Clock,
) -> Result<MaybeTlsStream, DialError> {
    let encrypted =
        crate::tls::connect(stream, request, config, clock, Instant::ZERO + config.connect_timeout);
    leg.encrypted(encrypted.ok_or_else(|| leg.timed_out(Stage::Tls))?).map(MaybeTlsStream::from)
}

/// Never called: nothing is encrypted without that feature.
#[cfg(not(feature = "tls"))]
#[expect(clippy::unnecessary_wraps, reason = "the form for TLS needs it")]
fn encrypt(
    stream: TcpStream,
    _: &Request,
    _: &Leg,
    _: &Config,
    _: Clock,
) -> Result<MaybeTlsStream, DialError> {
    Ok(stream.into())
}

/// Performs the WebSocket handshake over a stream that is connected, and encrypted if the URL requires it.
///
/// # Errors
/// [`DialError::Handshake`], or that there are no random bytes.
pub fn handshake<S: Stream>(
    stream: S,
    request: &Request,
    limits: &bowline_handshake::Config,
) -> Result<Dialed<S>, DialError> {
    shake_hands(stream, request, limits.clone(), Clock::start(), Instant::ZERO)
}

#[cfg(unix)]
fn unix_connect(path: &Path, request: &Request, config: &Config) -> Result<MaybeTlsStream, DialError> {
    let leg = Leg::unix(path, request, config)?;
    match bowline_host::unix::connect(path, config.connect_timeout) {
        Ok(stream) => Ok(stream.into()),
        Err(error) if error.kind() == io::ErrorKind::TimedOut => Err(leg.timed_out(Stage::Connect)),
        Err(source) => Err(DialError::Unix { path: path.to_owned(), source }),
    }
}

#[cfg(not(unix))]
fn unix_connect(path: &Path, _: &Request, _: &Config) -> Result<MaybeTlsStream, DialError> {
    Err(DialError::Unix { path: path.to_owned(), source: io::ErrorKind::Unsupported.into() })
}

/// Connects to a proxy, and through it to the server.
fn tunnel(proxy: &Proxy, request: &Request, config: &Config, clock: Clock) -> Result<TcpStream, DialError> {
    let leg = Leg::new(proxy_place(proxy), config);
    let mut stream = tcp_connect(proxy.host(), proxy.port(), &leg, config, clock)?;
    let (started, limits) = handshake_limits(config, clock.now());
    let mut tunnel = bowline_host::proxy::tunnel(proxy, request, &limits, started);
    let result = exchange(&mut stream, &mut tunnel, clock, None, Tunnel::poll_result);
    result.map(|()| stream).map_err(|source| refused(proxy, request, source))
}

fn tcp_connect(
    host: &str,
    port: u16,
    leg: &Leg,
    config: &Config,
    clock: Clock,
) -> Result<TcpStream, DialError> {
    let left = || Instant::ZERO + config.connect_timeout - clock.now();
    let found = tcp::resolve(host, port, left()).ok_or_else(|| leg.timed_out(Stage::Resolve))?;
    let addresses = leg.resolved(found)?;
    let count = addresses.len();
    let stream = tcp::connect(addresses, left).ok_or_else(|| leg.timed_out(Stage::Connect))?;
    let stream = leg.connected(count, stream)?;
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
    let result = exchange(&mut stream, &mut asking, clock, None, Asking::poll_result);
    asking.conclude(stream, request, result)
}
