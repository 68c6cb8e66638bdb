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
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::time::timeout;

pub use bowline_handshake::Config;
pub use bowline_handshake::server::{Accept, ForeignOrigin, OriginError, Origins, negotiate};
pub use bowline_host::accept::{Accepted, Decision};

use crate::clock::Clock;
use crate::exchange::exchange;

/// How long to read from a client that was refused, so that the answer arrives before the connection ends.
const LINGER: Duration = Duration::from_secs(1);

/// Reads a request, lets `decide` see it and the subprotocols that it offers (the most preferred first), and answers.
///
/// Anything but a valid WebSocket request never reaches `decide`: it automatically gets the right HTTP answer. A page
/// of any site can open a WebSocket with a visitor's cookies: check [`Origins`] first (RFC 6455 §10.2).
///
/// ```
/// # use bowline_tokio::accept::{Accept, Accepted, Config, Decision, Origins, accept, negotiate};
/// # use bowline_tokio::AcceptError;
/// # async fn example(stream: tokio::net::TcpStream) -> Result<Accepted<tokio::net::TcpStream>, AcceptError> {
/// accept(stream, &Config::default(), |request, offered| {
///     if let Err(foreign) = Origins::own().check(request.headers(), false) {
///         return Decision::reject(http::StatusCode::FORBIDDEN, foreign.to_string());
///     }
///     match request.uri().path() {
///         "/chat" => match negotiate(&["chat.v2", "chat.v1"], offered) {
///             Some(name) => Decision::Accept(Accept::new().with_subprotocol(name)),
///             None => Decision::reject(http::StatusCode::BAD_REQUEST, "speak chat.v1 or chat.v2\n"),
///         },
///         _ => Decision::reject(http::StatusCode::NOT_FOUND, "no WebSocket here\n"),
///     }
/// })
/// .await
/// # }
/// ```
///
/// Cancel-safe in that dropping the future drops the stream; half a handshake is useless. After a refusal the stream is
/// read for up to a second, so that the client gets the answer; run each handshake in a task of its own.
///
/// # Errors
/// Why there is no WebSocket, including rejections by `decide`.
pub async fn accept<S>(
    stream: S,
    config: &Config,
    decide: impl FnOnce(&http::Request<()>, &[String]) -> Decision,
) -> Result<Accepted<S>, AcceptError>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    accept_since(Clock::start(), stream, config, decide).await
}

/// The same for a client that connected when this clock was started, from which its time counts.
pub(crate) async fn accept_since<S>(
    clock: Clock,
    stream: S,
    config: &Config,
    decide: impl FnOnce(&http::Request<()>, &[String]) -> Decision,
) -> Result<Accepted<S>, AcceptError>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let asked = receive_since(clock, stream, config).await?;
    match decide(asked.request(), asked.subprotocols()) {
        Decision::Accept(accept) => asked.accept(&accept).await,
        Decision::Reject(response) => Err(asked.reject(&response).await),
    }
}

/// Reads a request for a WebSocket, to be answered by [`Asked::accept`] or [`Asked::reject`].
///
/// Cancel-safe in that dropping the future drops the stream.
///
/// # Errors
/// If something else arrived, or nothing in time. The client has got the right HTTP answer.
pub async fn receive<S>(stream: S, config: &Config) -> Result<Asked<S>, AcceptError>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    receive_since(Clock::start(), stream, config).await
}

async fn receive_since<S>(clock: Clock, mut stream: S, config: &Config) -> Result<Asked<S>, AcceptError>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let mut handshake = Handshake::new(config.clone(), Instant::ZERO);
    let failed = exchange(&mut stream, &mut handshake, clock, |handshake| {
        let is_asked = handshake.request().is_some();
        handshake.poll_result().map(Some).or_else(|| is_asked.then_some(None))
    })
    .await;
    match failed {
        None => Ok(Asked { stream, handshake, clock }),
        Some(Err(error)) => Err(refused(stream, error).await),
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

impl<S: AsyncRead + AsyncWrite + Unpin> Asked<S> {
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
    /// Cancel-safe in that dropping the future drops the stream.
    ///
    /// # Errors
    /// If the subprotocol was not offered (the client is answered with 500), or if the answer could not leave.
    pub async fn accept(mut self, accept: &Accept) -> Result<Accepted<S>, AcceptError> {
        if let Err(error) = self.handshake.accept(self.clock.now(), accept) {
            return Err(self.fail(error).await);
        }
        match self.answer().await {
            Ok(upgraded) => Ok(Accepted::new(self.stream, upgraded)),
            Err(error) => Err(error.into()),
        }
    }

    /// Answers without a WebSocket, and returns the result: [`server::Error::Rejected`] if all went well.
    ///
    /// Cancel-safe in that dropping the future drops the stream, perhaps before the answer has arrived.
    pub async fn reject<B: AsRef<[u8]>>(mut self, response: &Response<B>) -> AcceptError {
        match self.handshake.reject(self.clock.now(), response) {
            Ok(()) => match self.answer().await {
                Err(error) => refused(self.stream, error).await,
                Ok(_) => server::AnswerError::NoRequest.into(),
            },
            Err(error) => self.fail(error).await,
        }
    }

    async fn answer(&mut self) -> Result<server::Upgraded, server::Error> {
        exchange(&mut self.stream, &mut self.handshake, self.clock, Handshake::poll_result).await
    }

    /// Our own application made a mistake.
    async fn fail(mut self, error: server::AnswerError) -> AcceptError {
        let mut response = Response::new("the server's answer to this request is not valid\n");
        *response.status_mut() = StatusCode::INTERNAL_SERVER_ERROR;
        if self.handshake.reject(self.clock.now(), &response).is_ok() && self.answer().await.is_err() {
            linger(self.stream).await;
        }
        error.into()
    }
}

impl<S> fmt::Debug for Asked<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Asked").field("handshake", &self.handshake).finish_non_exhaustive()
    }
}

async fn refused<S: AsyncRead + AsyncWrite + Unpin>(stream: S, error: server::Error) -> AcceptError {
    if error.status().is_some() {
        linger(stream).await;
    }
    error.into()
}

/// Ends a stream gently. If it were dropped with unread bytes, the system would reset it, and the answer would be lost.
async fn linger<S: AsyncRead + AsyncWrite + Unpin>(mut stream: S) {
    let ended = async {
        stream.shutdown().await?;
        let mut forgotten = [0; 512];
        while stream.read(&mut forgotten).await? > 0 {}
        std::io::Result::Ok(())
    };
    // The answer was sent; how the stream ends does not matter.
    let _ = timeout(LINGER, ended).await;
}
