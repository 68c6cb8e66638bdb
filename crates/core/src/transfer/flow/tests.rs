//! The controller on paths of a given rate and latency, in virtual time.

use super::*;
use alloc::collections::VecDeque;

mod lossy;
mod shared;

const CHUNK_MAX: u32 = 1 << 20;

/// A path with a rate and a latency, an endless supply of data, and a receiver that acknowledges each chunk at once.
struct Path {
    now: Instant,
    flow: Flow,
    bytes_per_second: u64,
    latency: Duration,
    free_at: Instant,
    /// How many bytes a shaper lets through at once before it holds the path to its rate.
    bucket: u64,
    flying: VecDeque<(Instant, Stamp, u64)>,
    delivered: u64,
    most_in_flight: u64,
    /// How many chunks are sent at most, if the source is the bottleneck.
    source: u64,
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
            bucket: 0,
            flying: VecDeque::new(),
            delivered: 0,
            most_in_flight: 0,
            source: u64::MAX,
        }
    }

    /// The line accepts nothing for a while.
    fn stall(&mut self, time: Duration) {
        self.free_at = self.free_at.max(self.now) + time;
    }

    fn run(&mut self, time: Duration) -> u64 {
        let (end, before) = (self.now + time, self.delivered);
        while self.now < end {
            while self.flow.admits(self.flow.chunk().into()) && (self.flying.len() as u64) < self.source {
                let len = u64::from(self.flow.chunk());
                let stamp = self.flow.handle_sent(self.now, len);
                let free = len.min(self.bucket);
                self.bucket -= free;
                let took = Duration::from_nanos((len - free) * 1_000_000_000 / self.bytes_per_second);
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
fn the_initial_burst_of_a_shaper_does_not_inflate_the_window() {
    for mbit in [1, 10, 100] {
        for bucket in [16 << 10, 32 << 10, 64 << 10] {
            let mut path = Path::new(mbit * 125_000, Duration::from_micros(500));
            path.bucket = bucket;
            path.run(Duration::from_secs(10));
            // Before a second answer shows the rate, no more than the first window, plus as much again as was let
            // through.
            let start = (64 << 10) + bucket + u64::from(MIN_CHUNK);
            let steady = mbit * 125_000 / 5 + u64::from(MIN_CHUNK);
            let (most, bound) = (path.most_in_flight, start.max(steady));
            assert!(most <= bound, "{mbit} Mbit/s, {bucket} bytes: {most} of {bound} in flight");
        }
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
fn unacknowledged_bytes_amount_to_a_fraction_of_a_second() {
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
fn a_far_or_unknown_path_starts_with_half_the_window_of_a_near_one() {
    let window = |rtt| Flow::new(Instant::ZERO, CHUNK_MAX, rtt).window();
    assert_eq!(window(None), 32 * 1024);
    assert_eq!(window(Some(Duration::from_millis(300))), 32 * 1024);
    assert_eq!(window(Some(Duration::from_millis(3))), 64 * 1024);
}

/// A flow that has sent four chunks at once.
fn burst(rtt: Duration) -> (Flow, [Stamp; 4]) {
    let mut flow = Flow::new(Instant::ZERO, CHUNK_MAX, Some(rtt));
    let stamps = [(); 4].map(|()| flow.handle_sent(Instant::ZERO, 16 * 1024));
    (flow, stamps)
}

const ROUND_TRIP: Duration = Duration::from_millis(100);

#[test]
fn the_window_grows_four_times_faster_on_a_far_path_than_on_a_near_one() {
    for (rtt, growth) in [(100, 4), (20, 4), (19, 1), (1, 1)] {
        let rtt = Duration::from_millis(rtt);
        let (mut flow, stamps) = burst(rtt);
        for stamp in stamps {
            flow.handle_acked(Instant::ZERO + rtt, stamp, 16 * 1024, Duration::ZERO);
        }
        assert_eq!(flow.window(), 64 * 1024 + growth * 4 * 16 * 1024);
    }
}

#[test]
fn the_pace_of_the_first_answers_counts_before_their_round_is_over() {
    let (mut flow, stamps) = burst(Duration::from_millis(1));
    let mut now = Instant::from_millis(1);
    for stamp in &stamps[..2] {
        flow.handle_acked(now, *stamp, 16 * 1024, Duration::ZERO);
        now += Duration::from_millis(16);
    }
    let pace = Rate::of(16 * 1024, Duration::from_millis(16));
    assert_eq!(flow.window(), pace.over(Duration::from_millis(51)) + 16 * 1024);
}

#[test]
fn the_window_does_not_outgrow_the_pace_of_the_first_burst() {
    let (mut flow, stamps) = burst(ROUND_TRIP);
    let mut now = Instant::ZERO + ROUND_TRIP;
    for stamp in stamps {
        flow.handle_acked(now, stamp, 16 * 1024, Duration::ZERO);
        now += Duration::from_millis(16);
    }
    let stamp = flow.handle_sent(now, 16 * 1024);
    flow.handle_acked(now + ROUND_TRIP, stamp, 16 * 1024, Duration::ZERO);
    let pace = Rate::of(16 * 1024, Duration::from_millis(16));
    assert_eq!(flow.window(), pace.over(ROUND_TRIP * 2) + 16 * 1024);
}

#[test]
fn an_unused_window_does_not_grow() {
    let mut path = Path::new(125_000_000, Duration::from_millis(10));
    path.source = 1;
    path.run(Duration::from_secs(5));
    // One chunk per round trip was all there was to see, and a ping of 20 ms leaves room for three more.
    let carried = u64::from(path.flow.chunk());
    assert!(path.flow.window() <= 5 * carried, "{} of {carried}", path.flow.window());
}

#[test]
fn a_stall_changes_neither_rate_nor_chunk() {
    let mut path = Path::new(12_500_000, Duration::from_millis(150));
    path.run(Duration::from_secs(10));
    let (window, chunk) = (path.flow.window(), path.flow.chunk());
    for stall in [200, 500, 1000, 2000] {
        path.stall(Duration::from_millis(stall));
        path.run(Duration::from_secs(3));
        assert!(path.flow.window() > window / 10 * 9, "{} after {stall} ms, {window}", path.flow.window());
        assert!(path.flow.chunk() >= chunk, "{} after {stall} ms, {chunk}", path.flow.chunk());
    }
}

#[test]
fn the_window_shrinks_as_soon_as_answers_show_a_slower_path() {
    let mut path = Path::new(12_500_000, Duration::from_millis(15));
    path.run(Duration::from_secs(10));
    path.bytes_per_second = 625_000;
    // Two chunks of the old size, plus one until it is noticed.
    path.run(Duration::from_secs(4));
    // What the path now carries in 80 ms, plus two chunks and some slack.
    assert!(path.flow.window() < 160 * 1024, "{}", path.flow.window());
}

#[test]
fn a_path_whose_latency_has_grown_is_filled_again() {
    let mut path = Path::new(1_250_000, Duration::from_millis(5));
    path.run(Duration::from_secs(10));
    path.latency = Duration::from_millis(150);
    path.run(Duration::from_secs(10));
    let start = path.now;
    let got = path.run(Duration::from_secs(20));
    let could = 1_250_000.0 * (path.now - start).as_secs_f64();
    assert!(got as f64 > 0.9 * could, "{:.0} %", 100.0 * got as f64 / could);
}

#[test]
fn the_queue_does_not_creep_into_the_least_round_trip() {
    let mut path = Path::new(1_250_000, Duration::from_millis(15));
    path.run(Duration::from_secs(300));
    let window = path.flow.window() as f64 / 1_250_000.0;
    assert!(window < 0.15, "{window:.3} s");
}

#[test]
fn the_chunk_shrinks_at_once_but_grows_only_at_the_third_request() {
    let mut flow = Flow::new(Instant::ZERO, CHUNK_MAX, Some(ROUND_TRIP));
    flow.rate.sample(Rate::from_bytes_per_second(20 * 128 * 1024));
    flow.fit_chunk();
    flow.fit_chunk();
    assert_eq!(flow.chunk(), 16 * 1024);
    flow.fit_chunk();
    assert_eq!(flow.chunk(), 32 * 1024);
    flow.rate.fall_to(Rate::from_bytes_per_second(20 * 20 * 1024));
    flow.fit_chunk();
    assert_eq!(flow.chunk(), 16 * 1024);
}

#[test]
fn a_chunk_within_three_quarters_to_one_and_a_half_of_the_goal_is_kept() {
    for kib in [96, 192] {
        let mut flow = Flow::new(Instant::ZERO, CHUNK_MAX, Some(ROUND_TRIP));
        flow.chunk = 128 * 1024;
        flow.rate.sample(Rate::from_bytes_per_second(20 * kib * 1024));
        for _ in 0..3 {
            flow.fit_chunk();
        }
        assert_eq!(flow.chunk(), 128 * 1024, "{kib} KiB are wanted");
    }
}

#[test]
fn pauses_of_the_source_say_nothing_about_the_path() {
    let mut flow = Flow::new(Instant::ZERO, CHUNK_MAX, Some(ROUND_TRIP));
    let mut now = Instant::ZERO;
    for _ in 0..20 {
        let stamp = flow.handle_sent(now, 16 * 1024);
        now += ROUND_TRIP;
        flow.handle_acked(now, stamp, 16 * 1024, Duration::ZERO);
        assert_eq!(flow.rate.max(), Rate::of(16 * 1024, ROUND_TRIP));
        now += Duration::from_secs(10);
    }
}

#[test]
fn a_path_that_is_measured_again_is_drained_to_half() {
    let mut flow = Flow::new(Instant::ZERO, CHUNK_MAX, Some(ROUND_TRIP));
    flow.rate.sample(Rate::from_bytes_per_second(10_000_000));
    flow.least.doubt(Instant::from_secs(5));
    assert_eq!(flow.window(), 500_000);
}

#[test]
fn the_window_outgrows_the_rate_after_a_full_round_without_a_queue() {
    // 50 ms are half of what is allowed.
    for (was_full, queueing, gain) in [(true, 49, 4), (true, 50, 1), (true, 120, 1), (false, 0, 1)] {
        let mut flow = Flow::new(Instant::ZERO, CHUNK_MAX, Some(ROUND_TRIP));
        let queueing = Some(Duration::from_millis(queueing));
        flow.round = Round { was_full, queueing, ..Round::default() };
        flow.end_round();
        assert_eq!(flow.gain, gain, "{was_full} {queueing:?}");
    }
}

#[test]
fn a_path_has_slowed_down_if_less_than_six_tenths_come_out_of_a_long_queue() {
    // 250 ms are allowed, plus 100 ms and half a round trip; where something was lost, it may be two more.
    for (short, queueing, bunched, falls) in [
        (599_000, 251, false, true),
        (600_000, 251, false, false),
        (599_000, 250, false, false),
        (599_000, 400, true, false),
        (599_000, 401, true, true),
    ] {
        let mut flow = Flow::new(Instant::ZERO, CHUNK_MAX, Some(ROUND_TRIP));
        flow.rate.sample(Rate::from_bytes_per_second(1_000_000));
        flow.start.handle_round(0, Rate::ZERO, bunched);
        let (start, end) = (Instant::ZERO, Instant::from_millis(100));
        flow.slump.handle_acked(start, 0, None, ROUND_TRIP);
        flow.slump.handle_acked(end, short / 10, Some(start), ROUND_TRIP);
        flow.fall(end, Duration::from_millis(queueing));
        let rate = if falls { short } else { 1_000_000 };
        assert_eq!(flow.rate.max(), Rate::from_bytes_per_second(rate), "{short} after {queueing} ms");
    }
}

#[test]
fn one_chunk_may_always_leave_and_lost_chunks_free_the_window() {
    let mut flow = Flow::new(Instant::ZERO, CHUNK_MAX, None);
    assert!(flow.admits(1 << 40));
    flow.handle_sent(Instant::ZERO, 1 << 20);
    assert!(!flow.admits(1));
    flow.handle_lost(1 << 20);
    assert!(flow.admits(1));
}

#[test]
fn the_peers_chunk_limit_is_respected() {
    let mut path = Path::new(125_000_000, Duration::from_millis(1));
    path.flow.limit_chunk(128 * 1024);
    path.run(Duration::from_secs(2));
    assert_eq!(path.flow.chunk(), 128 * 1024);
}
