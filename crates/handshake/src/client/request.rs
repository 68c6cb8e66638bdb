//! A client's request.

use std::fmt;

use data_encoding::BASE64;
use http::HeaderMap;
use http::header::{AUTHORIZATION, COOKIE, HeaderName, HeaderValue, PROXY_AUTHORIZATION};
use thiserror::Error;

use super::url::{Url, decode};
use crate::excerpt::SHORTEST_SECRET;
use crate::headers::{HeaderError, is_token, own_header, write_headers};

/// A request for a WebSocket: its URL, subprotocols, and the application's own headers.
///
/// ```
/// use bowline_handshake::client::Request;
///
/// let request = Request::new("wss://ann:secret@example.org/chat?room=7")?
///     .with_subprotocol("chat.v2")?
///     .with_subprotocol("chat.v1")?
///     .with_header("origin", "https://example.org")?;
/// assert_eq!((request.host(), request.port(), request.is_secure()), ("example.org", 443, true));
/// assert_eq!(request.target(), "/chat?room=7");
///
/// // Secrets stay out of logs: the password, the query, the values of headers.
/// let debug = format!("{request:?}");
/// assert!(!debug.contains("secret") && !debug.contains("room=7"));
/// # Ok::<(), bowline_handshake::client::RequestError>(())
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct Request {
    secure: bool,
    host: String,
    port: u16,
    target: String,
    subprotocols: Vec<String>,
    headers: HeaderMap,
}

impl Request {
    /// A request for a `ws://` or `wss://` URL.
    ///
    /// A user and a password in the URL become an `Authorization: Basic` header (RFC 7617). In path and query,
    /// characters that RFC 3986 does not allow are percent-encoded. A host name beyond ASCII must be given in its
    /// `xn--` form.
    ///
    /// # Errors
    /// What is wrong with the URL.
    pub fn new(url: &str) -> Result<Self, RequestError> {
        let Url { secure, host, port, target, userinfo } = Url::parse(url)?;
        let request =
            Self { secure, host, port, target, subprotocols: Vec::new(), headers: HeaderMap::new() };
        match userinfo {
            None => Ok(request),
            Some(userinfo) => {
                request.with_header(AUTHORIZATION, format!("Basic {}", BASE64.encode(&userinfo)))
            }
        }
    }

    /// Adds a header of the application's own: `Origin`, `Authorization`, `Cookie`, `User-Agent` and the like.
    ///
    /// # Errors
    /// If the name or the value is not allowed in HTTP, if the handshake writes this header itself, or if there are
    /// credentials already.
    pub fn with_header<N, V>(mut self, name: N, value: V) -> Result<Self, RequestError>
    where
        N: TryInto<HeaderName>,
        V: TryInto<HeaderValue>,
    {
        let (name, value) = own_header(name, value)?;
        if name == AUTHORIZATION && self.headers.contains_key(&name) {
            return Err(RequestError::Credentials);
        }
        self.headers.append(name, value);
        Ok(self)
    }

    /// Sends this token as `Authorization: Bearer` (RFC 6750), replacing any credentials.
    ///
    /// # Errors
    /// If it is not allowed in a header.
    pub fn with_bearer(mut self, token: &str) -> Result<Self, RequestError> {
        self.headers.remove(AUTHORIZATION);
        self.with_header(AUTHORIZATION, format!("Bearer {token}"))
    }

    /// Offers a subprotocol, with lower preference than those offered before (RFC 6455 §1.9).
    ///
    /// # Errors
    /// If the name is not a token, or was already offered.
    pub fn with_subprotocol(mut self, name: &str) -> Result<Self, RequestError> {
        // RFC 6455 §4.1, 10: tokens, each only once.
        if !is_token(name.as_bytes()) || self.subprotocols.iter().any(|offered| offered == name) {
            return Err(RequestError::Subprotocol { name: crate::excerpt::text(name.as_bytes()) });
        }
        self.subprotocols.push(name.to_owned());
        Ok(self)
    }

    /// Whether the URL requires TLS (`wss://`).
    pub fn is_secure(&self) -> bool {
        self.secure
    }

    /// The host to connect to: a name, an IPv4 address, or an IPv6 address without brackets.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The port to connect to.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Path and query.
    pub fn target(&self) -> &str {
        &self.target
    }

    /// The offered subprotocols, the most preferred first.
    pub fn subprotocols(&self) -> &[String] {
        &self.subprotocols
    }

    /// The added headers.
    pub fn headers(&self) -> &HeaderMap {
        &self.headers
    }

    /// The bytes of the request (RFC 6455 §4.1).
    ///
    /// Written here rather than by tungstenite, which logs each request including its credentials.
    pub(super) fn encode(&self, key: &str) -> Vec<u8> {
        let mut out = format!("GET {} HTTP/1.1\r\nHost: ", self.target).into_bytes();
        out.extend_from_slice(self.authority().as_bytes());
        out.extend_from_slice(b"\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: ");
        out.extend_from_slice(key.as_bytes());
        out.extend_from_slice(b"\r\nSec-WebSocket-Version: 13\r\n");
        if !self.subprotocols.is_empty() {
            out.extend_from_slice(b"Sec-WebSocket-Protocol: ");
            out.extend_from_slice(self.subprotocols.join(", ").as_bytes());
            out.extend_from_slice(b"\r\n");
        }
        write_headers(&mut out, &self.headers);
        out.extend_from_slice(b"\r\n");
        out
    }

    /// What no error may show, even if the server sends it back: credentials, cookies, values that the application
    /// marked as sensitive, and the query. A server may send them back decoded.
    pub(super) fn secrets(&self) -> Vec<Vec<u8>> {
        let query = self.target.split_once('?').map_or("", |(_, query)| query);
        let mut secrets: Vec<Vec<u8>> = Vec::new();
        for value in query.split('&').map(|pair| pair.split_once('=').map_or(pair, |(_, value)| value)) {
            secrets.push(value.trim_ascii().into());
            secrets.extend(decode(value));
        }
        for (name, value) in self.headers.iter().filter(|(_, value)| value.is_sensitive()) {
            match (name, value.as_bytes()) {
                (&COOKIE, cookies) => {
                    secrets.extend(cookies.split(|byte| *byte == b';').map(|pair| behind(b'=', pair).into()));
                }
                // The scheme, `Bearer`, is not secret.
                (&AUTHORIZATION | &PROXY_AUTHORIZATION, credentials) => {
                    let credentials = behind(b' ', credentials);
                    secrets.push(credentials.into());
                    // RFC 7617 §2: user and password. A user alone is not secret.
                    let userinfo = BASE64.decode(credentials).unwrap_or_default();
                    let password = behind(b':', &userinfo);
                    if !password.is_empty() && password.len() < userinfo.len() {
                        secrets.extend([password.into(), userinfo]);
                    }
                }
                (_, value) => secrets.push(value.into()),
            }
        }
        secrets.retain(|secret| secret.len() >= SHORTEST_SECRET);
        secrets
    }

    /// RFC 6455 §4.1, 4: the port only if it is not the default of the scheme.
    fn authority(&self) -> String {
        let host = if self.host.contains(':') { format!("[{}]", self.host) } else { self.host.clone() };
        match (self.secure, self.port) {
            (false, 80) | (true, 443) => host,
            (_, port) => format!("{host}:{port}"),
        }
    }
}

/// What follows the first `separator`, or everything if there is none.
fn behind(separator: u8, bytes: &[u8]) -> &[u8] {
    let start = bytes.iter().position(|byte| *byte == separator).map_or(0, |position| position + 1);
    bytes[start..].trim_ascii()
}

impl fmt::Debug for Request {
    /// Leaves out the query and the values of headers: they may contain tokens.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = if self.secure { "wss" } else { "ws" };
        let (path, query) =
            self.target.split_once('?').map_or((&*self.target, ""), |(path, _)| (path, "?..."));
        f.debug_struct("Request")
            .field("url", &format_args!("{scheme}://{}{path}{query}", self.authority()))
            .field("subprotocols", &self.subprotocols)
            .field("headers", &self.headers.keys().map(HeaderName::as_str).collect::<Vec<_>>())
            .finish_non_exhaustive()
    }
}

/// Why a request is not valid.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum RequestError {
    /// The URL has no `://`, or no valid scheme before it.
    #[error("the URL has no scheme; a WebSocket's starts with ws:// or wss://")]
    NoScheme,
    /// The URL has another scheme.
    #[error("the URL's scheme is `{scheme}`; a WebSocket's is `ws` or `wss`")]
    Scheme {
        /// As given.
        scheme: String,
    },
    /// The URL names no host.
    #[error("the URL names no host")]
    NoHost,
    /// The host is neither an ASCII name nor an address.
    #[error(
        "`{host}` is not a host: write an ASCII name (`xn--` for others), or an IPv6 address in brackets"
    )]
    Host {
        /// The host as given.
        host: String,
    },
    /// The port is not a number from 1 to 65535.
    #[error("the URL's port is not a number from 1 to 65535")]
    Port,
    /// The URL has a `#`, which RFC 6455 §3 forbids.
    #[error("the URL has a fragment (`#`); write %23 if the path means that character")]
    Fragment,
    /// The user or the password is not properly percent-encoded, or contains a character that HTTP Basic cannot carry.
    #[error("the URL's user and password cannot be sent as HTTP Basic credentials")]
    Userinfo,
    /// Path or query contain a control character.
    #[error("the URL contains a control character")]
    Control,
    /// A header that cannot be added.
    #[error(transparent)]
    Header(#[from] HeaderError),
    /// Two `Authorization` headers, or one in addition to a user in the URL.
    #[error("credentials are given twice")]
    Credentials,
    /// Not a token, or already offered.
    #[error("subprotocol `{name}` is not a token, or is offered twice")]
    Subprotocol {
        /// As given.
        name: String,
    },
}
