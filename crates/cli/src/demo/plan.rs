//! What goes wrong, and when.

use crate::units::{Rate, Span};
use std::collections::VecDeque;
use std::fmt;
use std::time::Duration;

/// The direction of bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Way {
    /// From the client to the server.
    Up,
    /// From the server to the client.
    Down,
}

/// Something that happens on a bad link.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Mishap {
    /// The link is slow for a while.
    Slow { rate: u64, during: Duration },
    /// The link carries nothing for a while, then everything.
    Stall { during: Duration },
    /// The connection is reset.
    Reset,
    /// The connection ends in the middle of a message, and no new one is possible for a while.
    Torn { away: Duration },
    /// The connection seems to be there, but no longer carries anything.
    Silence,
}

/// What happens while a file is under way.
#[derive(Clone, Debug)]
pub(super) struct Plan {
    /// The direction of the file, and so of the mishaps.
    pub(super) way: Way,
    /// How many bytes per second the link carries in that direction.
    pub(super) rate: u64,
    /// Mishaps, and after how many bytes each of them happens, in order.
    mishaps: VecDeque<(u64, Mishap)>,
}

impl Plan {
    /// Draws a plan that suits a file of this size: it takes seven seconds, plus the mishaps.
    pub(super) fn draw(way: Way, size: u64, seed: u64) -> Self {
        let rate = (size / 7).max(4 << 20);
        // Mishaps are shorter for a small file, which would otherwise be over first.
        let scale = (size as f64 / f64::from(256 << 20)).clamp(0.3, 1.0);
        let during = |seconds: f64| Duration::from_secs_f64(seconds * scale);
        let slow = Mishap::Slow { rate: rate / 8, during: during(1.6) };
        let stall = Mishap::Stall { during: during(1.5) };
        let torn = |seconds| Mishap::Torn { away: during(seconds) };
        let script = match way {
            Way::Up => {
                vec![(10, slow), (27, Mishap::Reset), (45, stall), (62, Mishap::Silence), (84, torn(1.0))]
            }
            Way::Down => vec![(20, Mishap::Reset), (40, slow), (60, torn(0.0)), (80, stall)],
        };
        let mut draws = blake3::Hasher::new().update(&seed.to_be_bytes()).update(&[way as u8]).finalize_xof();
        let mut jitter = || {
            let mut byte = [0];
            draws.fill(&mut byte);
            // Up to four per cent of the file later.
            u64::from(byte[0]) * size / 6400
        };
        let mishaps =
            script.into_iter().map(|(percent, mishap)| (size / 100 * percent + jitter(), mishap)).collect();
        Self { way, rate, mishaps }
    }

    /// The next mishap, if it is due after this many bytes.
    pub(super) fn due(&mut self, carried: u64) -> Option<Mishap> {
        let due = self.mishaps.front().is_some_and(|(at, _)| *at <= carried);
        if due { self.mishaps.pop_front().map(|(_, mishap)| mishap) } else { None }
    }
}

impl fmt::Display for Mishap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Slow { rate, during } => {
                let rate = Rate { bytes: *rate, seconds: 1.0 };
                write!(f, "slows down to {rate} for {}", Span(*during))
            }
            Self::Stall { during } => write!(f, "carries nothing for {}, then resumes", Span(*during)),
            Self::Reset => f.write_str("resets the connection"),
            Self::Torn { away } if away.is_zero() => {
                f.write_str("ends the connection in the middle of a message")
            }
            Self::Torn { away } => {
                write!(
                    f,
                    "ends the connection in the middle of a message, and accepts no new one for {}",
                    Span(*away)
                )
            }
            Self::Silence => {
                f.write_str("goes silent: the connection looks alive, but carries nothing any more")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plan_ends_before_the_file_does() {
        for way in [Way::Up, Way::Down] {
            for (size, seed) in [(1 << 20, 1), (256 << 20, 2), (1 << 40, u64::MAX)] {
                let mut plan = Plan::draw(way, size, seed);
                let places: Vec<_> = plan.mishaps.iter().map(|(at, _)| *at).collect();
                assert!(places.is_sorted() && places.iter().all(|at| *at < size / 10 * 9), "{places:?}");
                assert_eq!(plan.due(0), None);
                let happened = std::iter::from_fn(|| plan.due(size)).count();
                assert_eq!(happened, places.len());
            }
        }
    }

    #[test]
    fn the_same_seed_draws_the_same_plan() {
        let places = |seed| Plan::draw(Way::Up, 1 << 28, seed).mishaps;
        assert_eq!(places(5), places(5));
        assert_ne!(places(5), places(6));
    }
}
