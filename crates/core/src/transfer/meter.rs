//! How fast bytes move, and how long the rest will take.
//!
//! Only bytes that moved while something could move count; bytes that were there before do not, nor does the time in
//! which nothing was under way.
//!
//! ```text
//!                 handle_moved                  half a second
//!  nothing known ──────────────▶ looking ─────────────────────▶ a rate, over the last five seconds
//!        ▲                          │                              │
//!        └────────── stop ──────────┴──────────────────────────────┘
//! ```

use super::{Progress, Stage};
use crate::Instant;
use alloc::collections::VecDeque;
use core::time::Duration;

/// The time over which the rate is measured: long enough to be calm, short enough to follow changes.
const WINDOW: Duration = Duration::from_secs(5);
/// How long to measure before a rate is reported: the rate of a moment means nothing.
const FIRST_LOOK: Duration = Duration::from_millis(500);
/// The distance between remembered looks: there are never more than about fifty, however often somebody looks.
const APART: Duration = Duration::from_millis(100);

/// Measures how fast bytes move, over the last five seconds.
///
/// It follows one transfer by its [`Progress`] ([`handle_progress`](Self::handle_progress)), or anything else that
/// moves ([`handle_moved`](Self::handle_moved)).
///
/// ```
/// use bowline_core::transfer::Meter;
/// use bowline_core::Instant;
/// use core::time::Duration;
///
/// let mut meter = Meter::default();
/// meter.handle_moved(Instant::ZERO, 0); // starts the measurement
/// meter.handle_moved(Instant::from_secs(2), 3_000_000);
/// let now = Instant::from_secs(3);
/// assert_eq!(meter.rate(now), Some(1_000_000)); // bytes per second
/// assert_eq!(meter.time_for(now, 500_000), Some(Duration::from_millis(500)));
/// meter.stop();
/// assert_eq!(meter.rate(now), None);
/// ```
#[derive(Clone, Debug, Default)]
pub struct Meter {
    /// Oldest first; empty while nothing is under way.
    looks: VecDeque<Look>,
    /// How many bytes have moved in total.
    moved: u64,
    /// The position of the transfer that is followed, while it moves.
    position: Option<u64>,
}

/// How many bytes had moved at some time.
#[derive(Clone, Copy, Debug)]
struct Look {
    at: Instant,
    moved: u64,
}

impl Meter {
    /// Reports a look at the transfer. Bytes count if they arrived since an earlier look at which the transfer was
    /// moving too; bytes that were there before, or that an earlier link brought, do not.
    pub fn handle_progress(&mut self, now: Instant, progress: &Progress) {
        if progress.stage != Stage::Moving {
            return self.stop();
        }
        // A transfer that lost something goes back; bytes that arrive again count again.
        let before = self.position.replace(progress.received).unwrap_or(progress.received);
        self.handle_moved(now, progress.received.saturating_sub(before));
    }

    /// This many more bytes have moved. The first call starts the measurement: its bytes came before.
    pub fn handle_moved(&mut self, now: Instant, bytes: u64) {
        self.moved = self.moved.saturating_add(bytes);
        if self.looks.back().is_none_or(|last| now - last.at >= APART) {
            self.looks.push_back(Look { at: now, moved: self.moved });
        }
        // One look at or before the edge of the window is kept, so that the window is always full.
        while self.looks.get(1).is_some_and(|look| now - look.at >= WINDOW) {
            self.looks.pop_front();
        }
    }

    /// Nothing is under way: the link is gone, everything has moved, or it is paused. The next look starts again.
    pub fn stop(&mut self) {
        self.looks.clear();
        self.position = None;
    }

    /// Bytes per second; `None` while nothing can move, and for the first half second.
    pub fn rate(&self, now: Instant) -> Option<u64> {
        let (moved, time) = self.window(now)?;
        let rate = u128::from(moved) * 1_000_000_000 / time.as_nanos();
        Some(u64::try_from(rate).unwrap_or(u64::MAX))
    }

    /// How long this many bytes will take; `None` while there is no rate, or if they would never arrive at that rate.
    pub fn time_for(&self, now: Instant, bytes: u64) -> Option<Duration> {
        let (moved, time) = self.window(now)?;
        let nanos = (u128::from(bytes) * time.as_nanos()).checked_div(moved.into())?;
        u64::try_from(nanos).ok().map(Duration::from_nanos)
    }

    /// What has moved in the window that ends now, and the length of the window.
    fn window(&self, now: Instant) -> Option<(u64, Duration)> {
        let in_window = self.looks.iter().rev().find(|look| now - look.at >= WINDOW);
        let from = in_window.or_else(|| self.looks.front())?;
        let time = now - from.at;
        (time >= FIRST_LOOK).then(|| (self.moved - from.moved, time))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: u64) -> Instant {
        Instant::from_millis(millis)
    }

    fn moving(received: u64) -> Progress {
        Progress { stage: Stage::Moving, length: Some(1 << 40), received, durable: 0, resent: 0 }
    }

    /// A thousand bytes every tenth of a second, up to this time.
    fn steady(meter: &mut Meter, from: u64, to: u64) {
        for tick in from / 100..=to / 100 {
            meter.handle_moved(at(100 * tick), 1000);
        }
    }

    #[test]
    fn a_steady_flow_has_its_rate() {
        let mut meter = Meter::default();
        steady(&mut meter, 0, 20_000);
        assert_eq!(meter.rate(at(20_000)), Some(10_000));
        assert_eq!(meter.time_for(at(20_000), 25_000), Some(Duration::from_millis(2500)));
        assert_eq!(meter.time_for(at(20_000), 0), Some(Duration::ZERO));
    }

    #[test]
    fn a_single_moment_gives_no_rate() {
        let mut meter = Meter::default();
        assert_eq!(meter.rate(at(10_000)), None);
        meter.handle_moved(at(10_000), 0);
        meter.handle_moved(at(10_010), 1_000_000);
        assert_eq!((meter.rate(at(10_499)), meter.time_for(at(10_499), 1)), (None, None));
        assert_eq!(meter.rate(at(10_500)), Some(2_000_000));
    }

    #[test]
    fn a_burst_counts_for_the_window_and_is_forgotten_after_it() {
        let mut meter = Meter::default();
        steady(&mut meter, 0, 10_000);
        meter.handle_moved(at(10_050), 5_000_000);
        steady(&mut meter, 10_100, 20_000);
        let mut one = Meter::default();
        steady(&mut one, 0, 10_000);
        one.handle_moved(at(10_050), 5_000_000);
        assert_eq!(one.rate(at(10_050)), Some((5_000_000 + 50_000) * 100 / 505));
        assert_eq!(meter.rate(at(20_000)), Some(10_000));
    }

    #[test]
    fn the_rate_falls_to_zero_in_a_stall_and_no_time_is_promised() {
        let mut meter = Meter::default();
        steady(&mut meter, 0, 10_000);
        let mut last = 10_000;
        for stalled in [1000, 2000, 3000, 4000] {
            let rate = meter.rate(at(10_000 + stalled)).expect("it has been looked at for long");
            assert!(rate < last, "{rate} after {stalled} ms");
            last = rate;
        }
        for stalled in [5000, 60_000] {
            assert_eq!(meter.rate(at(10_000 + stalled)), Some(0));
            assert_eq!(meter.time_for(at(10_000 + stalled), 1), None);
        }
        // Looking in between makes no difference.
        (100..150).for_each(|tick| meter.handle_moved(at(100 * tick), 0));
        assert_eq!(meter.rate(at(15_000)), Some(0));
        steady(&mut meter, 15_000, 21_000);
        assert_eq!(meter.rate(at(21_000)), Some(10_000));
    }

    #[test]
    fn bytes_that_were_there_at_the_start_do_not_count_as_moved() {
        let mut meter = Meter::default();
        meter.handle_progress(at(0), &Progress { stage: Stage::Opening, ..moving(0) });
        meter.handle_progress(at(100), &moving(900_000_000));
        meter.handle_progress(at(1100), &moving(900_050_000));
        assert_eq!(meter.rate(at(1100)), Some(50_000));
    }

    #[test]
    fn an_outage_takes_no_time_and_lost_bytes_count_again() {
        let mut meter = Meter::default();
        meter.handle_progress(at(0), &moving(0));
        meter.handle_progress(at(1000), &moving(50_000));
        meter.handle_progress(at(1100), &Progress { stage: Stage::Waiting, ..moving(50_000) });
        assert_eq!(meter.rate(at(1100)), None);
        meter.handle_progress(at(60_000), &moving(40_000));
        assert_eq!(meter.rate(at(60_000)), None);
        meter.handle_progress(at(61_000), &moving(60_000));
        assert_eq!(meter.rate(at(61_000)), Some(20_000));
    }

    #[test]
    fn a_step_back_does_not_lower_the_rate() {
        let mut meter = Meter::default();
        for (millis, received) in [(0, 0), (500, 50_000), (600, 10_000), (1000, 30_000)] {
            meter.handle_progress(at(millis), &moving(received));
        }
        assert_eq!(meter.rate(at(1000)), Some(70_000));
    }

    #[test]
    fn a_transfer_that_does_not_move_has_no_rate() {
        let paused = Stage::Paused { here: true, there: false };
        for stage in [Stage::Waiting, Stage::Opening, paused, Stage::Finishing] {
            let mut meter = Meter::default();
            meter.handle_progress(at(0), &moving(0));
            meter.handle_progress(at(1000), &moving(50_000));
            meter.handle_progress(at(1100), &Progress { stage, ..moving(60_000) });
            assert_eq!((meter.rate(at(2000)), meter.time_for(at(2000), 1)), (None, None), "{stage:?}");
        }
    }

    #[test]
    fn memory_is_bounded_however_often_progress_is_reported() {
        let mut meter = Meter::default();
        for micros in 0..200_000 {
            meter.handle_moved(Instant::from_micros(100 * micros), 1);
        }
        assert!(meter.looks.len() <= 52, "{}", meter.looks.len());
        assert_eq!(meter.rate(Instant::from_micros(19_999_900)).map(|rate| rate / 100), Some(100));
    }

    #[test]
    fn extreme_numbers_and_clocks_do_no_harm() {
        let mut meter = Meter::default();
        meter.handle_moved(at(10_000), u64::MAX);
        meter.handle_moved(at(9_000), u64::MAX);
        assert_eq!(meter.rate(at(5_000)), None);
        assert_eq!(meter.rate(at(11_000)), Some(0));
        let mut meter = Meter::default();
        meter.handle_moved(at(0), 0);
        meter.handle_moved(at(500), u64::MAX);
        assert_eq!(meter.rate(at(500)), Some(u64::MAX));
        assert_eq!(meter.time_for(at(500), u64::MAX), Some(Duration::from_millis(500)));
        let mut meter = Meter::default();
        meter.handle_moved(at(0), 0);
        meter.handle_moved(at(1), 1);
        assert_eq!(meter.time_for(Instant::MAX, u64::MAX), None);
    }
}
