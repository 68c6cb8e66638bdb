//! The list of extensions that a client offers. None is ever accepted, but the list must be valid.

use http::HeaderMap;
use http::header::SEC_WEBSOCKET_EXTENSIONS;

use crate::headers::{elements, is_token};

/// Whether the header is absent, or a valid list of extensions with parameters (RFC 6455 §9.1).
pub(super) fn is_well_formed(headers: &HeaderMap) -> bool {
    let mut extensions = elements(headers, SEC_WEBSOCKET_EXTENSIONS).peekable();
    let is_empty = extensions.peek().is_none() && headers.contains_key(SEC_WEBSOCKET_EXTENSIONS);
    !is_empty && extensions.all(is_extension)
}

fn is_extension(bytes: &[u8]) -> bool {
    let mut parts = bytes.split(|byte| *byte == b';').map(<[u8]>::trim_ascii);
    parts.next().is_some_and(is_token) && parts.all(is_parameter)
}

fn is_parameter(bytes: &[u8]) -> bool {
    match bytes.iter().position(|byte| *byte == b'=') {
        Some(at) => is_token(bytes[..at].trim_ascii()) && is_value(bytes[at + 1..].trim_ascii()),
        None => is_token(bytes),
    }
}

/// Whether this is a token, possibly in quotes. Quoted tokens contain no comma or semicolon, so splitting need not care
/// about quotes.
fn is_value(bytes: &[u8]) -> bool {
    let quoted = bytes.strip_prefix(b"\"").and_then(|rest| rest.strip_suffix(b"\""));
    quoted.map_or_else(|| is_token(bytes), |text| is_token(&unescaped(text)))
}

/// The contents of a quoted text, without the backslashes that escape the next byte.
fn unescaped(text: &[u8]) -> Vec<u8> {
    let mut bytes = text.iter().copied();
    std::iter::from_fn(|| match bytes.next()? {
        b'\\' => Some(bytes.next().unwrap_or(b'\\')),
        byte => Some(byte),
    })
    .collect()
}
