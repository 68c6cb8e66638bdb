//! A protocol error of the peer, and when it is answered.
//!
//! A protocol error ends the connection. But complete messages before it are as good as ever, and an application that
//! is about to reply must be able to: it could have, if the bytes had come in two reads. So the refusal waits until the
//! application has seen every message and asks for more, and is sent behind the replies. The wait is limited, as for a
//! Close of the peer.

use super::Connection;
use crate::Instant;
use crate::frame::FrameError;
use crate::recorder::What;
use crate::time::earliest;
use alloc::boxed::Box;
use alloc::string::ToString;

/// A protocol error that was not answered yet.
#[derive(Debug)]
pub(super) struct Fault {
    error: FrameError,
    since: Instant,
}

impl Connection {
    /// The peer violated the protocol. Nothing after that is interpreted before the error was answered.
    pub(super) fn refuse(&mut self, now: Instant, error: FrameError) {
        // RFC 6455 §1.4: whatever follows the peer's Close is discarded, so it is no error.
        if self.close_received {
            return;
        }
        // Once we have closed, nobody can reply any more.
        if self.closing.is_untouched() && !self.inbox.is_awaited() {
            self.fault = Some(Box::new(Fault { error, since: now }));
        } else if !self.closing.has_failed() {
            // After a failed write this is the end, and the input was not cut anywhere.
            self.decoder.clear();
            self.fail(now, error.close_code(), &error.to_string());
        }
    }

    /// Whether the application has seen what came before an error, so that the refusal is due.
    pub(super) fn owes_refusal(&self) -> bool {
        self.fault.is_some() && self.inbox.is_awaited()
    }

    /// Answers the peer's error, if that was not done, and drops what has arrived since.
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

    /// The same, once the application has had its time.
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
