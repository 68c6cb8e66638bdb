//! The limits of a handshake.

use std::time::Duration;

/// How long a handshake may take, and how large a head may be; the same for both roles.
///
/// ```
/// use bowline_handshake::Config;
/// use std::time::Duration;
///
/// let mut config = Config::default();
/// config.timeout = Duration::from_secs(3);
/// assert_eq!(config.head_bytes, 16 * 1024);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Config {
    /// How long the peer may take: a client waits this long for the whole answer, a server this long for the whole
    /// request and, once more, for its answer to leave. A server's own time to decide is its own affair. The servers of
    /// files count from the moment in which somebody has come, so TLS is in it.
    ///
    /// Default 10 s: three lost segments in a row are sent again within about 7 s, and whoever holds a connection
    /// longer without a word is broken, or holds it on purpose.
    pub timeout: Duration,
    /// The largest head, in bytes: request or status line, headers and blank line.
    ///
    /// Default 16 KiB, as Node.js has it: room for large cookies and tokens, and little enough to hold for many
    /// connections at once.
    pub head_bytes: usize,
    /// The largest number of header lines, 124 at most: the parser holds no more.
    ///
    /// Default 100, as Apache httpd and hyper have it: a browser sends some 20, and each proxy adds a few.
    pub headers: usize,
}

impl Default for Config {
    fn default() -> Self {
        Self { timeout: Duration::from_secs(10), head_bytes: 16 * 1024, headers: 100 }
    }
}
