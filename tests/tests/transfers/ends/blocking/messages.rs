//! Messages.

use std::sync::mpsc::RecvTimeoutError;
use std::time::Duration;

use bowline_blocking::{Client, FlushError, Heard, Server};
use bowline_core::Message;
use bowline_core::messages::{Receipt, SendError, SessionId};
use bowline_core::replay::Unacknowledged;

use super::super::{LIMIT, Talk, Talks};

/// What has arrived in time; nothing if the time is over.
fn heard<T>(received: Result<T, RecvTimeoutError>) -> Option<T> {
    assert_ne!(received.as_ref().err(), Some(&RecvTimeoutError::Timeout), "in time");
    received.ok()
}

/// Whether there was room, within the time.
fn sent(sent: Result<(), SendError>) -> Option<Result<(), SendError>> {
    Some(sent).filter(|sent| !matches!(sent, Err(SendError::Full(_))))
}

impl Talk for Client {
    fn send(&self, message: Message) -> Result<(), SendError> {
        self.send_within(message, LIMIT).expect("in time")
    }

    fn send_within(&self, message: Message, time: Duration) -> Option<Result<(), SendError>> {
        sent(self.send_timeout(message, time))
    }

    fn send_volatile(&self, message: Message) -> Result<(), SendError> {
        self.send_volatile(message)
    }

    fn flush(&self) -> Result<(), FlushError> {
        self.flush_within(LIMIT).expect("in time")
    }

    fn flush_within(&self, time: Duration) -> Option<Result<(), FlushError>> {
        Some(self.flush_timeout(time)).filter(|flushed| *flushed != Err(FlushError::TimedOut))
    }

    fn receive(&self) -> Option<Heard> {
        heard(self.receive_timeout(LIMIT))
    }

    fn confirm(&self, receipt: Receipt) {
        self.confirm(receipt);
    }
}

impl Talks for Server {
    fn send(&self, session: SessionId, message: Message) -> Result<(), SendError> {
        self.send_within(session, message, LIMIT).expect("in time")
    }

    fn send_within(
        &self,
        session: SessionId,
        message: Message,
        time: Duration,
    ) -> Option<Result<(), SendError>> {
        sent(self.send_timeout(session, message, time))
    }

    fn send_volatile(&self, session: SessionId, message: Message) -> Result<(), SendError> {
        self.send_volatile(session, message)
    }

    fn receive(&self) -> Option<(SessionId, Heard)> {
        heard(self.receive_timeout(LIMIT))
    }

    fn confirm(&self, receipt: Receipt) {
        self.confirm(receipt);
    }

    fn end_session(&self, session: SessionId) -> Vec<Unacknowledged> {
        self.end_session(session)
    }
}
