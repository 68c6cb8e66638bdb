//! Checks whether a request is a valid WebSocket request (RFC 6455 §4.2.1).

use http::header::{
    AUTHORIZATION, CONNECTION, CONTENT_LENGTH, HOST, SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_PROTOCOL,
    SEC_WEBSOCKET_VERSION, TRANSFER_ENCODING, UPGRADE,
};
use http::uri::Authority;
use tungstenite::error::{CapacityError, Error as Tungstenite, ProtocolError};
use tungstenite::handshake::derive_accept_key;
use tungstenite::handshake::machine::TryParse;

use super::{Error, extensions};
use crate::head::PARSER_HEADERS;
use crate::headers::{elements, hide_secrets, is_token, single};

/// A request that may be accepted.
#[derive(Debug)]
pub(super) struct Asked {
    pub(super) request: http::Request<()>,
    /// The offered subprotocols, the most preferred first.
    pub(super) subprotocols: Vec<String>,
    /// The value for `Sec-WebSocket-Accept`.
    pub(super) accept_key: String,
}

/// Parses a complete head, and checks it.
pub(super) fn parse(head: &[u8]) -> Result<Asked, Error> {
    match http::Request::try_parse(head) {
        Ok(Some((length, request))) if length == head.len() => check(request),
        Ok(_) => Err(Error::Malformed { reason: "its head does not end at its blank line".to_owned() }),
        Err(Tungstenite::Protocol(ProtocolError::WrongHttpMethod)) => {
            let method = head.split(|byte| *byte == b' ').next().unwrap_or_default();
            Err(Error::Method { method: String::from_utf8_lossy(method).into_owned() })
        }
        Err(Tungstenite::Protocol(ProtocolError::WrongHttpVersion)) => Err(Error::OldHttp),
        Err(Tungstenite::Capacity(CapacityError::TooManyHeaders)) => {
            Err(Error::TooManyHeaders { limit: PARSER_HEADERS })
        }
        Err(Tungstenite::Protocol(ProtocolError::HttparseError(error))) => {
            Err(Error::Malformed { reason: error.to_string() })
        }
        Err(error) => Err(Error::Malformed { reason: error.to_string() }),
    }
}

/// Checks a request whose method is GET, in HTTP/1.1 or later.
pub(super) fn check(mut request: http::Request<()>) -> Result<Asked, Error> {
    hide_secrets(request.headers_mut());
    let headers = request.headers();
    // RFC 6455 §4.2.1, 1: the target is a path, or a URL with one.
    let uri = request.uri();
    let absolute = matches!(uri.scheme_str(), Some("http" | "https" | "ws" | "wss"));
    if !uri.path().starts_with('/') || (uri.authority().is_some() && !absolute) {
        return Err(Error::Target);
    }
    // 2: `Host` contains the server's authority. RFC 9112 §3.2: exactly one.
    if !single(headers, HOST).is_some_and(is_host) {
        return Err(Error::Host);
    }
    // A body would be parsed as frames: that is how requests are smuggled past a proxy.
    let no_body = elements(headers, CONTENT_LENGTH).all(|length| length == b"0");
    if !no_body || headers.contains_key(TRANSFER_ENCODING) {
        return Err(Error::Body);
    }
    // 3: `Upgrade` contains `websocket`, in any case.
    if !elements(headers, UPGRADE).any(|protocol| protocol.eq_ignore_ascii_case(b"websocket")) {
        return Err(Error::NoUpgrade);
    }
    // 4: `Connection` contains the token `Upgrade`, in any case.
    if !elements(headers, CONNECTION).any(|token| token.eq_ignore_ascii_case(b"upgrade")) {
        return Err(Error::NoConnectionUpgrade);
    }
    // 6: the version is 13; §11.3.5: it occurs once.
    if single(headers, SEC_WEBSOCKET_VERSION) != Some(b"13") {
        let versions: Vec<_> =
            elements(headers, SEC_WEBSOCKET_VERSION).map(String::from_utf8_lossy).collect();
        return Err(Error::Version { version: versions.join(", ") });
    }
    // 5: the key is 16 bytes in base64; §11.3.1: it occurs once.
    let key = single(headers, SEC_WEBSOCKET_KEY).filter(|key| is_key(key)).ok_or(Error::Key)?;
    let accept_key = derive_accept_key(key);
    // 8: subprotocols, in order of preference; §4.3: at least one.
    let mut subprotocols: Vec<String> = Vec::new();
    for name in elements(headers, SEC_WEBSOCKET_PROTOCOL) {
        let name = std::str::from_utf8(name).ok().filter(|name| is_token(name.as_bytes()));
        let name = name.ok_or(Error::Subprotocols)?;
        if !subprotocols.iter().any(|known| known == name) {
            subprotocols.push(name.to_owned());
        }
    }
    if subprotocols.is_empty() && headers.contains_key(SEC_WEBSOCKET_PROTOCOL) {
        return Err(Error::Subprotocols);
    }
    // 9: extensions. None is accepted, but a malformed list is refused (§9.1).
    if !extensions::is_well_formed(headers) {
        return Err(Error::Extensions);
    }
    // 10: credentials. RFC 9110 §5.3: a header that is not a list occurs once; of two, a proxy may have checked the
    // other.
    if headers.get_all(AUTHORIZATION).iter().count() > 1 {
        return Err(Error::Authorization);
    }
    Ok(Asked { request, subprotocols, accept_key })
}

/// Whether this is a host, possibly with a port: an authority without a user.
fn is_host(host: &[u8]) -> bool {
    !host.contains(&b'@') && Authority::try_from(host).is_ok()
}

/// Whether this is base64 of 16 bytes. Surplus bits in the last digit do not matter.
fn is_key(key: &[u8]) -> bool {
    let digit = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/');
    key.len() == 24 && key.ends_with(b"==") && key[..22].iter().all(digit)
}
