//! A server's answers.

use http::header::{
    ALLOW, CONNECTION, CONTENT_LENGTH, CONTENT_TYPE, HeaderName, HeaderValue, SEC_WEBSOCKET_ACCEPT,
    SEC_WEBSOCKET_PROTOCOL, SEC_WEBSOCKET_VERSION, TRANSFER_ENCODING, UPGRADE,
};
use http::{HeaderMap, StatusCode};
use thiserror::Error;

use super::Error as Refused;
use crate::headers::{HeaderError, own_header, write_headers};

const PLAIN: &str = "text/plain; charset=utf-8";

/// The answer that opens the WebSocket: its subprotocol, and the application's own headers.
///
/// ```
/// use bowline_handshake::server::Accept;
///
/// let accept = Accept::new().with_subprotocol("chat.v2").with_header("set-cookie", "seen=1")?;
/// # Ok::<(), bowline_handshake::server::AnswerError>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Accept {
    pub(super) subprotocol: Option<String>,
    headers: HeaderMap,
}

impl Accept {
    /// An answer without a subprotocol or further headers.
    pub fn new() -> Self {
        Self::default()
    }

    /// Chooses this subprotocol. The client must have offered it.
    #[must_use]
    pub fn with_subprotocol(mut self, name: impl Into<String>) -> Self {
        self.subprotocol = Some(name.into());
        self
    }

    /// Adds one of the application's own headers.
    ///
    /// # Errors
    /// If the name or the value is not allowed in HTTP, or if the handshake writes this header itself.
    pub fn with_header<N, V>(mut self, name: N, value: V) -> Result<Self, AnswerError>
    where
        N: TryInto<HeaderName>,
        V: TryInto<HeaderValue>,
    {
        let (name, value) = own_header(name, value)?;
        self.headers.append(name, value);
        Ok(self)
    }

    /// RFC 6455 §4.2.2: a server must not choose what was not offered.
    pub(super) fn check(&self, offered: &[String]) -> Result<(), AnswerError> {
        match &self.subprotocol {
            Some(subprotocol) if !offered.contains(subprotocol) => {
                Err(AnswerError::NotOffered { subprotocol: subprotocol.clone() })
            }
            _ => Ok(()),
        }
    }

    /// The answer as a value (RFC 6455 §4.2.2, 5).
    pub(super) fn response(&self, accept_key: &str) -> http::Response<()> {
        let mut response = http::Response::new(());
        *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
        let headers = response.headers_mut();
        headers.insert(UPGRADE, HeaderValue::from_static("websocket"));
        headers.insert(CONNECTION, HeaderValue::from_static("Upgrade"));
        let subprotocol = self.subprotocol.as_deref().map(|name| (SEC_WEBSOCKET_PROTOCOL, name));
        for (name, value) in [(SEC_WEBSOCKET_ACCEPT, accept_key)].into_iter().chain(subprotocol) {
            // Base64, and a token that the client offered: both are always valid values.
            headers.extend(HeaderValue::from_str(value).ok().map(|value| (name, value)));
        }
        headers.extend(self.headers.clone());
        response
    }

    /// The bytes of the answer.
    pub(super) fn encode(&self, accept_key: &str) -> Vec<u8> {
        let mut out = status_line(StatusCode::SWITCHING_PROTOCOLS);
        out.extend_from_slice(b"Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ");
        out.extend_from_slice(accept_key.as_bytes());
        if let Some(subprotocol) = &self.subprotocol {
            out.extend_from_slice(b"\r\nSec-WebSocket-Protocol: ");
            out.extend_from_slice(subprotocol.as_bytes());
        }
        out.extend_from_slice(b"\r\n");
        write_headers(&mut out, &self.headers);
        out.extend_from_slice(b"\r\n");
        out
    }
}

/// Why a command was not carried out.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum AnswerError {
    /// No request waits for an answer: none has arrived, it was answered, or the client has gone.
    #[error("no request is waiting for an answer")]
    NoRequest,
    /// RFC 6455 §4.2.2: a server must not choose what was not offered.
    #[error("the client did not offer subprotocol `{subprotocol}`")]
    NotOffered {
        /// The subprotocol that was not offered.
        subprotocol: String,
    },
    /// A rejection must be a redirect or an error.
    #[error("a request cannot be rejected with {status}, only with 300 to 599")]
    Status {
        /// The status that is neither.
        status: StatusCode,
    },
    /// A header that cannot be added.
    #[error(transparent)]
    Header(#[from] HeaderError),
}

/// The subprotocol to use: the first in the server's order of preference that the client offers.
///
/// ```
/// use bowline_handshake::server::negotiate;
///
/// let offered = ["chat.v1".to_owned(), "chat.v2".to_owned()];
/// assert_eq!(negotiate(&["chat.v3", "chat.v2", "chat.v1"], &offered), Some("chat.v2"));
/// assert_eq!(negotiate(&["Chat.v1"], &offered), None); // case matters
/// ```
pub fn negotiate<'a>(preferred: &[&'a str], offered: &[String]) -> Option<&'a str> {
    preferred.iter().copied().find(|name| offered.iter().any(|offer| offer == name))
}

/// The bytes of an answer with which the application rejects a request.
pub(super) fn rejection<B: AsRef<[u8]>>(response: &http::Response<B>) -> Vec<u8> {
    let mut headers = response.headers().clone();
    headers.remove(TRANSFER_ENCODING);
    refusal(response.status(), headers, response.body().as_ref())
}

/// The bytes of the answer to an unacceptable request that begins like this; empty if there can be no answer.
pub(super) fn automatic(error: &Refused, request: &[u8]) -> Vec<u8> {
    let Some((status, headers)) = automatic_head(error) else { return Vec::new() };
    let body = format!("{error}\n");
    let mut answer = refusal(status, headers, body.as_bytes());
    // RFC 9110 §9.3.2: no body, but the head of an answer with one.
    if request.starts_with(b"HEAD ") {
        answer.truncate(answer.len() - body.len());
    }
    answer
}

/// Status and headers of that answer.
pub(super) fn automatic_head(error: &Refused) -> Option<(StatusCode, HeaderMap)> {
    let status = error.status()?;
    let mut headers = HeaderMap::new();
    if status == StatusCode::METHOD_NOT_ALLOWED {
        headers.insert(ALLOW, HeaderValue::from_static("GET"));
    }
    if status == StatusCode::UPGRADE_REQUIRED {
        // RFC 9110 §15.5.22: it must name the protocol; RFC 6455 §4.2.2: and the supported versions.
        headers.insert(UPGRADE, HeaderValue::from_static("websocket"));
        headers.insert(CONNECTION, HeaderValue::from_static("Upgrade"));
        headers.insert(SEC_WEBSOCKET_VERSION, HeaderValue::from_static("13"));
    }
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(PLAIN));
    Some((status, headers))
}

/// An answer after which the connection ends.
fn refusal(status: StatusCode, mut headers: HeaderMap, body: &[u8]) -> Vec<u8> {
    // RFC 9110 §7.8: a sender of `Upgrade` must list it in `Connection`.
    let upgrade = headers.contains_key(UPGRADE);
    headers.insert(CONNECTION, HeaderValue::from_static(if upgrade { "close, Upgrade" } else { "close" }));
    // RFC 9110 §15.4.5: a 304 has no body.
    let body = if status == StatusCode::NOT_MODIFIED { &[] } else { body };
    headers.insert(CONTENT_LENGTH, HeaderValue::from(body.len()));
    if !body.is_empty() && !headers.contains_key(CONTENT_TYPE) {
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(PLAIN));
    }
    let mut out = status_line(status);
    write_headers(&mut out, &headers);
    out.extend_from_slice(b"\r\n");
    out.extend_from_slice(body);
    out
}

fn status_line(status: StatusCode) -> Vec<u8> {
    // RFC 9112 §4: the reason may be empty, but the space before it stays.
    format!("HTTP/1.1 {} {}\r\n", status.as_str(), status.canonical_reason().unwrap_or_default()).into_bytes()
}
