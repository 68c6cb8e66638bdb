//! A line whose rate changes at known times.

use bowline_core::Instant;
use std::time::Duration;

const NANOS: u128 = 1_000_000_000;

/// How many bytes per second pass, and from when on.
///
/// ```
/// use bowline_core::Instant;
/// use bowline_tests::path::Line;
///
/// let mut line = Line::new(1000);
/// line.change(Instant::from_secs(1), 0);
/// line.change(Instant::from_secs(3), 500);
/// assert_eq!(line.finish(Instant::ZERO, 1500), Instant::from_secs(4));
/// assert_eq!(line.capacity(Instant::from_secs(4)), 1500);
/// ```
#[derive(Clone, Debug)]
pub struct Line {
    steps: Vec<(Instant, u64)>,
}

impl Line {
    /// A line that carries this many bytes per second.
    pub fn new(bytes_per_second: u64) -> Self {
        Self { steps: vec![(Instant::ZERO, bytes_per_second)] }
    }

    /// Changes its rate at this time; changes are given in chronological order.
    pub fn change(&mut self, at: Instant, bytes_per_second: u64) {
        assert!(self.steps.last().is_none_or(|(last, _)| *last <= at), "changes come in order");
        self.steps.push((at, bytes_per_second));
    }

    /// When the last of `len` bytes has passed, if the first is sent at `start`.
    pub fn finish(&self, start: Instant, len: u64) -> Instant {
        let mut now = start;
        let mut left = u128::from(len) * NANOS;
        let first = self.steps.partition_point(|(at, _)| *at <= start).saturating_sub(1);
        for step in first..self.steps.len() {
            let rate = u128::from(self.steps[step].1);
            let until = self.steps.get(step + 1).map(|(at, _)| *at);
            let could = until.map_or(u128::MAX, |until| (until - now).as_nanos() * rate);
            if left < could || left == could && rate > 0 {
                return now + Duration::from_nanos((left / rate.max(1)) as u64);
            }
            left -= could;
            now = until.unwrap_or(Instant::MAX);
        }
        Instant::MAX
    }

    /// How many bytes could pass up to this time.
    pub fn capacity(&self, end: Instant) -> u64 {
        let ends = self.steps.iter().skip(1).map(|(at, _)| *at).chain([end]);
        let spans = self.steps.iter().zip(ends).map(|((from, rate), to)| {
            let span = to.min(end) - (*from).min(end);
            span.as_nanos() * u128::from(*rate)
        });
        (spans.sum::<u128>() / NANOS) as u64
    }
}
