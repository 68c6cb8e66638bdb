//! What dialling needs, whoever moves the bytes.

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

/// How long dialling may take, and what the handshake may use.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Config {
    /// How long everything may take together: the name look-up, the connection, and the handshake.
    ///
    /// Default: 10 s. Three lost segments in a row are sent again within about 7 s, and a user who waits longer has
    /// pressed the button again.
    pub connect_timeout: Duration,
    /// How long a dial may take for a client that dials again and again: after a dial that timed out, the next may take twice
    /// as long, up to this, and so may its handshake. Once a connection is open, the next dial has the first time again. Has an
    /// effect only if it is longer than [`connect_timeout`](Self::connect_timeout).
    ///
    /// Default: 60 s. Behind somebody else's queue of 15 s, a handshake takes 30 s, and one with TLS 45 s.
    pub longest_timeout: Duration,
    /// The limits of the handshake. Its own timeout counts from the connection on; the earlier of the two ends it.
    pub handshake: bowline_handshake::Config,
    /// Which proxies to go through. Default: none.
    pub proxies: Proxies,
    /// A Unix socket to connect to, instead of the host in the URL and without any proxy. The rest of the URL still
    /// says what the server is asked for. It must be a `ws://` URL. Default: none.
    pub unix: Option<PathBuf>,
    /// Whom to trust behind a `wss://` URL. Default: the authorities that the operating system trusts, which is asked
    /// at the first dial.
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

impl Config {
    /// The same, for a dial after so many that timed out.
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

    /// When somebody else abandons such a dial: it ends first, and says what it waited for.
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
    /// From when the request had left to when the answer was complete: a round trip and the server's thinking.
    pub round_trip: Duration,
}

/// Without what may be a secret: headers, and what was sent.
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

/// A handshake of a client, and a look at its round trip.
#[derive(Debug)]
pub struct Asking {
    handshake: client::Handshake,
    /// When the request, or the last part of it so far, had left.
    asked: Instant,
    /// When the last byte of the answer came.
    heard: Instant,
}

impl Asking {
    /// Asks for a WebSocket, over a stream that was there, or was begun to be dialled, at `started`.
    ///
    /// # Errors
    /// If the system gives no random bytes.
    pub fn new(
        request: &Request,
        limits: bowline_handshake::Config,
        started: Instant,
    ) -> Result<Self, DialError> {
        let nonce = random().map_err(DialError::System)?;
        let handshake = client::Handshake::new(request, nonce, limits, started);
        Ok(Self { handshake, asked: started, heard: started })
    }

    /// What it has come to, once it has.
    pub fn poll_result(&mut self) -> Option<Result<client::Upgraded, client::Error>> {
        self.handshake.poll_result()
    }

    /// The stream and what the handshake over it has come to.
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

/// From when on a handshake has which limits, if the connection is there at `now`: as if it had begun with the dialling
/// at zero, if that ends it earlier.
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

/// A place on the way of a dial, a server or a proxy, and what is said if it is not reached.
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
    /// The request is for `wss://`: no TLS is spoken there, and none is needed.
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

    /// The addresses that a look-up has brought, one at least.
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

    /// The connection to one of so many addresses.
    ///
    /// # Errors
    /// [`DialError::Connect`].
    pub fn connected<S>(&self, addresses: usize, stream: io::Result<S>) -> Result<S, DialError> {
        stream.map_err(|source| DialError::Connect { place: self.place.clone(), addresses, source })
    }

    /// The connection after the handshake of TLS.
    ///
    /// # Errors
    /// [`DialError::Tls`].
    pub fn encrypted<S>(&self, stream: io::Result<S>) -> Result<S, DialError> {
        stream.map_err(|source| DialError::Tls { place: self.place.clone(), source })
    }
}

/// Whether the connection to a server is to be encrypted.
///
/// # Errors
/// [`DialError::NoTls`] if it is, and cannot be: `has_tls` says what is built in.
pub fn wants_tls(request: &Request, has_tls: bool) -> Result<bool, DialError> {
    match request.is_secure() {
        true if !has_tls => Err(DialError::NoTls { place: place(request) }),
        is_secure => Ok(is_secure),
    }
}

/// Host and port, as a URL would write them.
pub fn place(request: &Request) -> String {
    let (host, port) = (request.host(), request.port());
    if host.contains(':') { format!("[{host}]:{port}") } else { format!("{host}:{port}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_may_be_a_secret_is_not_shown() {
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
