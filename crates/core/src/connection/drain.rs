//! How fast the transport drains, so that fragments can be as large as the latency of pings allows.
//!
//! How much a transport accepts says little: its buffer takes megabytes at once and needs seconds to deliver them. But
//! between two moments at which it was full, it accepted exactly as much as it delivered. If it is never full, whatever
//! it accepts beyond the size of any buffer must have been delivered.

use crate::Instant;
use core::time::Duration;

/// The fragment size while nothing is known, and the minimum later: 31 ms at 500 kB/s, with at most a thousandth of
/// header bytes.
const MIN_FRAGMENT: usize = 16 << 10;
/// The maximum: a mebibyte plus what a protocol on top adds, so that a large chunk is one frame, which its receiver
/// need not join.
const MAX_FRAGMENT: usize = (1 << 20) + (1 << 10);
/// A fragment is what drains in this fraction of a second: 2 ms, little compared with what the kernel holds in front of
/// a ping.
const FRAGMENTS_PER_SECOND: u64 = 500;
/// The shortest time to measure over; a buffer that is freed in large steps would spoil a shorter one.
const SHORTEST: Duration = Duration::from_millis(5);
/// How much the buffers between us and the peer may hold without passing it on.
const SWALLOWED: u64 = 8 << 20;
/// Beyond that, the rate is updated once per this many bytes: dividing for each of very many small writes would be
/// noticeable.
const STEP: u64 = 256 << 10;
/// How long a transport that is never full is observed before the measurement starts again.
const WINDOW: Duration = Duration::from_secs(1);

#[derive(Debug, Default)]
pub(super) struct Meter {
    /// Since the transport was last full, if it has had something to drain ever since.
    full: Option<Span>,
    /// The same measurement, full or not.
    any: Span,
    /// Bytes per second.
    rate: Option<u64>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Span {
    since: Instant,
    taken: u64,
}

impl Meter {
    pub(super) fn new(now: Instant) -> Self {
        Self { any: Span::new(now), ..Self::default() }
    }

    /// The transport accepted `n` bytes; `is_empty` says that there are no more for it. Returns whether this gave a
    /// measurement.
    pub(super) fn handle_written(&mut self, now: Instant, n: usize, is_empty: bool) -> bool {
        let before = self.any.taken;
        self.any.take(n);
        if let Some(span) = &mut self.full {
            span.take(n);
        }
        if is_empty {
            self.full = None;
        }
        let is_measured = self.any.taken > SWALLOWED && self.any.taken / STEP > before / STEP;
        if is_measured {
            let passed = Span { taken: self.any.taken - SWALLOWED, ..self.any };
            // What was delivered in a shorter time was also delivered in this one.
            let now = now.max(self.any.since + SHORTEST);
            self.rate = self.rate.max(Some(passed.rate(now)));
        }
        if now >= self.any.since + WINDOW {
            self.any = Span::new(now);
        }
        is_measured
    }

    /// The transport accepts no more.
    pub(super) fn handle_blocked(&mut self, now: Instant) {
        match self.full {
            Some(span) if now - span.since < SHORTEST => return,
            Some(span) => {
                let sample = span.rate(now);
                // A slower rate is adopted at once, because the limit on latency applies at once; a faster one only by
                // half.
                self.rate = Some(self.rate.map_or(sample, |rate| sample.min(rate / 2 + sample / 2)));
                self.any = Span::new(now);
            }
            None => {}
        }
        self.full = Some(Span::new(now));
    }

    /// Bytes per second, once known.
    pub(super) fn rate(&self) -> Option<u64> {
        self.rate
    }

    /// The maximum size of a fragment.
    pub(super) fn fragment(&self) -> usize {
        let rate = self.rate.unwrap_or(0);
        usize::try_from(rate / FRAGMENTS_PER_SECOND).unwrap_or(MAX_FRAGMENT).clamp(MIN_FRAGMENT, MAX_FRAGMENT)
    }
}

impl Span {
    fn new(now: Instant) -> Self {
        Self { since: now, taken: 0 }
    }

    fn take(&mut self, n: usize) {
        self.taken = self.taken.saturating_add(n as u64);
    }

    fn rate(&self, now: Instant) -> u64 {
        let nanos = (now - self.since).as_nanos().max(1);
        u64::try_from(u128::from(self.taken) * 1_000_000_000 / nanos).unwrap_or(u64::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: u64) -> Instant {
        Instant::from_millis(millis)
    }

    #[test]
    fn bytes_that_only_fill_a_buffer_give_no_rate() {
        let mut meter = Meter::new(at(0));
        meter.handle_written(at(6), 4 << 20, false);
        meter.handle_blocked(at(6));
        assert_eq!((meter.rate(), meter.fragment()), (None, MIN_FRAGMENT));
    }

    #[test]
    fn the_bytes_taken_between_two_full_buffers_give_the_rate() {
        let mut meter = Meter::new(at(0));
        meter.handle_blocked(at(10));
        meter.handle_written(at(60), 500_000, false);
        meter.handle_written(at(110), 500_000, false);
        meter.handle_blocked(at(110));
        assert_eq!((meter.rate(), meter.fragment()), (Some(10_000_000), 20_000));
    }

    #[test]
    fn a_queue_that_ran_empty_ends_the_measurement() {
        let mut meter = Meter::new(at(0));
        meter.handle_blocked(at(0));
        meter.handle_written(at(100), 1000, true);
        meter.handle_blocked(at(10_000));
        assert_eq!(meter.rate(), None);
    }

    #[test]
    fn a_moment_is_too_short_to_measure_but_counts_later() {
        let mut meter = Meter::new(at(0));
        meter.handle_blocked(at(0));
        meter.handle_written(at(1), 100_000, false);
        meter.handle_blocked(at(1));
        assert_eq!(meter.rate(), None);
        meter.handle_written(at(10), 100_000, false);
        meter.handle_blocked(at(10));
        assert_eq!(meter.rate(), Some(20_000_000));
    }

    #[test]
    fn a_slower_rate_is_believed_at_once() {
        let mut meter = Meter::new(at(0));
        meter.handle_blocked(at(0));
        let mut sample = |from: u64, n| {
            meter.handle_written(at(from + 10), n, false);
            meter.handle_blocked(at(from + 10));
            (meter.rate().unwrap_or(0), meter.fragment())
        };
        assert_eq!(sample(0, 500_000), (50_000_000, 100_000));
        assert_eq!(sample(10, 100_000), (10_000_000, 20_000));
        assert_eq!(sample(20, 300_000), (20_000_000, 40_000));
        assert_eq!(sample(30, 800_000), (50_000_000, 100_000));
        assert_eq!(sample(40, 1), (100, MIN_FRAGMENT));
    }

    #[test]
    fn a_transport_that_is_never_full_proves_its_rate_by_volume() {
        let mut meter = Meter::new(at(0));
        for millis in 1..=100 {
            meter.handle_written(at(millis), 1 << 20, true);
        }
        assert!(meter.rate() > Some(900_000_000), "{:?}", meter.rate());
        assert_eq!(meter.fragment(), MAX_FRAGMENT);
    }

    #[test]
    fn a_large_volume_proves_the_rate_at_once() {
        let mut meter = Meter::new(at(0));
        meter.handle_written(at(0), 8 << 20, true);
        assert_eq!(meter.rate(), None);
        meter.handle_written(at(1), 1_000_000, true);
        assert_eq!(meter.rate(), Some(200_000_000), "as if it had taken 5 ms");
        meter.handle_written(at(2), 2 << 20, true);
        assert_eq!(meter.fragment(), MAX_FRAGMENT);
    }

    #[test]
    fn many_small_writes_are_judged_together() {
        let mut meter = Meter::new(at(0));
        meter.handle_written(at(0), 8 << 20, true);
        let measured = (0..1 << 16).filter(|_| meter.handle_written(at(6), 16, true)).count();
        assert_eq!(measured, 4, "of a mebibyte");
        assert_eq!(meter.rate(), Some((1 << 20) * 1000 / 6));
    }

    #[test]
    fn a_volume_counts_only_if_it_leaves_in_a_short_time() {
        let mut meter = Meter::new(at(0));
        for second in 1..=100 {
            meter.handle_written(at(second * 1000), 4 << 20, true);
        }
        assert_eq!(meter.rate(), None);
    }

    #[test]
    fn bytes_taken_before_the_transport_was_full_no_longer_count() {
        let mut meter = Meter::new(at(0));
        meter.handle_written(at(100), 100 << 20, false);
        meter.handle_blocked(at(100));
        meter.handle_written(at(110), 10_000, false);
        meter.handle_blocked(at(110));
        meter.handle_written(at(120), 10_000, false);
        assert_eq!(meter.rate(), Some(1_000_000));
    }

    #[test]
    fn extreme_times_do_no_harm() {
        let mut meter = Meter::new(at(0));
        for now in [Instant::MAX, Instant::ZERO, Instant::MAX] {
            meter.handle_blocked(now);
            meter.handle_written(now, usize::MAX, false);
        }
        assert!(meter.fragment() >= MIN_FRAGMENT);
    }
}
