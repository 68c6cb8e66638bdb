//! The URL of a proxy.

use std::fmt;
use std::str::FromStr;

use thiserror::Error;

use crate::client::url::{credentials, is_scheme, split_port};
use crate::excerpt::text;

/// The longest user name and password that SOCKS allows.
const MAX_LOGIN: usize = 255;
/// The port of a proxy whose URL names none, as in curl.
const DEFAULT_PORT: u16 = 1080;

/// A proxy, given by its URL: `http://HOST:PORT` or `socks5://HOST:PORT`, with `USER:PASSWORD@` before the host if
/// needed. The default scheme is `http`, and the default port 1080.
///
/// `Display` and `Debug` show neither user nor password.
#[derive(Clone, PartialEq, Eq)]
pub struct Proxy {
    is_socks: bool,
    host: String,
    port: u16,
    /// User and password, decoded and joined by a colon.
    userinfo: Option<Vec<u8>>,
}

impl Proxy {
    /// The host to connect to: a name, an IPv4 address, or an IPv6 address without brackets.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The port to connect to.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Whether it speaks SOCKS rather than HTTP.
    pub fn is_socks(&self) -> bool {
        self.is_socks
    }

    pub(super) fn userinfo(&self) -> Option<&[u8]> {
        self.userinfo.as_deref()
    }

    /// User and password.
    pub(super) fn login(&self) -> Option<(&[u8], &[u8])> {
        let userinfo = self.userinfo()?;
        let colon = userinfo.iter().position(|byte| *byte == b':')?;
        Some((&userinfo[..colon], &userinfo[colon + 1..]))
    }
}

impl FromStr for Proxy {
    type Err = ProxyError;

    fn from_str(url: &str) -> Result<Self, ProxyError> {
        let (scheme, rest) = url.split_once("://").unwrap_or(("http", url));
        // It may be part of a password.
        if !is_scheme(scheme) {
            return Err(ProxyError::Host);
        }
        let is_socks = match scheme.to_ascii_lowercase().as_str() {
            "http" => false,
            // curl's name for a proxy that resolves names itself, as all do here.
            "socks5" | "socks5h" => true,
            _ => return Err(ProxyError::Scheme { scheme: text(scheme.as_bytes()) }),
        };
        let authority = rest.strip_suffix('/').unwrap_or(rest);
        if authority.contains(['/', '?', '#']) {
            return Err(ProxyError::Host);
        }
        let (userinfo, place) = match authority.rsplit_once('@') {
            Some((userinfo, place)) => {
                (Some(credentials(userinfo).map_err(|_| ProxyError::Userinfo)?), place)
            }
            None => (None, authority),
        };
        let (host, port) = split_port(place).map_err(|_| ProxyError::Host)?;
        let port = match port {
            "" => DEFAULT_PORT,
            digits if digits.bytes().all(|byte| byte.is_ascii_digit()) => {
                digits.parse().ok().filter(|port| *port > 0).ok_or(ProxyError::Port)?
            }
            _ => return Err(ProxyError::Port),
        };
        let proxy = Self { is_socks, host: host.to_owned(), port, userinfo };
        let fits = |part: &[u8]| (1..=MAX_LOGIN).contains(&part.len());
        match proxy.login() {
            Some((user, password)) if is_socks && !(fits(user) && fits(password)) => Err(ProxyError::Login),
            _ => Ok(proxy),
        }
    }
}

impl fmt::Display for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = if self.is_socks { "socks5" } else { "http" };
        let (host, port) = (&self.host, self.port);
        if host.contains(':') {
            write!(f, "{scheme}://[{host}]:{port}")
        } else {
            write!(f, "{scheme}://{host}:{port}")
        }
    }
}

impl fmt::Debug for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Proxy({self})")
    }
}

/// Why this is not a usable proxy. Nothing of a user or a password is shown.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum ProxyError {
    /// It has another scheme.
    #[error("the scheme of a proxy is `http` or `socks5`, not `{scheme}`")]
    Scheme {
        /// As given.
        scheme: String,
    },
    /// The host is neither an ASCII name nor an address, or is missing.
    #[error("a proxy is written http://HOST:PORT or socks5://HOST:PORT")]
    Host,
    /// The port is not a number from 1 to 65535.
    #[error("the port of the proxy is not a number from 1 to 65535")]
    Port,
    /// The user or the password is not properly percent-encoded, or contains something that HTTP Basic cannot carry.
    #[error(
        "the proxy's user and password cannot be sent; percent-encode everything that is not a letter or a digit"
    )]
    Userinfo,
    /// SOCKS needs both, and limits their length.
    #[error("SOCKS wants a user and a password of 1 to {MAX_LOGIN} bytes each")]
    Login,
}
