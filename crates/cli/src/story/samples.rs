//! What the links carried over time, in a limited number of bins: when there are too many, each two become one.

use bowline_core::transfer::Traffic;
use std::time::Duration;

/// The largest number of bins. Once it was reached, at least half as many remain.
const MOST: usize = 400;
/// The length of the first bins: half the time between two reports.
const FINEST: Duration = Duration::from_millis(50);
/// A measured value also holds for the time since the previous one, if that is not longer than this.
const SHORT: Duration = Duration::from_millis(300);

/// All measurements.
#[derive(Debug)]
pub(super) struct Samples {
    width: Duration,
    bins: Vec<Bin>,
    /// How much had moved at the last observation, and when that was.
    moved: u64,
    until: Duration,
}

/// The measurements of a period.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Bin {
    /// How many bytes of files moved in it. What was seen at once is spread over the time since the previous
    /// observation.
    pub(super) moved: f64,
    pub(super) chunk: Option<Range>,
    pub(super) in_flight: Option<Range>,
    pub(super) window: Option<Range>,
    pub(super) round_trip: Option<Range>,
    pub(super) control_delay: Option<Range>,
}

/// The smallest and the largest of some values: bytes, or seconds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Range {
    pub(super) least: f64,
    pub(super) most: f64,
}

impl Default for Samples {
    fn default() -> Self {
        Self { width: FINEST, bins: Vec::new(), moved: 0, until: Duration::ZERO }
    }
}

impl Samples {
    /// How long a bin lasts.
    pub(super) fn width(&self) -> Duration {
        self.width
    }

    pub(super) fn bins(&self) -> &[Bin] {
        &self.bins
    }

    /// All that has moved.
    pub(super) fn moved(&self) -> u64 {
        self.moved
    }

    /// Records the current values at this time, which is not before the previous one.
    pub(super) fn observe(&mut self, at: Duration, traffic: &Traffic) {
        while self.place(at) >= MOST {
            self.halve();
        }
        let last = self.place(at);
        if self.bins.len() <= last {
            self.bins.resize(last + 1, Bin::default());
        }
        self.spread(at, traffic.moved.saturating_sub(self.moved));
        // Bins may be shorter than the time between two observations.
        let first = if at.saturating_sub(self.until) < SHORT { self.place(self.until) + 1 } else { last };
        for bin in &mut self.bins[first.min(last)..] {
            bin.measure(traffic);
        }
        (self.moved, self.until) = (self.moved.max(traffic.moved), at);
    }

    /// The smallest and the largest of all values.
    pub(super) fn range(&self, of: impl Fn(&Bin) -> Option<Range>) -> Option<Range> {
        self.bins.iter().filter_map(of).reduce(Range::with)
    }

    fn place(&self, at: Duration) -> usize {
        (at.as_nanos() / self.width.as_nanos()) as usize
    }

    /// Spreads bytes over the time since the previous observation.
    fn spread(&mut self, at: Duration, moved: u64) {
        let (from, span) = (self.until, at.saturating_sub(self.until).as_secs_f64());
        let (first, last) = (self.place(from), self.place(at));
        if span == 0.0 {
            self.bins[last].moved += moved as f64;
            return;
        }
        for place in first..=last {
            let start = self.width * place as u32;
            let (begin, end) = (start.max(from), (start + self.width).min(at));
            self.bins[place].moved += moved as f64 * (end.saturating_sub(begin)).as_secs_f64() / span;
        }
    }

    /// Merges each two bins into one.
    fn halve(&mut self) {
        self.width *= 2;
        self.bins = self
            .bins
            .chunks(2)
            .map(|pair| pair.iter().copied().reduce(Bin::with).unwrap_or_default())
            .collect();
    }
}

impl Bin {
    fn measure(&mut self, traffic: &Traffic) {
        let seconds = |time: Option<Duration>| time.map(|time| time.as_secs_f64());
        join(&mut self.chunk, traffic.chunk.map(f64::from));
        join(&mut self.in_flight, traffic.window.map(|_| traffic.in_flight as f64));
        join(&mut self.window, traffic.window.map(|window| window as f64));
        join(&mut self.round_trip, seconds(traffic.round_trip));
        join(&mut self.control_delay, seconds(traffic.control_delay));
    }

    fn with(self, other: Self) -> Self {
        let range = |a: Option<Range>, b: Option<Range>| [a, b].into_iter().flatten().reduce(Range::with);
        Self {
            moved: self.moved + other.moved,
            chunk: range(self.chunk, other.chunk),
            in_flight: range(self.in_flight, other.in_flight),
            window: range(self.window, other.window),
            round_trip: range(self.round_trip, other.round_trip),
            control_delay: range(self.control_delay, other.control_delay),
        }
    }
}

impl Range {
    /// The range of both together.
    pub(super) fn with(self, other: Self) -> Self {
        Self { least: self.least.min(other.least), most: self.most.max(other.most) }
    }
}

fn join(range: &mut Option<Range>, value: Option<f64>) {
    let value = value.map(|value| Range { least: value, most: value });
    *range = [*range, value].into_iter().flatten().reduce(Range::with);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn carried(moved: u64) -> Traffic {
        let mut traffic = Traffic::default();
        traffic.moved = moved;
        traffic
    }

    fn millis(millis: u64) -> Duration {
        Duration::from_millis(millis)
    }

    #[test]
    fn bytes_seen_at_once_are_spread_over_the_time_in_which_they_came() {
        let mut samples = Samples::default();
        samples.observe(millis(25), &carried(0));
        samples.observe(millis(125), &carried(1000));
        let moved: Vec<_> = samples.bins().iter().map(|bin| bin.moved.round()).collect();
        assert_eq!(moved, [250.0, 500.0, 250.0]);
        samples.observe(millis(125), &carried(1600));
        assert!((samples.bins()[2].moved - 850.0).abs() < 1e-6, "two looks at one time");
    }

    #[test]
    fn the_least_and_the_most_of_each_bin_are_kept() {
        let mut samples = Samples::default();
        for (at, window, chunk) in [(1, 100, 7), (2, 300, 7), (3, 200, 7), (60, 50, 9)] {
            let mut traffic = carried(0);
            (traffic.window, traffic.in_flight, traffic.chunk) = (Some(window), window / 2, Some(chunk));
            traffic.round_trip = Some(millis(window));
            traffic.control_delay = Some(millis(chunk.into()));
            samples.observe(millis(at), &traffic);
        }
        let bin = samples.bins()[0];
        let range = |least, most| Some(Range { least, most });
        assert_eq!(
            (bin.window, bin.in_flight, bin.chunk),
            (range(100.0, 300.0), range(50.0, 150.0), range(7.0, 7.0))
        );
        assert_eq!((bin.round_trip, bin.control_delay), (range(0.1, 0.3), range(0.007, 0.007)));
        assert_eq!(samples.range(|bin| bin.window), range(50.0, 300.0));
        samples.observe(millis(110), &carried(0));
        assert_eq!(samples.bins()[2], Bin::default(), "without a link there is nothing to measure");
    }

    #[test]
    fn a_measurement_holds_since_the_previous_observation() {
        let mut samples = Samples::default();
        for (at, chunk) in [(10, 1), (160, 2), (560, 3)] {
            let mut traffic = carried(0);
            traffic.chunk = Some(chunk);
            samples.observe(millis(at), &traffic);
        }
        let chunks: Vec<_> =
            samples.bins().iter().map(|bin| bin.chunk.map(|range| range.most as u32)).collect();
        let (one, two, three) = (Some(1), Some(2), Some(3));
        let none = [None; 7];
        assert_eq!(chunks[..4], [one, two, two, two]);
        assert_eq!(chunks[4..11], none, "nobody has looked for too long");
        assert_eq!(chunks[11..], [three]);
    }

    #[test]
    fn a_week_takes_no_more_memory_than_a_minute_and_loses_no_byte() {
        let mut samples = Samples::default();
        let mut traffic = carried(0);
        for second in 0..7 * 24 * 3600 {
            traffic.moved += 1000;
            traffic.window = Some(if second == 77_777 { 9999 } else { 10 });
            samples.observe(Duration::from_secs(second), &traffic);
        }
        assert!((MOST / 2..=MOST).contains(&samples.bins().len()), "{}", samples.bins().len());
        let moved: f64 = samples.bins().iter().map(|bin| bin.moved).sum();
        assert!((moved - traffic.moved as f64).abs() < 1.0, "{moved}");
        assert_eq!(samples.moved(), traffic.moved);
        assert_eq!(
            samples.range(|bin| bin.window).map(|range| range.most),
            Some(9999.0),
            "a peak is not lost"
        );
        // The first observation saw a second's worth at once.
        let rate = samples.bins()[3].moved / samples.width().as_secs_f64();
        assert!((rate - 1000.0).abs() < 1.0, "{rate}");
    }
}
