//! The settings of a heartbeat.

use crate::{Instant, Rng};
use core::time::Duration;

/// How much the heartbeat does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Mode {
    /// Nothing: no pings, no deadline, and the peer is never declared dead.
    Off,
    /// Pings keep the path open, but silence never counts as death. For peers that answer no pings, and for
    /// applications that decide for themselves.
    KeepaliveOnly,
    /// Pings keep the path open, and a peer that stays silent is declared dead.
    #[default]
    Full,
}

/// The times that a [`Heartbeat`](super::Heartbeat) keeps.
///
/// Durations below a millisecond count as a millisecond, so that no setting makes a host spin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Config {
    /// How much to do. Default: [`Mode::Full`].
    pub mode: Mode,
    /// After how long a silence we ping. Default: 20 s, under the 30 s after which the strictest of the common proxies
    /// drop an idle connection.
    pub interval: Duration,
    /// How long a ping may stay unanswered if round trips are short. Default: 20 s, enough for a path that re-routes or
    /// a mobile link that changes cells; death is then found 40 s after the last byte.
    pub timeout: Duration,
    /// The most that `timeout` may become on a path with long round trips, where it is three probe timeouts. Default:
    /// 60 s; a longer queue than that is as bad as a dead link.
    pub timeout_max: Duration,
    /// How late a timer may fire before the delay counts as our own. Default: 2 s, beyond what a busy scheduler
    /// costs and far below any sleep.
    pub grace: Duration,
    /// The largest percentage by which the interval is shortened. It is drawn once per connection, so that a server's
    /// clients do not ping in step. The interval is never lengthened, which could exceed a proxy's limit. Default: 10.
    pub jitter_percent: u8,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            mode: Mode::Full,
            interval: Duration::from_secs(20),
            timeout: Duration::from_secs(20),
            timeout_max: Duration::from_secs(60),
            grace: Duration::from_secs(2),
            jitter_percent: 10,
        }
    }
}

impl Config {
    /// The settings for one connection: with an interval of its own, and usable durations.
    pub(super) fn for_one_connection(self, rng: &mut Rng) -> Self {
        let longest = usable(self.interval);
        let cut = longest / 100 * u32::from(self.jitter_percent);
        let interval = usable(rng.between(longest.saturating_sub(cut), longest));
        Self { interval, timeout: usable(self.timeout), ..self }
    }

    pub(super) fn set_interval(&mut self, interval: Duration) {
        self.interval = usable(interval);
    }
}

/// Long enough that no host spins, and within the range of time.
fn usable(duration: Duration) -> Duration {
    duration.clamp(Duration::from_millis(1), Instant::MAX.since_start())
}
