//! How close acknowledgements follow each other.

use super::Rate;
use crate::Instant;

/// The acknowledgements of a round, from the first to the last.
///
/// What is sent in one go comes out of the narrowest place of the path at the pace of that place, and so do the
/// answers. The pause before the next burst belongs to no round.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Burst {
    first: Option<Instant>,
    last: Instant,
    bytes: u64,
}

impl Burst {
    /// The first acknowledgement starts the clock; its own bytes came before.
    pub(super) fn handle_acked(&mut self, now: Instant, len: u64) {
        match self.first {
            None => self.first = Some(now),
            Some(first) if now == first => {}
            Some(_) => {
                self.last = now;
                self.bytes += len;
            }
        }
    }

    /// The bytes after the first acknowledgement, over the time that they took; none if there was only one.
    pub(super) fn pace(self) -> Option<Rate> {
        let first = self.first?;
        (self.bytes > 0).then(|| Rate::of(self.bytes, self.last - first))
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
    fn the_bytes_of_the_first_answer_came_before_the_clock_started() {
        let mut burst = Burst::default();
        for millis in [5, 6, 6, 7] {
            burst.handle_acked(Instant::from_millis(millis), 1000);
        }
        assert_eq!(burst.pace(), Some(Rate::from_bytes_per_second(1_500_000)));
    }
}
