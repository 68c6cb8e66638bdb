//! What a heartbeat says, and when it has more to say than that it is time.

use super::{Heartbeat, State};
use crate::Instant;
use core::time::Duration;

/// After how many answers, none of them a Pong, the peer is said not to pong.
const ANSWERS_WITHOUT_PONG: u32 = 3;

/// What a heartbeat wants done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Beat {
    /// Send a Ping with this payload, ahead of queued data. When its last byte has left, call
    /// [`handle_ping_sent`](super::Heartbeat::handle_ping_sent).
    Ping {
        /// The application data of the frame, to be answered by a Pong with the same.
        payload: [u8; 8],
        /// What the application should hear of on this occasion.
        news: Option<News>,
    },
    /// Send a Pong that nobody asked for, with an empty payload: it tells the peer and everything in between that
    /// we are here (RFC 6455 §5.5.3).
    Pong,
    /// A ping of somebody who is [impatient](super::Heartbeat::set_impatient) has no answer yet. Nothing has ended: a peer that
    /// is slow may still answer. Said again and again while nothing comes, after waits that double.
    Doubt {
        /// Time since the last byte from the peer.
        silent: Duration,
    },
    /// Nobody is there. Drop the connection; the heartbeat is over.
    Dead {
        /// Time since the last byte from the peer.
        silent: Duration,
        /// Time since the last ping left; `None` if it never did, because the transport took nothing.
        ping: Option<Duration>,
        /// Pings of this connection that were answered by their Pong ...
        pongs: u64,
        /// ... of so many.
        pings: u64,
    },
}

/// Why a ping was sent, where there is more to say than that it was time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum News {
    /// Our own process did not run for a while: the timer fired this late. The peer is asked again before anything
    /// is held against it.
    Stalled {
        /// Time between the deadline and the call.
        late: Duration,
    },
    /// The machine slept, see [`handle_wake`](super::Heartbeat::handle_wake).
    Resumed {
        /// As the host told.
        slept: Duration,
    },
    /// Three pings were answered by data, but never by a Pong. Said once. The peer breaks RFC 6455 §5.5.2, and will
    /// seem dead as soon as it has nothing to say.
    PeerDoesNotPong,
}

impl Heartbeat {
    pub(super) fn stall(&self, late: Duration) -> Option<News> {
        (late > self.config.grace).then_some(News::Stalled { late })
    }

    pub(super) fn ping(&mut self, now: Instant, news: Option<News>) -> Beat {
        // Behind a full transport a Pong may be many intervals late, and what comes meanwhile answers nothing.
        let at_once = |left| left > self.drained && !self.blocked;
        if self.state == State::Quiet && self.pings.newest_left().is_some_and(at_once) {
            self.answered = self.answered.saturating_add(1);
        }
        let news = news.or_else(|| self.missing_pongs());
        let usual = self.silent_from + self.config.interval;
        self.doubt.usual = if usual > now { usual } else { Instant::ZERO };
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
