//! Checks whether an answer is the requested upgrade (RFC 6455 §4.1, "the client MUST validate").

use http::header::{
    CONNECTION, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_EXTENSIONS, SEC_WEBSOCKET_PROTOCOL, UPGRADE,
};
use http::{HeaderMap, StatusCode};
use tungstenite::error::{CapacityError, Error as Tungstenite, ProtocolError};
use tungstenite::handshake::client::Response;
use tungstenite::handshake::machine::TryParse;

use super::Error;
use crate::head::PARSER_HEADERS;
use crate::headers::{elements, hide_secrets, single};

/// The head of an answer.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    /// Whether it is HTTP/1.0.
    old_http: bool,
}

impl Answer {
    /// Parses a complete head.
    pub(crate) fn parse(head: &[u8]) -> Result<Self, Error> {
        // The parser refuses HTTP/1.0, which simple servers still use to say that they do not know a path.
        let old_http = head.starts_with(b"HTTP/1.0");
        let newer = old_http.then(|| [b"HTTP/1.1", &head[8..]].concat());
        let head = newer.as_deref().unwrap_or(head);
        match Response::try_parse(head) {
            Ok(Some((length, response))) if length == head.len() => {
                let (parts, _) = response.into_parts();
                let mut headers = parts.headers;
                hide_secrets(&mut headers);
                Ok(Self { status: parts.status, headers, old_http })
            }
            Ok(_) => Err(Error::Malformed { reason: "its head does not end at its blank line".to_owned() }),
            Err(Tungstenite::Capacity(CapacityError::TooManyHeaders)) => {
                Err(Error::TooManyHeaders { limit: PARSER_HEADERS })
            }
            Err(Tungstenite::Protocol(ProtocolError::HttparseError(error))) => {
                Err(Error::Malformed { reason: error.to_string() })
            }
            Err(error) => Err(Error::Malformed { reason: error.to_string() }),
        }
    }

    /// Checks a `101`; returns the subprotocol that it chose.
    pub(super) fn check(&self, accept_key: &str, offered: &[String]) -> Result<Option<String>, Error> {
        if self.old_http {
            return Err(Error::OldHttp);
        }
        // RFC 6455 §4.1, server's answer 2: `Upgrade` is `websocket`, in any case.
        let mut upgrades = elements(&self.headers, UPGRADE);
        let upgrade = upgrades.next().unwrap_or_default();
        if !upgrade.eq_ignore_ascii_case(b"websocket") || upgrades.next().is_some() {
            return Err(Error::NotWebSocket { upgrade: joined(&self.headers, UPGRADE) });
        }
        // 3: `Connection` contains the token `Upgrade`, in any case, possibly among others.
        if !elements(&self.headers, CONNECTION).any(|token| token.eq_ignore_ascii_case(b"upgrade")) {
            return Err(Error::NoConnectionUpgrade);
        }
        // 4: `Sec-WebSocket-Accept` is the digest of our key; §11.3.3: and occurs once.
        match single(&self.headers, SEC_WEBSOCKET_ACCEPT) {
            Some(accept) if accept == accept_key.as_bytes() => {}
            accept => return Err(Error::WrongAccept { missing: accept.is_none() }),
        }
        // 5: no extension that was not offered, and none is offered; §9.1: an empty list is malformed.
        if self.headers.contains_key(SEC_WEBSOCKET_EXTENSIONS) {
            return Err(Error::UnexpectedExtension {
                extension: joined(&self.headers, SEC_WEBSOCKET_EXTENSIONS),
            });
        }
        // 6: no subprotocol that was not offered; §11.3.4: and at most one.
        if !self.headers.contains_key(SEC_WEBSOCKET_PROTOCOL) {
            return Ok(None);
        }
        let chosen = single(&self.headers, SEC_WEBSOCKET_PROTOCOL).unwrap_or_default();
        match offered.iter().find(|name| name.as_bytes() == chosen) {
            Some(name) => Ok(Some(name.clone())),
            None => Err(Error::UnexpectedSubprotocol {
                subprotocol: joined(&self.headers, SEC_WEBSOCKET_PROTOCOL),
            }),
        }
    }

    pub(super) fn into_response(self) -> http::Response<()> {
        let mut response = http::Response::new(());
        *response.status_mut() = self.status;
        *response.headers_mut() = self.headers;
        response
    }
}

/// All values of a header as one list.
fn joined(headers: &HeaderMap, name: http::HeaderName) -> String {
    let values: Vec<_> = elements(headers, name).map(String::from_utf8_lossy).collect();
    values.join(", ")
}
