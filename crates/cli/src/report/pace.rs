//! How much of a transfer has moved, for the rate of all transfers together.

use bowline_core::transfer::Stage;
use bowline_tokio::TransferProgress;

/// Counts the bytes of one transfer, each once. What an earlier process had delivered has not moved.
#[derive(Debug, Default)]
pub(super) struct Pace {
    moving: bool,
    /// How far it was at the last check.
    seen: u64,
    /// How many bytes all checks together have found.
    counted: u64,
}

impl Pace {
    /// How much has moved since the last check. What the first one finds may have been there before.
    pub(super) fn look(&mut self, progress: &TransferProgress) -> u64 {
        let before = if self.moving { self.seen } else { progress.received };
        let moved = progress.received.saturating_sub(before);
        self.moving = matches!(progress.stage, Stage::Moving | Stage::Finishing);
        self.seen = progress.received;
        self.counted = self.counted.saturating_add(moved);
        moved
    }

    /// How many of the bytes that crossed in total no check has found: of a small file, all.
    pub(super) fn rest(&self, crossed: u64) -> u64 {
        crossed.saturating_sub(self.counted)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(stage: Stage, received: u64) -> TransferProgress {
        let mut progress = TransferProgress::default();
        (progress.stage, progress.received) = (stage, received);
        progress
    }

    #[test]
    fn a_file_that_ends_before_the_first_look_counts_as_moved() {
        assert_eq!(Pace::default().rest(1000), 1000);
    }

    #[test]
    fn each_byte_moves_once() {
        let mut pace = Pace::default();
        assert_eq!(pace.look(&at(Stage::Moving, 100)), 0, "it may have been there");
        assert_eq!(pace.look(&at(Stage::Moving, 400)), 300);
        assert_eq!(pace.look(&at(Stage::Finishing, 900)), 500);
        assert_eq!(pace.rest(1000), 200, "the beginning and the end");
    }

    #[test]
    fn bytes_of_an_earlier_process_do_not_count_as_moved() {
        let mut pace = Pace::default();
        assert_eq!(pace.look(&at(Stage::Opening, 0)), 0);
        assert_eq!(pace.look(&at(Stage::Moving, 700)), 0);
        assert_eq!(pace.look(&at(Stage::Moving, 1000)), 300);
        assert_eq!(pace.rest(300), 0);
    }

    #[test]
    fn bytes_that_are_sent_twice_leave_no_rest() {
        let mut pace = Pace::default();
        for received in [0, 800, 300, 1000] {
            pace.look(&at(Stage::Moving, received));
        }
        assert_eq!(pace.rest(1000), 0);
    }
}
