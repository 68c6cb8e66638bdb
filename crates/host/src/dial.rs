//! What dialling needs, independent of how bytes are moved.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use bowline_core::{End, Instant};
use bowline_handshake::client::{self, Request};
use bytes::Bytes;

use crate::error::{DialError, Stage};
use crate::machine::Machine;
use crate::proxy::Proxies;
use crate::seed::random;

/// The timeouts of a dial, and the limits of its handshake.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Config {
    /// How long everything may take together: the name look-up, the connection, and the handshake.
    ///
    /// Default: 10 s. Three lost segments in a row are retransmitted within about 7 s, and a user who waits longer will
    /// have tried again.
    pub connect_timeout: Duration,
    /// The longest timeout for a client that dials again and again: after a dial that timed out, the next may take
    /// twice as long, up to this, and so may its handshake. Once a connection is open, the next dial starts with the
    /// first timeout again. It has an effect only if it is longer than [`connect_timeout`](Self::connect_timeout).
    ///
    /// Default: 60 s. Behind another sender's queue of 15 s, a handshake takes 30 s, and one with TLS 45 s.
    pub longest_timeout: Duration,
    /// The limits of the handshake. Its own timeout starts when the connection is made; the earlier of the two timeouts
    /// ends it.
    pub handshake: bowline_handshake::Config,
    /// Which proxies to use. Default: none.
    pub proxies: Proxies,
    /// A Unix socket to connect to, instead of the host in the URL and without any proxy. The rest of the URL still
    /// says what the server is asked for. It must be a `ws://` URL. Default: none.
    pub unix: Option<PathBuf>,
    /// Which servers to trust behind a `wss://` URL. Default: those certified by the operating system's trusted
    /// authorities, which are read at the first dial.
    #[cfg(feature = "tls")]
    pub tls: Option<crate::tls::ClientTls>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            connect_timeout: Duration::from_secs(10),
            longest_timeout: Duration::from_secs(60),
            handshake: bowline_handshake::Config::default(),
            proxies: Proxies::none(),
            unix: None,
            #[cfg(feature = "tls")]
            tls: None,
        }
    }
}

/// For a client, which dials again and again.
#[cfg(feature = "transfer")]
impl Config {
    /// The settings for a dial after this many that timed out.
    pub(crate) fn after(&self, late: u32) -> Self {
        let longer = |time: Duration| {
            let times = 1_u32.checked_shl(late).unwrap_or(u32::MAX);
            time.max(time.saturating_mul(times).min(self.longest_timeout))
        };
        let mut config = self.clone();
        config.connect_timeout = longer(self.connect_timeout);
        config.handshake.timeout = longer(self.handshake.timeout);
        config
    }

    /// When another guard abandons such a dial. The dial ends earlier by itself, and says what it waited for.
    pub(crate) fn overdue(&self) -> Duration {
        self.connect_timeout.saturating_add(Duration::from_secs(1))
    }
}

/// A stream that is ready for frames: what the driver of a client needs.
#[non_exhaustive]
pub struct Dialed<S> {
    /// The stream.
    pub stream: S,
    /// What the server sent after its answer: the first bytes of frames.
    pub leftover: Bytes,
    /// The subprotocol that the server chose, if it chose one.
    pub subprotocol: Option<String>,
    /// The server's answer.
    pub response: http::Response<()>,
    /// The time from when the request left to when the answer was complete: a round trip plus the server's processing.
    pub round_trip: Duration,
}

/// Leaves out what may be secret: headers, and any bytes that were sent.
impl<S: fmt::Debug> fmt::Debug for Dialed<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Dialed")
            .field("stream", &self.stream)
            .field("status", &self.response.status())
            .field("subprotocol", &self.subprotocol)
            .field("leftover", &self.leftover.len())
            .field("round_trip", &self.round_trip)
            .finish_non_exhaustive()
    }
}

/// A client's handshake, with a measurement of its round trip.
#[derive(Debug)]
pub struct Asking {
    handshake: client::Handshake,
    /// When the last part of the request so far had left.
    asked: Instant,
    /// When the last byte of the answer arrived.
    heard: Instant,
}

impl Asking {
    /// Starts the handshake on a stream; `started` is when the stream was made, or when its dial began.
    ///
    /// # Errors
    /// If the system provides no random bytes.
    pub fn new(
        request: &Request,
        limits: bowline_handshake::Config,
        started: Instant,
    ) -> Result<Self, DialError> {
        let nonce = random().map_err(DialError::System)?;
        let handshake = client::Handshake::new(request, nonce, limits, started);
        Ok(Self { handshake, asked: started, heard: started })
    }

    /// The result of the handshake, once there is one.
    pub fn poll_result(&mut self) -> Option<Result<client::Upgraded, client::Error>> {
        self.handshake.poll_result()
    }

    /// The stream, and the result of the handshake on it.
    ///
    /// # Errors
    /// [`DialError::Handshake`].
    pub fn conclude<S>(
        self,
        stream: S,
        request: &Request,
        result: Result<client::Upgraded, client::Error>,
    ) -> Result<Dialed<S>, DialError> {
        match result {
            Ok(client::Upgraded { leftover, subprotocol, response, .. }) => {
                let round_trip = self.heard - self.asked;
                Ok(Dialed { stream, leftover, subprotocol, response, round_trip })
            }
            Err(source) => Err(DialError::Handshake { place: place(request), source }),
        }
    }
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

    fn handle_blocked(&mut self, _: Instant) {}

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

/// The start and the limits of a handshake whose connection was made at `now`. It is treated as if it had begun
/// together with the dial, at zero, if that ends it earlier.
pub fn handshake_limits(config: &Config, now: Instant) -> (Instant, bowline_handshake::Config) {
    let (started, timeout) = handshake_time(config, now);
    let mut limits = config.handshake.clone();
    limits.timeout = timeout;
    (started, limits)
}

fn handshake_time(config: &Config, now: Instant) -> (Instant, Duration) {
    let (total, own) = (config.connect_timeout, config.handshake.timeout);
    if Instant::ZERO + total < now + own { (Instant::ZERO, total) } else { (now, own) }
}

/// One leg of a dial, to a server or a proxy, with what errors say about it.
#[derive(Clone, Debug)]
pub struct Leg {
    place: String,
    after: Duration,
}

impl Leg {
    /// To this place, by a dial with these settings.
    pub fn new(place: impl Into<String>, config: &Config) -> Self {
        Self { place: place.into(), after: config.connect_timeout }
    }

    /// To a Unix socket.
    ///
    /// # Errors
    /// The request is for `wss://`: TLS is neither used nor needed there.
    pub fn unix(path: &Path, request: &Request, config: &Config) -> Result<Self, DialError> {
        if request.is_secure() {
            let why = "there is no TLS on a Unix socket; write ws://";
            let source = io::Error::new(io::ErrorKind::Unsupported, why);
            return Err(DialError::Unix { path: path.to_owned(), source });
        }
        Ok(Self::new(path.display().to_string(), config))
    }

    /// The time was over at this stage.
    pub fn timed_out(&self, stage: Stage) -> DialError {
        DialError::TimedOut { place: self.place.clone(), stage, after: self.after }
    }

    /// The addresses found by a look-up, at least one.
    ///
    /// # Errors
    /// [`DialError::Resolve`].
    pub fn resolved(
        &self,
        addresses: io::Result<impl IntoIterator<Item = SocketAddr>>,
    ) -> Result<Vec<SocketAddr>, DialError> {
        let unknown = |source| DialError::Resolve { place: self.place.clone(), source };
        let addresses: Vec<_> = addresses.map_err(unknown)?.into_iter().collect();
        if addresses.is_empty() {
            return Err(unknown(io::Error::other("the name has no address")));
        }
        Ok(addresses)
    }

    /// The connection to one of this many addresses.
    ///
    /// # Errors
    /// [`DialError::Connect`].
    pub fn connected<S>(&self, addresses: usize, stream: io::Result<S>) -> Result<S, DialError> {
        stream.map_err(|source| DialError::Connect { place: self.place.clone(), addresses, source })
    }

    /// The connection after the TLS handshake.
    ///
    /// # Errors
    /// [`DialError::Tls`].
    pub fn encrypted<S>(&self, stream: io::Result<S>) -> Result<S, DialError> {
        stream.map_err(|source| DialError::Tls { place: self.place.clone(), source })
    }
}

/// Whether the connection to a server must be encrypted.
///
/// # Errors
/// [`DialError::NoTls`] if it must be and cannot be; `has_tls` says whether TLS is built in.
pub fn wants_tls(request: &Request, has_tls: bool) -> Result<bool, DialError> {
    match request.is_secure() {
        true if !has_tls => Err(DialError::NoTls { place: place(request) }),
        is_secure => Ok(is_secure),
    }
}

/// Host and port, as in a URL.
pub fn place(request: &Request) -> String {
    let (host, port) = (request.host(), request.port());
    if host.contains(':') { format!("[{host}]:{port}") } else { format!("{host}:{port}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_shows_nothing_that_may_be_a_secret() {
        let dialed = Dialed {
            stream: "stream",
            leftover: Bytes::from_static(b"secret"),
            subprotocol: None,
            response: http::Response::builder().header("location", "secret").body(()).unwrap(),
            round_trip: Duration::from_millis(5),
        };
        let shown = format!("{dialed:?}");
        assert!(shown.contains("leftover: 6, round_trip: 5ms") && !shown.contains("secret"), "{shown}");
    }

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
