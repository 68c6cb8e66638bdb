//! A limit on bytes, or frames, per second.

use crate::Instant;
use core::time::Duration;

/// Lets bytes, or anything that is counted, pass at a given rate. Each pass may overdraw; the next waits until the debt
/// is paid.
#[derive(Clone, Debug)]
pub(super) struct Limiter {
    bytes_per_second: u64,
    /// When the debt is paid.
    free_at: Instant,
    /// How many bytes have passed.
    passed: u64,
}

impl Limiter {
    pub(super) fn new(now: Instant, bytes_per_second: u64) -> Self {
        Self { bytes_per_second: bytes_per_second.max(1), free_at: now, passed: 0 }
    }

    /// When the next bytes may pass.
    pub(super) fn free_at(&self) -> Instant {
        self.free_at
    }

    /// Another's debt must be paid first.
    pub(super) fn hold(&mut self, until: Instant) {
        self.free_at = self.free_at.max(until);
    }

    /// How many bytes have passed.
    pub(super) fn passed(&self) -> u64 {
        self.passed
    }

    pub(super) fn pass(&mut self, now: Instant, bytes: u64) {
        self.passed = self.passed.saturating_add(bytes);
        self.free_at = self.free_at.max(now) + self.time_for(bytes);
    }

    /// When the debt incurred by the first `passed` bytes, and everything others used before, is paid.
    pub(super) fn paid_at(&self, passed: u64) -> Instant {
        self.free_at.saturating_sub(self.time_for(self.passed.saturating_sub(passed)))
    }

    /// The most that should pass at once, so that a low rate flows instead of jerking: a quarter of a second's worth.
    pub(super) fn burst(&self) -> u64 {
        (self.bytes_per_second / 4).max(1024)
    }

    fn time_for(&self, bytes: u64) -> Duration {
        let nanos = u128::from(bytes) * 1_000_000_000 / u128::from(self.bytes_per_second);
        Duration::from_nanos(nanos.try_into().unwrap_or(u64::MAX))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_pass_delays_the_next_one_by_its_share() {
        let mut limiter = Limiter::new(Instant::from_secs(1), 1000);
        limiter.pass(Instant::from_secs(1), 500);
        assert_eq!(limiter.free_at(), Instant::from_millis(1500));
        limiter.pass(Instant::from_secs(2), 1000);
        assert_eq!(limiter.free_at(), Instant::from_secs(3), "idle time is not saved up");
    }

    #[test]
    fn a_held_limiter_waits_for_the_longer_of_two_debts() {
        let mut limiter = Limiter::new(Instant::ZERO, 1000);
        limiter.pass(Instant::ZERO, 500);
        limiter.hold(Instant::from_millis(400));
        assert_eq!(limiter.free_at(), Instant::from_millis(500));
        limiter.hold(Instant::from_millis(900));
        assert_eq!((limiter.free_at(), limiter.passed()), (Instant::from_millis(900), 500));
    }

    #[test]
    fn bytes_are_paid_for_in_order_and_after_the_debts_of_others() {
        let mut limiter = Limiter::new(Instant::ZERO, 1000);
        limiter.pass(Instant::ZERO, 500);
        limiter.pass(Instant::ZERO, 200);
        assert_eq!([500, 700].map(|mark| limiter.paid_at(mark)), [500, 700].map(Instant::from_millis));
        limiter.hold(Instant::from_millis(1000));
        assert_eq!([500, 700].map(|mark| limiter.paid_at(mark)), [800, 1000].map(Instant::from_millis));
    }

    #[test]
    fn a_burst_is_a_quarter_of_a_second_or_a_kibibyte() {
        let burst = |rate| Limiter::new(Instant::ZERO, rate).burst();
        assert_eq!([10, 4096, 4100, 1_000_002].map(burst), [1024, 1024, 1025, 250_000]);
    }
}
