//! The minimum round-trip time: the path without its queues.

use crate::Instant;
use core::time::Duration;

/// The longest round trip that is trusted: a longer one includes a sleep.
const MAX_RTT: Duration = Duration::from_secs(600);
/// How long the minimum is trusted before it is measured again.
const LIFE: Duration = Duration::from_secs(30);
/// How long it is trusted at least: a path that has just been measured has not become longer.
const DOUBTLESS: Duration = Duration::from_secs(5);

/// How much longer than the shortest round trip ever seen the minimum may become. Other senders on the path may not
/// drain it with us, so their queue is part of what we measure. If we took all of it for the path, we would add to a
/// queue that others then take for theirs.
const MAX_LONGER: Duration = Duration::from_secs(1);

/// The minimum round-trip time, and the search for a new one.
///
/// A longer round trip is trusted only if it was measured while nothing queued. So when the minimum is old, the sender
/// drains the path: it keeps less under way than the path holds, and the next chunk then measures the bare round trip.
#[derive(Clone, Copy, Debug)]
pub(super) struct Least {
    known: Option<Duration>,
    /// The shortest ever seen.
    shortest: Duration,
    /// When a round trip as short as the minimum was last seen.
    seen: Instant,
    smoothed: Duration,
    state: State,
}

#[derive(Clone, Copy, Debug)]
enum State {
    Believed,
    /// Too much is under way.
    Draining,
    /// The path has had no queue since then.
    Drained(Instant),
}

impl Least {
    pub(super) fn new(now: Instant, rtt: Option<Duration>) -> Self {
        let known = rtt.map(|rtt| rtt.min(MAX_RTT));
        let shortest = known.unwrap_or(MAX_RTT);
        Self { known, shortest, seen: now, smoothed: known.unwrap_or_default(), state: State::Believed }
    }

    /// The minimum round-trip time, or zero before the first.
    pub(super) fn rtt(&self) -> Duration {
        self.known.unwrap_or_default()
    }

    /// The usual round-trip time, including queues.
    pub(super) fn smoothed(&self) -> Duration {
        self.smoothed
    }

    /// Whether the path should be drained to measure it.
    pub(super) fn is_wanted(&self) -> bool {
        !matches!(self.state, State::Believed)
    }

    /// Whether the path has been drained, so that the next chunk to return will measure it.
    pub(super) fn is_drained(&self) -> bool {
        matches!(self.state, State::Drained(_))
    }

    /// The path behaves as if it had become longer.
    pub(super) fn doubt(&mut self, now: Instant) {
        if now - self.seen >= DOUBTLESS && !self.is_wanted() {
            self.state = State::Draining;
        }
    }

    /// A round trip, including any queues.
    pub(super) fn handle_rtt(&mut self, now: Instant, rtt: Duration) {
        let rtt = rtt.min(MAX_RTT);
        self.smoothed = if self.smoothed.is_zero() { rtt } else { (self.smoothed * 7 + rtt) / 8 };
        if self.known.is_none_or(|least| rtt <= least) {
            (self.known, self.seen) = (Some(rtt), now);
            self.shortest = self.shortest.min(rtt);
        } else if now - self.seen >= LIFE {
            self.doubt(now);
        }
    }

    /// The round trip of a chunk whose own transmission takes `own`. `is_drained` says that no more is under way than
    /// the path holds.
    pub(super) fn handle_acked(
        &mut self,
        now: Instant,
        sent: Instant,
        rtt: Duration,
        own: Duration,
        is_drained: bool,
    ) {
        self.handle_rtt(now, rtt);
        match self.state {
            State::Draining if is_drained => self.state = State::Drained(now),
            State::Drained(since) if sent >= since => {
                let bare = rtt.saturating_sub(own).min(self.shortest + MAX_LONGER);
                *self = Self { known: Some(bare), seen: now, state: State::Believed, ..*self };
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(secs: u64) -> Instant {
        Instant::from_secs(secs)
    }

    fn ms(millis: u64) -> Duration {
        Duration::from_millis(millis)
    }

    fn with_rtt_of_30_ms() -> Least {
        Least::new(at(0), Some(ms(30)))
    }

    #[test]
    fn a_shorter_round_trip_is_believed_at_once() {
        let mut least = with_rtt_of_30_ms();
        least.handle_rtt(at(1), ms(20));
        least.handle_rtt(at(2), ms(90));
        assert_eq!(least.rtt(), ms(20));
    }

    #[test]
    fn the_path_is_drained_after_half_a_minute() {
        let mut least = with_rtt_of_30_ms();
        least.handle_rtt(at(29), ms(90));
        assert!(!least.is_wanted());
        least.handle_rtt(at(30), ms(90));
        assert!(least.is_wanted() && !least.is_drained());
        assert_eq!(least.rtt(), ms(30), "a queue may have made it long");
    }

    #[test]
    fn a_round_trip_as_short_as_the_least_renews_it() {
        let mut least = with_rtt_of_30_ms();
        least.handle_rtt(at(20), ms(30));
        least.handle_rtt(at(49), ms(90));
        assert!(!least.is_wanted());
    }

    #[test]
    fn a_chunk_sent_into_the_drained_path_gives_the_new_least_round_trip() {
        let mut least = with_rtt_of_30_ms();
        least.handle_rtt(at(30), ms(90));
        least.handle_acked(at(31), at(30), ms(90), ms(10), false);
        assert!(!least.is_drained());
        least.handle_acked(at(32), at(30), ms(90), ms(10), true);
        assert!(least.is_drained());
        least.handle_acked(at(33), at(31), ms(95), ms(10), true);
        assert!(least.is_drained(), "it was sent before");
        least.handle_acked(at(34), at(33), ms(70), ms(10), true);
        assert_eq!((least.rtt(), least.is_wanted()), (ms(60), false));
    }

    #[test]
    fn at_most_a_second_more_than_the_shortest_round_trip_is_believed() {
        let mut least = with_rtt_of_30_ms();
        least.handle_rtt(at(0), ms(20));
        for secs in [30, 60, 90] {
            least.handle_rtt(at(secs), ms(90_000));
            least.handle_acked(at(secs), at(secs), ms(90_000), ms(0), true);
            least.handle_acked(at(secs), at(secs), ms(90_000), ms(0), true);
            assert_eq!((least.rtt(), least.is_wanted()), (ms(1020), false));
        }
    }

    #[test]
    fn a_fresh_measurement_is_not_doubted() {
        let mut least = with_rtt_of_30_ms();
        least.doubt(at(4));
        assert!(!least.is_wanted());
        least.doubt(at(5));
        assert!(least.is_wanted());
    }

    #[test]
    fn the_smoothed_round_trip_follows_by_an_eighth() {
        let mut least = with_rtt_of_30_ms();
        least.handle_rtt(at(1), ms(110));
        assert_eq!(least.smoothed(), ms(40));
        least.handle_rtt(at(2), ms(0));
        assert_eq!(least.smoothed(), ms(35));
    }

    #[test]
    fn a_sleep_does_not_count_as_a_round_trip() {
        let mut least = Least::new(at(0), None);
        least.handle_rtt(at(1), Duration::MAX);
        assert_eq!(least.rtt(), MAX_RTT);
        assert_eq!(least.smoothed(), MAX_RTT);
    }
}
