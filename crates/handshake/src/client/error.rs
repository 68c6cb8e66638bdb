//! Why a server did not open the WebSocket, in words.

use std::fmt;
use std::time::Duration;

use bowline_core::closing::{Span, Why, retry_status};
use bowline_core::{End, Retry};
use bytes::Bytes;
use http::header::{CONTENT_TYPE, LOCATION};
use http::{HeaderMap, StatusCode};
use thiserror::Error;

use crate::excerpt::{raw, redacted, speaker, text};

/// Why there is no WebSocket.
///
/// Text from a server is shown cut short, on one line and without control characters; credentials are never shown, even
/// if the server sent them back.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum Error {
    /// The server gave an HTTP answer other than an upgrade.
    #[error(transparent)]
    Refused(Box<Refusal>),
    /// What listens there does not speak HTTP/1.
    #[error("the server does not speak HTTP: it said \"{}\"{}", raw(start), speaker(start))]
    NotHttp {
        /// The first bytes, up to the end of a line.
        start: Bytes,
    },
    /// The answer starts like HTTP, but cannot be parsed.
    #[error("the server's answer is broken HTTP: {reason}")]
    Malformed {
        /// The parser's message.
        reason: String,
    },
    /// The head of the answer exceeds the limit.
    #[error("the head of the server's answer is larger than {limit} bytes")]
    TooLarge {
        /// [`Config::head_bytes`](crate::Config::head_bytes).
        limit: usize,
    },
    /// The answer has more headers than the limit.
    #[error("the server's answer has more than {limit} headers")]
    TooManyHeaders {
        /// [`Config::headers`](crate::Config::headers).
        limit: usize,
    },
    /// The connection ended before the answer was complete.
    #[error(
        "the connection {} before the {}",
        if matches!(end, End::Eof | End::TlsTruncated) { "was closed" } else { "broke" },
        match received {
            0 if end.is_write_failure() => "request had left".to_owned(),
            0 => "server said anything".to_owned(),
            _ => format!("server finished its answer, after {received} bytes"),
        },
    )]
    Closed {
        /// How it ended.
        end: End,
        /// How many bytes of an answer had arrived.
        received: usize,
    },
    /// The answer did not arrive in time.
    #[error("the server did not answer within {}; {received} bytes came", Span(*after))]
    TimedOut {
        /// [`Config::timeout`](crate::Config::timeout).
        after: Duration,
        /// How many bytes of an answer had arrived.
        received: usize,
    },
    /// An upgrade in a version of HTTP that has no upgrades.
    #[error("the server upgrades in HTTP/1.0, which has no upgrade")]
    OldHttp,
    /// The upgrade is to nothing, or to something else.
    #[error("the server upgrades, but not to a WebSocket: `Upgrade: {}`", text(upgrade.as_bytes()))]
    NotWebSocket {
        /// The `Upgrade` header of the answer.
        upgrade: String,
    },
    /// The answer does not say that the connection was upgraded.
    #[error("the server upgrades, but without `Connection: Upgrade`: a proxy on the way may have removed it")]
    NoConnectionUpgrade,
    /// The answer does not match our key, so it may answer another request, or not come from a WebSocket server at all.
    #[error("the server's `Sec-WebSocket-Accept` {}: a cache or a proxy may have answered", if *missing { "is missing" } else { "does not fit the key" })]
    WrongAccept {
        /// Whether the header is absent or repeated, rather than wrong.
        missing: bool,
    },
    /// The server uses an extension that was not offered.
    #[error("the server uses extension `{}`, which was not offered", text(extension.as_bytes()))]
    UnexpectedExtension {
        /// Its name and parameters.
        extension: String,
    },
    /// The server chose a subprotocol that was not offered, or several.
    #[error("the server chose subprotocol `{}`, which was not offered", text(subprotocol.as_bytes()))]
    UnexpectedSubprotocol {
        /// Its choice.
        subprotocol: String,
    },
}

impl Error {
    /// The same error, with these secrets removed from the server's text.
    pub(super) fn without(mut self, secrets: &[Vec<u8>]) -> Self {
        if let Self::NotWebSocket { upgrade: said }
        | Self::UnexpectedExtension { extension: said }
        | Self::UnexpectedSubprotocol { subprotocol: said } = &mut self
        {
            *said = redacted(said.as_bytes(), secrets);
        }
        self
    }

    /// The status with which the server refused, if it did.
    pub fn status(&self) -> Option<StatusCode> {
        if let Self::Refused(refusal) = self { Some(refusal.status) } else { None }
    }

    /// Whether to try again, and when.
    ///
    /// A server that is in trouble, overloaded, or lost by its gateway is tried again, not before the time that it
    /// names; so is one that did not answer. If the server said no, or speaks something else, the same request would
    /// fail in the same way.
    pub fn retry(&self) -> Retry {
        match self {
            Self::Refused(refusal) => retry_status(refusal.status.as_u16()).not_before(refusal.retry_after),
            Self::Closed { end: End::LocalAbort, .. } => Retry::No(Why::Asked),
            Self::Closed { .. } | Self::TimedOut { .. } => Retry::Backoff,
            Self::NotHttp { .. }
            | Self::Malformed { .. }
            | Self::TooLarge { .. }
            | Self::TooManyHeaders { .. }
            | Self::OldHttp
            | Self::NotWebSocket { .. }
            | Self::NoConnectionUpgrade
            | Self::WrongAccept { .. }
            | Self::UnexpectedExtension { .. }
            | Self::UnexpectedSubprotocol { .. } => Retry::No(Why::Invalid),
        }
    }
}

/// An HTTP answer other than an upgrade.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Refusal {
    /// Its status.
    pub status: StatusCode,
    /// Its headers.
    pub headers: HeaderMap,
    /// The first 256 bytes of its body, without chunk sizes; our credentials in it are overwritten with `*`.
    pub body: Bytes,
    /// How long the server asks to wait (`Retry-After`, in seconds or as a date beside a `Date`).
    pub retry_after: Option<Duration>,
    /// Whether the request carried an `Authorization`.
    pub had_credentials: bool,
    pub(super) shown: Shown,
}

/// The headers as shown in a sentence: without secrets, which a server may have sent back there too.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Shown {
    location: Option<String>,
    media_type: String,
}

impl Shown {
    pub(super) fn of(status: StatusCode, headers: &HeaderMap, secrets: &[Vec<u8>]) -> Self {
        // A query or a fragment may contain a token.
        let place = |location: &str| {
            let end = location.find(['?', '#']).unwrap_or(location.len());
            let rest = if location[end..].starts_with('?') { "?..." } else { "" };
            text(redacted(&location.as_bytes()[..end], secrets).as_bytes()) + rest
        };
        let media_type =
            headers.get(CONTENT_TYPE).and_then(|value| value.as_bytes().split(|b| *b == b';').next());
        let media_type = redacted(media_type.unwrap_or_default(), secrets);
        Self { location: location(status, headers).map(place), media_type: text(media_type.as_bytes()) }
    }
}

/// The target of a redirect.
fn location(status: StatusCode, headers: &HeaderMap) -> Option<&str> {
    let is_redirect = matches!(status.as_u16(), 301 | 302 | 303 | 307 | 308);
    headers.get(LOCATION).filter(|_| is_redirect)?.to_str().ok()
}

impl Refusal {
    /// Where the server says the WebSocket is (`Location`), if this is a redirect.
    ///
    /// It may be relative, and may use the scheme `http` or `https`. It is never followed automatically, because it
    /// could lead the credentials to another server.
    pub fn location(&self) -> Option<&str> {
        location(self.status, &self.headers)
    }

    /// `404 Not Found`, or only the number if it has no name.
    fn name(&self) -> String {
        let reason = self.status.canonical_reason().map(|reason| format!(" {reason}"));
        format!("{}{}", self.status.as_str(), reason.unwrap_or_default())
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = self.name();
        let Shown { location, media_type } = &self.shown;
        if let Some(location) = location {
            return write!(f, "the server redirects to \"{location}\" ({name})");
        }
        match self.status.as_u16() {
            401 if self.had_credentials => write!(f, "the server does not accept the credentials ({name})")?,
            401 => write!(f, "the server wants credentials, and none were given ({name})")?,
            403 if self.had_credentials => {
                write!(f, "the server forbids access with these credentials, or from this origin ({name})")?;
            }
            403 => write!(f, "the server forbids access without credentials, or from this origin ({name})")?,
            429 => write!(f, "the server gets too many requests from here ({name})")?,
            503 => write!(f, "the server is overloaded or down for maintenance ({name})")?,
            _ => {
                write!(f, "the server answered {name}")?;
                if !media_type.is_empty() {
                    write!(f, " ({media_type})")?;
                }
                f.write_str(" instead of a WebSocket upgrade")?;
            }
        }
        if let Some(wait) = self.retry_after {
            write!(f, " and asks us to wait {}", Span(wait))?;
        }
        let body = text(&self.body);
        if body.is_empty() { Ok(()) } else { write!(f, ": \"{body}\"") }
    }
}

impl std::error::Error for Refusal {}

impl fmt::Debug for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Refusal")
            .field("status", &self.status)
            .field("headers", &self.headers.len())
            .field("body", &self.body.len())
            .field("retry_after", &self.retry_after)
            .field("had_credentials", &self.had_credentials)
            .finish_non_exhaustive()
    }
}
