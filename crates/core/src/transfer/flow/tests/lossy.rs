//! A controller on a path that loses packets, below a transport that retransmits them, in virtual time.

use super::*;

/// The payload of a packet.
const PACKET: u64 = 1460;

/// A path that loses one packet in `one_in`, on average. A lost packet arrives a round trip later, and the packets
/// behind it wait.
struct Lossy {
    bytes_per_second: u64,
    latency: Duration,
    one_in: u32,
    dice: crate::Rng,
    free_at: Instant,
    /// When everything sent so far will have arrived in order.
    whole_at: Instant,
}

impl Lossy {
    fn new(mbit: u64, rtt: u64, one_in: u32) -> Self {
        Self {
            bytes_per_second: mbit * 125_000,
            latency: Duration::from_millis(rtt) / 2,
            one_in,
            dice: crate::Rng::from_seed([7; 32]),
            free_at: Instant::ZERO,
            whole_at: Instant::ZERO,
        }
    }

    /// Sends this many bytes, and returns when all of them have arrived in order.
    fn send(&mut self, now: Instant, len: u64) -> Instant {
        self.free_at = self.free_at.max(now);
        for packet in 0..len.div_ceil(PACKET) {
            let bytes = PACKET.min(len - packet * PACKET);
            self.free_at += Duration::from_nanos(bytes * 1_000_000_000 / self.bytes_per_second);
            let mut comes = self.free_at + self.latency;
            while self.dice.next_u64() % u64::from(self.one_in) == 0 {
                comes += self.latency * 2;
            }
            self.whole_at = self.whole_at.max(comes);
        }
        self.whole_at
    }
}

/// Which share of the path is used from its tenth to its fortieth second.
fn used(mbit: u64, rtt: u64, one_in: u32) -> f64 {
    let mut path = Lossy::new(mbit, rtt, one_in);
    let latency = path.latency;
    let mut flow = Flow::new(Instant::ZERO, CHUNK_MAX, Some(latency * 2));
    let (mut now, mut flying, mut delivered) = (Instant::ZERO, VecDeque::new(), 0);
    while now < Instant::from_secs(40) {
        while flow.admits(flow.chunk().into()) {
            let len = u64::from(flow.chunk());
            let stamp = flow.handle_sent(now, len);
            flying.push_back((path.send(now, len) + latency, stamp, len));
        }
        let (at, stamp, len) = flying.pop_front().unwrap();
        now = at;
        flow.handle_acked(now, stamp, len, Duration::ZERO);
        delivered += if now > Instant::from_secs(10) { len } else { 0 };
    }
    delivered as f64 / (30 * path.bytes_per_second) as f64
}

#[test]
fn a_far_path_that_loses_packets_is_mostly_used() {
    for (mbit, rtt) in [(10, 50), (50, 100), (50, 150), (20, 300), (100, 200)] {
        for one_in in [100, 500, 1000] {
            let used = used(mbit, rtt, one_in);
            assert!(used > 0.9, "{mbit} Mbit/s, {rtt} ms, one in {one_in}: {:.0} %", used * 100.0);
        }
    }
}

/// How much has arrived after this many seconds through a transport that starts with ten packets per round trip, and
/// doubles that in the next one if it was given that much: with our window, or with everything that it accepts.
fn arrived(mut path: Lossy, secs: u64, has_window: bool) -> u64 {
    let rtt = path.latency * 2;
    let mut flow = Flow::new(Instant::ZERO, CHUNK_MAX, Some(rtt));
    let (mut waiting, mut flying) = (VecDeque::new(), VecDeque::<(Instant, Stamp, u64)>::new());
    let (mut takes, mut taken, mut round_end, mut arrived) = (10 * PACKET, 0, Instant::ZERO + rtt, 0);
    for millis in 0..secs * 1000 {
        let now = Instant::from_millis(millis);
        while let Some((at, stamp, len)) = flying.front().copied().filter(|(at, ..)| *at <= now) {
            flying.pop_front();
            flow.handle_acked(at, stamp, len, Duration::ZERO);
            arrived += len;
        }
        while if has_window { flow.admits(flow.chunk().into()) } else { waiting.len() < 64 } {
            let len = u64::from(flow.chunk());
            waiting.push_back((flow.handle_sent(now, len), len, len));
        }
        // A round trip's worth leaves within a third of it.
        let mut room = (takes * 3 / rtt.as_millis() as u64).min(takes - taken);
        while let Some((stamp, len, left)) = waiting.front_mut().filter(|_| room > 0) {
            let part = room.min(*left);
            (room, taken, *left) = (room - part, taken + part, *left - part);
            let whole_at = path.send(now, part);
            if *left == 0 {
                flying.push_back((whole_at + path.latency, *stamp, *len));
                waiting.pop_front();
            }
        }
        if now >= round_end {
            let most = path.bytes_per_second * rtt.as_millis() as u64 / 500;
            takes = if taken >= takes { (takes * 2).min(most) } else { takes };
            (taken, round_end) = (0, now + rtt);
        }
    }
    arrived
}

#[test]
fn a_transport_in_slow_start_is_kept_as_full_as_possible() {
    for (mbit, rtt, one_in) in [(50, 150, 100), (50, 200, 500), (20, 100, 100), (50, 200, 1 << 30)] {
        let [ours, could] =
            [true, false].map(|has_window| arrived(Lossy::new(mbit, rtt, one_in), 4, has_window));
        assert!(ours > could / 10 * 9, "{mbit} Mbit/s, {rtt} ms, one in {one_in}: {ours} of {could}");
    }
}
