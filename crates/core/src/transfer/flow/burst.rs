//! How closely acknowledgements follow each other.

use super::Rate;
use crate::Instant;

/// A receiver acknowledges every second chunk, and more at once if they arrived together.
const USUAL: u32 = 2;

/// The acknowledgements of a round, from the first to the last.
///
/// What is sent at once leaves the bottleneck of the path at the rate of the bottleneck, and so do the answers. The
/// pause before the next burst belongs to no round.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Burst {
    first: Option<Instant>,
    last: Instant,
    /// How many bytes were acknowledged, and how many of them after the first acknowledgement.
    bytes: u64,
    paced: u64,
    /// How many chunks and bytes were acknowledged at the same time as the last one.
    together: (u32, u64),
    /// The most bytes acknowledged at once by more chunks than usual.
    bunch: u64,
}

impl Burst {
    /// The first acknowledgement starts the clock; its own bytes came before.
    pub(super) fn handle_acked(&mut self, now: Instant, len: u64) {
        let (chunks, bytes) = if self.first.is_some() && now == self.last { self.together } else { (0, 0) };
        self.together = (chunks + 1, bytes + len);
        if chunks >= USUAL {
            self.bunch = self.bunch.max(bytes + len);
        }
        self.bytes += len;
        self.last = now;
        match self.first {
            None => self.first = Some(now),
            Some(first) if now == first => {}
            Some(_) => self.paced += len,
        }
    }

    /// How many bytes were acknowledged.
    pub(super) fn bytes(self) -> u64 {
        self.bytes
    }

    /// Whether more than this many bytes were acknowledged at once: they had waited behind a loss that was repaired.
    pub(super) fn is_bunched(self, bytes: u64) -> bool {
        self.bunch > bytes
    }

    /// The bytes after the first acknowledgement per time that they took; `None` if there was only one.
    pub(super) fn pace(self) -> Option<Rate> {
        let first = self.first?;
        (self.paced > 0).then(|| Rate::of(self.paced, self.last - first))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_answer_shows_no_pace() {
        let mut burst = Burst::default();
        assert_eq!(burst.pace(), None);
        burst.handle_acked(Instant::from_millis(5), 1000);
        burst.handle_acked(Instant::from_millis(5), 1000);
        assert_eq!(burst.pace(), None);
    }

    #[test]
    fn more_than_two_chunks_answered_at_once_are_a_bunch() {
        let mut burst = Burst::default();
        for millis in [5, 5, 6, 6, 7] {
            burst.handle_acked(Instant::from_millis(millis), 1000);
        }
        assert!(!burst.is_bunched(0));
        for _ in 0..3 {
            burst.handle_acked(Instant::from_millis(7), 1000);
        }
        assert!(burst.is_bunched(3999) && !burst.is_bunched(4000));
        assert_eq!(burst.bytes(), 8000);
    }

    #[test]
    fn the_bytes_of_the_first_answer_came_before_the_clock_started() {
        let mut burst = Burst::default();
        for millis in [5, 6, 6, 7] {
            burst.handle_acked(Instant::from_millis(millis), 1000);
        }
        assert_eq!(burst.pace(), Some(Rate::from_bytes_per_second(1_500_000)));
    }
}
