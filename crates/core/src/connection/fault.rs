//! What the peer did wrong, and when it is told.
//!
//! A fault ends the connection. But what came whole before it is as good as ever, and an application that is about to
//! reply must be able to: had the bytes come in two reads, it would have. So the refusal waits until the application has
//! seen every message and comes back for more, and goes behind the replies; within bounds, as for a Close of the peer.

use super::Connection;
use crate::Instant;
use crate::frame::FrameError;
use crate::recorder::What;
use crate::time::earliest;
use alloc::boxed::Box;
use alloc::string::ToString;

/// A fault that the peer has not been told.
#[derive(Debug)]
pub(super) struct Fault {
    error: FrameError,
    since: Instant,
}

impl Connection {
    /// The peer did something wrong. Nothing that follows is interpreted before it has been told.
    pub(super) fn refuse(&mut self, now: Instant, error: FrameError) {
        // RFC 6455 §1.4: whatever follows the peer's Close is discarded, so it is no fault.
        if self.close_received {
            return;
        }
        // Once we have closed, nobody can reply any more.
        if self.closing.is_untouched() && !self.inbox.is_awaited() {
            self.fault = Some(Box::new(Fault { error, since: now }));
        } else if !self.closing.has_failed() {
            // After a failed write this is the end, and the input has ended nowhere.
            self.decoder.clear();
            self.fail(now, error.close_code(), &error.to_string());
        }
    }

    /// Whether the application has seen what came before a fault, and the refusal is due.
    pub(super) fn owes_refusal(&self) -> bool {
        self.fault.is_some() && self.inbox.is_awaited()
    }

    /// Tells the peer of its fault, if it has not been told, and drops what has come since.
    pub(super) fn tell_fault(&mut self, now: Instant) {
        let Some(fault) = self.fault.take() else { return };
        let Fault { error, .. } = *fault;
        let (code, reason) = (error.close_code(), error.to_string());
        if let Some(payload) = self.closing.fail_behind_data(now, code, &reason) {
            self.note(now, What::Failed(code));
            self.outbox.close(payload);
        }
        self.decode(now);
        self.tell_reading();
    }

    /// The same, if the application has had its time.
    pub(super) fn tell_late_fault(&mut self, now: Instant) {
        if self.fault_timeout().is_some_and(|deadline| deadline <= now) {
            self.tell_fault(now);
        }
    }

    pub(super) fn poll_closing_timeout(&self) -> Option<Instant> {
        earliest(self.closing.poll_timeout(), self.fault_timeout())
    }

    fn fault_timeout(&self) -> Option<Instant> {
        self.fault.as_ref().map(|fault| fault.since + self.closing.hold_time())
    }
}
