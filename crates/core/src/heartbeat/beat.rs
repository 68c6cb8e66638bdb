//! What a heartbeat asks for, and the news that a ping may bring.

use super::{Heartbeat, State};
use crate::Instant;
use core::time::Duration;

/// A peer that has answered this often without a Pong is reported.
const ANSWERS_WITHOUT_PONG: u32 = 3;

/// What a heartbeat asks its owner to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Beat {
    /// Send a Ping with this payload, ahead of queued data. When its last byte has left, call
    /// [`handle_ping_sent`](super::Heartbeat::handle_ping_sent).
    Ping {
        /// The application data of the frame; a Pong will repeat it.
        payload: [u8; 8],
        /// What the application should learn with it.
        news: Option<News>,
    },
    /// Send an unsolicited Pong with an empty payload: it tells the peer, and everything in between, that we are here
    /// (RFC 6455 §5.5.3).
    Pong,
    /// The owner is [impatient](super::Heartbeat::set_impatient), and a ping has not been answered yet. Nothing has
    /// ended: a slow peer may still answer. Repeated while nothing arrives, after waits that double.
    Doubt {
        /// Time since the last byte from the peer.
        silent: Duration,
    },
    /// The peer is dead. Drop the connection; the heartbeat is over.
    Dead {
        /// Time since the last byte from the peer.
        silent: Duration,
        /// Time since the last ping left; `None` if none ever did because the transport accepted nothing.
        ping: Option<Duration>,
        /// How many pings of this connection were answered by their Pong ...
        pongs: u64,
        /// ... of how many.
        pings: u64,
    },
}

/// Why a ping was sent, if not just because it was due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum News {
    /// Our own process did not run for a while: the timer fired this late. The peer is asked again before it is blamed.
    Stalled {
        /// Time between the deadline and the call.
        late: Duration,
    },
    /// The machine slept, see [`handle_wake`](super::Heartbeat::handle_wake).
    Resumed {
        /// As reported by the host.
        slept: Duration,
    },
    /// Three pings were answered by data, but none by a Pong. Reported once. The peer violates RFC 6455 §5.5.2, and
    /// will seem dead as soon as it has nothing to send.
    PeerDoesNotPong,
}

impl Heartbeat {
    pub(super) fn stall(&self, late: Duration) -> Option<News> {
        (late > self.config.grace).then_some(News::Stalled { late })
    }

    pub(super) fn ping(&mut self, now: Instant, news: Option<News>) -> Beat {
        // Behind a full transport, a Pong may be many intervals late, and what arrives meanwhile answers nothing.
        let at_once = |left| left > self.drained && !self.blocked;
        if self.state == State::Quiet && self.pings.newest_left().is_some_and(at_once) {
            self.answered = self.answered.saturating_add(1);
        }
        let news = news.or_else(|| self.missing_pongs());
        self.doubt.withdraw();
        self.doubt.asked = now;
        self.doubt.usual = self.silent_from + self.config.interval;
        self.state = State::Probing {
            queued: now,
            resume: matches!(news, Some(News::Stalled { .. } | News::Resumed { .. })),
        };
        Beat::Ping { payload: self.pings.queue(), news }
    }

    pub(super) fn missing_pongs(&mut self) -> Option<News> {
        let is_due = self.answered >= ANSWERS_WITHOUT_PONG && self.pings.ponged() == 0 && !self.told_no_pong;
        self.told_no_pong |= is_due;
        is_due.then_some(News::PeerDoesNotPong)
    }

    pub(super) fn die(&mut self, now: Instant) -> Beat {
        self.state = State::Dead;
        Beat::Dead {
            silent: now - self.heard,
            ping: self.pings.newest_left().map(|left| now - left),
            pongs: self.pings.ponged(),
            pings: self.pings.queued(),
        }
    }
}
