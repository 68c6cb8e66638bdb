//! Rates, and the best rate of recent rounds.

use core::time::Duration;

/// Bytes per second.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Rate(u64);

impl Rate {
    pub(super) const ZERO: Self = Self(0);
    pub(super) const MAX: Self = Self(u64::MAX);

    /// This many bytes in this time; a time of zero counts as a microsecond.
    pub(super) fn of(bytes: u64, time: Duration) -> Self {
        let nanos = time.as_nanos().max(1_000);
        Self((u128::from(bytes) * 1_000_000_000 / nanos).try_into().unwrap_or(u64::MAX))
    }

    pub(super) const fn from_bytes_per_second(rate: u64) -> Self {
        Self(rate)
    }

    pub(super) const fn bytes_per_second(self) -> u64 {
        self.0
    }

    pub(super) const fn times(self, factor: u64) -> Self {
        Self(self.0.saturating_mul(factor))
    }

    /// How many bytes pass in this time.
    pub(super) fn over(self, time: Duration) -> u64 {
        (u128::from(self.0) * time.as_nanos() / 1_000_000_000).try_into().unwrap_or(u64::MAX)
    }

    /// How long this many bytes take; zero while no rate is known.
    pub(super) fn time_of(self, bytes: u64) -> Duration {
        let nanos = (u128::from(bytes) * 1_000_000_000).checked_div(u128::from(self.0)).unwrap_or(0);
        Duration::from_nanos(nanos.try_into().unwrap_or(u64::MAX))
    }
}

/// For how many rounds a sample is remembered.
const ROUNDS: usize = 9;

/// The best rate of recent rounds: a lull in sending does not lower it at once.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct RateFilter {
    best: [Rate; ROUNDS],
    round: usize,
}

impl RateFilter {
    pub(super) fn sample(&mut self, rate: Rate) {
        let slot = &mut self.best[self.round];
        *slot = rate.max(*slot);
    }

    pub(super) fn next_round(&mut self) {
        self.round = (self.round + 1) % ROUNDS;
        self.best[self.round] = Rate::ZERO;
    }

    pub(super) fn max(&self) -> Rate {
        self.best.iter().copied().max().unwrap_or_default()
    }

    /// Forgets everything above `rate`: the path has slowed down.
    pub(super) fn fall_to(&mut self, rate: Rate) {
        for slot in &mut self.best {
            *slot = rate.min(*slot);
        }
        self.sample(rate);
    }
}
