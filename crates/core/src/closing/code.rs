//! Close codes: what each number means, who may send it, and whether to try again after it.

use super::retry::{Change, Retry, Why};
use core::fmt;
use core::time::Duration;

/// The number in a Close frame that says why the connection ends (RFC 6455 §7.4).
///
/// It can hold any number, even one that must not be sent: what a peer really sent is evidence.
///
/// ```
/// use bowline_core::CloseCode;
/// assert!(CloseCode::GOING_AWAY.is_sendable());
/// assert!(!CloseCode::ABNORMAL.is_sendable());
/// assert_eq!(CloseCode::new(4001).to_string(), "4001 (private use)");
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CloseCode(u16);

impl CloseCode {
    /// The connection has done what it was opened for.
    pub const NORMAL: Self = Self(1000);
    /// A server is going down, or a browser is leaving the page.
    pub const GOING_AWAY: Self = Self(1001);
    /// The sender saw a violation of the protocol.
    pub const PROTOCOL_ERROR: Self = Self(1002);
    /// The sender cannot take this type of data.
    pub const UNSUPPORTED_DATA: Self = Self(1003);
    /// Local name for a Close frame without a code; never on the wire.
    pub const NO_STATUS: Self = Self(1005);
    /// Local name for an end without a Close frame; never on the wire.
    pub const ABNORMAL: Self = Self(1006);
    /// A message held bytes that its type forbids, such as text that is not UTF-8.
    pub const INVALID_DATA: Self = Self(1007);
    /// A message broke one of the sender's rules.
    pub const POLICY: Self = Self(1008);
    /// A message was longer than the sender accepts.
    pub const MESSAGE_TOO_BIG: Self = Self(1009);
    /// The client wanted an extension that the server did not offer.
    pub const MANDATORY_EXTENSION: Self = Self(1010);
    /// Something unexpected went wrong at the sender.
    pub const INTERNAL_ERROR: Self = Self(1011);
    /// The server restarts.
    pub const SERVICE_RESTART: Self = Self(1012);
    /// The server has too much to do.
    pub const TRY_AGAIN_LATER: Self = Self(1013);
    /// A gateway got no valid response from the server behind it.
    pub const BAD_GATEWAY: Self = Self(1014);
    /// Local name for a failed TLS handshake; never on the wire.
    pub const TLS_HANDSHAKE: Self = Self(1015);
    /// The client's credentials are missing, wrong, or no longer valid (registered with IANA).
    pub const UNAUTHORIZED: Self = Self(3000);

    /// The code with this number.
    pub const fn new(code: u16) -> Self {
        Self(code)
    }

    /// The number.
    pub const fn as_u16(self) -> u16 {
        self.0
    }

    /// Whether this number may stand in a Close frame.
    ///
    /// A Close frame with any other number is refused when the application tries to send it, and answered with 1002
    /// when one is received.
    pub const fn is_sendable(self) -> bool {
        // RFC 6455 §7.4.1 reserves 1004 to 1006 and 1015; §7.4.2 leaves the rest below 3000 to later standards.
        matches!(self.0, 1000..=1003 | 1007..=1014 | 3000..=4999)
    }

    /// The meaning in a few words, the same as the Python library `websockets` prints.
    pub const fn explanation(self) -> &'static str {
        match self.0 {
            1000 => "OK",
            1001 => "going away",
            1002 => "protocol error",
            1003 => "unsupported data",
            1005 => "no status received [internal]",
            1006 => "abnormal closure [internal]",
            1007 => "invalid frame payload data",
            1008 => "policy violation",
            1009 => "message too big",
            1010 => "mandatory extension",
            1011 => "internal error",
            1012 => "service restart",
            1013 => "try again later",
            1014 => "bad gateway",
            1015 => "TLS handshake failure [internal]",
            3000..=3999 => "registered",
            4000..=4999 => "private use",
            _ => "unknown",
        }
    }

    /// Whether to reconnect after a peer closed with this code and reason.
    ///
    /// Private codes that look like an HTTP client error (4400 to 4499) are treated as one, except 4408 (timeout) and
    /// 4429 (too many requests). An application whose server means something else by them can override this.
    ///
    /// ```
    /// use bowline_core::{CloseCode, Retry};
    /// assert_eq!(CloseCode::GOING_AWAY.retry(""), Retry::Backoff);
    /// assert!(matches!(CloseCode::new(4401).retry("token expired"), Retry::No(_)));
    /// ```
    pub fn retry(self, reason: &str) -> Retry {
        match self.0 {
            // A server that limits the age of its connections may say so in a normal Close.
            1000 if mentions(reason, "please reconnect") => Retry::Backoff,
            1000 => Retry::No(Why::Finished),
            1002 | 1003 | 1007 | 1010 => Retry::No(Why::SameAgain),
            1008 if mentions(reason, "too many pings") => Retry::AfterChange(Change::SlowerHeartbeat),
            1009 => Retry::AfterChange(Change::SmallerMessages),
            // The registry of close codes asks clients to spread their reconnects over 5 to 30 s.
            1012 => Retry::After { min: Duration::from_secs(5), max: Duration::from_secs(30) },
            1013 => Retry::BackoffAfter(Duration::from_secs(10)),
            1015 => Retry::No(Why::Certificate),
            1001 | 1005 | 1006 | 1011 | 1014 | 4408 | 4429 => Retry::Backoff,
            1008 | 3000 | 3003 | 4400..=4499 => Retry::No(Why::Refused),
            3000..=4999 => Retry::Backoff,
            _ => Retry::No(Why::Invalid),
        }
    }
}

/// Whether to try again after a server answered the upgrade with this HTTP status instead of 101.
///
/// A `Retry-After` header is a lower bound that [`Retry::not_before`] adds.
///
/// ```
/// use bowline_core::{Retry, closing::retry_status};
/// assert_eq!(retry_status(503), Retry::Backoff);
/// assert!(matches!(retry_status(404), Retry::No(_)));
/// ```
pub const fn retry_status(status: u16) -> Retry {
    match status {
        // Not implemented, unsupported HTTP version, a misconfigured server (RFC 2295, 5842, 2774), a login page (RFC
        // 6585): the same request gets the same answer.
        501 | 505 | 506 | 508 | 510 | 511 => Retry::No(Why::Status(status)),
        // Any other server error may pass, including those that only some CDN uses, such as 520 to 530.
        408 | 425 | 429 | 500..=599 => Retry::Backoff,
        _ => Retry::No(Why::Status(status)),
    }
}

/// Whether `text` contains `phrase` (given in lower case), ignoring case.
pub(super) fn mentions(text: &str, phrase: &str) -> bool {
    text.as_bytes().windows(phrase.len()).any(|window| window.eq_ignore_ascii_case(phrase.as_bytes()))
}

impl fmt::Display for CloseCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.0, self.explanation())
    }
}

impl fmt::Debug for CloseCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "CloseCode({})", self.0)
    }
}

impl From<u16> for CloseCode {
    fn from(code: u16) -> Self {
        Self(code)
    }
}

impl From<CloseCode> for u16 {
    fn from(code: CloseCode) -> Self {
        code.0
    }
}
