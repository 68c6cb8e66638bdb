//! One direction of a simulated TCP connection, in virtual time.
//!
//! ```text
//!  write ─▶ send buffer ─▶ line (bandwidth, stalls) ─▶ on its way (latency) ─▶ receive buffer ─▶ read
//!                ▲────────── room again once the far end has it, a latency later ───┘
//! ```
//!
//! Acceptance into the send buffer proves nothing about the far end, as on a real system. A large send buffer also
//! stands for a proxy that swallows megabytes.

use super::Path;
use bowline_core::time::earliest;
use bowline_core::{End, Instant};
use bytes::{Bytes, BytesMut};
use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

/// One direction of a connection.
#[derive(Debug)]
pub struct Stream {
    path: Path,
    now: Instant,
    queued: BytesMut,
    finished: bool,
    fin_is_out: bool,
    /// When the line can take the next segment.
    line_free: Instant,
    flying: VecDeque<Segment>,
    flying_bytes: usize,
    /// When the far end's acknowledgements come back, and for how many bytes.
    acks: VecDeque<(Instant, usize)>,
    /// Bytes that occupy the send buffer.
    held: usize,
    arrived: BytesMut,
    passed: u64,
    last_arrival: Instant,
    /// From when on writes fail.
    fails_at: Option<Instant>,
    /// From when on the reader finds this after what has arrived, and nothing more arrives.
    breaks_at: Option<(Instant, End)>,
    /// What the reader finds after the bytes that have arrived.
    end: Option<End>,
    /// From when on nothing gets through.
    hole: Option<Instant>,
    /// The connection is cut like this when this many bytes have passed.
    limit: Option<(u64, End)>,
    /// The bytes at these positions arrive with these bits flipped.
    damage: BTreeMap<u64, u8>,
    abandoned: bool,
}

/// Bytes on their way; no bytes are a FIN.
#[derive(Debug)]
struct Segment {
    arrives: Instant,
    bytes: Bytes,
}

/// What a read finds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Read {
    /// The next bytes.
    Bytes(Bytes),
    /// No bytes for the time being.
    Blocked,
    /// The end, after all bytes.
    End(End),
}

/// A write to a stream that is broken or finished.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WriteFailed;

/// What happened to a segment that reached the end of its path, if the link must know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Incident {
    /// It is the one after which the connection is to be cut, like this.
    Limit(End),
    /// Nothing gets through any longer.
    Swallowed,
    /// Nobody is there to read it.
    Refused,
}

impl Stream {
    /// A stream over this path, with nothing on its way.
    pub fn new(path: Path, now: Instant) -> Self {
        Self {
            path,
            now,
            queued: BytesMut::new(),
            finished: false,
            fin_is_out: false,
            line_free: now,
            flying: VecDeque::new(),
            flying_bytes: 0,
            acks: VecDeque::new(),
            held: 0,
            arrived: BytesMut::new(),
            passed: 0,
            last_arrival: now,
            fails_at: None,
            breaks_at: None,
            end: None,
            hole: None,
            limit: None,
            damage: BTreeMap::new(),
            abandoned: false,
        }
    }

    /// Puts bytes into the send buffer. Returns how many it accepted: none if it is full.
    ///
    /// # Errors
    /// The stream is broken, or was finished.
    pub fn write(&mut self, now: Instant, bytes: &[u8]) -> Result<usize, WriteFailed> {
        self.now = self.now.max(now);
        if self.finished || self.is_broken() {
            return Err(WriteFailed);
        }
        let n = bytes.len().min(self.room());
        self.queued.extend_from_slice(&bytes[..n]);
        self.held += n;
        self.transmit();
        Ok(n)
    }

    /// Takes up to `max` bytes from the receive buffer.
    pub fn read(&mut self, now: Instant, max: usize) -> Read {
        self.now = self.now.max(now);
        let n = max.min(self.arrived.len());
        if n > 0 {
            // The writer learns of the room only once everything has been read that is read now; otherwise small reads
            // would lead to small segments.
            return Read::Bytes(self.arrived.split_to(n).freeze());
        }
        match self.end {
            Some(end) if self.arrived.is_empty() => Read::End(end),
            _ => Read::Blocked,
        }
    }

    /// The writer has finished: the reader finds [`End::Eof`] after everything that was written.
    pub fn finish(&mut self, now: Instant) {
        self.now = self.now.max(now);
        if !self.finished {
            self.finished = true;
            self.transmit();
        }
    }

    /// The reader is gone for good: what arrives is answered by a reset.
    pub fn abandon(&mut self) {
        self.abandoned = true;
        self.arrived.clear();
    }

    /// How many bytes a write would accept.
    pub fn room(&self) -> usize {
        self.path.send_buffer.saturating_sub(self.held)
    }

    /// Whether a read would find bytes or the end.
    pub fn is_readable(&self) -> bool {
        !self.arrived.is_empty() || self.end.is_some()
    }

    /// Whether a write would accept bytes, or fail.
    pub fn is_writable(&self) -> bool {
        self.room() > 0 || self.is_broken()
    }

    /// How many bytes have arrived.
    pub fn passed(&self) -> u64 {
        self.passed
    }

    /// How long a byte that is written now waits for the line.
    pub fn delay(&self) -> Duration {
        (self.line_free - self.now) + self.path.time_for(self.queued.len())
    }

    /// Does what is due. Early and repeated calls change nothing.
    pub(super) fn handle_timeout(&mut self, now: Instant) -> Option<Incident> {
        self.now = self.now.max(now);
        while self.acks.front().is_some_and(|(at, _)| *at <= now) {
            let len = self.acks.pop_front().map_or(0, |(_, len)| len);
            self.held = self.held.saturating_sub(len);
        }
        let mut incident = None;
        while self.flying.front().is_some_and(|segment| segment.arrives <= now) {
            if let Some(segment) = self.flying.pop_front() {
                self.flying_bytes -= segment.bytes.len();
                incident = self.arrive(segment).or(incident);
            }
        }
        self.settle_breaks();
        self.transmit();
        incident
    }

    /// When something happens next.
    pub fn poll_timeout(&self) -> Option<Instant> {
        let arrival = self.flying.front().map(|segment| segment.arrives);
        let ack = self.acks.front().map(|(at, _)| *at);
        let line = (self.window() > 0 && !self.queued.is_empty() && !self.is_broken())
            .then(|| self.path.after_stall(self.line_free.max(self.now)));
        let held = !self.queued.is_empty() || self.held > 0;
        let fails = self.fails_at.filter(|_| held);
        let breaks = self.breaks_at.map(|(at, _)| at).filter(|_| self.end.is_none());
        earliest(earliest(arrival, ack), earliest(line, earliest(fails, breaks)))
    }

    // ----- what a link does to its streams -----

    /// From this time on writes fail, and what has not left by then is lost.
    pub(super) fn fail_at(&mut self, at: Instant) {
        self.fails_at = Some(self.fails_at.map_or(at, |earlier| earlier.min(at)));
        self.settle_breaks();
    }

    /// From this time on nothing arrives, and the reader finds `end`.
    pub(super) fn break_at(&mut self, at: Instant, end: End) {
        if self.breaks_at.is_none_or(|(earlier, _)| at < earlier) {
            self.breaks_at = Some((at, end));
        }
        self.settle_breaks();
    }

    /// From this time on nothing arrives, and nobody is told.
    pub(super) fn swallow_from(&mut self, at: Instant) {
        self.hole = Some(self.hole.map_or(at, |hole| hole.min(at)));
    }

    /// The connection is to be cut when this many bytes have arrived.
    pub(super) fn set_limit(&mut self, bytes: u64, end: End) {
        self.limit = Some((bytes, end));
    }

    /// The byte at this position is to arrive with these bits flipped.
    pub(super) fn set_damage(&mut self, byte: u64, bits: u8) {
        self.damage.insert(byte, bits);
    }

    /// How the connection is to be cut now, if it is.
    pub(super) fn reached_limit(&self) -> Option<End> {
        let (_, end) = self.limit.filter(|(limit, _)| self.passed >= *limit)?;
        self.breaks_at.is_none().then_some(end)
    }

    pub(super) fn has_ended(&self) -> bool {
        self.end.is_some()
    }

    pub(super) fn last_arrival(&self) -> Instant {
        self.last_arrival
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    // ----- inside -----

    fn is_broken(&self) -> bool {
        self.fails_at.is_some_and(|at| at <= self.now)
    }

    /// How much the reader can still receive.
    fn window(&self) -> usize {
        self.path.receive_buffer.saturating_sub(self.arrived.len() + self.flying_bytes)
    }

    /// Puts on the line what fits.
    fn transmit(&mut self) {
        let mut window = self.window();
        while !self.queued.is_empty() && window > 0 && !self.is_broken() && self.line_is_free() {
            let len = self.queued.len().min(self.path.segment.max(1)).min(window);
            window -= len;
            self.line_free = self.now + self.path.time_for(len);
            let bytes = self.queued.split_to(len).freeze();
            self.flying_bytes += len;
            self.flying.push_back(Segment { arrives: self.line_free + self.path.latency, bytes });
        }
        if self.finished && self.queued.is_empty() && !self.fin_is_out && !self.is_broken() {
            self.fin_is_out = true;
            let arrives = self.line_free.max(self.now) + self.path.latency;
            self.flying.push_back(Segment { arrives, bytes: Bytes::new() });
        }
    }

    fn line_is_free(&self) -> bool {
        self.path.after_stall(self.line_free.max(self.now)) <= self.now
    }

    fn arrive(&mut self, Segment { arrives, mut bytes }: Segment) -> Option<Incident> {
        if self.hole.is_some_and(|hole| hole <= arrives) {
            return Some(Incident::Swallowed);
        }
        if self.end.is_some() || self.breaks_at.is_some_and(|(at, _)| at < arrives) {
            return None;
        }
        self.last_arrival = arrives;
        if bytes.is_empty() {
            self.end = Some(End::Eof);
            return None;
        }
        self.acks.push_back((arrives + self.path.latency, bytes.len()));
        if self.abandoned {
            return Some(Incident::Refused);
        }
        let left = self.limit.map_or(u64::MAX, |(limit, _)| limit.saturating_sub(self.passed));
        bytes.truncate(usize::try_from(left).unwrap_or(usize::MAX));
        let begin = self.arrived.len();
        self.arrived.extend_from_slice(&bytes);
        let end = self.passed + bytes.len() as u64;
        for (at, bits) in self.damage.range(self.passed..end) {
            self.arrived[begin + (at - self.passed) as usize] ^= bits;
        }
        self.passed = end;
        self.reached_limit().map(Incident::Limit)
    }

    fn settle_breaks(&mut self) {
        if self.is_broken() {
            self.queued.clear();
            self.held = 0;
            self.acks.clear();
        }
        if let Some((_, end)) = self.breaks_at.filter(|(at, _)| *at <= self.now && self.end.is_none()) {
            self.flying.clear();
            self.flying_bytes = 0;
            self.end = Some(end);
        }
    }
}
