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
    /// How long the peer may take. A client waits this long for the whole answer; a server waits this long for the
    /// whole request and again for its answer to leave. The server's own time for its decision does not count. Servers
    /// of files start the clock when a client connects, so it includes TLS.
    ///
    /// Default: 10 s. Three lost segments in a row are retransmitted within about 7 s; a connection that is silent for
    /// longer is broken, or kept open on purpose.
    pub timeout: Duration,
    /// The largest head, in bytes: request or status line, headers and blank line.
    ///
    /// Default: 16 KiB, like Node.js: room for large cookies and tokens, and little enough to hold for many connections
    /// at once.
    pub head_bytes: usize,
    /// The largest number of header lines, at most 124: the parser holds no more.
    ///
    /// Default: 100, like Apache httpd and hyper: a browser sends about 20, and each proxy adds a few.
    pub headers: usize,
}

impl Default for Config {
    fn default() -> Self {
        Self { timeout: Duration::from_secs(10), head_bytes: 16 * 1024, headers: 100 }
    }
}
