//! Parses `ws://` and `wss://` URLs (RFC 6455 §3).

use std::net::Ipv6Addr;

use super::request::RequestError;

/// The parts of a URL.
#[derive(Debug)]
pub(super) struct Url {
    pub(super) secure: bool,
    /// Without the brackets of an IPv6 address.
    pub(super) host: String,
    pub(super) port: u16,
    /// Path and query, percent-encoded, for the request line.
    pub(super) target: String,
    /// User and password, decoded and joined by a colon.
    pub(super) userinfo: Option<Vec<u8>>,
}

impl Url {
    pub(super) fn parse(url: &str) -> Result<Self, RequestError> {
        let (scheme, rest) = url.split_once("://").ok_or(RequestError::NoScheme)?;
        // It may be part of a password.
        if !is_scheme(scheme) {
            return Err(RequestError::NoScheme);
        }
        let secure = match scheme.to_ascii_lowercase().as_str() {
            "ws" => false,
            "wss" => true,
            _ => return Err(RequestError::Scheme { scheme: crate::excerpt::text(scheme.as_bytes()) }),
        };
        // RFC 6455 §3: a fragment has no meaning here and must not be used.
        if rest.contains('#') {
            return Err(RequestError::Fragment);
        }
        let (authority, target) = rest.split_at(rest.find(['/', '?']).unwrap_or(rest.len()));
        let (userinfo, host_and_port) = match authority.rsplit_once('@') {
            Some((userinfo, host_and_port)) => (Some(credentials(userinfo)?), host_and_port),
            None => (None, authority),
        };
        let (host, port) = split_port(host_and_port)?;
        let port = match port {
            // RFC 6455 §3: 80 for `ws`, 443 for `wss`; RFC 3986 §3.2.3 allows an empty port.
            "" => 80 + 363 * u16::from(secure),
            digits if digits.starts_with('+') => return Err(RequestError::Port),
            digits => digits.parse().ok().filter(|port| *port > 0).ok_or(RequestError::Port)?,
        };
        Ok(Self { secure, host: host.to_owned(), port, target: encode(target)?, userinfo })
    }
}

/// Whether this is a valid scheme (RFC 3986 §3.1).
pub(crate) fn is_scheme(scheme: &str) -> bool {
    scheme.starts_with(|c: char| c.is_ascii_alphabetic())
        && scheme.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte))
}

pub(crate) fn split_port(host_and_port: &str) -> Result<(&str, &str), RequestError> {
    let no_host = || {
        // What follows a colon may be a password, cut off from its `@` by a character that was not percent-encoded.
        let is_address =
            host_and_port.bytes().all(|byte| byte.is_ascii_hexdigit() || b":.[]%".contains(&byte));
        let end = host_and_port.find(':').filter(|_| !is_address).unwrap_or(host_and_port.len());
        RequestError::Host { host: crate::excerpt::text(&host_and_port.as_bytes()[..end]) }
    };
    if let Some(bracketed) = host_and_port.strip_prefix('[') {
        let (host, port) = bracketed.split_once(']').ok_or_else(no_host)?;
        host.parse::<Ipv6Addr>().map_err(|_| no_host())?;
        let port = if port.is_empty() { "" } else { port.strip_prefix(':').ok_or_else(no_host)? };
        return Ok((host, port));
    }
    let (host, port) = host_and_port.split_once(':').unwrap_or((host_and_port, ""));
    let named = host.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._".contains(&byte));
    if host.is_empty() {
        return Err(RequestError::NoHost);
    }
    if named && !port.contains(':') { Ok((host, port)) } else { Err(no_host()) }
}

/// The user and the password of a URL, joined for HTTP Basic (RFC 7617 §2).
pub(crate) fn credentials(userinfo: &str) -> Result<Vec<u8>, RequestError> {
    let (user, password) = userinfo.split_once(':').unwrap_or((userinfo, ""));
    let mut joined = decode(user)?;
    // A colon in the user's name would move the border between name and password.
    if joined.contains(&b':') {
        return Err(RequestError::Userinfo);
    }
    joined.push(b':');
    joined.extend(decode(password)?);
    if joined.iter().any(u8::is_ascii_control) { Err(RequestError::Userinfo) } else { Ok(joined) }
}

/// Percent-decodes a text.
pub(super) fn decode(text: &str) -> Result<Vec<u8>, RequestError> {
    let mut bytes = text.bytes();
    let mut decoded = Vec::with_capacity(text.len());
    while let Some(byte) = bytes.next() {
        if byte != b'%' {
            decoded.push(byte);
            continue;
        }
        let mut digit = || char::from(bytes.next()?).to_digit(16);
        let (high, low) = (digit(), digit());
        match high.zip(low) {
            Some((high, low)) => decoded.push((high * 16 + low) as u8),
            None => return Err(RequestError::Userinfo),
        }
    }
    Ok(decoded)
}

/// Path and query for a request line: what RFC 3986 does not allow there is percent-encoded.
fn encode(target: &str) -> Result<String, RequestError> {
    // RFC 6455 §3: an empty path means `/`.
    let mut encoded = String::from(if target.starts_with('/') { "" } else { "/" });
    for (at, byte) in target.bytes().enumerate() {
        match byte {
            byte if byte.is_ascii_control() => return Err(RequestError::Control),
            byte if byte.is_ascii_alphanumeric() || b"-._~!$&'()*+,;=:@/?".contains(&byte) => {
                encoded.push(char::from(byte));
            }
            b'%' if begins_with_hex(&target.as_bytes()[at + 1..]) => encoded.push('%'),
            byte => encoded.extend(['%', hex(byte >> 4), hex(byte & 15)]),
        }
    }
    Ok(encoded)
}

/// Whether the bytes after a percent sign make it an encoded byte (RFC 3986 §2.1).
fn begins_with_hex(rest: &[u8]) -> bool {
    rest.first_chunk().is_some_and(|digits: &[u8; 2]| digits.iter().all(u8::is_ascii_hexdigit))
}

fn hex(nibble: u8) -> char {
    char::from(b"0123456789ABCDEF"[usize::from(nibble)])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(url: &str) -> (bool, String, u16, String) {
        let url = Url::parse(url).unwrap();
        (url.secure, url.host, url.port, url.target)
    }

    #[test]
    fn ports_default_by_scheme() {
        assert_eq!(parts("ws://a.example/x"), (false, "a.example".into(), 80, "/x".into()));
        assert_eq!(parts("WSS://a.example/x"), (true, "a.example".into(), 443, "/x".into()));
        assert_eq!(parts("wss://a.example:/x").2, 443);
        assert_eq!(parts("wss://a.example:8443/x").2, 8443);
    }

    #[test]
    fn an_empty_path_is_the_root() {
        assert_eq!(parts("ws://a").3, "/");
        assert_eq!(parts("ws://a?q=1/2").3, "/?q=1/2");
    }

    #[test]
    fn an_ipv6_host_loses_its_brackets() {
        assert_eq!(parts("ws://[::1]:9001/"), (false, "::1".into(), 9001, "/".into()));
        assert_eq!(parts("ws://[2001:db8::1]").2, 80);
        for bad in ["ws://[::1", "ws://[::1]9", "ws://[fe80::1%25eth0]/", "ws://::1/", "ws://[a]/"] {
            assert!(
                matches!(Url::parse(bad), Err(RequestError::Host { .. } | RequestError::NoHost)),
                "{bad}"
            );
        }
    }

    #[test]
    fn characters_that_a_request_line_cannot_hold_are_encoded() {
        assert_eq!(parts("ws://a/grö ße/%20?x=\"<y>\"").3, "/gr%C3%B6%20%C3%9Fe/%20?x=%22%3Cy%3E%22");
        assert_eq!(Url::parse("ws://a/b\r\nX: y").unwrap_err(), RequestError::Control);
    }

    #[test]
    fn a_percent_sign_that_encodes_nothing_is_encoded() {
        assert_eq!(parts("ws://a/%20%c3%B6").3, "/%20%c3%B6");
        assert_eq!(parts("ws://a/100%").3, "/100%25");
        assert_eq!(parts("ws://a/%4?x=%zz%%41%+1").3, "/%254?x=%25zz%25%41%25+1");
    }

    #[test]
    fn users_and_passwords_are_decoded() {
        let userinfo = |url| Url::parse(url).map(|url| url.userinfo);
        assert_eq!(userinfo("ws://ann:p%40ss:w%C3%B6@a/"), Ok(Some("ann:p@ss:wö".into())));
        assert_eq!(userinfo("ws://ann@a/"), Ok(Some(b"ann:".to_vec())));
        assert_eq!(userinfo("ws://a/b@c"), Ok(None));
        for bad in ["ws://a%3ab:c@h/", "ws://a%0d:c@h/", "ws://a%4:c@h/", "ws://a%zz:c@h/"] {
            assert_eq!(userinfo(bad), Err(RequestError::Userinfo), "{bad}");
        }
    }

    #[test]
    fn text_that_is_no_websocket_url_is_refused() {
        assert_eq!(Url::parse("example.org").unwrap_err(), RequestError::NoScheme);
        assert_eq!(Url::parse("https://a/").unwrap_err(), RequestError::Scheme { scheme: "https".into() });
        assert_eq!(Url::parse("ws://a/b#c").unwrap_err(), RequestError::Fragment);
        assert_eq!(Url::parse("ws:///x").unwrap_err(), RequestError::NoHost);
        assert_eq!(Url::parse("ws://u@:80/").unwrap_err(), RequestError::NoHost);
        for bad in ["ws://a:0/", "ws://a:65536/", "ws://a:-1/", "ws://a:b/", "ws://a:+1/"] {
            assert_eq!(Url::parse(bad).unwrap_err(), RequestError::Port, "{bad}");
        }
        for bad in ["ws://a b/", "ws://a%2fb/", "ws://münchen.example/", "ws://a\r\nb/", "ws://a:1:2/"] {
            assert!(matches!(Url::parse(bad), Err(RequestError::Host { .. })), "{bad}");
        }
    }
}
