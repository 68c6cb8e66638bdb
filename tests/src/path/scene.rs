//! The paths on which policies are compared.

use super::{Line, Route};
use bowline_core::Instant;
use std::time::Duration;

/// A path, and for how long it is used.
#[derive(Clone, Copy, Debug)]
pub struct Scene {
    /// Megabits per second of the line.
    pub megabits: u64,
    /// The round trip in milliseconds.
    pub round_trip: u64,
    /// What absorbs bytes in front of the line.
    pub buffers: Buffers,
    /// What happens to the line.
    pub weather: Weather,
}

/// What absorbs bytes in front of the line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Buffers {
    /// A kernel, whose buffer grows with what is under way, up to 4 MiB.
    Direct,
    /// Also a proxy, which takes 4 MiB from us and has given 4 MiB to its own kernel.
    Proxy,
}

/// What happens to the line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Weather {
    /// Nothing.
    Steady,
    /// Every 4 s it accepts nothing, for 0.2, 0.5, 1 and 2 s in turn.
    Stalls,
    /// After a third of the time it has a twentieth of its rate.
    Drop,
}

impl Scene {
    /// Bytes per second.
    pub fn rate(self) -> u64 {
        self.megabits * 125_000
    }

    /// Half of the round trip.
    pub fn latency(self) -> Duration {
        Duration::from_micros(self.round_trip * 500)
    }

    /// When the comparison ends: late enough for start-up not to be all of it, early enough for a fast path not to
    /// take the time of the test.
    pub fn end(self) -> Instant {
        let seconds = match (self.megabits, self.weather) {
            (..=10, _) | (..=100, Weather::Drop) => 60_000,
            (11..=100, Weather::Steady) => 30_000,
            (11..=100, Weather::Stalls) => 40_000,
            (101..=1000, Weather::Drop) => 9_000,
            (101..=1000, _) => 4_000,
            _ => 500,
        };
        Instant::from_millis(seconds)
    }

    /// When the rate drops.
    pub fn drop(self) -> Instant {
        Instant::ZERO + self.end().since_start() / 3
    }

    /// The longest that a control frame should have to wait: a quarter of a second, or the time of two of the smallest
    /// chunks, plus what may queue while a loss is repaired, at most a round trip of a quarter of a second.
    pub fn calm(self) -> Duration {
        let rate = if self.weather == Weather::Drop { self.rate() / 20 } else { self.rate() };
        let chunks = Duration::from_millis((33 << 10) * 1000 / rate);
        chunks.max(Duration::from_millis(250)) + Duration::from_millis(self.round_trip.min(250))
    }

    /// The most bytes that are handed to the transport at once: few on a slow line, since a piece arrives as a whole.
    pub fn write(self, now: Instant) -> usize {
        let slow = self.weather == Weather::Drop && now >= self.drop();
        let rate = if slow { self.rate() / 20 } else { self.rate() };
        (rate as usize / 200).clamp(2 << 10, 64 << 10)
    }

    /// The line over time.
    pub fn line(self) -> Line {
        let rate = self.rate();
        let mut line = Line::new(rate);
        match self.weather {
            Weather::Steady => {}
            Weather::Stalls => {
                let outages = [200, 500, 1000, 2000].into_iter().cycle().map(Duration::from_millis);
                for (n, outage) in (1..=15).zip(outages) {
                    let from = Instant::from_secs(4 * n);
                    line.change(from, 0);
                    line.change(from + outage, rate);
                }
            }
            Weather::Drop => line.change(self.drop(), rate / 20),
        }
        line
    }

    /// The way from the sender to the receiver.
    pub fn route(self) -> Route {
        let on_the_way = self.rate() * self.round_trip / 1000;
        let kernel = ((512 << 10) + 2 * on_the_way).min(4 << 20) as usize;
        let proxy = if self.buffers == Buffers::Proxy { 8 << 20 } else { 0 };
        Route::new(self.line(), self.latency(), kernel + proxy, self.calm())
    }
}
