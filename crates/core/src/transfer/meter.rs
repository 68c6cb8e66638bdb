//! How fast bytes move, and how long the rest will take.
//!
//! What counts is what has moved while something could: what was there before does not, and neither does the time in
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

/// What is looked back upon: long enough to be calm, short enough to follow.
const WINDOW: Duration = Duration::from_secs(5);
/// How long is looked before anything is said: the rate of a moment says nothing.
const FIRST_LOOK: Duration = Duration::from_millis(500);
/// How far apart looks are that are remembered: there are never more than some fifty, however often somebody looks.
const APART: Duration = Duration::from_millis(100);

/// Measures how fast bytes move, over the last five seconds.
///
/// It follows one transfer, from one [`Progress`] to the next ([`handle_progress`](Self::handle_progress)), or
/// whatever else moves ([`handle_moved`](Self::handle_moved)).
///
/// ```
/// use bowline_core::transfer::Meter;
/// use bowline_core::Instant;
/// use core::time::Duration;
///
/// let mut meter = Meter::default();
/// meter.handle_moved(Instant::ZERO, 0); // here it begins
/// meter.handle_moved(Instant::from_secs(2), 3_000_000);
/// let now = Instant::from_secs(3);
/// assert_eq!(meter.rate(now), Some(1_000_000)); // bytes a second
/// assert_eq!(meter.time_for(now, 500_000), Some(Duration::from_millis(500)));
/// meter.stop();
/// assert_eq!(meter.rate(now), None);
/// ```
#[derive(Clone, Debug, Default)]
pub struct Meter {
    /// Oldest first; empty while nothing is under way.
    looks: VecDeque<Look>,
    /// How many bytes have moved in all.
    moved: u64,
    /// How far the transfer was that is followed, while it moves.
    position: Option<u64>,
}

/// How many bytes had moved at some time.
#[derive(Clone, Copy, Debug)]
struct Look {
    at: Instant,
    moved: u64,
}

impl Meter {
    /// Somebody has looked at the transfer. Bytes count that have come since the last look at which it moved as well;
    /// those that it began with, or that an earlier link had brought, do not.
    pub fn handle_progress(&mut self, now: Instant, progress: &Progress) {
        if progress.stage != Stage::Moving {
            return self.stop();
        }
        // Who has lost something goes back; what comes again moves again.
        let before = self.position.replace(progress.received).unwrap_or(progress.received);
        self.handle_moved(now, progress.received.saturating_sub(before));
    }

    /// So many bytes more have moved. The first call begins: what it counts came before.
    pub fn handle_moved(&mut self, now: Instant, bytes: u64) {
        self.moved = self.moved.saturating_add(bytes);
        if self.looks.back().is_none_or(|last| now - last.at >= APART) {
            self.looks.push_back(Look { at: now, moved: self.moved });
        }
        // One at the edge of the window or before it stays, so that the window is always full.
        while self.looks.get(1).is_some_and(|look| now - look.at >= WINDOW) {
            self.looks.pop_front();
        }
    }

    /// Nothing is under way: the link is gone, or everything has moved, or it is paused. The next look begins anew.
    pub fn stop(&mut self) {
        self.looks.clear();
        self.position = None;
    }

    /// Bytes a second; `None` while nothing moves by design, and for the first half second.
    pub fn rate(&self, now: Instant) -> Option<u64> {
        let (moved, time) = self.window(now)?;
        let rate = u128::from(moved) * 1_000_000_000 / time.as_nanos();
        Some(u64::try_from(rate).unwrap_or(u64::MAX))
    }

    /// How long so many bytes will take; `None` while there is no rate, or none at which they would ever come.
    pub fn time_for(&self, now: Instant, bytes: u64) -> Option<Duration> {
        let (moved, time) = self.window(now)?;
        let nanos = (u128::from(bytes) * time.as_nanos()).checked_div(moved.into())?;
        u64::try_from(nanos).ok().map(Duration::from_nanos)
    }

    /// What has moved in the window that ends now, and how long that is.
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
    fn a_moment_says_nothing() {
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
    fn in_a_stall_the_rate_falls_to_nothing_and_no_time_is_promised() {
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
        // Whether somebody looks meanwhile makes no difference.
        (100..150).for_each(|tick| meter.handle_moved(at(100 * tick), 0));
        assert_eq!(meter.rate(at(15_000)), Some(0));
        steady(&mut meter, 15_000, 21_000);
        assert_eq!(meter.rate(at(21_000)), Some(10_000));
    }

    #[test]
    fn what_a_transfer_begins_with_has_not_moved() {
        let mut meter = Meter::default();
        meter.handle_progress(at(0), &Progress { stage: Stage::Opening, ..moving(0) });
        meter.handle_progress(at(100), &moving(900_000_000));
        meter.handle_progress(at(1100), &moving(900_050_000));
        assert_eq!(meter.rate(at(1100)), Some(50_000));
    }

    #[test]
    fn an_outage_is_no_time_and_what_it_lost_moves_again() {
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
    fn a_step_back_costs_nothing() {
        let mut meter = Meter::default();
        for (millis, received) in [(0, 0), (500, 50_000), (600, 10_000), (1000, 30_000)] {
            meter.handle_progress(at(millis), &moving(received));
        }
        assert_eq!(meter.rate(at(1000)), Some(70_000));
    }

    #[test]
    fn whoever_does_not_move_has_no_rate() {
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
    fn memory_is_bounded_however_often_somebody_looks() {
        let mut meter = Meter::default();
        for micros in 0..200_000 {
            meter.handle_moved(Instant::from_micros(100 * micros), 1);
        }
        assert!(meter.looks.len() <= 52, "{}", meter.looks.len());
        assert_eq!(meter.rate(Instant::from_micros(19_999_900)).map(|rate| rate / 100), Some(100));
    }

    #[test]
    fn no_number_is_too_large_and_no_clock_too_strange() {
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
