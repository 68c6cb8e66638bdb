//! How far the window goes ahead of what a path has shown, while it shows more in each round.
//!
//! A transport below us starts slowly and doubles what it sends in each round trip. If we give it less than that, it
//! assumes that there is no more to send, and learns nothing about the path. When it loses something, later bytes are
//! held back for a round trip or two and then arrive in a bunch, so that what we have seen acknowledged is a small part
//! of what it would accept.
//!
//! ```text
//!           half as much again     no more, or for the third time in bunches
//!  Unknown ───────────────────▶ Grows ──────────────────────────────────────▶ Over
//! ```

use super::Rate;
use core::time::Duration;

/// A round with fewer bytes shows too little for a comparison.
const LEAST: u64 = 64 * 1024;
/// How many bunched rounds in a row may show no increase before that is accepted.
const STILL: u8 = 3;
/// For how many rounds a bunch is remembered.
const MEMORY: u8 = 4;
/// How many round trips the window goes ahead of bunched, and of smooth, acknowledgements.
const BUNCHED: u32 = 8;
const SMOOTH: u32 = 4;

/// Whether the path still shows more.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Start {
    best: Rate,
    state: State,
    /// For how many more rounds a bunched round counts.
    bunched: u8,
    /// How many rounds in a row have shown no increase.
    still: u8,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum State {
    #[default]
    Unknown,
    Grows,
    Over,
}

impl Start {
    /// A round with this many bytes is over; `best` is the highest rate ever seen.
    pub(super) fn handle_round(&mut self, bytes: u64, best: Rate, bunched: bool) {
        self.bunched = if bunched { MEMORY } else { self.bunched.saturating_sub(1) };
        if self.state == State::Over || bytes < LEAST && !bunched {
            return;
        }
        let is_first = self.best == Rate::ZERO;
        let grows = best.bytes_per_second() / 3 >= self.best.bytes_per_second() / 2;
        self.still = if grows { 0 } else { self.still + 1 };
        if !grows && (self.still >= STILL || !self.is_bunched()) {
            self.state = State::Over;
        } else if grows && !is_first {
            self.state = State::Grows;
        }
        if grows {
            self.best = best;
        }
    }

    /// How much time's worth of bytes may be under way, at the rate that was seen.
    pub(super) fn ahead(&self, rtt: Duration) -> Duration {
        match self.state {
            State::Over => Duration::ZERO,
            _ if self.is_bunched() => rtt * BUNCHED,
            State::Grows => rtt * SMOOTH,
            // Until there is something to compare with.
            State::Unknown if self.best == Rate::ZERO => rtt * SMOOTH,
            State::Unknown => Duration::ZERO,
        }
    }

    /// Whether a recent loss has held back the bytes behind it.
    pub(super) fn is_bunched(&self) -> bool {
        self.bunched > 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RTT: Duration = Duration::from_millis(100);

    /// How many round trips the window goes ahead after rounds that showed these rates, and whether they were bunched.
    fn ahead<const N: usize>(rounds: [(u64, bool); N]) -> [u128; N] {
        let mut start = Start::default();
        rounds.map(|(rate, bunched)| {
            start.handle_round(LEAST, Rate::from_bytes_per_second(rate), bunched);
            start.ahead(RTT).as_millis() / RTT.as_millis()
        })
    }

    #[test]
    fn the_window_stays_ahead_while_each_round_grows_by_half() {
        assert_eq!(Start::default().ahead(RTT), RTT * 4);
        assert_eq!(ahead([(1000, false), (1500, false), (2250, false), (3374, false)]), [0, 4, 4, 0]);
    }

    #[test]
    fn a_path_that_shows_the_same_pace_again_is_at_its_limit() {
        assert_eq!(ahead([(1000, false), (1400, false), (5000, false)]), [0, 0, 0]);
    }

    #[test]
    fn bunched_answers_hide_what_the_path_carries() {
        let rounds = [
            (1000, true),
            (1000, false),
            (1500, true),
            (1500, true),
            (1500, false),
            (1500, true),
            (9000, true),
        ];
        assert_eq!(ahead(rounds), [8, 8, 8, 8, 8, 0, 0]);
        let rounds =
            [(1000, true), (2000, false), (4000, false), (8000, false), (16_000, false), (16_000, false)];
        assert_eq!(ahead(rounds), [8, 8, 8, 8, 4, 0]);
    }

    #[test]
    fn a_short_round_shows_too_little() {
        let mut start = Start::default();
        for (bytes, rate, state) in [
            (LEAST - 1, 500, State::Unknown),
            (LEAST, 1000, State::Unknown),
            (LEAST - 1, 1000, State::Unknown),
            (LEAST, 1000, State::Over),
        ] {
            start.handle_round(bytes, Rate::from_bytes_per_second(rate), false);
            assert_eq!(start.state, state);
        }
    }
}
