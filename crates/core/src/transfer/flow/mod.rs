//! How large a chunk is, and how many bytes may be under way.
//!
//! Unacknowledged bytes pile up where no ping can pass them: in kernels, proxies and routers. So the window follows
//! what the path carries in a round trip plus a queueing allowance (at least 50 ms, and up to 250 ms or a quarter of
//! the round trip), and a chunk is what the path carries in 50 ms. One `Flow` serves all transfers of a link; it is
//! told which chunks are sent and acknowledged, and has no clock.
//!
//! ```text
//!  window = min(min(rate x gain, pace) x (minimum round trip + allowance) + chunk, reach); at the start up to
//!           max(rate, pace) x ahead; at most 16 chunks while some arrive damaged
//!
//!  rate   what was delivered while a chunk was under way, the best of nine rounds
//!  pace   how closely acknowledgements follow each other within a round: what the path delivers while it is busy. It
//!         shows in the first burst, long before a window has filled the path, and no window exceeds it for long
//!  ahead  some round trips, as long as each round shows more than the one before it, or something is lost: the
//!         transport below us starts slowly
//!  gain   4 after a round that used the window and met no queue, 1 otherwise
//!  reach  the first window plus what was delivered (times four on a far path): the first answers alone are no
//!         measure, because a shaper lets some bytes pass at once before it holds the path to its rate
//!
//!             a stretch of acknowledgements well below the rate, behind a long queue
//!    ┌───────────────────────────────────────────────────────────────────────────────┐
//!    ▼                          30 s without a round trip as short as the least one  │
//!  Filling ─────────────────────────────────────────────────────────────────────▶ Draining
//!    ▲                                                                               │
//!    └── the least round trip is measured again by a chunk that found the path empty ┘
//! ```

mod burst;
mod damage;
mod least;
mod rate;
mod slump;
mod start;

#[cfg(test)]
mod tests;

use crate::Instant;
use burst::Burst;
use core::time::Duration;
use damage::Damage;
use least::Least;
use rate::{Rate, RateFilter};
use slump::Slump;
use start::Start;

/// The time that one chunk may take.
const CHUNK_TIME: Duration = Duration::from_millis(50);
/// The least queueing delay that is allowed on top of the minimum round-trip time.
const QUEUE: Duration = Duration::from_millis(50);
/// The most that is allowed for repairing losses, beyond a quarter of the minimum round-trip time.
const REPAIR: Duration = Duration::from_millis(250);
/// The size of the smallest and of the first chunk: a burst of small ones shows the pace of the path.
pub(super) const MIN_CHUNK: u32 = 16 * 1024;
/// The size of a link's first frame. Each following frame is as long as all before it together, until `MIN_CHUNK` bytes
/// have left: of what a link carries before it breaks, about half counts, however little that is.
const FIRST_FRAME: u64 = 1024;
/// Chunk sizes are multiples of this, or of `MIN_CHUNK` below it.
const STEP: u32 = 64 * 1024;
/// Up to this round-trip time the first window is `NEAR_WINDOW`; beyond it, or if it is unknown, the path may be slow,
/// and the window is `FAR_WINDOW`.
const NEAR: Duration = Duration::from_millis(200);
const NEAR_WINDOW: u64 = 64 * 1024;
const FAR_WINDOW: u64 = 32 * 1024;
/// Below this round-trip time a round costs little, so the window grows by what was delivered rather than by four times
/// that, and does not go ahead of what was seen.
const CLOSE: Duration = Duration::from_millis(20);
/// The factor by which the window exceeds the rate while the path is not full.
const GAIN: u64 = 4;

/// The flow controller of one link.
#[derive(Clone, Debug)]
pub(super) struct Flow {
    max_chunk: u32,
    chunk: u32,
    damage: Damage,
    /// How many acknowledgements in a row called for a larger chunk.
    wishes: u32,
    first_window: u64,
    in_flight: u64,
    /// How many bytes have left.
    begun: u64,
    /// The size of the last chunk in bytes.
    last_sent: Option<u32>,
    delivered: u64,
    last_ack: Option<Instant>,
    least: Least,
    rate: RateFilter,
    pace: RateFilter,
    slump: Slump,
    round: Round,
    gain: u64,
    start: Start,
}

/// The time in which as much is acknowledged as was under way at its beginning.
#[derive(Clone, Copy, Debug, Default)]
struct Round {
    /// It ends with the first chunk that was sent when this much had been delivered.
    end: u64,
    /// Whether the window held anything back.
    was_full: bool,
    /// The least queueing delay of a chunk.
    queueing: Option<Duration>,
    burst: Burst,
}

/// What the controller needs back with the acknowledgement of a chunk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Stamp {
    sent: Instant,
    delivered: u64,
    delivered_at: Instant,
}

impl Stamp {
    /// Whether its chunk left at this time.
    pub(super) fn is_of(&self, now: Instant) -> bool {
        self.sent == now
    }
}

impl Flow {
    /// A controller for a new link, whose round-trip time may be known from the handshake.
    pub(super) fn new(now: Instant, max_chunk: u32, rtt: Option<Duration>) -> Self {
        let near = rtt.is_some_and(|rtt| rtt <= NEAR);
        Self {
            max_chunk,
            chunk: MIN_CHUNK.min(max_chunk),
            damage: Damage::default(),
            wishes: 0,
            first_window: if near { NEAR_WINDOW } else { FAR_WINDOW },
            in_flight: 0,
            begun: 0,
            last_sent: None,
            delivered: 0,
            last_ack: None,
            least: Least::new(now, rtt),
            rate: RateFilter::default(),
            pace: RateFilter::default(),
            slump: Slump::default(),
            // Whatever left before anything came back is the first round.
            round: Round { end: 1, ..Round::default() },
            gain: GAIN,
            start: Start::default(),
        }
    }

    /// The round-trip time as measured elsewhere, by a ping for example.
    pub(super) fn handle_rtt(&mut self, now: Instant, rtt: Duration) {
        self.least.handle_rtt(now, rtt);
    }

    /// Applies the peer's limit on chunks.
    pub(super) fn limit_chunk(&mut self, max_chunk: u32) {
        self.max_chunk = self.max_chunk.min(max_chunk);
        self.chunk = self.chunk.min(self.max_chunk);
    }

    /// How many bytes the next chunk may have.
    pub(super) fn chunk(&self) -> u32 {
        self.damage.bound(self.chunk)
    }

    /// The size of the last chunk; `None` before the first.
    pub(super) fn last_sent(&self) -> Option<u32> {
        self.last_sent
    }

    /// The usual round-trip time, including queues; `None` before the first.
    pub(super) fn round_trip(&self) -> Option<Duration> {
        Some(self.least.smoothed()).filter(|rtt| !rtt.is_zero())
    }

    /// How much longer the usual round-trip time is than the minimum.
    pub(super) fn control_delay(&self) -> Option<Duration> {
        self.round_trip().map(|rtt| rtt.saturating_sub(self.least.rtt()))
    }

    /// How many bytes are sent and not acknowledged.
    pub(super) fn in_flight(&self) -> u64 {
        self.in_flight
    }

    /// How many bytes may be sent and not acknowledged.
    pub(super) fn window(&self) -> u64 {
        self.whole_window().min(self.damage.reach())
    }

    /// The same, if no chunks are damaged.
    fn whole_window(&self) -> u64 {
        let chunk = u64::from(self.chunk());
        let rate = self.rate.max();
        if rate == Rate::ZERO {
            return self.first_window.max(chunk);
        }
        let rtt = self.least.rtt();
        if self.least.is_wanted() {
            return (rate.over(rtt) / 2).max(chunk);
        }
        let ceiling = self.ceiling();
        let steady = rate.times(self.gain).min(ceiling).over(rtt + allowance(rtt));
        let ahead = if rtt < CLOSE { Duration::ZERO } else { self.start.ahead(rtt) };
        let path = steady.max(rate.max(self.pace.max()).min(ceiling).over(ahead));
        path.saturating_add(chunk).min(self.reach()).max(chunk + u64::from(MIN_CHUNK))
    }

    /// The limit on the window's growth, whatever the rate seems to be.
    fn reach(&self) -> u64 {
        let growth = if self.least.rtt() < CLOSE { 1 } else { GAIN };
        self.delivered.saturating_mul(growth).saturating_add(self.first_window)
    }

    /// Whether a chunk of `len` bytes may leave.
    pub(super) fn admits(&self, len: u64) -> bool {
        self.in_flight == 0 || self.in_flight + len <= self.window()
    }

    /// Whether nothing was sent yet.
    pub(super) fn is_fresh(&self) -> bool {
        self.begun == 0
    }

    /// How many bytes of a chunk go into the next frame.
    pub(super) fn cut(&self, chunk: u64) -> u64 {
        if self.begun < MIN_CHUNK.into() { chunk.min(self.begun.max(FIRST_FRAME)) } else { chunk }
    }

    /// A chunk, or a part of it, left. Keep the stamp until it is acknowledged or lost; parts that leave together are
    /// one chunk here, and the first stamp counts.
    pub(super) fn handle_sent(&mut self, now: Instant, len: u64) -> Stamp {
        // After a pause the time since the last acknowledgement says nothing about the path.
        let delivered_at = if self.in_flight == 0 { now } else { self.last_ack.unwrap_or(now) };
        self.in_flight += len;
        self.begun = self.begun.saturating_add(len);
        self.last_sent = u32::try_from(len).ok();
        self.round.was_full |= !self.admits(u64::from(self.chunk()));
        Stamp { sent: now, delivered: self.delivered, delivered_at }
    }

    /// A chunk is given up, because the transfer rewinds or ends.
    pub(super) fn handle_lost(&mut self, len: u64) {
        self.in_flight = self.in_flight.saturating_sub(len);
    }

    /// A chunk arrived damaged.
    pub(super) fn handle_damaged(&mut self) {
        self.damage.handle_damaged(self.chunk());
    }

    /// A chunk is acknowledged, `hold` after it arrived.
    pub(super) fn handle_acked(&mut self, now: Instant, stamp: Stamp, len: u64, hold: Duration) {
        self.in_flight = self.in_flight.saturating_sub(len);
        self.delivered += len;
        self.damage.handle_whole(len, self.max_chunk);
        let rtt = (now - stamp.sent).saturating_sub(hold);
        let queueing = self.queueing(rtt, len);
        self.rate.sample(Rate::of(self.delivered - stamp.delivered, now - stamp.delivered_at));
        if stamp.delivered >= self.round.end {
            self.end_round();
        }
        self.round.burst.handle_acked(now, len);
        self.round.queueing = Some(self.round.queueing.map_or(queueing, |least| least.min(queueing)));
        if self.least.is_drained() {
            // What returns from a path that we left empty says nothing about its rate.
            self.slump = Slump::default();
        } else {
            self.slump.handle_acked(now, len, self.last_ack, self.least.smoothed());
            self.fall(now, queueing);
        }
        let is_drained = self.in_flight <= self.window();
        self.least.handle_acked(now, stamp.sent, rtt, self.own_time(len), is_drained);
        self.fit_chunk();
        self.last_ack = Some(now);
    }

    /// The window never exceeds what a busy path has shown.
    fn ceiling(&self) -> Rate {
        match self.pace.max() {
            Rate::ZERO => self.round.burst.pace().unwrap_or(Rate::MAX),
            pace => pace.max(self.rate.max()),
        }
    }

    /// By how much a round trip exceeded the minimum, without the time that the chunk itself took.
    fn queueing(&self, rtt: Duration, len: u64) -> Duration {
        rtt.saturating_sub(self.least.rtt()).saturating_sub(self.own_time(len))
    }

    /// How long the path needs for a chunk alone; zero while that is unknown.
    fn own_time(&self, len: u64) -> Duration {
        self.pace.max().max(self.rate.max()).time_of(len)
    }

    /// A round trip's worth of chunks has been acknowledged.
    fn end_round(&mut self) {
        let Round { was_full, queueing, burst, .. } = self.round;
        if let Some(pace) = burst.pace() {
            if self.pace.max() == Rate::ZERO {
                // Whatever was taken for the rate before is no measure.
                self.rate.fall_to(pace);
            }
            self.pace.sample(pace);
        }
        self.rate.next_round();
        self.pace.next_round();
        let best = self.pace.max().max(self.rate.max());
        self.start.handle_round(burst.bytes(), best, burst.is_bunched(best.over(self.least.rtt() / 4)));
        let is_empty = queueing.is_some_and(|queueing| queueing < allowance(self.least.rtt()) / 2);
        self.gain = if was_full && is_empty { GAIN } else { 1 };
        self.round = Round { end: self.delivered, ..Round::default() };
    }

    /// Reacts to a path that has slowed down: it has a long queue and delivers less than the rate.
    fn fall(&mut self, now: Instant, queueing: Duration) {
        let Some(short) = self.slump.rate() else { return };
        let rtt = self.least.rtt();
        let has_slowed = short.bytes_per_second() < self.rate.max().bytes_per_second() / 10 * 6;
        // A retransmission may be lost as well, and then takes as long again.
        let repair = if self.start.is_bunched() { rtt.min(REPAIR) * 2 } else { rtt / 2 };
        if has_slowed && queueing > allowance(rtt) + QUEUE * 2 + repair {
            self.rate.fall_to(short);
            self.pace.fall_to(short);
            // Or the path has become longer, and there is no queue.
            self.least.doubt(now);
        }
    }

    fn fit_chunk(&mut self) {
        let rate = self.rate.max().bytes_per_second();
        let rate =
            self.slump.rate().map_or(rate, |short| rate.min(short.bytes_per_second().saturating_mul(2)));
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

/// The queueing delay allowed on a path with this minimum round-trip time. A lost packet arrives a round trip later,
/// and everything behind it waits that long in the receiver's system. This is no queue but looks like one, and a sender
/// that makes no room for it reaches only a fraction of what the path carries.
fn allowance(rtt_min: Duration) -> Duration {
    rtt_min.clamp(QUEUE, REPAIR).max(rtt_min / 4)
}

/// The largest chunk size of the grid that is not above `want`, at least `MIN_CHUNK`.
fn step_down(want: u64) -> u32 {
    let want = u32::try_from(want).unwrap_or(u32::MAX);
    let step = if want >= STEP { STEP } else { MIN_CHUNK };
    (want / step * step).max(MIN_CHUNK)
}
