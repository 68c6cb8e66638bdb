//! The controller on paths of a given rate and latency, in virtual time.

use super::*;
use alloc::collections::VecDeque;

const CHUNK_MAX: u32 = 1 << 20;

/// A path with a rate and a latency, an endless supply of data, and a receiver that acknowledges each chunk at once.
struct Path {
    now: Instant,
    flow: Flow,
    bytes_per_second: u64,
    latency: Duration,
    free_at: Instant,
    flying: VecDeque<(Instant, Stamp, u64)>,
    delivered: u64,
    most_in_flight: u64,
}

impl Path {
    fn new(bytes_per_second: u64, latency: Duration) -> Self {
        let flow = Flow::new(Instant::ZERO, CHUNK_MAX, Some(latency * 2));
        Self {
            now: Instant::ZERO,
            flow,
            bytes_per_second,
            latency,
            free_at: Instant::ZERO,
            flying: VecDeque::new(),
            delivered: 0,
            most_in_flight: 0,
        }
    }

    fn run(&mut self, time: Duration) -> u64 {
        let (end, before) = (self.now + time, self.delivered);
        while self.now < end {
            while self.flow.admits(self.flow.chunk().into()) {
                let len = u64::from(self.flow.chunk());
                let stamp = self.flow.handle_sent(self.now, len);
                let took = Duration::from_nanos(len * 1_000_000_000 / self.bytes_per_second);
                self.free_at = self.free_at.max(self.now) + took;
                self.flying.push_back((self.free_at + self.latency * 2, stamp, len));
                self.most_in_flight = self.most_in_flight.max(self.flow.in_flight());
                assert!(self.flow.in_flight() <= self.flow.window().max(len), "the window holds");
            }
            let Some((at, stamp, len)) = self.flying.pop_front() else { break };
            self.now = at;
            self.delivered += len;
            self.flow.handle_acked(at, stamp, len, Duration::ZERO);
        }
        self.delivered - before
    }
}

#[test]
fn the_path_is_used_well_at_every_rate_and_latency() {
    for mbit in [1, 10, 100, 1000] {
        for rtt in [1, 30, 100] {
            let rate = mbit * 125_000;
            let mut path = Path::new(rate, Duration::from_millis(rtt / 2));
            path.run(Duration::from_secs(10));
            let start = path.now;
            let got = path.run(Duration::from_secs(20));
            let could = rate as f64 * (path.now - start).as_secs_f64();
            assert!(
                got as f64 > 0.95 * could,
                "{mbit} Mbit/s, {rtt} ms: {:.0} %",
                100.0 * got as f64 / could
            );
        }
    }
}

#[test]
fn what_waits_unacknowledged_is_a_fraction_of_a_second() {
    for mbit in [1, 10, 100] {
        let rate = mbit * 125_000;
        let mut path = Path::new(rate, Duration::from_millis(15));
        path.run(Duration::from_secs(30));
        let waiting = path.flow.in_flight() as f64 / rate as f64;
        assert!(waiting < 0.5, "{mbit} Mbit/s: {waiting:.2} s");
        let worst = path.most_in_flight as f64 / rate as f64;
        assert!(worst < 1.2, "{mbit} Mbit/s, start-up: {worst:.2} s");
    }
}

#[test]
fn chunks_follow_the_rate_up_and_down() {
    let mut path = Path::new(12_500_000, Duration::from_millis(10));
    path.run(Duration::from_secs(5));
    assert!(path.flow.chunk() >= 320 * 1024, "at 100 Mbit/s: {}", path.flow.chunk());
    path.bytes_per_second = 125_000;
    path.run(Duration::from_secs(30));
    assert!(path.flow.chunk() <= 32 * 1024, "at 1 Mbit/s: {}", path.flow.chunk());
    assert!(path.flow.window() <= 128 * 1024, "at 1 Mbit/s: {}", path.flow.window());
    path.bytes_per_second = 12_500_000;
    path.run(Duration::from_secs(20));
    assert!(path.flow.chunk() >= 320 * 1024, "at 100 Mbit/s again: {}", path.flow.chunk());
}

#[test]
fn a_far_or_unknown_path_begins_with_the_smallest_chunk() {
    assert_eq!(Flow::new(Instant::ZERO, CHUNK_MAX, None).chunk(), MIN_CHUNK);
    assert_eq!(Flow::new(Instant::ZERO, CHUNK_MAX, Some(Duration::from_millis(300))).chunk(), MIN_CHUNK);
    assert_eq!(Flow::new(Instant::ZERO, CHUNK_MAX, Some(Duration::from_millis(3))).chunk(), STEP);
}

#[test]
fn one_chunk_may_always_leave_and_lost_ones_free_the_window() {
    let mut flow = Flow::new(Instant::ZERO, CHUNK_MAX, None);
    assert!(flow.admits(1 << 40));
    flow.handle_sent(Instant::ZERO, 1 << 20);
    assert!(!flow.admits(1));
    flow.handle_lost(1 << 20);
    assert!(flow.admits(1));
}

#[test]
fn the_peers_limit_on_chunks_is_kept() {
    let mut path = Path::new(125_000_000, Duration::from_millis(1));
    path.flow.limit_chunk(128 * 1024);
    path.run(Duration::from_secs(2));
    assert_eq!(path.flow.chunk(), 128 * 1024);
}
