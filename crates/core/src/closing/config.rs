//! How long to wait for what at the end of a connection.

use core::time::Duration;

/// How long to wait for what at the end of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Config {
    /// How long the peer may take to answer our Close once it has got it. Every byte received starts the wait again, up
    /// to three times as long: the peer may have much to say before it reads our Close. Where more than 16 KiB have left since
    /// anything came, the Close is thought to be under way for as long as they take, as fast as the transport was seen to be:
    /// for at most three times the stall timeout, or once if nothing is known but that it took everything.
    ///
    /// While our application leaves its messages lying, and we do not read, the peer is not blamed: the time begins again then,
    /// and what comes before the Close is skipped.
    ///
    /// As long, we think, a peer waits for our answer to its Close. Half of this is for our application, to see what came
    /// before that Close and to reply, and then a fifth of it for the data that waits to be sent before the answer.
    ///
    /// Default: 5 s, several round trips on the worst path, and short enough for somebody who waits for it.
    pub close_timeout: Duration,
    /// How long the transport may outlive the exchange of Close frames. RFC 6455 §7.1.1 wants the server to end it
    /// first, so a client waits this long; a server waits as long for the client to follow.
    ///
    /// Default: 2 s, since nothing depends on it any more.
    pub end_timeout: Duration,
    /// How long to go on reading after a write failed: the peer's Close is often in the receive buffer.
    ///
    /// Default: 1 s, since what is there is there at once.
    pub drain_timeout: Duration,
    /// How long the data before our Close may make no progress at all on its way out.
    ///
    /// Default: 20 s, what the heartbeat allows for a sign of life.
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
    /// How long a Close or a fault of the peer may wait for the application to see what came before it: half of the close
    /// timeout.
    pub(super) fn hold_time(&self) -> Duration {
        self.close_timeout / 2
    }
}
