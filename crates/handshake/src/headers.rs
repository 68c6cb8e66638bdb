//! Header values as defined by RFC 9110 §5.6, and header lines as we write them.

use http::header::{
    AUTHORIZATION, CONNECTION, CONTENT_LENGTH, COOKIE, EXPECT, HOST, HeaderName, PROXY_AUTHORIZATION,
    SET_COOKIE, TE, TRAILER, TRANSFER_ENCODING, UPGRADE,
};
use http::{HeaderMap, HeaderValue};
use thiserror::Error;

/// Whether a token may contain this byte (RFC 9110 §5.6.2).
pub(crate) fn is_tchar(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

/// Whether these bytes are one token.
pub(crate) fn is_token(bytes: &[u8]) -> bool {
    !bytes.is_empty() && bytes.iter().copied().all(is_tchar)
}

/// The elements of a comma-separated list, over all lines with that name, without empty elements (RFC 9110 §5.6.1).
pub(crate) fn elements(headers: &HeaderMap, name: HeaderName) -> impl Iterator<Item = &[u8]> {
    let lines = headers.get_all(name).into_iter();
    let split = lines.flat_map(|line| line.as_bytes().split(|byte| *byte == b','));
    split.map(<[u8]>::trim_ascii).filter(|element| !element.is_empty())
}

/// The value of a header that must occur once: `None` if it is absent or repeated.
pub(crate) fn single(headers: &HeaderMap, name: HeaderName) -> Option<&[u8]> {
    let mut lines = headers.get_all(name).into_iter();
    lines.next().filter(|_| lines.next().is_none()).map(|line| line.as_bytes().trim_ascii())
}

/// Why the application cannot add a header.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum HeaderError {
    /// Not a header name.
    #[error("this is not a header name")]
    Name,
    /// The value contains something that a header cannot carry. It is not shown, since it may be secret.
    #[error("the value of header `{name}` contains a character that HTTP cannot carry")]
    Value {
        /// The name of the header.
        name: HeaderName,
    },
    /// The handshake writes this header itself.
    #[error("header `{name}` belongs to the handshake")]
    Owned {
        /// The name of the header.
        name: HeaderName,
    },
}

/// One of the application's own headers. Its value is marked if it must not be printed.
pub(crate) fn own_header<N, V>(name: N, value: V) -> Result<(HeaderName, HeaderValue), HeaderError>
where
    N: TryInto<HeaderName>,
    V: TryInto<HeaderValue>,
{
    let name = name.try_into().map_err(|_| HeaderError::Name)?;
    let mut value = value.try_into().map_err(|_| HeaderError::Value { name: name.clone() })?;
    if is_owned(&name) {
        return Err(HeaderError::Owned { name });
    }
    value.set_sensitive(value.is_sensitive() || is_secret(&name));
    Ok((name, value))
}

/// Whether only this crate may write this header into a request or an upgrade response.
fn is_owned(name: &HeaderName) -> bool {
    const OWNED: [HeaderName; 8] =
        [HOST, CONNECTION, UPGRADE, CONTENT_LENGTH, TRANSFER_ENCODING, EXPECT, TE, TRAILER];
    OWNED.contains(name) || name.as_str().starts_with("sec-websocket-")
}

/// Marks the values that must not be printed, so that `Debug` of the map hides them.
pub(crate) fn hide_secrets(headers: &mut HeaderMap) {
    for (_, value) in headers.iter_mut().filter(|(name, _)| is_secret(name)) {
        value.set_sensitive(true);
    }
}

fn is_secret(name: &HeaderName) -> bool {
    [AUTHORIZATION, PROXY_AUTHORIZATION, COOKIE, SET_COOKIE].contains(name)
}

/// Appends header lines. Names are written in their usual form, such as `Sec-WebSocket-Key`: HTTP ignores case, but
/// some peers do not.
pub(crate) fn write_headers(out: &mut Vec<u8>, headers: &HeaderMap) {
    for (name, value) in headers {
        for (index, word) in name.as_str().split('-').enumerate() {
            if index > 0 {
                out.push(b'-');
            }
            let start = out.len();
            out.extend_from_slice(if word == "websocket" { b"WebSocket" } else { word.as_bytes() });
            if let Some(first) = out.get_mut(start) {
                first.make_ascii_uppercase();
            }
        }
        out.extend_from_slice(b": ");
        out.extend_from_slice(value.as_bytes());
        out.extend_from_slice(b"\r\n");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_is_read_across_all_lines_without_empty_elements() {
        let mut headers = HeaderMap::new();
        headers.append(CONNECTION, HeaderValue::from_static("keep-alive , ,Upgrade"));
        headers.append(CONNECTION, HeaderValue::from_static("\tclose,"));
        let found: Vec<_> = elements(&headers, CONNECTION).collect();
        assert_eq!(found, [&b"keep-alive"[..], b"Upgrade", b"close"]);
    }

    #[test]
    fn a_repeated_header_has_no_single_value() {
        let mut headers = HeaderMap::new();
        assert_eq!(single(&headers, HOST), None);
        headers.append(HOST, HeaderValue::from_static("a "));
        assert_eq!(single(&headers, HOST), Some(&b"a"[..]));
        headers.append(HOST, HeaderValue::from_static("a"));
        assert_eq!(single(&headers, HOST), None);
    }

    #[test]
    fn header_names_are_written_in_their_usual_case() {
        let mut headers = HeaderMap::new();
        headers.append("sec-websocket-key", HeaderValue::from_static("x"));
        headers.append("x--y", HeaderValue::from_bytes(b"\xff").unwrap());
        let mut out = Vec::new();
        write_headers(&mut out, &headers);
        assert_eq!(out, b"Sec-WebSocket-Key: x\r\nX--Y: \xff\r\n");
    }

    #[test]
    fn tokens_contain_no_separators() {
        assert!(is_token(b"v1.chat+json~"));
        for bad in [&b""[..], b"a b", b"a,b", b"a/b", b"\"a\"", b"a\r", b"\xc3\xa4"] {
            assert!(!is_token(bad), "{}", bad.escape_ascii());
        }
    }
}
