//! Outgoing Pings and Pongs, ready to be written in one piece.

use crate::frame::Header;
use crate::mask;
use alloc::collections::VecDeque;
use alloc::vec::Vec;

/// How many Pongs may be queued; a conformance test sends ten pings at once and expects ten answers.
const MAX_PONGS: usize = 16;

#[derive(Debug, Default)]
pub(super) struct Controls {
    bytes: Vec<u8>,
    written: usize,
    /// The frames in `bytes`, except those that have left completely.
    frames: VecDeque<Frame>,
}

#[derive(Debug)]
struct Frame {
    is_ping: bool,
    start: usize,
    end: usize,
}

impl Controls {
    pub(super) fn push_ping(&mut self, header: &Header, payload: &[u8]) {
        self.push(true, header, payload);
    }

    pub(super) fn push_pong(&mut self, header: &Header, payload: &[u8]) {
        let written = self.written;
        let waiting = |frame: &Frame| !frame.is_ping && frame.start >= written;
        if self.frames.iter().filter(|frame| waiting(frame)).count() >= MAX_PONGS {
            // RFC 6455 §5.5.3: answering the newest ping is enough.
            if let Some(newest) = self.frames.iter().rposition(waiting) {
                self.remove(newest);
            }
        }
        self.push(false, header, payload);
    }

    /// Whether everything has been written.
    #[inline]
    pub(super) fn is_empty(&self) -> bool {
        self.written == self.bytes.len()
    }

    /// What has not been written.
    #[inline]
    pub(super) fn rest(&self) -> &[u8] {
        &self.bytes[self.written..]
    }

    /// Up to `n` bytes were written. Returns how many of them were control frames, and how many pings left with them.
    pub(super) fn advance(&mut self, n: usize) -> (usize, u32) {
        let taken = n.min(self.rest().len());
        self.written += taken;
        let mut pings = 0;
        while self.frames.front().is_some_and(|frame| frame.end <= self.written) {
            pings += u32::from(self.frames.pop_front().is_some_and(|frame| frame.is_ping));
        }
        if self.frames.is_empty() {
            self.bytes.clear();
            self.written = 0;
        }
        (taken, pings)
    }

    fn push(&mut self, is_ping: bool, header: &Header, payload: &[u8]) {
        self.drop_written();
        let start = self.bytes.len();
        self.bytes.extend_from_slice(&header.encode());
        let body = self.bytes.len();
        self.bytes.extend_from_slice(payload);
        if let Some(key) = header.mask {
            mask::apply(&mut self.bytes[body..], key, 0);
        }
        self.frames.push_back(Frame { is_ping, start, end: self.bytes.len() });
    }

    /// Removes a frame that has not begun to leave.
    fn remove(&mut self, index: usize) {
        if let Some(Frame { start, end, .. }) = self.frames.remove(index) {
            self.bytes.drain(start..end);
            for later in self.frames.range_mut(index..) {
                later.start -= end - start;
                later.end -= end - start;
            }
        }
    }

    /// Drops frames that have left, so that a queue that never runs empty does not grow.
    fn drop_written(&mut self) {
        let left = self.frames.front().map_or(0, |first| first.start);
        self.bytes.drain(..left);
        self.written -= left;
        for frame in &mut self.frames {
            frame.start -= left;
            frame.end -= left;
        }
    }

    #[cfg(test)]
    pub(super) fn memory(&self) -> usize {
        self.bytes.capacity()
    }
}
