//! The server's side of the handshake behind another HTTP server: a request that was read, and an answer to write.

use http::{HeaderMap, Method, Response, Version};

use super::check::{self, Asked};
use super::{Accept, AnswerError, Error};

/// A request for a WebSocket that another HTTP server, such as hyper or axum, has read.
///
/// The rules are those of a [`Handshake`](super::Handshake), without bytes and time, which that server handles. Send
/// the answer, and take over the stream behind it.
///
/// ```
/// use bowline_handshake::server::{Accept, Upgrade};
///
/// let request = http::Request::get("/chat")
///     .header("Host", "example.org")
///     .header("Connection", "Upgrade")
///     .header("Upgrade", "websocket")
///     .header("Sec-WebSocket-Version", "13")
///     .header("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ==")
///     .body("of any type")?;
/// let answer = match Upgrade::of(&request) {
///     Ok(upgrade) => upgrade.accept(&Accept::new())?,
///     Err(error) => error.response().map(drop),
/// };
/// assert_eq!(answer.headers()["Sec-WebSocket-Accept"], "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Upgrade(Asked);

impl Upgrade {
    /// Checks a request.
    ///
    /// # Errors
    /// Why it is not a valid WebSocket request; [`Error::response`] is the right answer then.
    pub fn of<B>(request: &http::Request<B>) -> Result<Self, Error> {
        if request.method() != Method::GET {
            return Err(Error::Method { method: request.method().to_string() });
        }
        if request.version() < Version::HTTP_11 {
            return Err(Error::OldHttp);
        }
        let mut copy = http::Request::new(());
        *copy.uri_mut() = request.uri().clone();
        *copy.version_mut() = request.version();
        *copy.headers_mut() = request.headers().clone();
        check::check(copy).map(Self)
    }

    /// The request. Credentials and cookies in it are marked as sensitive.
    pub fn request(&self) -> &http::Request<()> {
        &self.0.request
    }

    /// The offered subprotocols, the most preferred first.
    pub fn subprotocols(&self) -> &[String] {
        &self.0.subprotocols
    }

    /// The request, to be kept.
    pub fn into_request(self) -> http::Request<()> {
        self.0.request
    }

    /// The answer that opens the WebSocket.
    ///
    /// # Errors
    /// If the subprotocol was not offered.
    pub fn accept(&self, accept: &Accept) -> Result<Response<()>, AnswerError> {
        accept.check(&self.0.subprotocols)?;
        Ok(accept.response(&self.0.accept_key))
    }
}

impl Error {
    /// The answer to an unacceptable request, for another HTTP server. If there can be no answer, which does not happen
    /// once a request was read, it is 400.
    pub fn response(&self) -> Response<String> {
        let (status, headers) =
            super::answer::automatic_head(self).unwrap_or((http::StatusCode::BAD_REQUEST, HeaderMap::new()));
        let mut response = Response::new(format!("{self}\n"));
        *response.status_mut() = status;
        *response.headers_mut() = headers;
        response
    }
}
