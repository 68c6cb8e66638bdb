//! Messages.

use std::sync::Arc;
use std::time::Duration;

use bowline_core::Message;
use bowline_core::messages::{Receipt, SendError, SessionId};
use bowline_core::replay::Unacknowledged;
use bowline_tokio::{Client, FlushError, Heard, Server};
use tokio::runtime::Runtime;
use tokio::time::timeout;

use super::within;

pub(super) struct Talk {
    pub(super) client: Client,
    pub(super) runtime: Arc<Runtime>,
}

pub(super) struct Talks {
    pub(super) server: Server,
    pub(super) runtime: Arc<Runtime>,
}

/// Waits no longer than this.
fn for_a_while<T>(runtime: &Runtime, time: Duration, work: impl Future<Output = T>) -> Option<T> {
    runtime.block_on(async { timeout(time, work).await }).ok()
}

impl super::super::Talk for Talk {
    fn send(&self, message: Message) -> Result<(), SendError> {
        within(&self.runtime, self.client.send(message))
    }

    fn send_within(&self, message: Message, time: Duration) -> Option<Result<(), SendError>> {
        for_a_while(&self.runtime, time, self.client.send(message))
    }

    fn send_volatile(&self, message: Message) -> Result<(), SendError> {
        within(&self.runtime, self.client.send_volatile(message))
    }

    fn flush(&self) -> Result<(), FlushError> {
        within(&self.runtime, self.client.flush())
    }

    fn flush_within(&self, time: Duration) -> Option<Result<(), FlushError>> {
        for_a_while(&self.runtime, time, self.client.flush())
    }

    fn receive(&self) -> Option<Heard> {
        within(&self.runtime, self.client.receive())
    }

    fn confirm(&self, receipt: Receipt) {
        self.client.confirm(receipt);
    }
}

impl super::super::Talks for Talks {
    fn send(&self, session: SessionId, message: Message) -> Result<(), SendError> {
        within(&self.runtime, self.server.send(session, message))
    }

    fn send_within(
        &self,
        session: SessionId,
        message: Message,
        time: Duration,
    ) -> Option<Result<(), SendError>> {
        for_a_while(&self.runtime, time, self.server.send(session, message))
    }

    fn send_volatile(&self, session: SessionId, message: Message) -> Result<(), SendError> {
        self.server.send_volatile(session, message)
    }

    fn receive(&self) -> Option<(SessionId, Heard)> {
        within(&self.runtime, self.server.receive())
    }

    fn confirm(&self, receipt: Receipt) {
        self.server.confirm(receipt);
    }

    fn end_session(&self, session: SessionId) -> Vec<Unacknowledged> {
        self.server.end_session(session)
    }
}
