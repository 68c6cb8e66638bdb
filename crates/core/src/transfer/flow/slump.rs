//! The rate over the last stretch of acknowledgements, to notice quickly when the path slows down.

use super::Rate;
use crate::Instant;
use core::time::Duration;

/// The shortest stretch over which a rate is computed.
const STRETCH: Duration = Duration::from_millis(100);

/// The rate of the last stretch. One pause in it is a stall of the path; two in a row belong to its rate.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Slump {
    since: Option<Instant>,
    bytes: u64,
    paused: bool,
    rate: Option<Rate>,
}

impl Slump {
    pub(super) fn rate(&self) -> Option<Rate> {
        self.rate
    }

    /// An acknowledgement arrived; the one before it at `last`. A round trip takes `rtt`.
    pub(super) fn handle_acked(&mut self, now: Instant, len: u64, last: Option<Instant>, rtt: Duration) {
        let stretch = STRETCH.max(rtt / 4);
        let pause = last.is_some_and(|last| now - last > stretch);
        if pause && !self.paused {
            *self = Self { since: Some(now), bytes: 0, paused: true, rate: self.rate };
            return;
        }
        // Later parts of a cumulative acknowledgement say nothing about pauses.
        if last.is_none_or(|last| now > last) {
            self.paused = pause;
        }
        let since = *self.since.get_or_insert(now);
        self.bytes += len;
        if now - since >= stretch {
            self.rate = Some(Rate::of(self.bytes, now - since));
            self.since = Some(now);
            self.bytes = 0;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RTT: Duration = Duration::from_millis(40);

    /// The rate after acknowledgements of 1000 bytes each at these milliseconds.
    fn after(acks: &[u64]) -> Option<u64> {
        let mut slump = Slump::default();
        let mut last = None;
        for millis in acks {
            let now = Instant::from_millis(*millis);
            slump.handle_acked(now, 1000, last, RTT);
            last = Some(now);
        }
        slump.rate().map(Rate::bytes_per_second)
    }

    #[test]
    fn a_rate_needs_a_stretch_of_a_tenth_of_a_second() {
        assert_eq!(after(&[10, 50, 109]), None);
        assert_eq!(after(&[10, 50, 110]), Some(30_000));
    }

    #[test]
    fn one_pause_is_a_stall() {
        assert_eq!(after(&[10, 50, 110, 2000, 2050, 2100]), Some(20_000));
    }

    #[test]
    fn two_pauses_in_a_row_set_the_rate() {
        assert_eq!(after(&[10, 50, 110, 2000, 4000]), Some(500));
    }

    #[test]
    fn one_answer_for_several_chunks_does_not_end_a_series_of_pauses() {
        assert_eq!(after(&[10, 50, 110, 2000, 2000, 4000, 4000]), Some(1000));
    }

    #[test]
    fn a_stretch_of_a_far_path_is_a_quarter_of_its_round_trip() {
        let mut slump = Slump::default();
        for millis in [0, 200, 249] {
            slump.handle_acked(Instant::from_millis(millis), 1000, None, Duration::from_secs(1));
        }
        assert_eq!(slump.rate(), None);
    }
}
