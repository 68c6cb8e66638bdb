//! A buffer, a line and a latency: one way of a connection.

use super::Line;
use bowline_core::Instant;
use bowline_core::time::earliest;
use bytes::Bytes;
use std::collections::VecDeque;
use std::time::Duration;

/// One way of a connection, and what a control frame would meet on it.
#[derive(Debug)]
pub struct Route {
    line: Line,
    latency: Duration,
    buffer: usize,
    held: usize,
    /// When the line will have carried everything that was written.
    free_at: Instant,
    written: u64,
    passed: u64,
    flying: VecDeque<Piece>,
    /// When room is freed, and how much.
    acks: VecDeque<(Instant, usize)>,
    /// A control frame whose last byte is not written yet: since when it has been waiting, and behind how many bytes.
    waiting: VecDeque<(Instant, u64)>,
    worst_wait: Duration,
    /// The time after which no control frame would have waited for longer than this.
    calm: (Duration, Instant),
}

#[derive(Debug)]
struct Piece {
    arrives: Instant,
    len: usize,
    bytes: Bytes,
}

impl Route {
    /// A route with nothing on its way. The buffer holds bytes until the far end has acknowledged them. A control frame
    /// that waits for longer than `calm` counts as a disturbance.
    pub fn new(line: Line, latency: Duration, buffer: usize, calm: Duration) -> Self {
        Self {
            line,
            latency,
            buffer,
            held: 0,
            free_at: Instant::ZERO,
            written: 0,
            passed: 0,
            flying: VecDeque::new(),
            acks: VecDeque::new(),
            waiting: VecDeque::new(),
            worst_wait: Duration::ZERO,
            calm: (calm, Instant::ZERO),
        }
    }

    /// How many bytes a write accepts.
    pub fn room(&self) -> usize {
        self.buffer - self.held
    }

    /// Accepts `len` bytes, for which there is room. Bytes that nobody reads need not be given.
    pub fn write(&mut self, now: Instant, len: usize, bytes: Bytes) {
        assert!(len <= self.room(), "{len} bytes for {} of room", self.room());
        self.held += len;
        let from = self.written;
        let start = self.free_at.max(now);
        self.written += len as u64;
        while let Some((since, behind)) = self.waiting.front().copied().filter(|(_, to)| *to <= self.written)
        {
            self.waiting.pop_front();
            self.note_wait(since, self.line.finish(start, behind - from));
        }
        self.free_at = self.line.finish(start, len as u64);
        self.flying.push_back(Piece { arrives: self.free_at + self.latency, len, bytes });
    }

    /// A control frame that is sent now has to wait for everything that was written, plus `ahead` bytes.
    pub fn probe(&mut self, now: Instant, ahead: usize) {
        let behind = self.written + ahead as u64;
        if ahead == 0 {
            self.note_wait(now, self.free_at);
        } else if self.waiting.back().is_none_or(|(_, last)| *last < behind) {
            self.waiting.push_back((now, behind));
        }
    }

    /// What has arrived by now.
    pub fn read(&mut self, now: Instant) -> Option<Bytes> {
        let piece = self.flying.front().filter(|piece| piece.arrives <= now)?;
        self.acks.push_back((piece.arrives + self.latency, piece.len));
        self.passed += piece.len as u64;
        self.flying.pop_front().map(|piece| piece.bytes)
    }

    /// Takes note of the room that has been freed.
    pub fn handle_timeout(&mut self, now: Instant) {
        while let Some((_, len)) = self.acks.front().copied().filter(|(at, _)| *at <= now) {
            self.acks.pop_front();
            self.held -= len;
        }
    }

    /// When something arrives, or room is freed.
    pub fn poll_timeout(&self) -> Option<Instant> {
        let room = self.acks.front().map(|(at, _)| *at);
        earliest(self.flying.front().map(|piece| piece.arrives), room)
    }

    /// How many bytes have arrived.
    pub fn passed(&self) -> u64 {
        self.passed
    }

    /// The longest wait of a control frame.
    pub fn worst_wait(&self) -> Duration {
        // What is not written yet would follow immediately at best.
        let rest = self.waiting.front().map_or(Duration::ZERO, |(since, behind)| {
            self.line.finish(self.free_at.max(*since), behind - self.written) - *since
        });
        self.worst_wait.max(rest)
    }

    /// The time after which control frames never waited long.
    pub fn calm_since(&self) -> Instant {
        self.calm.1
    }

    fn note_wait(&mut self, since: Instant, until: Instant) {
        self.worst_wait = self.worst_wait.max(until - since);
        if until - since > self.calm.0 {
            self.calm.1 = since;
        }
    }
}
