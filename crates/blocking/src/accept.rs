//! The server's side of a connection: read the request, decide, answer.
//!
//! [`accept`] does all of it if the decision is immediate. If it takes time (a database look-up, another service),
//! [`receive`] returns the request first, and [`Asked::accept`] or [`Asked::reject`] answers it later.

use std::fmt;
use std::time::Duration;

use bowline_core::Instant;
use bowline_handshake::server::{self, Handshake};
use bowline_host::AcceptError;
use http::{Response, StatusCode};

pub use bowline_handshake::Config;
pub use bowline_handshake::server::{Accept, ForeignOrigin, OriginError, Origins, negotiate};
pub use bowline_host::accept::{Accepted, Decision};

use crate::clock::Clock;
use crate::exchange::exchange;
use crate::stream::Stream;
use crate::wait::{Interest, Wakened, wait_for};

/// How long to read from a client that was refused, so that the answer arrives before the connection ends.
const LINGER: Duration = Duration::from_secs(1);

/// Reads a request, lets `decide` see it and the subprotocols that it offers (the most preferred first), and answers.
///
/// Anything but a valid WebSocket request never reaches `decide`: it automatically gets the right HTTP answer. A page
/// of any site can open a WebSocket with a visitor's cookies: check [`Origins`] first (RFC 6455 §10.2). After a refusal
/// the stream is read for up to a second, so that the client gets the answer.
///
/// # Errors
/// Why there is no WebSocket, including rejections by `decide`.
pub fn accept<S: Stream>(
    stream: S,
    config: &Config,
    decide: impl FnOnce(&http::Request<()>, &[String]) -> Decision,
) -> Result<Accepted<S>, AcceptError> {
    accept_since(Clock::start(), None, stream, config, decide)
}

/// The same for a client that connected when this clock was started, from which its time counts, unless another thread
/// calls before there is a request.
pub(crate) fn accept_since<S: Stream>(
    clock: Clock,
    wakened: Option<&Wakened>,
    stream: S,
    config: &Config,
    decide: impl FnOnce(&http::Request<()>, &[String]) -> Decision,
) -> Result<Accepted<S>, AcceptError> {
    let asked = receive_since(clock, wakened, stream, config)?;
    match decide(asked.request(), asked.subprotocols()) {
        Decision::Accept(accept) => asked.accept(&accept),
        Decision::Reject(response) => Err(asked.reject(&response)),
    }
}

/// Reads a request for a WebSocket, to be answered by [`Asked::accept`] or [`Asked::reject`].
///
/// # Errors
/// If something else arrived, or nothing in time. The client has got the right HTTP answer.
pub fn receive<S: Stream>(stream: S, config: &Config) -> Result<Asked<S>, AcceptError> {
    receive_since(Clock::start(), None, stream, config)
}

fn receive_since<S: Stream>(
    clock: Clock,
    wakened: Option<&Wakened>,
    mut stream: S,
    config: &Config,
) -> Result<Asked<S>, AcceptError> {
    let mut handshake = Handshake::new(config.clone(), Instant::ZERO);
    let failed = exchange(&mut stream, &mut handshake, clock, wakened, |handshake| {
        let is_asked = handshake.request().is_some();
        handshake.poll_result().map(Some).or_else(|| is_asked.then_some(None))
    });
    match failed {
        None => Ok(Asked { stream, handshake, clock }),
        Some(Err(error)) => Err(refused(stream, error)),
        // Nothing was accepted yet.
        Some(Ok(_)) => Err(server::AnswerError::NoRequest.into()),
    }
}

/// A request for a WebSocket that waits for its answer.
///
/// Dropping it ends the connection without one.
pub struct Asked<S> {
    stream: S,
    handshake: Handshake,
    clock: Clock,
}

impl<S: Stream> Asked<S> {
    /// The request. Credentials and cookies in it are marked as sensitive.
    pub fn request(&self) -> &http::Request<()> {
        // It waits, as the type guarantees.
        self.handshake.request().expect("a request that waits")
    }

    /// The offered subprotocols, the most preferred first; see [`negotiate`].
    pub fn subprotocols(&self) -> &[String] {
        self.handshake.subprotocols()
    }

    /// Opens the WebSocket.
    ///
    /// # Errors
    /// If the subprotocol was not offered (the client is answered with 500), or if the answer could not leave.
    pub fn accept(mut self, accept: &Accept) -> Result<Accepted<S>, AcceptError> {
        if let Err(error) = self.handshake.accept(self.clock.now(), accept) {
            return Err(self.fail(error));
        }
        match self.answer() {
            Ok(upgraded) => Ok(Accepted::new(self.stream, upgraded)),
            Err(error) => Err(error.into()),
        }
    }

    /// Answers without a WebSocket, and returns the result: [`server::Error::Rejected`] if all went well.
    pub fn reject<B: AsRef<[u8]>>(mut self, response: &Response<B>) -> AcceptError {
        match self.handshake.reject(self.clock.now(), response) {
            Ok(()) => match self.answer() {
                Err(error) => refused(self.stream, error),
                Ok(_) => server::AnswerError::NoRequest.into(),
            },
            Err(error) => self.fail(error),
        }
    }

    fn answer(&mut self) -> Result<server::Upgraded, server::Error> {
        exchange(&mut self.stream, &mut self.handshake, self.clock, None, Handshake::poll_result)
    }

    /// Our own application made a mistake.
    fn fail(mut self, error: server::AnswerError) -> AcceptError {
        let mut response = Response::new("the server's answer to this request is not valid\n");
        *response.status_mut() = StatusCode::INTERNAL_SERVER_ERROR;
        if self.handshake.reject(self.clock.now(), &response).is_ok() && self.answer().is_err() {
            linger(self.stream);
        }
        error.into()
    }
}

impl<S> fmt::Debug for Asked<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Asked").field("handshake", &self.handshake).finish_non_exhaustive()
    }
}

fn refused<S: Stream>(stream: S, error: server::Error) -> AcceptError {
    if error.status().is_some() {
        linger(stream);
    }
    error.into()
}

/// Ends a stream gently. If it were dropped with unread bytes, the system would reset it, and the answer would be lost.
fn linger<S: Stream>(mut stream: S) {
    let clock = Clock::start();
    let until = Instant::ZERO + LINGER;
    // The answer was sent; how the stream ends does not matter.
    let _ = stream.finish_writing();
    let mut forgotten = [0; 512];
    while clock.now() < until {
        match stream.read(&mut forgotten) {
            Ok(0) => return,
            Ok(_) => {}
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {
                let interest = Interest { read: true, write: false };
                if wait_for(&stream, interest, None, Some(until - clock.now())).is_err() {
                    return;
                }
            }
            Err(_) => return,
        }
    }
}
