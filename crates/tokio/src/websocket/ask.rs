//! What the halves of a WebSocket ask of the task that drives it, besides sending and receiving.

use std::time::Duration;

use bowline_core::closing::CloseError;
use bowline_core::connection::{PingError, Stats};
use bowline_core::{Close, Timeline};
use bowline_host::Unsent;
use tokio::sync::{mpsc, oneshot};

use super::flush::Flushed;
use crate::driver::Driver;
use crate::pings::{self, Pings, Waiter};

/// How many questions may wait for the task.
const WAITING: usize = 8;

/// A question, and where the answer goes.
pub(super) enum Ask {
    /// Close behind what has been queued, even if there is no room.
    Close(Close, oneshot::Sender<Result<(), CloseError>>),
    /// Answer when everything has left; for a connection that accepts no more.
    Flush(Flushed),
    Look(Look),
}

/// A question about the connection.
pub(super) enum Look {
    Ping(Vec<u8>, Waiter),
    Rtt(oneshot::Sender<Option<Duration>>),
    Stats(oneshot::Sender<Stats>),
    Timeline(oneshot::Sender<Timeline>),
}

/// The asking half's end.
#[derive(Clone)]
pub(super) struct Asker(mpsc::Sender<Ask>);

/// The task's end.
pub(super) struct Answerer {
    /// Present until both halves are dropped.
    asks: Option<mpsc::Receiver<Ask>>,
    pings: Pings,
}

pub(super) fn channel() -> (Asker, Answerer) {
    let (asker, asks) = mpsc::channel(WAITING);
    (Asker(asker), Answerer { asks: Some(asks), pings: pings::pings() })
}

impl Asker {
    pub(super) async fn ping(&self, payload: &[u8]) -> Result<Duration, PingError> {
        let answer = self.look(|answer| Look::Ping(payload.to_vec(), answer)).await;
        answer.unwrap_or(Err(PingError::Closing))
    }

    pub(super) async fn close(&self, close: Close) -> Result<(), CloseError> {
        let answer = self.ask(|answer| Ask::Close(close, answer)).await;
        answer.unwrap_or(Err(CloseError::AlreadyClosing))
    }

    pub(super) async fn flush(&self) -> Option<Result<(), Unsent>> {
        self.ask(Ask::Flush).await
    }

    pub(super) async fn rtt(&self) -> Option<Duration> {
        self.look(Look::Rtt).await.flatten()
    }

    pub(super) async fn stats(&self) -> Option<Stats> {
        self.look(Look::Stats).await
    }

    pub(super) async fn timeline(&self) -> Option<Timeline> {
        self.look(Look::Timeline).await
    }

    async fn look<T>(&self, look: impl FnOnce(oneshot::Sender<T>) -> Look) -> Option<T> {
        self.ask(|answer| Ask::Look(look(answer))).await
    }

    /// `None` if the task has ended.
    async fn ask<T>(&self, ask: impl FnOnce(oneshot::Sender<T>) -> Ask) -> Option<T> {
        let (answer, answered) = oneshot::channel();
        self.0.send(ask(answer)).await.ok()?;
        answered.await.ok()
    }
}

impl Answerer {
    /// The next question; `None` once, when both halves are dropped. Cancel-safe.
    pub(super) async fn next(&mut self) -> Option<Ask> {
        let Some(asks) = &mut self.asks else { return std::future::pending().await };
        let ask = asks.recv().await;
        if ask.is_none() {
            self.asks = None;
        }
        ask
    }

    /// Whether a question waits.
    pub(super) fn is_asked(&self) -> bool {
        self.asks.as_ref().is_some_and(|asks| !asks.is_empty())
    }

    /// Answers at once, or remembers the question until the peer has answered. The asker may be gone.
    pub(super) fn answer<S>(&mut self, look: Look, driver: &mut Driver<S>) {
        let now = driver.now();
        match look {
            Look::Ping(payload, answer) => pings::ask(&mut self.pings, driver, &payload, answer),
            Look::Rtt(answer) => drop(answer.send(driver.conn().rtt())),
            Look::Stats(answer) => drop(answer.send(driver.conn().stats())),
            Look::Timeline(answer) => drop(answer.send(driver.conn().timeline(now))),
        }
    }

    /// The connection is over, so pings get no answer.
    pub(super) fn handle_over(&mut self) {
        self.pings.clear();
    }

    /// The peer has answered a ping.
    pub(super) fn handle_answered(&mut self, ping: u64, rtt: Duration) {
        self.pings.handle_answered(ping, rtt);
    }
}
