//! What can be observed of a WebSocket, and a ping to learn more.

use std::time::Duration;

use bowline_core::connection::{PingError, Stats};
use bowline_core::{Connection, Disconnect, Timeline};

use super::WebSocket;
use crate::stream::Stream;

impl<S: Stream> WebSocket<S> {
    /// Queues a Ping with this payload, ahead of messages. [`event`](Self::event) reports when it was answered; see
    /// [`Connection::ping`].
    ///
    /// # Errors
    /// If the payload is longer than 125 bytes, 8 pings are already waiting to leave, or the connection is closing.
    pub fn ping(&mut self, payload: &[u8]) -> Result<u64, PingError> {
        let now = self.driver.now();
        self.driver.conn_mut().ping(now, payload)
    }

    /// The smoothed round-trip time, measured by the heartbeat; `None` before the first Pong.
    pub fn rtt(&self) -> Option<Duration> {
        self.conn().rtt()
    }

    /// What the connection has counted so far.
    pub fn stats(&self) -> Stats {
        self.conn().stats()
    }

    /// What has happened so far, as text for a bug report. For a connection that has ended, use
    /// [`Disconnect::explain`].
    pub fn timeline(&self) -> Timeline {
        self.conn().timeline(self.driver.now())
    }

    /// The connection, for inspection: round-trip time, counters, room.
    pub fn conn(&self) -> &Connection {
        self.driver.conn()
    }

    pub(crate) fn conn_mut(&mut self) -> &mut Connection {
        self.driver.conn_mut()
    }

    /// How the connection ended, once that was received.
    pub fn disconnect(&self) -> Option<&Disconnect> {
        self.ended.disconnect()
    }
}
