//! When to ping, whether the peer is alive, and how long the path takes.
//!
//! Any byte from the peer is a sign of life; a ping is sent only when there is none. A connection is declared dead only
//! by an unanswered ping: not while the transport drains (a busy upload is alive), not while we do not read (we could
//! not see the answer), and not when our own process did not run (the delay is ours).
//!
//! If both ends have a heartbeat, the one with the shorter interval pings. Its pings are signs of life for the other
//! end, which may never have to ping.
//!
//! ```text
//!                      silent for `interval`: Ping
//!            ┌───────┐ ───────────────────────────▶ ┌─────────┐  silent for `timeout`   ┌──────┐
//!   new ───▶ │ Quiet │                              │ Probing │ ──────────────────────▶ │ Dead │
//!            └───────┘ ◀─────────────────────────── └─────────┘  after the ping left    └──────┘
//!              │   ▲        a byte, once the          │     ▲    and the transport
//!              └───┘        ping has left             └─────┘    last drained: Dead
//!        we were silent for                     the timer fired late, or the
//!        1.25 `interval`: Pong                  machine slept: a new Ping
//! ```
//!
//! Its inputs are [`handle_received`](Heartbeat::handle_received), [`handle_pong`](Heartbeat::handle_pong),
//! [`handle_sent`](Heartbeat::handle_sent), [`handle_ping_sent`](Heartbeat::handle_ping_sent),
//! [`handle_blocked`](Heartbeat::handle_blocked), [`set_reading`](Heartbeat::set_reading),
//! [`handle_wake`](Heartbeat::handle_wake) and [`handle_timeout`](Heartbeat::handle_timeout);
//! [`set_interval`](Heartbeat::set_interval) changes its interval.
//!
//! An owner that waits for its peer and can open another connection need not wait for the verdict. After
//! [`set_impatient`](Heartbeat::set_impatient), silence leads to an early ping, a late answer to a doubt, and
//! [`give_up`](Heartbeat::give_up) to an early verdict:
//!
//! ```text
//!          silent for 3 s: Ping           no answer for 3 s: Doubt            give_up: Dead
//!   Quiet ──────────────────────▶ Probing ─────────────────────────▶ doubtful ──────────────▶ Dead
//!     ▲                              │                                │  │ ▲
//!     └───────────── a byte ─────────┴────────────────────────────────┘  └─┘ still no answer:
//!                                                                            another Doubt
//! ```

mod beat;
mod config;
mod deadlines;
mod doubt;
mod limit;
mod pings;

#[cfg(test)]
mod laws;
#[cfg(test)]
mod states;
#[cfg(test)]
mod tests;

pub use beat::{Beat, News};
pub use config::{Config, Mode};
pub use limit::PingLimit;

use crate::time::earliest;
use crate::{Instant, Rng, Rtt};
use core::time::Duration;
use deadlines::overdue;
use doubt::Doubt;
use pings::Pings;

/// Sleeps up to this long are left to the ordinary timers: they end before a peer or a proxy would give up.
pub(crate) const SHORT_SLEEP: Duration = Duration::from_secs(10);

/// Decides when to ping and when silence means death, for one connection.
///
/// A [`Connection`](crate::Connection) contains one. Next to another WebSocket library it works alone: report what
/// happens, call [`handle_timeout`](Self::handle_timeout) when [`poll_timeout`](Self::poll_timeout) is reached, and do
/// what it returns. Read everything readable *before* that call: a byte waiting in the socket is a sign of life.
///
/// ```
/// use bowline_core::heartbeat::{Beat, Config};
/// use bowline_core::{Heartbeat, Instant, Rng};
/// # use core::time::Duration;
/// # use std::collections::VecDeque;
/// # /// A socket in virtual time: its peer answers one ping after 80 ms, sends one more thing, and vanishes.
/// # struct Socket { arriving: VecDeque<(Instant, Message)>, pings: u32 }
/// # enum Message { Pong(Vec<u8>), Text(&'static str) }
/// # impl Socket {
/// #     fn read_until(&mut self, deadline: Instant) -> Option<(Instant, Message)> {
/// #         let due = self.arriving.front()?.0 <= deadline;
/// #         if due { self.arriving.pop_front() } else { None }
/// #     }
/// #     fn send_ping(&mut self, now: Instant, payload: &[u8]) {
/// #         self.pings += 1;
/// #         if self.pings == 1 {
/// #             let answer = Message::Pong(payload.to_vec());
/// #             self.arriving.push_back((now + Duration::from_millis(80), answer));
/// #             self.arriving.push_back((now + Duration::from_secs(5), Message::Text("bye")));
/// #         }
/// #     }
/// #     fn send_pong(&mut self) {}
/// # }
/// # let mut socket = Socket { arriving: VecDeque::new(), pings: 0 };
///
/// let mut now = Instant::ZERO;
/// let mut heartbeat = Heartbeat::new(Config::default(), &mut Rng::from_seed([7; 32]), now);
///
/// let silent = loop {
///     let deadline = heartbeat.poll_timeout().expect("a heartbeat that is on has a deadline");
///     if let Some((at, message)) = socket.read_until(deadline) {
///         now = at;
///         heartbeat.handle_received(now);
///         match message {
///             Message::Pong(payload) => drop(heartbeat.handle_pong(now, &payload)),
///             Message::Text(text) => assert_eq!(text, "bye"),
///         }
///         continue;
///     }
///     now = deadline;
///     match heartbeat.handle_timeout(now) {
///         Some(Beat::Ping { payload, .. }) => {
///             socket.send_ping(now, &payload);
///             heartbeat.handle_ping_sent(now);
///         }
///         Some(Beat::Pong) => socket.send_pong(),
///         Some(Beat::Dead { silent, .. }) => break silent,
///         _ => {}
///     }
/// };
///
/// assert_eq!(heartbeat.rtt().srtt(), Some(Duration::from_millis(80)));
/// assert!(silent <= Duration::from_secs(40)); // the interval minus its jitter, plus the timeout
/// ```
#[derive(Clone, Debug)]
pub struct Heartbeat {
    config: Config,
    state: State,
    pings: Pings,
    rtt: Rtt,
    /// The largest `now` so far, and how often a smaller one was passed.
    clock: Instant,
    clock_regressions: u64,
    /// When the last byte arrived.
    heard: Instant,
    /// Since when silence counts: since the last byte, or since we began to read again.
    silent_from: Instant,
    /// When the transport last accepted a byte, or we last requested an unsolicited Pong.
    spoke: Instant,
    /// When a transport that had been full last accepted a byte: proof that the far side drains it. Zero before that.
    drained: Instant,
    /// When the interval was last changed.
    paced: Instant,
    blocked: bool,
    /// Since when we have not been reading.
    paused: Option<Instant>,
    /// How many pings were answered, by data or by a Pong, while the transport was not full.
    answered: u32,
    told_no_pong: bool,
    doubt: Doubt,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// No ping is outstanding.
    Quiet,
    /// The newest ping waits for a sign of life.
    Probing {
        queued: Instant,
        /// Whether this is a resume probe, which follows a delay of our own. It has a short timeout if possible, and is
        /// not followed by another.
        resume: bool,
    },
    /// The peer has been declared dead.
    Dead,
}

impl Heartbeat {
    /// A heartbeat for a connection that opened at `now`. The jitter and the first ping's payload are drawn from `rng`.
    pub fn new(config: Config, rng: &mut Rng, now: Instant) -> Self {
        let (config, base) = (config.for_one_connection(rng), rng.next_u64());
        Self {
            config,
            state: State::Quiet,
            pings: Pings::new(base),
            rtt: Rtt::default(),
            clock: now,
            clock_regressions: 0,
            heard: now,
            silent_from: now,
            spoke: now,
            drained: Instant::ZERO,
            paced: now,
            blocked: false,
            paused: None,
            answered: 0,
            told_no_pong: false,
            doubt: Doubt::new(&config, base),
        }
    }

    /// Something was read from the transport: any byte, even in the middle of a frame.
    pub fn handle_received(&mut self, now: Instant) {
        let now = self.advance(now);
        self.heard = now;
        self.silent_from = now;
        self.doubt.clear();
        if let (State::Probing { .. }, Some(_)) = (self.state, self.pings.newest_left()) {
            self.state = State::Quiet;
        }
    }

    /// A Pong came. Returns the round-trip time, measured from when its ping left, if the ping was ours.
    ///
    /// Also counts as [`handle_received`](Self::handle_received).
    pub fn handle_pong(&mut self, now: Instant, payload: &[u8]) -> Option<Duration> {
        let now = self.advance(now);
        let round_trip = self.pings.settle(now, payload);
        self.handle_received(now);
        self.rtt.sample(round_trip?);
        round_trip
    }

    /// The transport accepted bytes of any kind. After [`handle_blocked`](Self::handle_blocked) this is a sign of life:
    /// the far side has made room.
    pub fn handle_sent(&mut self, now: Instant) {
        let now = self.advance(now);
        self.spoke = now;
        if self.blocked {
            self.blocked = false;
            self.drained = now;
            self.doubt.clear();
        }
    }

    /// The transport accepts no more for now: a write would block, or was short.
    pub fn handle_blocked(&mut self, now: Instant) {
        self.advance(now);
        self.blocked = true;
    }

    /// The last byte of the oldest queued ping has left; its clock starts. Pings leave in the order in which they were
    /// requested.
    ///
    /// Also counts as [`handle_sent`](Self::handle_sent).
    pub fn handle_ping_sent(&mut self, now: Instant) {
        let now = self.advance(now);
        self.handle_sent(now);
        self.pings.flush(now);
    }

    /// We stop reading, because the application is behind, or start again. While we do not read, the peer is not
    /// declared dead, and Pongs tell it that we are alive.
    pub fn set_reading(&mut self, now: Instant, reading: bool) {
        let now = self.advance(now);
        match (reading, self.paused) {
            (false, None) => self.paused = Some(now),
            (true, Some(_)) => {
                self.paused = None;
                self.silent_from = now;
                self.doubt.withdraw();
            }
            _ => {}
        }
    }

    /// The machine slept this long and is running again. To find out, compare the wall clock with the monotonic clock,
    /// which stands still during sleep on some systems. After a sleep of more than 10 s the peer is asked at once.
    ///
    /// If a resume probe has not left yet, it is not repeated: its time starts again.
    pub fn handle_wake(&mut self, now: Instant, slept: Duration) -> Option<Beat> {
        let now = self.advance(now);
        if slept <= SHORT_SLEEP || self.config.mode == Mode::Off || self.state == State::Dead {
            return None;
        }
        if let State::Probing { queued, resume: true } = &mut self.state {
            if self.pings.newest_left().is_none() {
                *queued = now;
                return None;
            }
        }
        Some(self.ping(now, Some(News::Resumed { slept })))
    }

    /// The deadline of [`poll_timeout`](Self::poll_timeout) was reached. An early call does nothing.
    pub fn handle_timeout(&mut self, now: Instant) -> Option<Beat> {
        let now = self.advance(now);
        if let Some(late) = overdue(self.ping_at(), now) {
            return Some(self.ping(now, self.stall(late)));
        }
        let dead = overdue(self.dead_at(), now);
        if let Some(late) = dead.or_else(|| overdue(self.doubt_at(), now)) {
            return Some(match (self.state, self.stall(late)) {
                // The delay is ours, not the peer's silence: ask again, but only once in a row.
                (State::Probing { resume: false, .. }, Some(stalled)) => self.ping(now, Some(stalled)),
                _ if dead.is_some() => self.die(now),
                _ => self.doubt(now),
            });
        }
        if overdue(self.pong_at(), now).is_some() {
            self.spoke = now;
            return Some(Beat::Pong);
        }
        None
    }

    /// When to call [`handle_timeout`](Self::handle_timeout) at the latest. Any other call may move it.
    pub fn poll_timeout(&self) -> Option<Instant> {
        let doubt = earliest(self.doubt_at(), self.pong_at());
        earliest(self.ping_at(), earliest(self.dead_at(), doubt))
    }

    /// Pings at another interval from now on, without jitter. A ping that becomes overdue because of this is due now,
    /// and does not count as late.
    pub fn set_interval(&mut self, now: Instant, interval: Duration) {
        let now = self.advance(now);
        self.config.set_interval(interval);
        self.paced = now;
    }

    /// The interval at which this heartbeat pings, after jitter.
    pub fn interval(&self) -> Duration {
        self.config.interval
    }

    /// What is known about round trips.
    pub fn rtt(&self) -> &Rtt {
        &self.rtt
    }

    /// How long the peer has been silent.
    pub fn silence(&self, now: Instant) -> Duration {
        now - self.heard
    }

    /// How many pings were requested.
    pub fn pings(&self) -> u64 {
        self.pings.queued()
    }

    /// How many pings were answered by their own Pong.
    pub fn pongs(&self) -> u64 {
        self.pings.ponged()
    }

    /// How often a caller's `now` was before an earlier one. Time then stands still.
    pub fn clock_regressions(&self) -> u64 {
        self.clock_regressions
    }

    /// How late a timer may fire before the delay counts as our own.
    pub(crate) fn grace(&self) -> Duration {
        self.config.grace
    }

    fn advance(&mut self, now: Instant) -> Instant {
        if now < self.clock {
            self.clock_regressions += 1;
        } else {
            self.clock = now;
        }
        self.clock
    }
}
