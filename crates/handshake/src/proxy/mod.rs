//! Tunnels through proxies: HTTP CONNECT (RFC 9110 §9.3.6) and SOCKS 5 (RFC 1928, RFC 1929), without I/O.
//!
//! ```text
//!                   HTTP: 2xx                                  SOCKS: method     login    reply
//!  CONNECT ─────────────────────────▶ open        greeting ─────────▶ (login) ─────▶ request ─────▶ open
//! ```
//!
//! A [`Tunnel`] asks the proxy for a connection to a server. Once it is open, whatever the client writes goes to that
//! server: TLS, or a WebSocket's opening handshake.

mod error;
mod http;
mod socks;
mod url;

pub use error::Error;
pub use url::{Proxy, ProxyError};

use std::fmt;

use bowline_core::{End, Instant};

use crate::Config;
use crate::question::Question;
use http::Connect;
use socks::Socks;

/// Asks a proxy for a connection to a server.
///
/// Write [`output`](Self::output) and report it, pass in what is read, and call [`poll_result`](Self::poll_result)
/// after each call.
///
/// ```
/// use bowline_core::Instant;
/// use bowline_handshake::Config;
/// use bowline_handshake::proxy::{Proxy, Tunnel};
///
/// let now = Instant::ZERO;
/// let proxy: Proxy = "http://ann:secret@proxy.example:3128".parse()?;
/// let mut tunnel = Tunnel::new(&proxy, "example.org", 443, &Config::default(), now);
/// assert!(tunnel.output().starts_with(b"CONNECT example.org:443 HTTP/1.1\r\n"));
/// tunnel.handle_written(now, tunnel.output().len());
/// tunnel.handle_input(now, b"HTTP/1.1 200 Connection established\r\n\r\n");
/// assert_eq!(tunnel.poll_result(), Some(Ok(())));
/// assert_eq!(proxy.to_string(), "http://proxy.example:3128", "secrets are not shown");
/// # Ok::<(), bowline_handshake::proxy::ProxyError>(())
/// ```
pub struct Tunnel {
    question: Question,
    received: usize,
    state: State,
}

enum State {
    Asking(Talk),
    Open,
    Failed(Error),
    /// The result was returned.
    Over,
}

enum Talk {
    Http(Box<Connect>),
    Socks(Socks),
}

/// The result of bytes from a proxy.
pub(crate) enum Step {
    /// More must arrive.
    Wait,
    /// Send this next.
    Say(Vec<u8>),
    Open,
    Failed(Error),
}

impl Tunnel {
    /// Asks for a connection to this host, a name or an address without brackets, over a transport that is connected to
    /// the proxy.
    pub fn new(proxy: &Proxy, host: &str, port: u16, config: &Config, now: Instant) -> Self {
        let (state, output) = if proxy.is_socks() {
            match Socks::new(proxy, host, port) {
                Ok((socks, output)) => (State::Asking(Talk::Socks(socks)), output),
                Err(error) => (State::Failed(error), Vec::new()),
            }
        } else {
            let (connect, output) = Connect::new(proxy, host, port, config);
            (State::Asking(Talk::Http(Box::new(connect))), output)
        };
        Self { question: Question::new(output, config.timeout, now), received: 0, state }
    }

    /// These bytes were received; any number at a time.
    pub fn handle_input(&mut self, now: Instant, bytes: &[u8]) {
        self.question.tick(now);
        self.received = self.received.saturating_add(bytes.len());
        let step = match &mut self.state {
            State::Asking(Talk::Http(connect)) => connect.handle_input(bytes),
            State::Asking(Talk::Socks(socks)) => socks.handle_input(bytes),
            // The server speaks only after the client.
            State::Open if !bytes.is_empty() => Step::Failed(Error::Surplus { bytes: bytes.len() }),
            State::Open | State::Failed(_) | State::Over => Step::Wait,
        };
        match step {
            Step::Wait => {}
            Step::Say(words) => self.question.say(&words),
            Step::Open => self.state = State::Open,
            Step::Failed(error) => self.state = State::Failed(error),
        }
    }

    /// The transport accepted the first `n` bytes of [`output`](Self::output).
    pub fn handle_written(&mut self, now: Instant, n: usize) {
        self.question.handle_written(now, n);
    }

    /// The transport ended. After a [write that failed](End::is_write_failure), keep reading: only in this way is a proxy
    /// heard that refuses early.
    pub fn handle_end(&mut self, now: Instant, end: End) {
        self.question.tick(now);
        if end.is_write_failure() && self.wants_input() {
            return self.question.handle_write_failed(now);
        }
        self.conclude(Error::Closed { end, received: self.received });
    }

    /// Time has passed; early and repeated calls do nothing.
    pub fn handle_timeout(&mut self, now: Instant) {
        let now = self.question.tick(now);
        if self.poll_timeout().is_some_and(|due| due <= now) {
            let received = self.received;
            self.conclude(if self.question.is_broken() {
                Error::Closed { end: End::WriteFailed, received }
            } else {
                Error::TimedOut { after: self.question.timeout(), received }
            });
        }
    }

    /// The bytes to write next.
    pub fn output(&self) -> &[u8] {
        let is_asking = matches!(self.state, State::Asking(_));
        if is_asking { self.question.output() } else { &[] }
    }

    /// The result, once; the tunnel is over then. After an error the transport is useless: drop it.
    pub fn poll_result(&mut self) -> Option<Result<(), Error>> {
        match std::mem::replace(&mut self.state, State::Over) {
            State::Open => Some(Ok(())),
            State::Failed(error) => Some(Err(error)),
            unfinished => {
                self.state = unfinished;
                None
            }
        }
    }

    /// When [`handle_timeout`](Self::handle_timeout) is due.
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.wants_input().then(|| self.question.first_due())
    }

    /// Whether to keep reading.
    pub fn wants_input(&self) -> bool {
        matches!(self.state, State::Asking(_))
    }

    fn conclude(&mut self, error: Error) {
        if let State::Asking(talk) = &self.state {
            let said = if let Talk::Http(connect) = talk { connect.foreign() } else { None };
            self.state = State::Failed(said.unwrap_or(error));
        }
    }
}

impl fmt::Debug for Tunnel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = match self.state {
            State::Asking(_) => "Asking",
            State::Open => "Open",
            State::Failed(_) => "Failed",
            State::Over => "Over",
        };
        f.debug_struct("Tunnel")
            .field("state", &format_args!("{state}"))
            .field("output", &self.question.left())
            .field("received", &self.received)
            .finish_non_exhaustive()
    }
}
