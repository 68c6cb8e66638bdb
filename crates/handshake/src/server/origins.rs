//! Which sites' pages may open a WebSocket (RFC 6455 §10.2).

use std::net::IpAddr;

use http::HeaderMap;
use http::header::{HOST, ORIGIN};
use thiserror::Error;

use crate::client::url::{is_scheme, split_port};
use crate::excerpt;
use crate::headers::single;

/// Which sites' pages may open a WebSocket. The default is only those of this server.
///
/// A page of any site can open a WebSocket to anything that its visitor's browser can reach, including this machine,
/// with the visitor's cookies. The browser sends the page's site as `Origin`. Programs other than browsers usually send
/// none, and are let through: they could send anything.
///
/// A page belongs to this server if its scheme, host and port are those that the request addresses. On a connection
/// that the server encrypts, the scheme must be `https`. On any other, `https` is also right, since a proxy may have
/// terminated TLS; `http` is right if the host is an address or `localhost`. The owner of any other name can point it
/// at this machine, which would make their page ours: pages of a name without TLS must be [named](Self::with_origin).
///
/// ```
/// use bowline_handshake::server::Origins;
///
/// let origins = Origins::own().with_origin("https://example.org")?;
/// let may_come = |origin| {
///     let request = http::Request::builder().header("host", "localhost:9000").header("origin", origin);
///     origins.check(request.body(()).unwrap().headers(), false)
/// };
/// assert!(may_come("https://example.org").is_ok());
/// assert!(may_come("http://localhost:9000").is_ok());
/// assert_eq!(
///     may_come("https://evil.example").unwrap_err().to_string(),
///     "a page from another origin may not open a WebSocket here: https://evil.example"
/// );
/// # Ok::<(), bowline_handshake::server::OriginError>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Origins {
    /// Whether any origin may.
    all: bool,
    named: Vec<Origin>,
}

/// A page may not open a WebSocket.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("a page from another origin may not open a WebSocket here: {origin}")]
#[non_exhaustive]
pub struct ForeignOrigin {
    /// Its origin, cut short, on one line and without control characters.
    pub origin: String,
}

/// Why this is not the origin of a page.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum OriginError {
    /// It is not a scheme, a host and an optional port.
    #[error("`{origin}` is not an origin; write it as in https://example.org or http://localhost:8080")]
    Form {
        /// As given.
        origin: String,
    },
    /// Any page can have the origin `null`, by using a sandboxed frame.
    #[error("the origin `null` names nobody, since any page can have it; `*` allows all")]
    Null,
}

/// Scheme, host and port, in lower case. The port is `None` if it is the default of the scheme.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Origin {
    scheme: String,
    host: String,
    port: Option<u16>,
}

impl Origins {
    /// Only pages of this server.
    pub fn own() -> Self {
        Self::default()
    }

    /// Also pages of this origin, such as `https://example.org` or `http://localhost:8080`; or with `*` those of every
    /// site, whatever site a visitor has open.
    ///
    /// # Errors
    /// If this is not an origin.
    pub fn with_origin(mut self, origin: &str) -> Result<Self, OriginError> {
        match origin {
            "*" => self.all = true,
            "null" => return Err(OriginError::Null),
            _ => {
                let written = origin.strip_suffix('/').unwrap_or(origin);
                let form = || OriginError::Form { origin: excerpt::text(origin.as_bytes()) };
                self.named.push(Origin::parse(written).ok_or_else(form)?);
            }
        }
        Ok(self)
    }

    /// Whether a request with these headers may open a WebSocket. `is_encrypted` says whether the server itself
    /// encrypts this connection.
    ///
    /// # Errors
    /// If it comes from a page of another origin. RFC 6455 §4.2.2 answers it with 403.
    pub fn check(&self, headers: &HeaderMap, is_encrypted: bool) -> Result<(), ForeignOrigin> {
        let Some(first) = headers.get(ORIGIN) else { return Ok(()) };
        // RFC 6454 §7.3: at most one. What is not an origin, such as `null`, belongs to nobody.
        let shown = single(headers, ORIGIN).and_then(|value| std::str::from_utf8(value).ok());
        let origin = shown.and_then(Origin::parse);
        let may_come = |origin: Origin| {
            let host = single(headers, HOST).and_then(|host| std::str::from_utf8(host).ok());
            self.named.contains(&origin) || host.is_some_and(|host| origin.is_own(host, is_encrypted))
        };
        if self.all || origin.is_some_and(may_come) {
            return Ok(());
        }
        Err(ForeignOrigin { origin: excerpt::text(first.as_bytes()) })
    }
}

impl Origin {
    fn parse(text: &str) -> Option<Self> {
        let (scheme, rest) = text.split_once("://")?;
        is_scheme(scheme).then(|| Self::at(scheme.to_ascii_lowercase(), rest)).flatten()
    }

    /// The origin with this scheme and an authority without a user.
    fn at(scheme: String, authority: &str) -> Option<Self> {
        let (host, port) = split_port(authority).ok()?;
        let port = match port {
            "" => None,
            digits if digits.bytes().all(|byte| byte.is_ascii_digit()) => Some(digits.parse().ok()?),
            _ => return None,
        };
        let own = match scheme.as_str() {
            "http" => Some(80),
            "https" => Some(443),
            _ => None,
        };
        Some(Self { scheme, host: host.to_ascii_lowercase(), port: port.filter(|port| Some(*port) != own) })
    }

    /// Whether it is the origin of the server that this `Host` addresses.
    fn is_own(&self, host: &str, is_encrypted: bool) -> bool {
        let is_safe = match self.scheme.as_str() {
            "https" => true,
            "http" => !is_encrypted && self.is_fixed(),
            _ => false,
        };
        is_safe && Self::at(self.scheme.clone(), host).is_some_and(|own| own == *self)
    }

    /// Whether nobody can make the host refer to another machine.
    fn is_fixed(&self) -> bool {
        let is_local = self.host == "localhost" || self.host.ends_with(".localhost");
        is_local || self.host.parse::<IpAddr>().is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;

    fn may_come(origins: &Origins, host: &str, origin: &str, is_encrypted: bool) -> bool {
        let values = [(HOST, host), (ORIGIN, origin)].map(|(name, value)| (name, value.parse().unwrap()));
        origins.check(&values.into_iter().collect(), is_encrypted).is_ok()
    }

    #[test]
    fn a_request_without_an_origin_is_allowed() {
        assert_eq!(Origins::own().check(&HeaderMap::new(), false), Ok(()));
    }

    #[test]
    fn pages_of_the_server_itself_are_allowed() {
        for (host, origin) in [
            ("localhost:9000", "http://localhost:9000"),
            ("127.0.0.1", "http://127.0.0.1"),
            ("127.0.0.1:80", "http://127.0.0.1"),
            ("[::1]:9000", "http://[::1]:9000"),
            ("a.localhost", "http://a.localhost"),
            ("LocalHost:9000", "http://localhost:9000"),
            // A proxy has terminated TLS.
            ("files.example", "https://files.example"),
            ("files.example:443", "https://files.example"),
        ] {
            assert!(may_come(&Origins::own(), host, origin, false), "{origin} at {host}");
        }
        assert!(may_come(&Origins::own(), "files.example:9443", "https://files.example:9443", true));
    }

    #[test]
    fn pages_of_other_origins_are_refused() {
        for (host, origin) in [
            ("localhost:9000", "https://evil.example"),
            ("localhost:9000", "http://localhost:8080"),
            ("localhost:9000", "http://localhost"),
            ("localhost:9000", "http://127.0.0.1:9000"),
            ("localhost:9000", "http://localhost.evil.example:9000"),
            ("localhost:9000", "ftp://localhost:9000"),
            ("localhost:9000", "localhost:9000"),
            ("localhost:9000", "http://localhost:9000/"),
            ("localhost:9000", "http://me@localhost:9000"),
            ("localhost:9000", "http://localhost:9000 http://evil.example"),
            ("localhost:9000", "http://localhost:+9000"),
            ("localhost:9000", "://localhost:9000"),
            ("localhost:9000", "null"),
            ("localhost:9000", ""),
            ("", "http://"),
        ] {
            assert!(!may_come(&Origins::own(), host, origin, false), "{origin:?} at {host}");
        }
    }

    #[test]
    fn a_foreign_name_that_resolves_to_this_machine_is_refused() {
        assert!(!may_come(&Origins::own(), "evil.example:9000", "http://evil.example:9000", false));
        let named = Origins::own().with_origin("http://nas.example:9000").unwrap();
        assert!(may_come(&named, "nas.example:9000", "http://nas.example:9000", false));
    }

    #[test]
    fn an_encrypted_server_refuses_pages_that_came_without_tls() {
        assert!(!may_come(&Origins::own(), "localhost:80", "http://localhost", true));
    }

    #[test]
    fn two_origin_headers_are_refused() {
        let value = HeaderValue::from_static("http://localhost");
        let mut headers = HeaderMap::from_iter([(HOST, HeaderValue::from_static("localhost"))]);
        headers.append(ORIGIN, value.clone());
        assert!(Origins::own().check(&headers, false).is_ok());
        headers.append(ORIGIN, value);
        assert!(Origins::own().check(&headers, false).is_err());
    }

    #[test]
    fn pages_of_named_origins_are_allowed() {
        let named = ["https://Example.org:443/", "http://[::1]:8080", "app://x-1"];
        let origins =
            named.iter().try_fold(Origins::own(), |origins, name| origins.with_origin(name)).unwrap();
        for origin in ["https://example.org", "http://[::1]:8080", "app://x-1"] {
            assert!(may_come(&origins, "files.example", origin, false), "{origin}");
        }
        for origin in ["http://example.org", "https://example.org:444", "https://www.example.org", "null"] {
            assert!(!may_come(&origins, "files.example", origin, false), "{origin}");
        }
        let all = Origins::own().with_origin("*").unwrap();
        assert!(may_come(&all, "files.example", "null", true));
    }

    #[test]
    fn text_that_is_no_origin_is_refused() {
        for wrong in
            ["example.org", "https://", "https://a/b", "https://*.a", "https://a:b", "1s://a", "s s://a"]
        {
            let error = Origins::own().with_origin(wrong).unwrap_err();
            assert_eq!(error, OriginError::Form { origin: wrong.into() });
        }
        assert_eq!(Origins::own().with_origin("null").unwrap_err(), OriginError::Null);
    }

    #[test]
    fn an_origin_is_shown_short_and_clean() {
        let shown = |origin: &[u8]| {
            let headers = [(ORIGIN, HeaderValue::from_bytes(origin).unwrap())].into_iter().collect();
            Origins::own().check(&headers, false).unwrap_err().origin
        };
        assert_eq!(shown(b"a\t\xffb"), "a \u{fffd}b");
        assert_eq!(shown(&[b'x'; 5000]).len(), 123);
    }
}
