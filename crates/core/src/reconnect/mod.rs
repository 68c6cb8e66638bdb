//! When to dial again, or why not.
//!
//! A client alone could dial at once; ten thousand clients that lose a server in the same instant must not. Each
//! waits for a time drawn evenly from a window that doubles with every failure, so that the crowd spreads. Only a
//! link that has lived for a while closes the window again: a handshake alone proves nothing, some servers accept
//! and then drop.
//!
//! ```text
//!             the time has come: Dial               handle_open
//!         ┌─────────┐ ────────────▶ ┌─────────┐ ────────────────▶ ┌──────┐
//!  new ──▶│ Waiting │               │ Dialing │                   │ Open │
//!         └─────────┘ ◀──────────── └─────────┘                   └──────┘
//!           ▲  ▲    handle_dial_failed, or too long: DialAt          │
//!           │  └─────────────────────────────────────────────────────┘
//!           │ dial            handle_lost: DialAt
//!         ┌─────────┐
//!         │ Stopped │ ◀── from anywhere, when the advice is No or a budget is spent: GiveUp
//!         └─────────┘
//! ```
//!
//! Its inputs are [`handle_open`](Reconnect::handle_open), [`handle_lost`](Reconnect::handle_lost),
//! [`handle_replaced`](Reconnect::handle_replaced), [`handle_dial_failed`](Reconnect::handle_dial_failed),
//! [`handle_timeout`](Reconnect::handle_timeout), [`handle_network_change`](Reconnect::handle_network_change) and
//! [`dial`](Reconnect::dial). [`handle_progress`](Reconnect::handle_progress) and
//! [`handle_stuck`](Reconnect::handle_stuck) say what an open link was worth.

mod config;
mod decide;
mod next;

#[cfg(test)]
mod laws;
#[cfg(test)]
mod states;
#[cfg(test)]
mod tests;

pub use config::Config;
pub use next::{GiveUp, Next};

use crate::{Instant, Retry, Rng};
use core::time::Duration;

/// A link that ends sooner was not meant to last: the server accepts, then drops.
const QUICK: Duration = Duration::from_secs(1);

/// After this many quick drops in a row, they are taken for the server's intention.
const QUICK_DROPS: u32 = 3;

/// Doublings after which any window has reached any cap.
const ALL_DOUBLINGS: u32 = 31;

/// The window for the next attempt after a change of the network.
const NETWORK_CHANGE_WINDOW: Duration = Duration::from_millis(500);

/// Decides when a client dials, over the life of many links to one server.
///
/// Each fact may lead to a decision, and each decision is returned once: `None` means that the last one stands. `None`
/// is also returned if a failure is reported twice, or for a dial that was abandoned.
///
/// ```
/// use bowline_core::reconnect::{Config, Next};
/// use bowline_core::{Instant, Reconnect, Retry, Rng};
/// use core::time::Duration;
///
/// let mut now = Instant::ZERO;
/// let mut reconnect = Reconnect::new(Config::default(), &mut Rng::from_seed([7; 32]), now);
///
/// // The first dial is due at once. It is refused, and so are three more.
/// for attempt in 0..4 {
///     now = reconnect.poll_timeout().expect("a client that has not given up has a deadline");
///     assert_eq!(reconnect.handle_timeout(now), Some(Next::Dial));
///     let next = reconnect.handle_dial_failed(now, Retry::Backoff, None);
///     let Some(Next::DialAt(at)) = next else { panic!("nothing limits the attempts") };
///     assert!(at - now <= Duration::from_secs(1 << attempt));
/// }
///
/// // The fifth succeeds; an hour later the link is lost, and everything starts again.
/// now = reconnect.poll_timeout().expect("the fifth");
/// reconnect.handle_timeout(now);
/// reconnect.handle_open(now);
/// assert_eq!(reconnect.poll_timeout(), None);
/// now += Duration::from_secs(3600);
/// let next = reconnect.handle_lost(now, Retry::Now);
/// assert!(matches!(next, Some(Next::DialAt(at)) if at - now <= Duration::from_secs(1)));
/// ```
#[derive(Clone, Debug)]
pub struct Reconnect {
    config: Config,
    rng: Rng,
    state: State,
    /// The largest `now` so far.
    clock: Instant,
    /// When the outage began: when the last stable link was lost, or a link was requested.
    outage: Instant,
    /// The number of waits in this outage.
    attempts: u32,
    /// How often the window has doubled.
    doublings: u32,
    quick_drops: u32,
    /// Whether there were links in this outage, none of them stable.
    unstable: bool,
    /// How many links in a row, up to the last dial, were [stuck](Self::handle_stuck).
    stuck: u32,
    reached: bool,
    /// Whether the dial that was decided on is the last one of this outage.
    last_dial: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Waiting {
        at: Instant,
        /// The time that the server asked for: nothing makes us dial earlier.
        not_before: Instant,
    },
    Dialing {
        since: Instant,
    },
    Open {
        since: Instant,
        /// Whether it has been useful.
        useful: bool,
        /// Since when everything that it was to carry has waited in vain.
        stuck: Option<Instant>,
    },
    Stopped(GiveUp),
}

impl Reconnect {
    /// A client that wants its first link at `now`. Its own random numbers are seeded from `rng`.
    pub fn new(config: Config, rng: &mut Rng, now: Instant) -> Self {
        Self {
            config: config.usable(),
            rng: rng.fork(),
            state: State::Waiting { at: now, not_before: now },
            clock: now,
            outage: now,
            attempts: 0,
            doublings: 0,
            quick_drops: 0,
            unstable: false,
            stuck: 0,
            reached: false,
            last_dial: false,
        }
    }

    /// A dial has succeeded: the WebSocket is open. That alone does not end the outage, see
    /// [`Config::stable_after`].
    pub fn handle_open(&mut self, now: Instant) {
        let now = self.advance(now);
        self.state = State::Open { since: now, useful: false, stuck: None };
        self.reached = true;
    }

    /// The link has been useful: data that it carried was acknowledged. However soon it ends, it ends the outage: on a
    /// path that cuts every link after a second, backing off would only add to the harm.
    pub fn handle_progress(&mut self, now: Instant) {
        self.advance(now);
        if let State::Open { useful, .. } = &mut self.state {
            *useful = true;
        }
    }

    /// Everything that the link was to carry has waited for the other side for this long, in vain. Call this before the
    /// end of a link that was not [useful](Self::handle_progress). Only its life before that time counts, so that links
    /// which open and carry nothing do not end the outage, however long it takes to find them dead. Do not call it for
    /// a link that had nothing to carry, or whose other side had asked for time.
    pub fn handle_stuck(&mut self, now: Instant, silence: Duration) {
        let began = self.advance(now) - silence;
        if let State::Open { since, stuck, .. } = &mut self.state {
            *stuck = Some(began.max(*since));
        }
    }

    /// Another link, opened next to the one that was open, has taken its place: there is nothing to dial.
    pub fn handle_replaced(&mut self, now: Instant) {
        let now = self.advance(now);
        if let State::Open { since, useful, stuck } = self.state {
            self.judge(now, since, useful, stuck);
            self.state = State::Open { since: now, useful: false, stuck: None };
        }
    }

    /// The link has ended. `retry` is the advice of its [`Disconnect`](crate::Disconnect).
    pub fn handle_lost(&mut self, now: Instant, retry: Retry) -> Option<Next> {
        let draw = self.rng.unit();
        self.fail(now, retry, None, draw)
    }

    /// A dial has failed. `retry` is the advice of the answer if there was one
    /// ([`retry_status`](crate::closing::retry_status)), and [`Retry::Backoff`] otherwise. `retry_after` is the
    /// shortest wait that the server asks for (RFC 9110 §10.2.3), at most an hour of which is kept; it is `None` if the
    /// advice already includes it, as in an error of `bowline-handshake`.
    pub fn handle_dial_failed(
        &mut self,
        now: Instant,
        retry: Retry,
        retry_after: Option<Duration>,
    ) -> Option<Next> {
        let draw = self.rng.unit();
        if let State::Open { .. } = self.state {
            return None; // an older dial, abandoned
        }
        self.fail(now, retry, retry_after, draw)
    }

    /// The network has changed (another interface, another address). What failed before may succeed, so the next
    /// attempt comes sooner. If a server asked for time, it still gets it.
    pub fn handle_network_change(&mut self, now: Instant) -> Option<Next> {
        let draw = self.rng.unit();
        self.hurry(now, draw)
    }

    /// The deadline of [`poll_timeout`](Self::poll_timeout) was reached: dial, or a dial has taken too long. Does
    /// nothing if called early.
    pub fn handle_timeout(&mut self, now: Instant) -> Option<Next> {
        let now = self.advance(now);
        self.poll_timeout().filter(|deadline| *deadline <= now)?;
        if let State::Waiting { .. } = self.state {
            self.state = State::Dialing { since: now };
            return Some(Next::Dial);
        }
        self.handle_dial_failed(now, Retry::Backoff, None)
    }

    /// Dials at the next opportunity, whatever was decided before: for a user who asks for it, or has new credentials.
    /// The budgets start again. Changes nothing while a link is open or a dial is under way.
    pub fn dial(&mut self, now: Instant) {
        let now = self.advance(now);
        if let State::Waiting { .. } | State::Stopped(_) = self.state {
            self.state = State::Waiting { at: now, not_before: now };
            self.begin_outage(now);
        }
    }

    /// Sets how long a dial may take from now on, including one that is under way; until then, the
    /// [settings](Config::connect_timeout) apply. For a host that has found the path to be slow.
    pub fn set_connect_timeout(&mut self, timeout: Duration) {
        self.config = Config { connect_timeout: timeout, ..self.config }.usable();
    }

    /// When to call [`handle_timeout`](Self::handle_timeout) at the latest.
    pub fn poll_timeout(&self) -> Option<Instant> {
        let deadline = match self.state {
            State::Waiting { at, .. } => at,
            State::Dialing { since } => since + self.config.connect_timeout,
            State::Open { .. } | State::Stopped(_) => return None,
        };
        // A deadline beyond the end of time never comes.
        Some(deadline).filter(|deadline| *deadline < Instant::MAX)
    }

    /// How many times in a row it decided to dial again. Links that were lost before they were stable do not interrupt
    /// the sequence.
    pub fn attempts(&self) -> u32 {
        self.attempts
    }

    /// How many links in a row ended within a second of opening. From three on, this is no longer bad luck: the server
    /// accepts, and then drops.
    pub fn quick_drops(&self) -> u32 {
        self.quick_drops
    }

    fn advance(&mut self, now: Instant) -> Instant {
        self.clock = self.clock.max(now);
        self.clock
    }

    fn begin_outage(&mut self, now: Instant) {
        self.outage = now;
        self.attempts = 0;
        self.doublings = 0;
        self.quick_drops = 0;
        self.unstable = false;
        self.stuck = 0;
        self.last_dial = false;
    }

    fn fail(&mut self, now: Instant, retry: Retry, retry_after: Option<Duration>, draw: f64) -> Option<Next> {
        let now = self.advance(now);
        match self.state {
            State::Waiting { at, .. } if now < at => return None,
            State::Stopped(_) => return None,
            State::Open { since, useful, stuck } => self.judge(now, since, useful, stuck),
            State::Waiting { .. } | State::Dialing { .. } => self.stuck = 0,
        }
        Some(match self.decide(now, retry, retry_after, draw) {
            Ok((at, not_before)) => {
                self.attempts = self.attempts.saturating_add(1);
                self.doublings = self.doublings.saturating_add(1);
                if self.quick_drops >= QUICK_DROPS {
                    self.doublings = ALL_DOUBLINGS;
                }
                self.state = State::Waiting { at, not_before };
                Next::DialAt(at)
            }
            Err(why) => {
                self.state = State::Stopped(why);
                Next::GiveUp(why)
            }
        })
    }

    /// What the lost link's life says about the server.
    fn judge(&mut self, now: Instant, opened: Instant, useful: bool, stuck: Option<Instant>) {
        let stuck = stuck.filter(|_| !useful);
        let worked = stuck.unwrap_or(now);
        let is_stable = useful || worked - opened >= self.config.stable_after;
        if is_stable {
            self.begin_outage(worked);
            if stuck.is_none() {
                return;
            }
        }
        self.unstable = true;
        self.stuck = if stuck.is_some() { self.stuck.saturating_add(1) } else { 0 };
        self.quick_drops = if now - opened < QUICK { self.quick_drops.saturating_add(1) } else { 0 };
    }

    fn hurry(&mut self, now: Instant, draw: f64) -> Option<Next> {
        let now = self.advance(now);
        let State::Waiting { at, not_before } = self.state else { return None };
        let sooner = not_before.max(now + NETWORK_CHANGE_WINDOW.mul_f64(draw));
        (sooner < at).then(|| {
            self.state = State::Waiting { at: sooner, not_before };
            Next::DialAt(sooner)
        })
    }
}
