//! Several controllers whose paths share one line, in virtual time.

use super::*;
use alloc::collections::BinaryHeap;
use alloc::vec::Vec;
use core::cmp::Reverse;

/// A line that carries the chunks of all senders in the order in which they left, and holds any number of them.
struct Line {
    bytes_per_second: u64,
    latency: Duration,
    free_at: Instant,
    senders: Vec<Sender>,
    /// When an answer arrives or a sender begins, and which one.
    agenda: BinaryHeap<Reverse<(Instant, usize)>>,
}

struct Sender {
    flow: Flow,
    flying: VecDeque<(Stamp, u64)>,
}

impl Line {
    /// Each sender begins half a second after the previous one, and knows the round trip of an empty line.
    fn new(bytes_per_second: u64, latency: Duration, senders: usize) -> Self {
        let begin = |index| Instant::from_millis(500 * index as u64);
        let sender = |index| Sender {
            flow: Flow::new(begin(index), CHUNK_MAX, Some(latency * 2)),
            flying: VecDeque::new(),
        };
        Self {
            bytes_per_second,
            latency,
            free_at: Instant::ZERO,
            senders: (0..senders).map(sender).collect(),
            agenda: (0..senders).map(|index| Reverse((begin(index), index))).collect(),
        }
    }

    /// The longest queue until `end`, as a time.
    fn run(&mut self, end: Instant) -> Duration {
        let mut longest = Duration::ZERO;
        while let Some(Reverse((now, index))) = self.agenda.pop().filter(|Reverse((now, _))| *now < end) {
            longest = longest.max(self.free_at - now);
            self.step(now, index);
        }
        longest
    }

    fn step(&mut self, now: Instant, index: usize) {
        let Sender { flow, flying } = &mut self.senders[index];
        if let Some((stamp, len)) = flying.pop_front() {
            flow.handle_acked(now, stamp, len, Duration::ZERO);
        }
        while flow.admits(flow.chunk().into()) {
            let len = u64::from(flow.chunk());
            flying.push_back((flow.handle_sent(now, len), len));
            let took = Duration::from_nanos(len * 1_000_000_000 / self.bytes_per_second);
            self.free_at = self.free_at.max(now) + took;
            self.agenda.push(Reverse((self.free_at + self.latency * 2, index)));
        }
    }
}

#[test]
fn the_queue_of_others_is_not_mistaken_for_a_longer_path() {
    for mbit in [10, 100, 1000] {
        for rtt in [1, 30, 100] {
            let mut line = Line::new(mbit * 125_000, Duration::from_millis(rtt) / 2, 5);
            let longest = line.run(Instant::from_secs(300));
            assert!(longest < Duration::from_secs(8), "{mbit} Mbit/s, {rtt} ms: a queue of {longest:?}");
        }
    }
}
