//! How long a silence a path allows, learned from what connections survive and what ends them.
//!
//! Proxies, load balancers and NATs drop connections that are idle for too long, and none of them says how long that
//! is. A connection that ends after a silence reveals it, and so does one that answers a ping after a silence. The
//! interval at which the next connection pings follows from both.
//!
//! ```text
//!                    a silence is survived: lo grows                   limit
//!      ├────────────────────────────▶ lo ┄┄┄┄┄┄┄ ? ┄┄┄┄┄┄┄ hi ◀──────────┤
//!      0                                              a silence ends a connection: hi shrinks
//!
//!   Learn     as configured, until there is a hi: then a quarter below it, or a tenth below lo
//!   Explore   three silences survived: half as long again; from the first end on: half way from lo to hi
//! ```
//!
//! There are two kinds of evidence. If the end came by itself after a silence, that silence is the limit. If a ping
//! after a silence was not answered, the limit may be anywhere below, or the network may have been down: this counts
//! only if a new connection opens soon after.
//!
//! Its inputs are [`handle_open`](Adapt::handle_open), [`handle_survived`](Adapt::handle_survived),
//! [`handle_killed`](Adapt::handle_killed) or [`record`](Adapt::record), and [`set_busy`](Adapt::set_busy). Its time is
//! that of the wall clock, in seconds since 1970, since what it learns outlives the process.

mod explore;
mod path;
mod paths;

#[cfg(test)]
mod laws;
#[cfg(test)]
mod tests;

pub use path::{ParsePathError, Path};
pub use paths::{BadLine, Paths};

use crate::closing::{Change as ToChange, Exchange, Kind};
use crate::connection::Lesson;
use crate::{Disconnect, Retry};
use core::time::Duration;
use explore::Explore;
use path::{FLOOR, Taught};

/// A new connection within this many seconds proves that the network was not down.
const CONFIRMED: u64 = 10;

/// How often the interval is doubled at most for a server that does not accept pings as frequent as ours.
const DOUBLINGS: u32 = 4;

/// How daring an [`Adapt`] is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Mode {
    /// The interval stays as configured, whatever is learned.
    Fixed,
    /// The interval shrinks as far as the path requires, and never exceeds the configured one, so that learning ends no
    /// connection. The one exception is a server that does not accept pings as frequent as ours (1008, "too many
    /// pings"): for it, the configured interval is doubled.
    #[default]
    Learn,
    /// The interval grows until it meets the limit of the path, which costs a connection now and then: for devices that
    /// pay for each ping with battery. It starts as configured, and grows to five minutes at most.
    Explore,
}

/// Where an [`Adapt`] starts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Config {
    /// How daring it is. Default: [`Mode::Learn`], which costs no connection.
    pub mode: Mode,
    /// The interval while nothing is known. Default: 20 s, the same as that of the
    /// [heartbeat](crate::heartbeat::Config).
    pub interval: Duration,
}

impl Default for Config {
    fn default() -> Self {
        Self { mode: Mode::Learn, interval: crate::heartbeat::Config::default().interval }
    }
}

/// A new interval, and why.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Change {
    /// The old interval.
    pub from: Duration,
    /// The new interval.
    pub to: Duration,
    /// What was learned.
    pub why: Lesson,
}

/// Learns the interval of the heartbeat on one path, over the life of many connections.
///
/// A `Session` contains one. Next to a [`Connection`](crate::Connection) of your own it works alone:
///
/// ```
/// use bowline_core::adapt::{Adapt, Config, Path};
/// use bowline_core::{Connection, End, Instant, connection};
/// use core::time::Duration;
///
/// let mut config = connection::Config::default();
/// config.heartbeat.interval = Duration::from_secs(120); // set by hand, and too long
/// let mut learning = Config::default();
/// learning.interval = config.heartbeat.interval;
/// let mut adapt = Adapt::new(learning, Path::new("example.org:443"));
///
/// // A connection opens, and a proxy ends it after a minute of silence.
/// let unix = 1_790_000_000; // the wall clock
/// adapt.handle_open(unix);
/// config.heartbeat.interval = adapt.interval();
/// let mut connection = Connection::client(config.clone(), [7; 32], Instant::ZERO);
/// connection.handle_end(Instant::from_secs(60), End::Eof);
///
/// let Some(connection::Event::Closed(mut disconnect)) = connection.poll_event() else { panic!("it is over") };
/// adapt.record(unix + 60, &mut disconnect);
/// assert!(disconnect.to_string().ends_with("; heartbeat set to 45 s"));
/// assert_eq!(adapt.interval(), Duration::from_secs(45)); // for the next connection
/// assert_eq!(adapt.path().to_string(), "example.org:443 - 60.000 1790000060"); // to be stored
/// ```
#[derive(Clone, Debug)]
pub struct Adapt {
    config: Config,
    path: Path,
    explore: Explore,
    /// A silence after which the peer was not found there, and when; the network may have been the cause.
    unconfirmed: Option<(Duration, u64)>,
    /// How often the configured interval was doubled, for a server that does not accept pings as frequent as ours.
    doublings: u32,
    busy: bool,
    /// The current interval.
    interval: Duration,
}

impl Adapt {
    /// Starts from what is known of a path.
    pub fn new(config: Config, path: Path) -> Self {
        let explore = Explore::new(&path, config.interval);
        let mut adapt = Self {
            config,
            path,
            explore,
            unconfirmed: None,
            doublings: 0,
            busy: false,
            interval: config.interval,
        };
        adapt.interval = adapt.wanted(adapt.path.learned());
        adapt
    }

    // Facts.

    /// A connection has opened. This confirms that its silence killed the previous one, if it looked like that and was
    /// recent. It also forgets a limit that is more than seven days old.
    pub fn handle_open(&mut self, unix: u64) -> Option<Change> {
        let mut why = Lesson::Forgotten;
        if let Some((silence, _)) =
            self.unconfirmed.take().filter(|(_, at)| unix.saturating_sub(*at) <= CONFIRMED)
        {
            why = self.learn(unix, silence, false);
        }
        self.path.forget(unix);
        self.explore.aim(&self.path, self.configured());
        self.change(unix, why)
    }

    /// The connection was silent for this long and is alive: it was pinged, and answered.
    ///
    /// In the modes [`Fixed`](Mode::Fixed) and [`Learn`](Mode::Learn) this changes nothing until the next connection.
    pub fn handle_survived(&mut self, unix: u64, silence: Duration) -> Option<Change> {
        self.path.survive(unix, silence);
        if self.config.mode != Mode::Explore {
            return None;
        }
        self.explore.handle_survived(&self.path, self.configured(), silence);
        let why =
            if self.wanted(unix) > self.interval { Lesson::Explores } else { Lesson::Survived { silence } };
        self.change(unix, why)
    }

    /// The connection ended after such a silence: by itself (`exact`), or it was found dead at the next attempt to
    /// send. In the latter case nothing changes until the next connection opens.
    pub fn handle_killed(&mut self, unix: u64, silence: Duration, exact: bool) -> Option<Change> {
        if !exact {
            self.unconfirmed = Some((silence, unix));
            return None;
        }
        self.unconfirmed = None;
        let why = self.learn(unix, silence, true);
        self.change(unix, why)
    }

    /// The connection ended in this way: learns everything that the end reveals.
    ///
    /// A silence ended it if nobody closed, this process was running, and the same connection did not survive a silence
    /// as long. If this changes the interval, the sentence of the disconnect mentions the new one.
    pub fn record(&mut self, unix: u64, disconnect: &mut Disconnect) -> Option<Change> {
        let change = self.learn_from(unix, disconnect);
        if let Some(change) = change {
            disconnect.set_heartbeat(change.to);
        }
        change
    }

    /// Whether something important is under way; if so, no longer silence is tried.
    pub fn set_busy(&mut self, unix: u64, busy: bool) -> Option<Change> {
        if self.config.mode != Mode::Explore {
            return None;
        }
        self.busy = busy;
        self.change(unix, if busy { Lesson::Busy } else { Lesson::Explores })
    }

    // Looking.

    /// The current interval.
    pub fn interval(&self) -> Duration {
        self.interval
    }

    /// The interval for a connection that opens at this time: what [`interval`](Self::interval) will be after
    /// [`handle_open`](Self::handle_open).
    pub fn interval_at(&self, unix: u64) -> Duration {
        let mut then = self.clone();
        then.handle_open(unix);
        then.interval
    }

    /// How daring it is.
    pub fn mode(&self) -> Mode {
        self.config.mode
    }

    /// What is known about the path.
    pub fn path(&self) -> &Path {
        &self.path
    }

    // Private.

    fn learn_from(&mut self, unix: u64, disconnect: &Disconnect) -> Option<Change> {
        let survived = disconnect.longest_silence();
        self.path.survive(unix, survived);
        if disconnect.retry() == Retry::AfterChange(ToChange::SlowerHeartbeat) {
            self.doublings = (self.doublings + 1).min(DOUBLINGS);
            return self.change(unix, Lesson::TooManyPings);
        }
        let (silence, exact) = cause_of_death(disconnect)?;
        self.handle_killed(unix, silence, exact)
    }

    fn learn(&mut self, unix: u64, silence: Duration, exact: bool) -> Lesson {
        let taught = self.path.kill(unix, silence, exact);
        if taught != Taught::Nothing {
            self.explore.handle_failed(unix, &self.path, self.configured());
        }
        if taught == Taught::Doubt { Lesson::Forgotten } else { Lesson::Dropped { silence } }
    }

    fn change(&mut self, unix: u64, why: Lesson) -> Option<Change> {
        let from = self.interval;
        self.interval = self.wanted(unix);
        (self.interval != from).then_some(Change { from, to: self.interval, why })
    }

    fn configured(&self) -> Duration {
        self.config.interval.saturating_mul(1 << self.doublings)
    }

    fn wanted(&self, unix: u64) -> Duration {
        let configured = self.configured();
        let wanted = match self.config.mode {
            Mode::Fixed => configured,
            Mode::Learn => self.path.calm().unwrap_or(configured).min(configured),
            Mode::Explore => self.explore.interval(&self.path, configured, self.busy, unix),
        };
        wanted.max(FLOOR.min(configured))
    }
}

/// The silence that ended a connection, and whether the end came by itself; `None` if something else ended it.
fn cause_of_death(disconnect: &Disconnect) -> Option<(Duration, bool)> {
    let (survived, idle) = (disconnect.longest_silence(), disconnect.idle());
    // The silences between pings of one interval differ a little, which means nothing.
    let broken = disconnect.unanswered_silence().filter(|broken| *broken > survived + survived / 20);
    let found = broken.map(|broken| (broken, false));
    match (disconnect.kind(), disconnect.exchange()) {
        (Kind::KeepaliveTimeout | Kind::TimedOut, _) => found,
        (Kind::Eof | Kind::Reset | Kind::IdleDrop { .. }, Exchange::Neither) => {
            // The reset may answer a retransmission.
            let is_answer = disconnect.kind() == Kind::Reset && disconnect.is_owed();
            if idle > survived && !is_answer && broken.is_none_or(|broken| broken <= idle) {
                return Some((idle, true));
            }
            // The end was the answer to what we sent after the silence.
            found.filter(|_| disconnect.kind() != Kind::Eof)
        }
        _ => None,
    }
}
