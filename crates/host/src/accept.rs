//! What a server decides about a request, and what comes of it.

use bowline_handshake::server::{Accept, Upgraded};
use bytes::Bytes;
use http::{HeaderValue, Response, StatusCode, header};

/// What to do with a request.
#[derive(Debug)]
pub enum Decision {
    /// Open the WebSocket.
    Accept(Accept),
    /// Answer by a redirect (with `Location`) or by an error. The status must be one of 300 to 599.
    Reject(Response<Bytes>),
}

impl Decision {
    /// Opens the WebSocket, without a subprotocol or headers of the application's own.
    pub fn accept() -> Self {
        Self::Accept(Accept::new())
    }

    /// Answers with this status and text.
    pub fn reject(status: StatusCode, text: impl Into<String>) -> Self {
        let mut response = Response::new(Bytes::from(text.into()));
        *response.status_mut() = status;
        let plain = HeaderValue::from_static("text/plain; charset=utf-8");
        response.headers_mut().insert(header::CONTENT_TYPE, plain);
        Self::Reject(response)
    }
}

/// A stream on which the way is free for frames: what the driver of a server wants.
#[derive(Debug)]
#[non_exhaustive]
pub struct Accepted<S> {
    /// The stream.
    pub stream: S,
    /// What the client sent behind its request: the first bytes of frames.
    pub leftover: Bytes,
    /// The subprotocol that was chosen.
    pub subprotocol: Option<String>,
    /// The client's request. Credentials and cookies in it are marked as sensitive.
    pub request: http::Request<()>,
}

impl<S> Accepted<S> {
    /// The stream, and what the handshake over it has come to.
    pub fn new(stream: S, upgraded: Upgraded) -> Self {
        let Upgraded { request, subprotocol, leftover, .. } = upgraded;
        Self { stream, leftover, subprotocol, request }
    }
}
