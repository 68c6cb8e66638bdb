//! The timeouts at the end of a connection.

use core::time::Duration;

/// The timeouts at the end of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Config {
    /// How long the peer may take to answer our Close after receiving it. Every byte received restarts this wait, up to
    /// three times as long in total: the peer may have much to send before it reads our Close. If more than 16 KiB have
    /// left since anything was received, the Close is assumed to be under way for as long as those bytes need at the
    /// transport's measured rate. That is at most three times the stall timeout, or one stall timeout if no rate is
    /// known because the transport accepted everything at once.
    ///
    /// The peer is not blamed while our application leaves messages untaken and we do not read: the wait then starts
    /// again, and everything before the Close is skipped.
    ///
    /// We assume that a peer waits as long for our answer to its Close. The application gets half of that to see what
    /// came before the Close and to reply. The data queued before the answer then gets a fifth of it.
    ///
    /// Default: 5 s, several round trips on the worst path, and short enough for a user who waits for it.
    pub close_timeout: Duration,
    /// How long the transport may stay open after both Close frames were exchanged. RFC 6455 §7.1.1 wants the server to
    /// close it first, so a client waits this long for the server; a server waits as long for the client to follow.
    ///
    /// Default: 2 s, since nothing depends on it any more.
    pub end_timeout: Duration,
    /// How long to keep reading after a write failed: the peer's Close is often in the receive buffer.
    ///
    /// Default: 1 s, since whatever is in the buffer can be read at once.
    pub drain_timeout: Duration,
    /// How long the data before our Close may make no progress at all.
    ///
    /// Default: 20 s, as long as the heartbeat waits for a sign of life.
    pub stall_timeout: Duration,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            close_timeout: Duration::from_secs(5),
            end_timeout: Duration::from_secs(2),
            drain_timeout: Duration::from_secs(1),
            stall_timeout: Duration::from_secs(20),
        }
    }
}

impl Config {
    /// How long a Close or a protocol error of the peer may wait for the application to see what came before it: half
    /// of the close timeout.
    pub(super) fn hold_time(&self) -> Duration {
        self.close_timeout / 2
    }
}
