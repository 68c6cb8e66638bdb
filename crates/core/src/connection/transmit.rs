//! What has left, and what follows from that.

use super::{Connection, Event};
use crate::Instant;
use crate::closing::End;
use crate::outbox::Flushed;

impl Connection {
    /// The transport accepted `n` bytes, and with them `flushed` has left.
    pub(super) fn transmit(&mut self, now: Instant, n: usize, flushed: Flushed) {
        if flushed.bytes < n {
            return self.handle_miscount(now);
        }
        if n == 0 || self.closing.is_over() {
            return;
        }
        self.unblock(now);
        self.stats.bytes_sent += flushed.bytes as u64;
        if flushed.pings > 0 {
            self.handle_pings_left(now, flushed.pings);
        }
        self.heartbeat.handle_sent(now);
        self.closing.handle_sent(now, flushed.bytes);
        if flushed.close {
            self.closing.handle_close_flushed(now, self.meter.rate());
            if let Some(close) = self.closing.sent().cloned() {
                self.tell(now, Event::CloseSent(close));
            }
        }
        if self.meter.handle_written(now, flushed.bytes, self.outbox.is_empty()) {
            self.measure();
        }
    }

    /// This many pings have left.
    #[cold]
    fn handle_pings_left(&mut self, now: Instant, pings: u32) {
        let before = self.closing.crossed();
        for _ in 0..pings {
            if !self.asked.as_mut().is_some_and(|asked| asked.handle_left(now)) {
                self.heartbeat.handle_ping_sent(now);
                self.probe = self.probe.left(now, before);
            }
        }
    }

    /// The host reported more than it was shown. Consequences of bytes that have left, such as a Close, do not apply.
    #[cold]
    fn handle_miscount(&mut self, now: Instant) {
        // What was under way when a write failed is no longer shown.
        if !self.closing.is_draining() && !self.closing.is_over() {
            self.handle_end(now, End::Miscounted);
        }
    }

    /// Sets the size of fragments by the measured rate.
    pub(super) fn measure(&mut self) {
        if self.fragment.is_none() {
            self.outbox.set_fragment(self.meter.fragment());
        }
    }
}
