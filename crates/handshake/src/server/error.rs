//! Why a client got no WebSocket, in words that also serve as the body of the answer.

use std::time::Duration;

use bowline_core::End;
use bowline_core::closing::Span;
use bytes::Bytes;
use http::StatusCode;
use thiserror::Error;

use crate::excerpt::{raw, speaker, text};

/// Why there is no WebSocket.
///
/// Text from a client or from the application is shown cut short, on one line and without control characters.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum Error {
    /// The client does not speak HTTP/1. Answered with 400.
    #[error("this is not HTTP: \"{}\"{}", raw(start), speaker(start))]
    NotHttp {
        /// The first bytes, up to the end of a line.
        start: Bytes,
    },
    /// The request starts like HTTP, but cannot be parsed. Answered with 400.
    #[error("the request is broken HTTP: {reason}")]
    Malformed {
        /// The parser's message.
        reason: String,
    },
    /// The head of the request exceeds the limit. Answered with 431.
    #[error("the head of the request is larger than {limit} bytes")]
    TooLarge {
        /// [`Config::head_bytes`](crate::Config::head_bytes).
        limit: usize,
    },
    /// The request has more headers than the limit. Answered with 431.
    #[error("the request has more than {limit} headers")]
    TooManyHeaders {
        /// [`Config::headers`](crate::Config::headers).
        limit: usize,
    },
    /// The request did not arrive in time. Answered with 408.
    #[error("no complete request came within {}, only {received} bytes", Span(*after))]
    TimedOut {
        /// [`Config::timeout`](crate::Config::timeout).
        after: Duration,
        /// How many bytes of a request had arrived.
        received: usize,
    },
    /// The method is not `GET`. Answered with 405.
    #[error("the method is {}; a WebSocket starts with a GET", text(method.as_bytes()))]
    Method {
        /// Which it is.
        method: String,
    },
    /// The request is HTTP/1.0, for example from a proxy that is not configured to pass on upgrades. Answered with 426.
    #[error("the request is HTTP/1.0; a WebSocket starts with HTTP/1.1")]
    OldHttp,
    /// The request target is neither a path nor an `http` or `https` URL. Answered with 400.
    #[error("the request's target is neither a path nor a URL")]
    Target,
    /// There is no `Host`, more than one, or one that names no host. Answered with 400.
    #[error("the request needs exactly one `Host`, and a host in it")]
    Host,
    /// The request announces a body, after which the frames would start. Answered with 400.
    #[error("the request has a body; a WebSocket starts without")]
    Body,
    /// A plain request, not for a WebSocket. Answered with 426.
    #[error("this is a WebSocket; ask for it with `Upgrade: websocket`")]
    NoUpgrade,
    /// `Upgrade` without `Connection: Upgrade`, as from a proxy that passes on only one of them. Answered with 400.
    #[error("the request has `Upgrade` without `Connection: Upgrade`")]
    NoConnectionUpgrade,
    /// The client speaks another version of the WebSocket protocol. Answered with 426.
    #[error("`Sec-WebSocket-Version` is \"{}\"; this server speaks 13", text(version.as_bytes()))]
    Version {
        /// The version that it asks for; empty if it names none.
        version: String,
    },
    /// The key is missing, repeated, or not 16 bytes in base64. Answered with 400.
    #[error("the request needs exactly one `Sec-WebSocket-Key`, 16 bytes in base64")]
    Key,
    /// The subprotocols offered are not a list of tokens. Answered with 400.
    #[error("`Sec-WebSocket-Protocol` is not a list of tokens")]
    Subprotocols,
    /// The extensions offered are not a list of names with parameters. Answered with 400.
    #[error("`Sec-WebSocket-Extensions` is not a list of extensions")]
    Extensions,
    /// There are two credentials, so it is unknown whose they are. Answered with 400.
    #[error("the request has more than one `Authorization`")]
    Authorization,
    /// The application rejected it with this answer.
    #[error("the request was rejected with {status}{}{text}", if text.is_empty() { "" } else { ": " })]
    Rejected {
        /// The status of the answer.
        status: StatusCode,
        /// The start of its text.
        text: String,
    },
    /// The connection ended first.
    #[error("the connection {} during the handshake, after {received} bytes", if matches!(end, End::Eof | End::TlsTruncated) { "was closed" } else { "broke" })]
    Closed {
        /// How it ended.
        end: End,
        /// How many bytes had arrived.
        received: usize,
    },
    /// The answer that opens the WebSocket did not leave in time.
    #[error("the client did not accept the answer within {}", Span(*after))]
    Stuck {
        /// [`Config::timeout`](crate::Config::timeout).
        after: Duration,
    },
}

impl Error {
    /// The status with which the client is answered; `None` if it can no longer be answered.
    pub fn status(&self) -> Option<StatusCode> {
        match self {
            Self::NotHttp { .. }
            | Self::Malformed { .. }
            | Self::Target
            | Self::Host
            | Self::Body
            | Self::NoConnectionUpgrade
            | Self::Key
            | Self::Subprotocols
            | Self::Extensions
            | Self::Authorization => Some(StatusCode::BAD_REQUEST),
            Self::TooLarge { .. } | Self::TooManyHeaders { .. } => {
                Some(StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE)
            }
            Self::TimedOut { .. } => Some(StatusCode::REQUEST_TIMEOUT),
            Self::Method { .. } => Some(StatusCode::METHOD_NOT_ALLOWED),
            Self::OldHttp | Self::NoUpgrade | Self::Version { .. } => Some(StatusCode::UPGRADE_REQUIRED),
            Self::Rejected { status, .. } => Some(*status),
            Self::Closed { .. } | Self::Stuck { .. } => None,
        }
    }
}
