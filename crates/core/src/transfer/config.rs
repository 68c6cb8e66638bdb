//! Settings of [`Transfers`](super::Transfers).

use super::wire::{CHUNK_LIMITS, MAX_LENGTH};
use alloc::string::String;
use core::time::Duration;

/// Settings of [`Transfers`](super::Transfers). Start from [`Config::default`] and change what you must.
///
/// They bound the memory of a receiving link, whatever its peer does, and even if our own disk accepts nothing: a
/// quarter more than `link_credit`, 96 KiB for each of `max_transfers`, and 8 MiB; with the defaults 52 MiB. Events
/// that nobody takes come on top, a few for each frame.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Config {
    /// The largest payload of one DATA frame, sent and received. 512 KiB: beyond it nothing is gained, a processor has
    /// it in its cache from one step to the next, and a damaged or interrupted chunk is lost whole. A value outside
    /// [`CHUNK_LIMITS`] counts as the nearest one inside: peers accept nothing else.
    pub max_chunk: u32,
    /// How many bytes a sender may be ahead of our disk, for each transfer. 8 MiB: twice what 1 Gbit/s carries in a
    /// round trip of 30 ms, or 100 Mbit/s in one of 300 ms, because credit is a round trip late; and sixteen of the
    /// largest chunks. A sender that answers within 5 ms gets 3 MiB at most, which is enough for 5 Gbit/s.
    pub credit: u64,
    /// The same for all transfers of a link together. 16 MiB: with `credit` it bounds the memory of a link. A value
    /// above the length of the longest file ([`MAX_LENGTH`]) counts as that length.
    pub link_credit: u64,
    /// How many bytes of all sources of a link together are read before they can be sent. 4 MiB: two of the largest
    /// chunks for each of four transfers.
    pub read_ahead: u64,
    /// How many transfers may be open at once, the peer's and ours. 256: enough to hide the round trips of small files.
    /// 0 counts as 1.
    pub max_transfers: u32,
    /// How many offers and requests of a peer are accepted per second; further ones are told to wait. 50,000: as many
    /// as 256 at once need on a path of 5 ms, and more files than disks create, so that nobody who sends small ones
    /// ever notices the limit.
    pub max_offers_per_second: u32,
    /// The longest time for which an acknowledgement is held back. 25 ms: half of what a chunk takes.
    pub ack_delay: Duration,
    /// Ask for a sync when this much is written and not durable. 16 MiB: beyond it a disk gets no faster, and a crash
    /// costs more.
    pub sync_bytes: u64,
    /// Ask for a sync when some data has been written but not durable for this long. 1 s.
    pub sync_delay: Duration,
    /// How long the peer may leave something unanswered while the link lives. 60 s: a busy disk takes a while. A value
    /// below 30 s counts as 30 s: an end that is at work, or waits for a limit, says so every 20 s, and would otherwise
    /// be given up although it is well.
    pub stall_timeout: Duration,
    /// The minimum that a sender must bring while it is its turn, in bytes a second over a minute: all transfers of a
    /// link together, or each its share of that. 1 KiB: less than any useful network carries, and enough that nobody
    /// holds a place for a day with a byte now and then. `None`: any rate is accepted, as long as something comes.
    pub min_rate: Option<u64>,
    /// How long the peer may keep a transfer paused, or be too busy for it. 24 h: a laptop that was shut for the night
    /// resumes, but a place is not held for ever.
    pub pause_timeout: Duration,
    /// How long a full disk, there or here, may hold up a transfer. 10 min: time to call somebody and to make space. A
    /// sender that waited longer would only look as if it were doing something.
    pub space_timeout: Duration,
    /// How often a transfer is offered again without any progress in between. 5. A busy peer is not counted: it is
    /// tolerated for `pause_timeout`; nor is a full disk, which is tolerated for `space_timeout`. 0: nothing is ever
    /// offered again.
    pub attempts: u32,
    /// The maximum rate in bytes a second, for sending and for receiving, on each link;
    /// [`hold_back`](super::Transfers::hold_back) shares it among several. `None`: no limit. Less than 1 KiB counts as
    /// that: see `min_rate`.
    pub limit_rate: Option<u64>,
    /// Random bytes that name this process, so that a peer can tell its return from a rival. All zeros by default, so
    /// that a return cannot be recognised: give each process its own. A client's [`Session`](crate::Session) does so by
    /// itself.
    pub instance: [u8; 16],
    /// The program and its version, for the peer's logs; at most 64 bytes are sent.
    pub agent: String,
}

/// A peer may report every 20 s that it is at work, and each report may be late by half of that.
const LEAST_PATIENCE: Duration = Duration::from_secs(30);

/// The least rate that a receiver accepts by default; it gives up slower senders.
const LEAST_RATE: u64 = 1024;

impl Config {
    /// The same settings, limited to what keeps a link alive.
    pub(super) fn usable(mut self) -> Self {
        self.max_chunk = self.max_chunk.clamp(*CHUNK_LIMITS.start(), *CHUNK_LIMITS.end());
        self.link_credit = self.link_credit.min(MAX_LENGTH);
        self.max_transfers = self.max_transfers.max(1);
        self.stall_timeout = self.stall_timeout.max(LEAST_PATIENCE);
        self.limit_rate = self.limit_rate.map(|rate| rate.max(LEAST_RATE));
        self
    }
}

impl Default for Config {
    fn default() -> Self {
        Self {
            max_chunk: 512 * 1024,
            credit: 8 * 1024 * 1024,
            link_credit: 16 * 1024 * 1024,
            read_ahead: 4 * 1024 * 1024,
            max_transfers: 256,
            max_offers_per_second: 50_000,
            ack_delay: Duration::from_millis(25),
            sync_bytes: 16 * 1024 * 1024,
            sync_delay: Duration::from_secs(1),
            stall_timeout: Duration::from_secs(60),
            min_rate: Some(LEAST_RATE),
            pause_timeout: Duration::from_secs(24 * 3600),
            space_timeout: Duration::from_secs(600),
            attempts: 5,
            limit_rate: None,
            instance: [0; 16],
            agent: concat!("bowline ", env!("CARGO_PKG_VERSION")).into(),
        }
    }
}
