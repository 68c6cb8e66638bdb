//! A connection's clock, and what it reveals about the host.

use super::{Connection, Event};
use crate::Instant;
use crate::time::earliest;
use core::time::Duration;

impl Connection {
    /// The current time; if `now` steps back, time stands still. A deadline that was missed by far shows that this
    /// process did not run.
    #[inline]
    pub(super) fn at(&mut self, now: Instant) -> Instant {
        if now != self.now {
            self.step(now);
        }
        if !self.is_calm() {
            self.catch_up();
        }
        self.now
    }

    /// Does what was due but needed the current time.
    #[cold]
    fn catch_up(&mut self) {
        self.tell_reading();
        if self.owes_answer() {
            let answer = self.closing.answer(self.now);
            self.answer(answer, None);
        }
        if self.owes_refusal() {
            self.tell_fault(self.now);
        }
    }

    /// Time has passed, or the clock was set back.
    #[inline]
    fn step(&mut self, now: Instant) {
        if now < self.now {
            return self.step_back(now);
        }
        let passed = now - self.now;
        self.now = now;
        if passed > self.heartbeat.grace() {
            self.notice_stall(now);
        }
    }

    #[cold]
    fn step_back(&mut self, now: Instant) {
        self.stats.clock_regressions += 1;
        self.note_clock(self.now - now);
    }

    /// When something is due, no matter who reads.
    pub(super) fn deadline(&self) -> Option<Instant> {
        let heartbeat = if self.closing.wants_heartbeat() { self.heartbeat.poll_timeout() } else { None };
        let pace = if self.is_paced() { self.pace.poll_timeout() } else { None };
        let jam = earliest(self.jam.poll_timeout(), self.jam_deadline());
        earliest(earliest(self.poll_closing_timeout(), jam), earliest(heartbeat, pace))
    }

    /// When the transport has accepted nothing for too long.
    pub(super) fn jam_deadline(&self) -> Option<Instant> {
        self.jam.deadline(self.write_timeout.filter(|_| self.closing.is_open())?)
    }

    /// Looks for a deadline that passed long ago. Whatever arrived meanwhile, we were the late ones.
    #[cold]
    fn notice_stall(&mut self, now: Instant) {
        if let Some(late) = self.deadline().map(|due| now - due).filter(|late| *late > self.heartbeat.grace())
        {
            self.tell_stall(now, late);
        }
    }

    pub(super) fn tell_stall(&mut self, now: Instant, late: Duration) {
        // Several deadlines may have passed during the same stall, and each would report it.
        let is_known = |until| now - until <= self.heartbeat.grace();
        if !self.closing.is_over() && !self.closing.stalled_until().is_some_and(is_known) {
            self.forgive(now, late);
            self.tell(now, Event::Stalled { late });
        }
    }

    /// This process did not run, or slept, for this long: informs everything that counts time against the peer.
    pub(super) fn forgive(&mut self, now: Instant, lasted: Duration) {
        self.closing.handle_stalled(now, lasted);
        self.pace.restart(now);
        self.jam.handle_stalled(now);
    }
}
