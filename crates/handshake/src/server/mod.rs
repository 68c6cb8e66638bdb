//! The server's side: read the request, let the application decide, answer.
//!
//! ```text
//!  Head ── a request for a WebSocket ──▶ Asked ── accept ──▶ Accepting ── the answer has left ──▶ Upgraded
//!   │                                      │
//!   │                                      └──── reject ───▶ Refusing ─── the answer has left ──▶ Error
//!   ├───── anything else ─────────────────────────────────▶ Refusing
//!   └───── not HTTP ──▶ Foreign ── line, or enough of it ──▶ Refusing
//! ```
//!
//! Inputs: [`handle_input`](Handshake::handle_input), [`handle_written`](Handshake::handle_written),
//! [`handle_end`](Handshake::handle_end) and [`handle_timeout`](Handshake::handle_timeout); commands:
//! [`accept`](Handshake::accept) and [`reject`](Handshake::reject).

mod answer;
mod check;
mod error;
mod extensions;
mod origins;
mod upgrade;

use std::fmt;
use std::time::Duration;

use bowline_core::{End, Instant};
use bytes::{Buf, Bytes};

pub use answer::{Accept, AnswerError, negotiate};
pub use error::Error;
pub use origins::{ForeignOrigin, OriginError, Origins};
pub use upgrade::Upgrade;

use crate::Config;
use crate::excerpt;
use crate::head::{Expect, HeadReader, Scan};
use check::Asked;

/// How long to wait for the rest of a line that is not HTTP, only to show it.
const LINGER: Duration = Duration::from_secs(1);

/// One opening handshake, from the first byte of the request to the last of the answer.
///
/// Pass in what is read. After each call: if there is a [`request`](Self::request), decide; write
/// [`output`](Self::output) and report it; call [`poll_result`](Self::poll_result). Anything but a valid WebSocket
/// request never reaches the application: it automatically gets the right HTTP answer.
///
/// A page of any site can open a WebSocket with a visitor's cookies: check [`Origins`] before accepting (RFC 6455
/// §10.2).
///
/// ```
/// use bowline_core::Instant;
/// use bowline_handshake::{Config, server};
///
/// let now = Instant::ZERO;
/// let mut handshake = server::Handshake::new(Config::default(), now);
/// handshake.handle_input(
///     now,
///     b"GET /chat HTTP/1.1\r\nHost: example.org\r\nConnection: keep-alive, Upgrade\r\nUpgrade: websocket\r\n\
///       Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
///       Sec-WebSocket-Protocol: chat.v1, chat.v2\r\n\r\n",
/// );
///
/// let request = handshake.request().unwrap();
/// assert_eq!(request.uri().path(), "/chat");
/// let mut accept = server::Accept::new();
/// if let Some(name) = server::negotiate(&["chat.v2"], handshake.subprotocols()) {
///     accept = accept.with_subprotocol(name);
/// }
/// handshake.accept(now, &accept)?;
///
/// assert!(handshake.output().starts_with(b"HTTP/1.1 101 Switching Protocols\r\n"));
/// handshake.handle_written(now, handshake.output().len());
/// let upgraded = handshake.poll_result().unwrap().unwrap();
/// assert_eq!(upgraded.subprotocol.as_deref(), Some("chat.v2"));
/// # Ok::<(), server::AnswerError>(())
/// ```
pub struct Handshake {
    config: Config,
    started: Instant,
    /// The latest time passed in: if time steps back, it stands still.
    clock: Instant,
    output: Bytes,
    reader: HeadReader,
    /// Whether the transport has reported that nothing more will arrive.
    ended: bool,
    state: State,
}

enum State {
    /// Reading the head of the request.
    Head,
    /// It is not HTTP; waits for the rest of the line.
    Foreign {
        since: Instant,
    },
    /// The application decides.
    Asked(Box<Asked>),
    Accepting {
        request: Box<http::Request<()>>,
        subprotocol: Option<String>,
        since: Instant,
    },
    Refusing {
        error: Error,
        since: Instant,
    },
    /// No answer is possible any more.
    Failed(Error),
    /// The result was returned.
    Over,
}

/// A connection ready for frames.
#[non_exhaustive]
pub struct Upgraded {
    /// The client's request. Credentials and cookies in it are marked as sensitive.
    pub request: http::Request<()>,
    /// The chosen subprotocol.
    pub subprotocol: Option<String>,
    /// What the client sent after its request: the first bytes of its frames. Pass them to
    /// [`Connection::handle_input`](bowline_core::Connection::handle_input) before what is read.
    pub leftover: Bytes,
}

/// Leaves out what may be secret: the query, and any bytes that were sent.
impl fmt::Debug for Upgraded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Upgraded")
            .field("path", &self.request.uri().path())
            .field("subprotocol", &self.subprotocol)
            .field("leftover", &self.leftover.len())
            .finish_non_exhaustive()
    }
}

impl Handshake {
    /// Waits for a request on a transport that was just accepted.
    pub fn new(config: Config, now: Instant) -> Self {
        let reader = HeadReader::new(Expect::Request, &config);
        Self {
            config,
            started: now,
            clock: now,
            output: Bytes::new(),
            reader,
            ended: false,
            state: State::Head,
        }
    }

    /// These bytes were received; any number at a time.
    pub fn handle_input(&mut self, now: Instant, bytes: &[u8]) {
        let now = self.tick(now);
        match self.state {
            State::Head | State::Foreign { .. } => {
                self.reader.push(bytes);
                self.read_head(now);
            }
            State::Asked(_) | State::Accepting { .. } => self.reader.push(bytes),
            State::Refusing { .. } | State::Failed(_) | State::Over => {}
        }
    }

    /// The transport accepted the first `n` bytes of [`output`](Self::output).
    pub fn handle_written(&mut self, now: Instant, n: usize) {
        self.tick(now);
        self.output.advance(n.min(self.output.len()));
    }

    /// The transport ended. A client that has only ended its own side still gets the answer to an invalid request.
    pub fn handle_end(&mut self, now: Instant, end: End) {
        let now = self.tick(now);
        self.ended = true;
        let received = self.reader.len();
        match &self.state {
            State::Foreign { .. } => self.refuse_foreign(now),
            State::Head | State::Asked(_) => self.state = State::Failed(Error::Closed { end, received }),
            State::Accepting { .. } if !self.output.is_empty() => {
                self.state = State::Failed(Error::Closed { end, received });
            }
            State::Refusing { .. } | State::Accepting { .. } | State::Failed(_) | State::Over => {}
        }
        if end != End::Eof && matches!(self.state, State::Refusing { .. }) {
            self.output.clear();
        }
    }

    /// Time has passed; early and repeated calls do nothing.
    pub fn handle_timeout(&mut self, now: Instant) {
        let now = self.tick(now);
        while self.poll_timeout().is_some_and(|due| due <= now) {
            let after = self.config.timeout;
            match &self.state {
                State::Head => {
                    let received = self.reader.len();
                    self.refuse(now, Error::TimedOut { after, received });
                }
                State::Foreign { .. } => self.refuse_foreign(now),
                State::Accepting { .. } => self.state = State::Failed(Error::Stuck { after }),
                // These states have no deadline once there is nothing to write.
                State::Refusing { .. } | State::Asked(_) | State::Failed(_) | State::Over => {
                    self.output.clear();
                }
            }
        }
    }

    /// Opens the WebSocket.
    ///
    /// # Errors
    /// If no request waits, or if the subprotocol was not offered; the request still waits then.
    pub fn accept(&mut self, now: Instant, accept: &Accept) -> Result<(), AnswerError> {
        let now = self.tick(now);
        let State::Asked(asked) = &mut self.state else { return Err(AnswerError::NoRequest) };
        accept.check(&asked.subprotocols)?;
        let subprotocol = accept.subprotocol.clone();
        self.output = accept.encode(&asked.accept_key).into();
        let request = Box::new(std::mem::take(&mut asked.request));
        self.state = State::Accepting { request, subprotocol, since: now };
        Ok(())
    }

    /// Answers without a WebSocket: with a redirect (and `Location`), or with an error.
    ///
    /// `Connection`, `Content-Length` and `Transfer-Encoding` are set by the handshake, whatever `response` says; a
    /// body without a `Content-Type` is sent as plain text.
    ///
    /// # Errors
    /// If no request waits, or if the status is not one of 300 to 599; the request still waits then.
    pub fn reject<B: AsRef<[u8]>>(
        &mut self,
        now: Instant,
        response: &http::Response<B>,
    ) -> Result<(), AnswerError> {
        let now = self.tick(now);
        let status = response.status();
        if !matches!(self.state, State::Asked(_)) {
            return Err(AnswerError::NoRequest);
        }
        if !(300..=599).contains(&status.as_u16()) {
            return Err(AnswerError::Status { status });
        }
        self.output = answer::rejection(response).into();
        let text = excerpt::text(response.body().as_ref());
        self.state = State::Refusing { error: Error::Rejected { status, text }, since: now };
        Ok(())
    }

    /// The bytes to write next.
    pub fn output(&self) -> &[u8] {
        if matches!(self.state, State::Failed(_)) { &[] } else { &self.output }
    }

    /// The result, once, when the answer has left; the handshake is over then.
    ///
    /// After an error, end the transport gently: shut down its writing side, then read and discard until it ends or a
    /// second has passed. Dropping it at once, with unread bytes, may destroy the answer on its way.
    pub fn poll_result(&mut self) -> Option<Result<Upgraded, Error>> {
        let left = self.output.is_empty();
        match std::mem::replace(&mut self.state, State::Over) {
            State::Accepting { request, subprotocol, .. } if left => {
                Some(Ok(Upgraded { request: *request, subprotocol, leftover: self.reader.take_rest() }))
            }
            State::Refusing { error, .. } if left => Some(Err(error)),
            State::Failed(error) => {
                self.output.clear();
                Some(Err(error))
            }
            unfinished => {
                self.state = unfinished;
                None
            }
        }
    }

    /// When [`handle_timeout`](Self::handle_timeout) is due.
    pub fn poll_timeout(&self) -> Option<Instant> {
        let timeout = self.config.timeout;
        match self.state {
            State::Head => Some(self.started + timeout),
            State::Foreign { since } => Some((self.started + timeout).min(since + LINGER)),
            State::Accepting { since, .. } | State::Refusing { since, .. } if !self.output.is_empty() => {
                Some(since + timeout)
            }
            _ => None,
        }
    }

    /// The request that waits for [`accept`](Self::accept) or [`reject`](Self::reject).
    pub fn request(&self) -> Option<&http::Request<()>> {
        if let State::Asked(asked) = &self.state { Some(&asked.request) } else { None }
    }

    /// The subprotocols that the waiting request offers, the most preferred first.
    pub fn subprotocols(&self) -> &[String] {
        if let State::Asked(asked) = &self.state { &asked.subprotocols } else { &[] }
    }

    /// Whether to keep reading. Bytes passed in after a request are kept nevertheless.
    pub fn wants_input(&self) -> bool {
        !self.ended && matches!(self.state, State::Head | State::Foreign { .. } | State::Refusing { .. })
    }

    fn tick(&mut self, now: Instant) -> Instant {
        self.clock = self.clock.max(now);
        self.clock
    }

    fn read_head(&mut self, now: Instant) {
        match self.reader.scan() {
            Scan::Partial => {
                if self.reader.is_foreign() && matches!(self.state, State::Head) {
                    self.state = State::Foreign { since: now };
                }
            }
            Scan::Complete(head) => match check::parse(&head) {
                Ok(asked) => self.state = State::Asked(Box::new(asked)),
                Err(error) => self.answer(now, error, &head),
            },
            Scan::Foreign(start) => self.refuse(now, Error::NotHttp { start }),
            Scan::TooLarge => self.refuse(now, Error::TooLarge { limit: self.config.head_bytes }),
            Scan::TooManyHeaders => {
                let limit = self.config.headers;
                self.refuse(now, Error::TooManyHeaders { limit });
            }
        }
    }

    fn refuse_foreign(&mut self, now: Instant) {
        let start = Bytes::copy_from_slice(self.reader.greeting());
        self.refuse(now, Error::NotHttp { start });
    }

    /// Answers automatically an incomplete request.
    fn refuse(&mut self, now: Instant, error: Error) {
        let start = Bytes::copy_from_slice(self.reader.greeting());
        self.answer(now, error, &start);
    }

    /// Answers automatically a request that begins like this.
    fn answer(&mut self, now: Instant, error: Error, request: &[u8]) {
        self.output = answer::automatic(&error, request).into();
        self.state = State::Refusing { error, since: now };
    }
}

impl fmt::Debug for Handshake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = match self.state {
            State::Head => "Head",
            State::Foreign { .. } => "Foreign",
            State::Asked(_) => "Asked",
            State::Accepting { .. } => "Accepting",
            State::Refusing { .. } => "Refusing",
            State::Failed(_) => "Failed",
            State::Over => "Over",
        };
        f.debug_struct("Handshake")
            .field("state", &format_args!("{state}"))
            .field("output", &self.output.len())
            .field("received", &self.reader.len())
            .finish_non_exhaustive()
    }
}
