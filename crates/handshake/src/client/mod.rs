//! The client's side: sends the request, and checks the answer.
//!
//! ```text
//!           ┌──── 1xx ────┐
//!           ▼             │            fits, and the request has left
//!         Head ───── 101 ─┴─▶ Answered ───────────────────────────────▶ Upgraded
//!          │ │
//!          │ └─── any other status ──▶ Refused ── body, or enough of it ──▶ Error
//!          └───── not HTTP ──────────▶ Foreign ── line, or enough of it ──▶ Error
//! ```
//!
//! Inputs: [`handle_input`](Handshake::handle_input), [`handle_written`](Handshake::handle_written),
//! [`handle_end`](Handshake::handle_end) and [`handle_timeout`](Handshake::handle_timeout).

mod body;
mod check;
mod error;
mod request;
pub(crate) mod url;

use std::fmt;

use bowline_core::{End, Instant};
use bytes::Bytes;
use data_encoding::BASE64;
use http::StatusCode;
use http::header::AUTHORIZATION;
use tungstenite::handshake::derive_accept_key;

use error::Shown;
pub use error::{Error, Refusal};
pub use request::{Request, RequestError};

use crate::Config;
use crate::excerpt::redact;
use crate::head::{Expect, HeadReader, Scan};
use crate::question::Question;
use crate::retry_after::retry_after;
use body::BodyStart;
pub(crate) use check::Answer;

/// One opening handshake, from the first byte of the request to the last of the answer.
///
/// Write [`output`](Self::output) and report it, pass in what is read, and call [`poll_result`](Self::poll_result)
/// after each call.
///
/// ```
/// use bowline_core::Instant;
/// use bowline_handshake::{Config, client};
///
/// let now = Instant::ZERO;
/// let request = client::Request::new("ws://example.org/chat")?;
/// let nonce = *b"sixteen  random "; // from the operating system, new for each handshake
/// let mut handshake = client::Handshake::new(&request, nonce, Config::default(), now);
///
/// assert!(handshake.output().starts_with(b"GET /chat HTTP/1.1\r\nHost: example.org\r\n"));
/// handshake.handle_written(now, handshake.output().len());
///
/// handshake.handle_input(now, b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 15\r\n\r\n<!doctype html>");
/// let error = handshake.poll_result().unwrap().unwrap_err();
/// assert_eq!(
///     error.to_string(),
///     r#"the server answered 200 OK (text/html) instead of a WebSocket upgrade: "<!doctype html>""#
/// );
/// # Ok::<(), client::RequestError>(())
/// ```
pub struct Handshake {
    config: Config,
    question: Question,
    reader: HeadReader,
    accept_key: String,
    subprotocols: Vec<String>,
    secrets: Vec<Vec<u8>>,
    had_credentials: bool,
    state: State,
}

enum State {
    /// Reading the head of an answer.
    Head,
    /// It is not HTTP; waits for the rest of the line.
    Foreign {
        since: Instant,
    },
    /// It is not an upgrade; waits for the start of the body.
    Refused {
        refusal: Box<Refusal>,
        body: BodyStart,
        since: Instant,
    },
    /// It is the upgrade; returned when the request has left.
    Answered {
        response: http::Response<()>,
        subprotocol: Option<String>,
    },
    Failed(Error),
    /// The result was returned.
    Over,
}

/// A connection ready for frames.
#[non_exhaustive]
pub struct Upgraded {
    /// The server's answer.
    pub response: http::Response<()>,
    /// The subprotocol that the server chose among those offered. It may choose none.
    pub subprotocol: Option<String>,
    /// What the server sent after its answer: the first bytes of its frames. Pass them to
    /// [`Connection::handle_input`](bowline_core::Connection::handle_input) before what is read.
    pub leftover: Bytes,
}

/// Leaves out what may be secret: headers, and any bytes that were sent.
impl fmt::Debug for Upgraded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Upgraded")
            .field("status", &self.response.status())
            .field("subprotocol", &self.subprotocol)
            .field("leftover", &self.leftover.len())
            .finish_non_exhaustive()
    }
}

impl Handshake {
    /// Starts a handshake over a transport that is connected, and encrypted if the URL requires it.
    ///
    /// The nonce must be random and new for each handshake (RFC 6455 §4.1, 7).
    pub fn new(request: &Request, nonce: [u8; 16], config: Config, now: Instant) -> Self {
        let key = BASE64.encode(&nonce);
        Self {
            reader: HeadReader::new(Expect::Response, &config),
            question: Question::new(request.encode(&key), config.timeout, now),
            config,
            accept_key: derive_accept_key(key.as_bytes()),
            subprotocols: request.subprotocols().to_vec(),
            secrets: request.secrets(),
            had_credentials: request.headers().contains_key(AUTHORIZATION),
            state: State::Head,
        }
    }

    /// These bytes were received; any number at a time.
    pub fn handle_input(&mut self, now: Instant, bytes: &[u8]) {
        let now = self.question.tick(now);
        match &mut self.state {
            State::Head | State::Foreign { .. } => {
                self.reader.push(bytes);
                while self.read_head(now) {}
            }
            State::Refused { body, .. } => {
                body.push(bytes);
                self.finish_refusal(false);
            }
            State::Answered { .. } => self.reader.push(bytes),
            State::Failed(_) | State::Over => {}
        }
    }

    /// The transport accepted the first `n` bytes of [`output`](Self::output).
    pub fn handle_written(&mut self, now: Instant, n: usize) {
        self.question.handle_written(now, n);
    }

    /// The transport ended. After a [write that failed](End::is_write_failure), keep reading: only in this way is a server
    /// heard that refuses before it has read the request.
    pub fn handle_end(&mut self, now: Instant, end: End) {
        let now = self.question.tick(now);
        if end.is_write_failure() && self.wants_input() {
            return self.question.handle_write_failed(now);
        }
        let received = self.reader.len();
        // Systems report a failure only once: after a failed write, the reading side sees an ordinary end.
        let end = if end == End::Eof && self.question.is_broken() { End::WriteFailed } else { end };
        self.conclude(Error::Closed { end, received });
    }

    /// Time has passed; early and repeated calls do nothing.
    pub fn handle_timeout(&mut self, now: Instant) {
        let now = self.question.tick(now);
        if self.poll_timeout().is_some_and(|due| due <= now) {
            let received = self.reader.len();
            self.conclude(if self.question.is_broken() {
                Error::Closed { end: End::WriteFailed, received }
            } else {
                Error::TimedOut { after: self.question.timeout(), received }
            });
        }
    }

    /// The bytes to write next; empty when the request has left, or no longer needs to.
    pub fn output(&self) -> &[u8] {
        let over = matches!(self.state, State::Failed(_) | State::Over);
        if over { &[] } else { self.question.output() }
    }

    /// The result, once; the handshake is over then.
    ///
    /// After an error the transport is useless: drop it.
    pub fn poll_result(&mut self) -> Option<Result<Upgraded, Error>> {
        let leaving = self.question.left() > 0;
        match std::mem::replace(&mut self.state, State::Over) {
            State::Answered { response, subprotocol } if !leaving => {
                Some(Ok(Upgraded { response, subprotocol, leftover: self.reader.take_rest() }))
            }
            State::Failed(error) => Some(Err(error)),
            unfinished => {
                self.state = unfinished;
                None
            }
        }
    }

    /// When [`handle_timeout`](Self::handle_timeout) is due.
    pub fn poll_timeout(&self) -> Option<Instant> {
        match self.state {
            State::Head => Some(self.question.first_due()),
            State::Answered { .. } if self.question.left() > 0 => Some(self.question.due()),
            State::Foreign { since } | State::Refused { since, .. } => Some(self.question.rest_due(since)),
            State::Answered { .. } | State::Failed(_) | State::Over => None,
        }
    }

    /// Whether to keep reading. Bytes passed in after an upgrade are kept nevertheless.
    pub fn wants_input(&self) -> bool {
        matches!(self.state, State::Head | State::Foreign { .. } | State::Refused { .. })
    }

    /// Takes one head from the reader; `true` if another may follow.
    fn read_head(&mut self, now: Instant) -> bool {
        match self.reader.scan() {
            Scan::Partial => {
                if self.reader.is_foreign() && matches!(self.state, State::Head) {
                    self.state = State::Foreign { since: now };
                }
            }
            Scan::Complete(head) => match Answer::parse(&head) {
                Ok(answer) => return self.handle_answer(now, answer),
                Err(error) => self.state = State::Failed(error),
            },
            Scan::Foreign(start) => self.state = self.foreign(&start),
            Scan::TooLarge => self.state = State::Failed(Error::TooLarge { limit: self.config.head_bytes }),
            Scan::TooManyHeaders => {
                self.state = State::Failed(Error::TooManyHeaders { limit: self.config.headers });
            }
        }
        false
    }

    fn handle_answer(&mut self, now: Instant, answer: Answer) -> bool {
        if answer.status == StatusCode::SWITCHING_PROTOCOLS {
            if self.question.is_broken() {
                self.conclude(Error::Closed { end: End::WriteFailed, received: self.reader.taken() });
                return false;
            }
            self.state = match answer.check(&self.accept_key, &self.subprotocols) {
                Ok(subprotocol) => State::Answered { response: answer.into_response(), subprotocol },
                Err(error) => State::Failed(error.without(&self.secrets)),
            };
            return false;
        }
        // RFC 9110 §15.2: other 1xx answers precede the final one.
        if answer.status.is_informational() {
            return true;
        }
        let Answer { status, headers, .. } = answer;
        let mut body = BodyStart::new(status, &headers);
        body.push(&self.reader.take_rest());
        let refusal = Refusal {
            shown: Shown::of(status, &headers, &self.secrets),
            status,
            retry_after: retry_after(&headers),
            headers,
            body: Bytes::new(),
            had_credentials: self.had_credentials,
        };
        self.state = State::Refused { refusal: Box::new(refusal), body, since: now };
        self.finish_refusal(false);
        false
    }

    /// Ends the handshake with the best explanation: what the server said, otherwise `error`.
    fn conclude(&mut self, error: Error) {
        match self.state {
            State::Head => self.state = State::Failed(error),
            State::Answered { .. } if self.question.left() > 0 => self.state = State::Failed(error),
            State::Foreign { .. } => self.state = self.foreign(self.reader.greeting()),
            State::Refused { .. } => self.finish_refusal(true),
            State::Answered { .. } | State::Failed(_) | State::Over => {}
        }
    }

    fn foreign(&self, greeting: &[u8]) -> State {
        let mut start = greeting.to_vec();
        redact(&mut start, &self.secrets);
        State::Failed(Error::NotHttp { start: start.into() })
    }

    /// Fails with the refusal, if its body is complete or is not waited for.
    fn finish_refusal(&mut self, at_once: bool) {
        match std::mem::replace(&mut self.state, State::Over) {
            State::Refused { mut refusal, body, .. } if at_once || body.is_complete() => {
                let mut body = body.into_bytes();
                redact(&mut body, &self.secrets);
                refusal.body = body.into();
                self.state = State::Failed(Error::Refused(refusal));
            }
            state => self.state = state,
        }
    }
}

impl fmt::Debug for Handshake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = match self.state {
            State::Head => "Head",
            State::Foreign { .. } => "Foreign",
            State::Refused { .. } => "Refused",
            State::Answered { .. } => "Answered",
            State::Failed(_) => "Failed",
            State::Over => "Over",
        };
        f.debug_struct("Handshake")
            .field("state", &format_args!("{state}"))
            .field("output", &self.question.left())
            .field("received", &self.reader.len())
            .finish_non_exhaustive()
    }
}
