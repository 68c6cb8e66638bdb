//! The client's way to a connection: resolve, connect, shake hands.
//!
//! [`connect`] does all of it. [`handshake`] does the last step alone, over any stream: TLS, a proxy's tunnel, a Unix
//! socket, a pipe in memory.

use std::io;
use std::time::Duration;

use bowline_core::{End, Instant};
use bowline_handshake::client::{self, Request};
use bytes::Bytes;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::timeout_at;

use crate::clock::Clock;
use crate::error::{DialError, Stage};
use crate::exchange::{Machine, exchange};
use crate::tcp;

/// How long dialling may take, and what the handshake may use.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Config {
    /// How long all of it may take together: the look-up of the name, the connection, and the handshake.
    ///
    /// Default: 10 s. Three lost segments in a row are sent again within about 7 s, and a user who waits longer has
    /// pressed the button again.
    pub connect_timeout: Duration,
    /// The limits of the handshake. Its own time-out counts from the connection on; the earlier of the two ends it.
    pub handshake: bowline_handshake::Config,
}

impl Default for Config {
    fn default() -> Self {
        Self { connect_timeout: Duration::from_secs(10), handshake: bowline_handshake::Config::default() }
    }
}

/// A stream on which the way is free for frames: what [`Driver::client`](crate::Driver::client) wants.
#[derive(Debug)]
#[non_exhaustive]
pub struct Dialed<S> {
    /// The stream.
    pub stream: S,
    /// What the server sent behind its answer: the first bytes of frames.
    pub leftover: Bytes,
    /// The subprotocol that the server chose, if it chose one.
    pub subprotocol: Option<String>,
    /// The server's answer.
    pub response: http::Response<()>,
    /// From when the request had left to when the answer was complete: a round trip and the server's thinking.
    pub round_trip: Duration,
}

/// Dials a `ws://` URL: the first address that answers, tuned for short queues ([`tcp::tune`]).
///
/// Cancel-safe: dropping the future drops the connection and leaves nothing behind.
///
/// # Errors
/// Says in one sentence what is wrong, and in [`DialError::retry`] whether to try again.
pub async fn connect(url: &str, config: &Config) -> Result<Dialed<TcpStream>, DialError> {
    connect_with(&Request::new(url)?, config).await
}

/// Dials as [`connect`] does, with subprotocols and headers of the application's own.
///
/// Cancel-safe: dropping the future drops the connection and leaves nothing behind.
///
/// # Errors
/// Says in one sentence what is wrong, and in [`DialError::retry`] whether to try again.
pub async fn connect_with(request: &Request, config: &Config) -> Result<Dialed<TcpStream>, DialError> {
    if request.is_secure() {
        return Err(DialError::Tls { place: place(request) });
    }
    let clock = Clock::start();
    let stream = tcp_connect(request, config, clock).await?;

    let mut limits = config.handshake.clone();
    let (started, timeout) = handshake_time(config, clock.now());
    limits.timeout = timeout;
    shake_hands(stream, request, limits, clock, started).await
}

/// Asks for a WebSocket over a stream that is connected, and encrypted if the URL asks for it.
///
/// Cancel-safe in that dropping the future drops the stream; half a handshake is of no use to anyone.
///
/// # Errors
/// [`DialError::Handshake`], or the lack of random bytes.
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

async fn tcp_connect(request: &Request, config: &Config, clock: Clock) -> Result<TcpStream, DialError> {
    let after = config.connect_timeout;
    let deadline = clock.deadline(Instant::ZERO + after);
    let timed_out = |stage| DialError::TimedOut { place: place(request), stage, after };
    let unknown = |source| DialError::Resolve { place: place(request), source };

    let lookup = tokio::net::lookup_host((request.host(), request.port()));
    let addresses = timeout_at(deadline, lookup).await.map_err(|_| timed_out(Stage::Resolve))?;
    let addresses: Vec<_> = addresses.map_err(unknown)?.collect();
    if addresses.is_empty() {
        return Err(unknown(io::Error::other("the name has no address")));
    }

    let count = addresses.len();
    let stream =
        timeout_at(deadline, tcp::connect(addresses)).await.map_err(|_| timed_out(Stage::Connect))?;
    let stream =
        stream.map_err(|source| DialError::Connect { place: place(request), addresses: count, source })?;
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
    let mut nonce = [0; 16];
    getrandom::fill(&mut nonce).map_err(|error| DialError::Random(io::Error::other(error)))?;
    let handshake = client::Handshake::new(request, nonce, limits, started);
    let mut asking = Asking { handshake, asked: started, heard: started };

    let result = exchange(&mut stream, &mut asking, clock, |asking| asking.handshake.poll_result()).await;
    match result {
        Ok(client::Upgraded { leftover, subprotocol, response, .. }) => {
            let round_trip = asking.heard - asking.asked;
            Ok(Dialed { stream, leftover, subprotocol, response, round_trip })
        }
        Err(source) => Err(DialError::Handshake { place: place(request), source }),
    }
}

/// From when on the handshake has how much time, if the connection is there at `now`: as if it had begun with the
/// dialling at zero, if that ends it earlier.
fn handshake_time(config: &Config, now: Instant) -> (Instant, Duration) {
    let (total, own) = (config.connect_timeout, config.handshake.timeout);
    if Instant::ZERO + total < now + own { (Instant::ZERO, total) } else { (now, own) }
}

/// Host and port, as a URL would write them.
pub(crate) fn place(request: &Request) -> String {
    let (host, port) = (request.host(), request.port());
    if host.contains(':') { format!("[{host}]:{port}") } else { format!("{host}:{port}") }
}

/// A handshake, and a look at its round trip.
struct Asking {
    handshake: client::Handshake,
    /// When the request, or the last part of it so far, had left.
    asked: Instant,
    /// When the last byte of the answer came.
    heard: Instant,
}

impl Machine for Asking {
    fn handle_input(&mut self, now: Instant, bytes: &[u8]) {
        self.heard = now;
        self.handshake.handle_input(now, bytes);
    }

    fn handle_written(&mut self, now: Instant, n: usize) {
        self.asked = now;
        self.handshake.handle_written(now, n);
    }

    fn handle_end(&mut self, now: Instant, end: End) {
        self.handshake.handle_end(now, end);
    }

    fn handle_timeout(&mut self, now: Instant) {
        self.handshake.handle_timeout(now);
    }

    fn output(&self) -> &[u8] {
        self.handshake.output()
    }

    fn poll_timeout(&self) -> Option<Instant> {
        self.handshake.poll_timeout()
    }

    fn wants_input(&self) -> bool {
        self.handshake.wants_input()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_earlier_of_both_times_ends_the_handshake() {
        let secs = Duration::from_secs;
        let mut config = Config::default();
        assert_eq!(handshake_time(&config, Instant::from_secs(3)), (Instant::ZERO, secs(10)));
        config.handshake.timeout = secs(5);
        assert_eq!(handshake_time(&config, Instant::from_secs(3)), (Instant::from_secs(3), secs(5)));
        assert_eq!(handshake_time(&config, Instant::from_secs(6)), (Instant::ZERO, secs(10)));
    }

    #[test]
    fn a_place_is_written_as_in_a_url() {
        assert_eq!(place(&Request::new("ws://[::1]:81/").unwrap()), "[::1]:81");
        assert_eq!(place(&Request::new("ws://a.example/").unwrap()), "a.example:80");
    }
}
