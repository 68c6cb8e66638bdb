//! The application's pings, among those of the heartbeat.

use super::{Connection, Event};
use crate::Instant;
use crate::frame::MAX_CONTROL;
use crate::recorder::Counts;
use alloc::boxed::Box;
use alloc::collections::VecDeque;
use core::fmt;
use thiserror::Error;

/// How many pings may be queued, and how many that have left may wait for answers.
const MAX_PINGS: usize = 8;

/// Why a ping cannot be sent, or has no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum PingError {
    /// The payload has this many bytes; a control frame holds 125 (RFC 6455 §5.5).
    #[error("ping payload of {0} bytes is longer than 125")]
    TooLong(usize),
    /// This many of the application's pings are queued: the transport accepts nothing.
    #[error("{0} pings are already waiting to be sent")]
    TooMany(usize),
    /// The connection is closing or closed, or there is none.
    #[error("the connection is closing, or there is none")]
    Closing,
    /// The peer has answered a later ping, or so many later ones have left that this one is given up. A peer need not
    /// answer every ping (RFC 6455 §5.5.3).
    #[error("the peer has left this ping unanswered")]
    Unanswered,
}

/// The application's pings that are under way.
#[derive(Debug)]
pub(super) struct Asked {
    /// How many pings of either kind were queued and have left since this began counting. They leave in order.
    queued: u32,
    left: u32,
    /// How many pings the application sent, and how many were answered.
    count: u64,
    answered: u32,
    pings: VecDeque<Ping>,
}

struct Ping {
    number: u64,
    /// Its position among all queued pings.
    place: u32,
    payload: Box<[u8]>,
    left: Option<Instant>,
}

impl Asked {
    /// Starts with this many queued pings of the heartbeat.
    fn new(waiting: u32) -> Self {
        Self { queued: waiting, left: 0, count: 0, answered: 0, pings: VecDeque::new() }
    }

    /// The heartbeat has queued a ping.
    pub(super) fn handle_beat(&mut self) {
        self.queued = self.queued.wrapping_add(1);
    }

    /// The next ping has left. Returns whether it was the application's.
    pub(super) fn handle_left(&mut self, now: Instant) -> bool {
        self.left = self.left.wrapping_add(1);
        let place = self.left;
        let Some(ping) = self.pings.iter_mut().find(|ping| ping.place == place) else { return false };
        ping.left = Some(now);
        if self.pings.iter().filter(|ping| ping.left.is_some()).count() > MAX_PINGS {
            // The oldest was not answered, and may never be.
            self.pings.pop_front();
        }
        true
    }

    /// How many were answered.
    pub(super) fn answered(&self) -> u32 {
        self.answered
    }

    fn is_under_way(&self, ping: u64) -> bool {
        self.pings.iter().any(|known| known.number == ping)
    }

    fn ask(&mut self, payload: &[u8]) -> Result<u64, PingError> {
        let waiting = self.pings.iter().filter(|ping| ping.left.is_none()).count();
        if waiting >= MAX_PINGS {
            return Err(PingError::TooMany(waiting));
        }
        self.queued = self.queued.wrapping_add(1);
        self.count += 1;
        let (number, place) = (self.count, self.queued);
        self.pings.push_back(Ping { number, place, payload: payload.into(), left: None });
        Ok(number)
    }

    /// How many pings a Pong with this payload answers. RFC 6455 §5.5.3: a peer may answer only the latest of several,
    /// so a Pong also answers those before its own.
    fn answered_by(&self, payload: &[u8]) -> usize {
        let is_it = |ping: &Ping| ping.left.is_some() && *ping.payload == *payload;
        self.pings.iter().position(is_it).map_or(0, |position| position + 1)
    }

    /// How many pings had left before `then`.
    fn left_before(&self, then: Instant) -> usize {
        self.pings.iter().take_while(|ping| ping.left.is_some_and(|left| left < then)).count()
    }
}

impl Connection {
    /// Queues a Ping with this payload, ahead of data. When the peer has answered it, [`Event::Answered`] reports the
    /// number returned here. Choose distinct payloads: a Pong is identified by its payload.
    ///
    /// The heartbeat's pings are separate, and [`rtt`](Self::rtt) is measured by them alone. A peer need not answer
    /// every ping; at most 8 answers are awaited, and the oldest ping is given up first.
    ///
    /// # Errors
    /// If the payload is too long, 8 pings are already waiting to be sent, or the connection is closing;
    /// [`Unanswered`](PingError::Unanswered) is for hosts that keep who waits.
    pub fn ping(&mut self, now: Instant, payload: &[u8]) -> Result<u64, PingError> {
        self.at(now);
        if payload.len() > MAX_CONTROL {
            return Err(PingError::TooLong(payload.len()));
        }
        if !self.is_open() {
            return Err(PingError::Closing);
        }
        let waiting = self.probe.waiting();
        let number = self.asked.get_or_insert_with(|| Box::new(Asked::new(waiting))).ask(payload)?;
        self.outbox.ping(payload);
        Ok(number)
    }

    /// Whether there may still be an [`Event::Answered`] for the ping with this number, which may already be queued.
    /// There will be none if it was taken, if the ping was given up, or once nothing more is read from the peer.
    pub fn is_awaited(&self, ping: u64) -> bool {
        let asked = self.asked.as_ref().filter(|_| self.closing.wants_frames());
        asked.is_some_and(|asked| asked.is_under_way(ping)) || self.inbox.has_answer(ping)
    }

    /// A Pong arrived, and is in the decoder.
    pub(super) fn handle_pong(&mut self, now: Instant) {
        let payload = self.decoder.payload();
        let beat = self.heartbeat.handle_pong(now, payload);
        let answered = self.asked.as_ref().map_or(0, |asked| match beat {
            Some(rtt) => asked.left_before(now - rtt),
            None => asked.answered_by(payload),
        });
        for _ in 0..answered {
            self.tell_answer(now);
        }
        if let Some(rtt) = beat {
            self.closing.handle_answered(now, now - rtt);
            self.tell(now, Event::Pong { rtt });
        }
    }

    /// Reports that the oldest of the application's pings was answered.
    fn tell_answer(&mut self, now: Instant) {
        let Some(asked) = &mut self.asked else { return };
        if let Some(Ping { number, left: Some(left), .. }) = asked.pings.pop_front() {
            asked.answered = asked.answered.wrapping_add(1);
            self.closing.handle_answered(now, left);
            self.tell(now, Event::Answered { ping: number, rtt: now - left });
        }
    }

    /// Adds the application's pings to those of the heartbeat.
    pub(super) fn with_asked(&self, counts: Counts) -> Counts {
        let answered = self.asked.as_ref().map_or(0, |asked| asked.answered());
        Counts {
            pings: counts.pings.wrapping_add(answered),
            pongs: counts.pongs.wrapping_add(answered),
            ..counts
        }
    }
}

impl fmt::Debug for Ping {
    /// Prints the length of the payload, not the payload.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ping")
            .field("number", &self.number)
            .field("bytes", &self.payload.len())
            .field("left", &self.left)
            .finish_non_exhaustive()
    }
}
