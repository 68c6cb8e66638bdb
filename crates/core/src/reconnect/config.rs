//! How patient a client is with its server, and how considerate.

use core::time::Duration;

/// The times and budgets that a [`Reconnect`](super::Reconnect) keeps. `None` is no limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Config {
    /// The window that the waits are drawn from doubles with each attempt, from this on. Default: 1 s, long enough
    /// for a process to restart, too short to be noticed by a user.
    pub base: Duration,
    /// ... up to this. Default: 30 s. A crowd of ten thousand that was without its server for a minute or longer then asks
    /// less than 700 times per second, and is back within half a minute; with 60 s it asks half as often and takes twice
    /// as long. After a shorter outage the windows are still narrow: the crowd comes back in about as much time as the
    /// server was away.
    pub cap: Duration,
    /// No wait is shorter. Default: 100 ms, so that a lucky draw is not a busy loop.
    pub floor: Duration,
    /// The window for the first wait after a working link ended, unless it ended at a time of its own
    /// ([`Retry::Now`](crate::Retry::Now)); windows after it are at least as wide. Default: 1 s; with a large fleet 5 s,
    /// for all its clients lose a server in the same instant (RFC 6455 §7.2.3). However short the outage, no second
    /// sees more than three times their number divided by this window.
    pub first_window: Duration,
    /// How long a link must have lived for the next loss to be a first one again. Default: 10 s. A server that
    /// accepts and then drops everybody is in trouble, and an accepted handshake no reason to ask faster. Time in which
    /// everything [waited in vain](super::Reconnect::handle_stuck) does not count.
    pub stable_after: Duration,
    /// How long a dial may take before it is abandoned. Default: 10 s, three lost packets of a TCP handshake and a
    /// slow TLS one.
    pub connect_timeout: Duration,
    /// How many dials to spend on one outage. Default: no limit; people close their laptops.
    pub max_attempts: Option<u32>,
    /// How long an outage may last. No dial is begun later than this after the loss; if the next one would be, one last
    /// dial is made in the second half of the time that is left; and one after a single link on which everything
    /// [waited in vain](super::Reconnect::handle_stuck), however late that was found out. Default: no limit.
    pub max_elapsed: Option<Duration>,
    /// The same for a server that was never reached: a mistyped name is not worth a week. Default: no limit of its
    /// own.
    pub first_contact: Option<Duration>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            base: Duration::from_secs(1),
            cap: Duration::from_secs(30),
            floor: Duration::from_millis(100),
            first_window: Duration::from_secs(1),
            stable_after: Duration::from_secs(10),
            connect_timeout: Duration::from_secs(10),
            max_attempts: None,
            max_elapsed: None,
            first_contact: None,
        }
    }
}

impl Config {
    /// The same without durations that nobody could keep: no wait is so short that a host spins.
    pub(super) fn usable(self) -> Self {
        let millisecond = Duration::from_millis(1);
        Self {
            floor: self.floor.max(millisecond),
            connect_timeout: self.connect_timeout.max(millisecond),
            ..self
        }
    }
}
