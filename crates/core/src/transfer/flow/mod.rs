//! How large a chunk is, and how many bytes may be on their way.
//!
//! Bytes that nobody has acknowledged pile up where no ping can pass them: in kernels, proxies and routers. So the
//! window follows what the path carries in a round trip plus 50 ms, and a chunk is what it carries in 50 ms. One
//! `Flow` serves all transfers of a link; it is told of chunks sent and acknowledged, and keeps no clock.
//!
//! ```text
//!            queueing delay over budget, or the rate stopped growing
//!  StartUp ────────────────────────────────────────────────────────▶ Steady
//!  window doubles each round trip            window = rate x (least round trip + allowance) + chunk
//! ```

mod rate;

#[cfg(test)]
mod tests;

use crate::Instant;
use core::time::Duration;
use rate::{Rate, RateFilter};

/// The time that one chunk may take.
const CHUNK_TIME: Duration = Duration::from_millis(50);
/// The queueing delay that is allowed on top of the least round trip.
const QUEUE: Duration = Duration::from_millis(50);
/// The smallest chunk: what a fragment is anyway.
pub(super) const MIN_CHUNK: u32 = 16 * 1024;
/// Chunk sizes are multiples of this, and of `MIN_CHUNK` below it.
const STEP: u32 = 64 * 1024;
/// Up to this round-trip time the first chunk is `STEP`; beyond, the path may be slow, and it is `MIN_CHUNK`.
const NEAR: Duration = Duration::from_millis(200);
/// The longest round trip that is believed: what took longer was no round trip, but a sleep.
const MAX_RTT: Duration = Duration::from_secs(600);
/// How long the least round trip is believed before it is measured again.
const RTT_LIFE: Duration = Duration::from_secs(30);

/// The controller of one link.
#[derive(Clone, Debug)]
pub(super) struct Flow {
    max_chunk: u32,
    chunk: u32,
    /// How many acknowledgements in a row asked for a larger chunk.
    wishes: u32,
    start_up: Option<StartUp>,
    in_flight: u64,
    delivered: u64,
    last_ack: Option<Instant>,
    round_end: u64,
    rtt_min: Option<(Duration, Instant)>,
    rtt: Duration,
    rate: RateFilter,
    short: ShortRate,
    /// Multiplies the window while the rate still rises: 1, 2 or 4.
    accel: u64,
    rate_of_last_round: Rate,
}

/// The search for the rate of the path.
#[derive(Clone, Copy, Debug)]
struct StartUp {
    window: u64,
    /// Rounds in which the rate did not grow by a quarter.
    flat_rounds: u32,
}

/// The rate over the last stretch of acknowledgements, to notice quickly when the path slows down.
#[derive(Clone, Copy, Debug, Default)]
struct ShortRate {
    since: Option<Instant>,
    bytes: u64,
    gap_before: bool,
    rate: Option<Rate>,
}

/// What the controller wants back with the acknowledgement of a chunk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Stamp {
    sent: Instant,
    delivered: u64,
    delivered_at: Instant,
}

impl Flow {
    /// A controller for a new link whose round-trip time may be known from the handshake.
    pub(super) fn new(now: Instant, max_chunk: u32, rtt: Option<Duration>) -> Self {
        let near = rtt.is_some_and(|rtt| rtt <= NEAR);
        let chunk = if near { STEP } else { MIN_CHUNK }.min(max_chunk);
        Self {
            max_chunk,
            chunk,
            wishes: 0,
            start_up: Some(StartUp { window: u64::from(chunk), flat_rounds: 0 }),
            in_flight: 0,
            delivered: 0,
            last_ack: None,
            round_end: 0,
            rtt_min: rtt.map(|rtt| (rtt.min(MAX_RTT), now)),
            rtt: rtt.unwrap_or_default().min(MAX_RTT),
            rate: RateFilter::default(),
            short: ShortRate::default(),
            accel: 1,
            rate_of_last_round: Rate::ZERO,
        }
    }

    /// The round-trip time as somebody else measured it, by a ping for example.
    pub(super) fn handle_rtt(&mut self, now: Instant, rtt: Duration) {
        self.see_rtt(now, rtt);
    }

    /// Takes the peer's limit on a chunk.
    pub(super) fn limit_chunk(&mut self, max_chunk: u32) {
        self.max_chunk = self.max_chunk.min(max_chunk);
        self.chunk = self.chunk.min(self.max_chunk);
    }

    /// How many bytes the next chunk may have.
    pub(super) fn chunk(&self) -> u32 {
        self.chunk
    }

    /// How many bytes are sent and not acknowledged.
    pub(super) fn in_flight(&self) -> u64 {
        self.in_flight
    }

    /// How many bytes may be sent and not acknowledged.
    pub(super) fn window(&self) -> u64 {
        let chunk = u64::from(self.chunk);
        if let Some(start_up) = self.start_up {
            return start_up.window.max(chunk);
        }
        (self.path().saturating_mul(self.accel).saturating_add(chunk)).max(chunk + u64::from(MIN_CHUNK))
    }

    /// What the path carries in its least round trip and the allowance.
    fn path(&self) -> u64 {
        let rtt_min = self.rtt_min.map_or(Duration::ZERO, |(rtt, _)| rtt);
        self.rate.max().over(rtt_min + allowance(rtt_min))
    }

    /// Whether a chunk of `len` bytes may leave.
    pub(super) fn admits(&self, len: u64) -> bool {
        self.in_flight == 0 || self.in_flight + len <= self.window()
    }

    /// A chunk left. Keep the stamp until it is acknowledged or lost.
    pub(super) fn handle_sent(&mut self, now: Instant, len: u64) -> Stamp {
        // After a pause the time since the last acknowledgement says nothing about the path.
        let delivered_at = if self.in_flight == 0 { now } else { self.last_ack.unwrap_or(now) };
        self.in_flight += len;
        Stamp { sent: now, delivered: self.delivered, delivered_at }
    }

    /// A chunk is given up: the transfer rewinds or ends.
    pub(super) fn handle_lost(&mut self, len: u64) {
        self.in_flight = self.in_flight.saturating_sub(len);
    }

    /// A chunk is acknowledged, `hold` after it arrived.
    pub(super) fn handle_acked(&mut self, now: Instant, stamp: Stamp, len: u64, hold: Duration) {
        self.in_flight = self.in_flight.saturating_sub(len);
        self.delivered += len;
        self.rate.sample(Rate::of(self.delivered - stamp.delivered, now - stamp.delivered_at));
        let rtt = (now - stamp.sent).saturating_sub(hold);
        self.see_rtt(now, rtt);
        self.see_short_rate(now, len);
        let queueing = self.queueing(rtt, len);
        if stamp.delivered >= self.round_end {
            self.round_end = self.delivered;
            self.end_round(queueing);
        }
        self.react(queueing);
        self.fit_chunk();
        self.last_ack = Some(now);
    }

    fn see_rtt(&mut self, now: Instant, rtt: Duration) {
        let rtt = rtt.min(MAX_RTT);
        self.rtt = if self.rtt.is_zero() { rtt } else { (self.rtt * 7 + rtt) / 8 };
        match self.rtt_min {
            Some((least, at)) if rtt > least && now - at < RTT_LIFE => {}
            _ => self.rtt_min = Some((rtt, now)),
        }
    }

    fn see_short_rate(&mut self, now: Instant, len: u64) {
        let stretch = Duration::from_millis(100).max(self.rtt / 4);
        let gap = self.last_ack.is_some_and(|last| now - last > stretch);
        // One gap may be a stall of the path, two in a row are its rate.
        if gap && !self.short.gap_before {
            self.short = ShortRate { since: Some(now), bytes: 0, gap_before: true, rate: self.short.rate };
            return;
        }
        self.short.gap_before = gap;
        let since = *self.short.since.get_or_insert(now);
        self.short.bytes += len;
        if now - since >= stretch {
            self.short.rate = Some(Rate::of(self.short.bytes, now - since));
            self.short.since = Some(now);
            self.short.bytes = 0;
        }
    }

    /// What a round trip was longer than the least one, beside the time the chunk itself took.
    fn queueing(&self, rtt: Duration, len: u64) -> Duration {
        let least = self.rtt_min.map_or(Duration::ZERO, |(rtt, _)| rtt);
        rtt.saturating_sub(least).saturating_sub(self.rate.max().time_of(len))
    }

    /// A round trip's worth of chunks has been acknowledged.
    fn end_round(&mut self, queueing: Duration) {
        let rate = self.rate.max();
        let before = self.rate_of_last_round;
        self.rate_of_last_round = rate;
        self.rate.next_round();
        let grew = |percent: u64| rate.bytes_per_second() > before.bytes_per_second() / 100 * (100 + percent);
        let path = self.path();
        if let Some(start_up) = &mut self.start_up {
            // What one round showed bounds the next, so that a slow path is not flooded before its first answer.
            start_up.window = start_up.window.saturating_mul(2).min(path.saturating_mul(2));
            start_up.flat_rounds = if grew(25) { 0 } else { start_up.flat_rounds + 1 };
            if start_up.flat_rounds >= 3 {
                self.start_up = None;
            }
            return;
        }
        self.accel = if grew(15) && queueing < QUEUE { (self.accel * 2).min(4) } else { 1 };
    }

    fn react(&mut self, queueing: Duration) {
        let least = self.rtt_min.map_or(Duration::ZERO, |(rtt, _)| rtt);
        if queueing > allowance(least) {
            self.start_up = None;
            self.accel = 1;
        }
        let Some(short) = self.short.rate else { return };
        let rate = self.rate.max();
        let slowed = short.bytes_per_second() < rate.bytes_per_second() / 10 * 6;
        if slowed && queueing > QUEUE * 3 + least / 2 {
            self.rate.fall_to(short);
        }
    }

    fn fit_chunk(&mut self) {
        let rate = self.rate.max().bytes_per_second();
        let rate = self.short.rate.map_or(rate, |short| rate.min(short.bytes_per_second().saturating_mul(2)));
        let want = Rate::from_bytes_per_second(rate).over(CHUNK_TIME);
        let chunk = u64::from(self.chunk);
        if want < chunk / 4 * 3 {
            self.chunk = step_down(want).min(self.chunk).max(MIN_CHUNK);
            self.wishes = 0;
        } else if want > chunk / 2 * 3 {
            self.wishes += 1;
            if self.wishes >= 3 {
                self.wishes = 0;
                self.chunk = step_down(want.min(chunk * 2)).max(self.chunk).min(self.max_chunk);
            }
        } else {
            self.wishes = 0;
        }
    }
}

/// The queueing delay that is allowed on a path with this least round trip.
fn allowance(rtt_min: Duration) -> Duration {
    QUEUE.max(rtt_min / 4)
}

/// The largest chunk size of the grid that is not above `want`, at least `MIN_CHUNK`.
fn step_down(want: u64) -> u32 {
    let want = u32::try_from(want).unwrap_or(u32::MAX);
    let step = if want >= STEP { STEP } else { MIN_CHUNK };
    (want / step * step).max(MIN_CHUNK)
}
