//! What the halves of a WebSocket ask of the thread that drives it, besides sending and receiving.

use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::Duration;

use bowline_core::Timeline;
use bowline_core::connection::{PingError, Stats};

use super::mailbox::Mailbox;
use super::{Receiver, Sender};
use crate::pings::Waiter;

/// A question, and where its answer goes.
#[derive(Debug)]
pub(super) enum Ask {
    Ping(Vec<u8>, Waiter),
    Rtt(mpsc::Sender<Option<Duration>>),
    Stats(mpsc::Sender<Stats>),
    Timeline(mpsc::Sender<Timeline>),
}

impl Sender {
    /// Pings the peer with this payload, and waits for its answer: returns the round-trip time. Choose distinct
    /// payloads.
    ///
    /// Unreceived messages do not delay the answer, unless they fill the queue and the
    /// [`receive_buffer`](bowline_core::connection::Config::receive_buffer): then nothing more is read. If the peer
    /// does not answer, this waits as long as the connection lives.
    ///
    /// # Errors
    /// If the payload is longer than 125 bytes, 8 pings are already queued, or the connection is closing or over;
    /// [`PingError::Unanswered`] if a peer that does not answer every ping has answered a later one, or got 8 more.
    pub fn ping(&self, payload: &[u8]) -> Result<Duration, PingError> {
        self.mailbox.ping(payload).recv().unwrap_or(Err(PingError::Closing))
    }

    /// Pings the peer, and waits for its answer no longer than this; `None` if it has not arrived.
    ///
    /// # Errors
    /// As for [`ping`](Self::ping).
    pub fn ping_timeout(&self, payload: &[u8], time: Duration) -> Result<Option<Duration>, PingError> {
        match self.mailbox.ping(payload).recv_timeout(time) {
            Ok(answer) => answer.map(Some),
            Err(RecvTimeoutError::Timeout) => Ok(None),
            Err(RecvTimeoutError::Disconnected) => Err(PingError::Closing),
        }
    }

    /// The smoothed round-trip time, measured by the heartbeat; `None` before the first Pong, and when the connection
    /// is over.
    pub fn rtt(&self) -> Option<Duration> {
        self.mailbox.ask(Ask::Rtt).flatten()
    }

    /// What the connection has counted so far; `None` when it is over.
    pub fn stats(&self) -> Option<Stats> {
        self.mailbox.ask(Ask::Stats)
    }

    /// What has happened so far, for people to read; `None` when the connection is over, since
    /// [`Disconnect::explain`](bowline_core::Disconnect::explain) has it then.
    pub fn timeline(&self) -> Option<Timeline> {
        self.mailbox.ask(Ask::Timeline)
    }
}

impl Receiver {
    /// The smoothed round-trip time, as from [`Sender::rtt`].
    pub fn rtt(&self) -> Option<Duration> {
        self.mailbox.ask(Ask::Rtt).flatten()
    }

    /// What the connection has counted so far, as from [`Sender::stats`].
    pub fn stats(&self) -> Option<Stats> {
        self.mailbox.ask(Ask::Stats)
    }

    /// What has happened so far, as from [`Sender::timeline`].
    pub fn timeline(&self) -> Option<Timeline> {
        self.mailbox.ask(Ask::Timeline)
    }
}

impl Mailbox {
    /// Asks the thread, and waits for its answer; `None` if it is gone.
    fn ask<T>(&self, ask: impl FnOnce(mpsc::Sender<T>) -> Ask) -> Option<T> {
        let (answer, answered) = mpsc::channel();
        self.hand_in(ask(answer));
        answered.recv().ok()
    }

    /// Sends a ping, and returns the channel for its answer.
    fn ping(&self, payload: &[u8]) -> mpsc::Receiver<Result<Duration, PingError>> {
        let (answer, answered) = mpsc::channel();
        self.hand_in(Ask::Ping(payload.to_vec(), answer));
        answered
    }

    /// If there is no thread to answer, the question is dropped, which the caller notices.
    fn hand_in(&self, ask: Ask) {
        let mut state = self.lock();
        if !state.has_ended {
            state.asks.push(ask);
            self.wake(&mut state);
        }
    }
}
