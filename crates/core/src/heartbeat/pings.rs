//! Which pings are outstanding, when they left, and which a Pong has answered.

use crate::Instant;
use core::time::Duration;

/// How many pings are timed at once. If more are outstanding, the later ones are not timed: behind a full buffer a Pong
/// may be many intervals late, and a list of the newest would have forgotten each ping by the time it is answered.
const TIMED: usize = 4;

/// The pings of one connection, numbered from 1.
///
/// ```text
///          answered          left             in the transport's queue
///  1 ── ▪▪▪▪▪▪▪▪▪▪▪▪▪▪▪▪ ── settled ── ▪▪▪▪▪▪▪▪ ── flushed ── ▪▪▪▪▪▪ ── queued
/// ```
#[derive(Clone, Debug)]
pub(super) struct Pings {
    /// The payload before that of the first ping. Random, so that the Pongs of another connection do not match.
    base: u64,
    /// How many pings were requested.
    queued: u64,
    /// How many pings have left completely. They leave in order.
    flushed: u64,
    /// How many pings are settled: a Pong settles its own ping and all before it (RFC 6455 §5.5.3).
    settled: u64,
    /// How many pings were answered by their own Pong.
    ponged: u64,
    /// When the newest ping that has left did so.
    left: Instant,
    /// Timed pings, and when they left. The slot of a settled one is free.
    timed: [(u64, Instant); TIMED],
}

impl Pings {
    pub(super) fn new(base: u64) -> Self {
        Self {
            base,
            queued: 0,
            flushed: 0,
            settled: 0,
            ponged: 0,
            left: Instant::ZERO,
            timed: [(0, Instant::ZERO); TIMED],
        }
    }

    /// A new ping's payload.
    pub(super) fn queue(&mut self) -> [u8; 8] {
        self.queued += 1;
        self.base.wrapping_add(self.queued).to_be_bytes()
    }

    /// The oldest queued ping has left.
    pub(super) fn flush(&mut self, now: Instant) {
        if self.flushed < self.queued {
            self.flushed += 1;
            self.left = now;
            if let Some(place) = self.timed.iter_mut().find(|(number, _)| *number <= self.settled) {
                *place = (self.flushed, now);
            }
        }
    }

    /// A Pong came. Returns the round-trip time, if it answers a timed ping of ours.
    pub(super) fn settle(&mut self, now: Instant, payload: &[u8]) -> Option<Duration> {
        let payload = u64::from_be_bytes(payload.try_into().ok()?);
        let number = payload.wrapping_sub(self.base);
        if number <= self.settled || number > self.queued {
            return None;
        }
        // A Pong that arrives before its ping is reported as sent gives no time: the reports crossed.
        let timed = self.timed.iter().find(|(timed, _)| *timed == number);
        let round_trip = timed.map(|(_, left)| now - *left);
        self.flushed = self.flushed.max(number);
        self.settled = number;
        self.ponged += 1;
        round_trip
    }

    /// When the newest ping left; `None` if it has not left.
    pub(super) fn newest_left(&self) -> Option<Instant> {
        (self.queued > 0 && self.flushed == self.queued).then_some(self.left)
    }

    /// How many pings were requested.
    pub(super) fn queued(&self) -> u64 {
        self.queued
    }

    /// How many were answered by their own Pong.
    pub(super) fn ponged(&self) -> u64 {
        self.ponged
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const T1: Instant = Instant::from_secs(1);
    const T2: Instant = Instant::from_secs(2);
    const T9: Instant = Instant::from_secs(9);

    const EIGHT: Option<Duration> = Some(Duration::from_secs(8));

    #[test]
    fn a_pong_settles_its_own_ping_once() {
        let mut pings = Pings::new(u64::MAX);
        let payload = pings.queue();
        pings.flush(T1);
        assert_eq!(pings.settle(T9, &payload), EIGHT);
        assert_eq!(pings.settle(T9, &payload), None);
        assert_eq!(pings.ponged(), 1);
    }

    #[test]
    fn a_pong_settles_older_pings_without_counting_them() {
        let mut pings = Pings::new(7);
        let (first, second) = (pings.queue(), pings.queue());
        pings.flush(T1);
        pings.flush(T1);
        assert_eq!(pings.settle(T9, &second), EIGHT);
        assert_eq!(pings.settle(T9, &first), None);
        assert_eq!(pings.ponged(), 1);
    }

    #[test]
    fn an_older_pong_leaves_the_newer_ping_open() {
        let mut pings = Pings::new(7);
        let (first, second) = (pings.queue(), pings.queue());
        pings.flush(T1);
        pings.flush(T1);
        assert_eq!(pings.settle(T9, &first), EIGHT);
        assert_eq!(pings.settle(T9, &second), EIGHT);
        assert_eq!(pings.ponged(), 2);
    }

    #[test]
    fn a_foreign_payload_settles_nothing() {
        let mut pings = Pings::new(100);
        let payload = pings.queue();
        pings.flush(T1);
        for foreign in [&100_u64.to_be_bytes()[..], &102_u64.to_be_bytes(), &payload[..7], b""] {
            assert_eq!(pings.settle(T9, foreign), None);
        }
        assert_eq!(pings.ponged(), 0);
        assert_eq!(pings.settle(T9, &payload), EIGHT);
    }

    #[test]
    fn a_pong_before_its_ping_is_reported_sent_gives_no_round_trip() {
        let mut pings = Pings::new(0);
        let payload = pings.queue();
        assert_eq!(pings.settle(T1, &payload), None);
        assert_eq!(pings.ponged(), 1);
        pings.flush(T9);
        pings.queue();
        assert_eq!(pings.newest_left(), None);
        pings.flush(T9);
        assert_eq!(pings.newest_left(), Some(T9));
    }

    #[test]
    fn pings_leave_in_order() {
        let mut pings = Pings::new(0);
        assert_eq!(pings.newest_left(), None);
        pings.queue();
        let second = pings.queue();
        pings.flush(T2);
        assert_eq!(pings.newest_left(), None);
        pings.flush(T1);
        assert_eq!(pings.newest_left(), Some(T1));
        pings.flush(T9);
        assert_eq!(pings.newest_left(), Some(T1));
        assert_eq!(pings.settle(T9, &second), EIGHT);
    }

    #[test]
    fn only_the_oldest_of_many_outstanding_pings_are_timed() {
        let mut pings = Pings::new(0);
        let payloads: alloc::vec::Vec<_> = (0..6).map(|_| pings.queue()).collect();
        for _ in 0..5 {
            pings.flush(T1);
        }
        let round_trips = [0, 1, 2, 3, 4].map(|n| pings.settle(T9, &payloads[n]));
        assert_eq!(round_trips, [EIGHT, EIGHT, EIGHT, EIGHT, None]);
        assert_eq!(pings.ponged(), 5);
        // There is a free slot for the sixth.
        pings.flush(T1);
        assert_eq!(pings.settle(T9, &payloads[5]), EIGHT);
    }

    #[test]
    fn a_pong_for_the_newest_ping_alone_makes_room_for_later_ones() {
        let mut pings = Pings::new(0);
        for _ in 0..4 {
            pings.queue();
            pings.flush(T1);
        }
        let newest = pings.queue();
        pings.flush(T1);
        assert_eq!(pings.settle(T2, &newest), None);
        let next = pings.queue();
        pings.flush(T1);
        assert_eq!(pings.settle(T9, &next), EIGHT);
    }
}
