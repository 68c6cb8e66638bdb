//! The client's side of a connection: resolve, connect, handshake.
//!
//! [`connect`] does all of it. [`handshake`] does the last step alone, over any stream: TLS, a proxy's tunnel, a Unix
//! socket, a pipe in memory.

use std::io;
use std::path::Path;
#[cfg(unix)]
use std::time::Duration;

use bowline_core::Instant;
use bowline_handshake::client::Request;
use bowline_handshake::proxy::{Proxy, Tunnel};
use bowline_host::dial::{Asking, Leg, handshake_limits, place, wants_tls};
use bowline_host::proxy::{proxy_place, refused};
use bowline_host::{DialError, Stage};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
#[cfg(unix)]
use tokio::net::UnixStream;
#[cfg(unix)]
use tokio::time::sleep;
use tokio::time::timeout_at;

use crate::clock::Clock;
use crate::exchange::exchange;
use crate::maybe_tls::MaybeTlsStream;
use crate::tcp;

pub use bowline_host::dial::{Config, Dialed};

/// How long to wait before trying a full Unix socket again: a tenth of what a person notices.
#[cfg(unix)]
const NO_PLACE: Duration = Duration::from_millis(10);

/// Dials a `ws://` URL, or with feature `tls` a `wss://` one: the first address that answers, tuned for short queues
/// ([`tcp::tune`]), or a [proxy](Config::proxies).
///
/// Cancel-safe: dropping the future drops the connection and leaves nothing behind.
///
/// # Errors
/// Says in one sentence what is wrong, and in [`DialError::retry`] whether to try again.
pub async fn connect(url: &str, config: &Config) -> Result<Dialed<MaybeTlsStream>, DialError> {
    connect_with(&Request::new(url)?, config).await
}

/// Dials as [`connect`] does, with the application's own subprotocols and headers.
///
/// Cancel-safe: dropping the future drops the connection and leaves nothing behind.
///
/// # Errors
/// Says in one sentence what is wrong, and in [`DialError::retry`] whether to try again.
pub async fn connect_with(request: &Request, config: &Config) -> Result<Dialed<MaybeTlsStream>, DialError> {
    let is_secure = wants_tls(request, cfg!(feature = "tls"))?;
    let clock = Clock::start();
    let stream = if let Some(path) = &config.unix {
        unix_connect(path, request, config, clock).await?
    } else {
        let leg = Leg::new(place(request), config);
        let stream = match config.proxies.choose(request)? {
            Some(proxy) => tunnel(proxy, request, config, clock).await?,
            None => tcp_connect(request.host(), request.port(), &leg, config, clock).await?,
        };
        if is_secure { encrypt(stream, request, &leg, config, clock).await? } else { stream.into() }
    };

    let (started, limits) = handshake_limits(config, clock.now());
    shake_hands(stream, request, limits, clock, started).await
}

#[cfg(feature = "tls")]
async fn encrypt(
    stream: TcpStream,
    request: &Request,
    leg: &Leg,
    config: &Config,
    clock: Clock,
) -> Result<MaybeTlsStream, DialError> {
    let deadline = clock.deadline(Instant::ZERO + config.connect_timeout);
    let encrypted = timeout_at(deadline, crate::tls::connect(stream, request, config)).await;
    leg.encrypted(encrypted.map_err(|_| leg.timed_out(Stage::Tls))?).map(MaybeTlsStream::encrypted)
}

/// Never called: nothing is encrypted without that feature.
#[cfg(not(feature = "tls"))]
#[expect(clippy::unused_async, reason = "the form for TLS needs it")]
async fn encrypt(
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
/// Cancel-safe in that dropping the future drops the stream; half a handshake is useless.
///
/// # Errors
/// [`DialError::Handshake`], or that there are no random bytes.
pub async fn handshake<S>(
    stream: S,
    request: &Request,
    limits: &bowline_handshake::Config,
) -> Result<Dialed<S>, DialError>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    shake_hands(stream, request, limits.clone(), Clock::start(), Instant::ZERO).await
}

#[cfg(unix)]
async fn unix_connect(
    path: &Path,
    request: &Request,
    config: &Config,
    clock: Clock,
) -> Result<MaybeTlsStream, DialError> {
    let leg = Leg::unix(path, request, config)?;
    let deadline = clock.deadline(Instant::ZERO + config.connect_timeout);
    let connected = timeout_at(deadline, unix_stream(path)).await;
    let failed = |source| DialError::Unix { path: path.to_owned(), source };
    connected.map_err(|_| leg.timed_out(Stage::Connect))?.map(MaybeTlsStream::from).map_err(failed)
}

/// Connects, waiting for a place in the listener's queue if many wait to be accepted.
#[cfg(unix)]
async fn unix_stream(path: &Path) -> io::Result<UnixStream> {
    loop {
        match UnixStream::connect(path).await {
            // Linux: the listener's queue is full, and nothing signals when it is not.
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => sleep(NO_PLACE).await,
            connected => return connected,
        }
    }
}

#[cfg(not(unix))]
#[expect(clippy::unused_async, reason = "the form for other systems needs it")]
async fn unix_connect(path: &Path, _: &Request, _: &Config, _: Clock) -> Result<MaybeTlsStream, DialError> {
    Err(DialError::Unix { path: path.to_owned(), source: io::ErrorKind::Unsupported.into() })
}

/// Connects to a proxy, and through it to the server.
async fn tunnel(
    proxy: &Proxy,
    request: &Request,
    config: &Config,
    clock: Clock,
) -> Result<TcpStream, DialError> {
    let leg = Leg::new(proxy_place(proxy), config);
    let mut stream = tcp_connect(proxy.host(), proxy.port(), &leg, config, clock).await?;
    let (started, limits) = handshake_limits(config, clock.now());
    let mut tunnel = bowline_host::proxy::tunnel(proxy, request, &limits, started);
    let result = exchange(&mut stream, &mut tunnel, clock, Tunnel::poll_result).await;
    result.map(|()| stream).map_err(|source| refused(proxy, request, source))
}

async fn tcp_connect(
    host: &str,
    port: u16,
    leg: &Leg,
    config: &Config,
    clock: Clock,
) -> Result<TcpStream, DialError> {
    let deadline = clock.deadline(Instant::ZERO + config.connect_timeout);
    let found = timeout_at(deadline, tokio::net::lookup_host((host, port))).await;
    let addresses = leg.resolved(found.map_err(|_| leg.timed_out(Stage::Resolve))?)?;
    let count = addresses.len();
    let stream = timeout_at(deadline, tcp::connect(addresses)).await;
    let stream = leg.connected(count, stream.map_err(|_| leg.timed_out(Stage::Connect))?)?;
    tcp::tune(&stream);
    Ok(stream)
}

async fn shake_hands<S>(
    mut stream: S,
    request: &Request,
    limits: bowline_handshake::Config,
    clock: Clock,
    started: Instant,
) -> Result<Dialed<S>, DialError>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let mut asking = Asking::new(request, limits, started)?;
    let result = exchange(&mut stream, &mut asking, clock, Asking::poll_result).await;
    asking.conclude(stream, request, result)
}
