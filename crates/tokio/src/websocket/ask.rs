//! What the halves of a WebSocket ask of the task that drives it, beside sending and receiving.

use std::time::Duration;

use bowline_core::Timeline;
use bowline_core::connection::{PingError, Stats};
use tokio::sync::{mpsc, oneshot};

use crate::driver::Driver;
use crate::pings::{self, Pings, Waiter};

/// So many questions may wait for the task to look at them.
const WAITING: usize = 8;

/// A question, and where its answer goes.
pub(super) enum Ask {
    Ping(Vec<u8>, Waiter),
    Rtt(oneshot::Sender<Option<Duration>>),
    Stats(oneshot::Sender<Stats>),
    Timeline(oneshot::Sender<Timeline>),
}

/// The end of a half that asks.
#[derive(Clone)]
pub(super) struct Asker(mpsc::Sender<Ask>);

/// The end of the task that answers.
pub(super) struct Answerer {
    /// Until both halves are dropped.
    asks: Option<mpsc::Receiver<Ask>>,
    pings: Pings,
}

pub(super) fn channel() -> (Asker, Answerer) {
    let (asker, asks) = mpsc::channel(WAITING);
    (Asker(asker), Answerer { asks: Some(asks), pings: Pings::default() })
}

impl Asker {
    pub(super) async fn ping(&self, payload: &[u8]) -> Result<Duration, PingError> {
        let answer = self.ask(|answer| Ask::Ping(payload.to_vec(), answer)).await;
        answer.unwrap_or(Err(PingError::Closing))
    }

    pub(super) async fn rtt(&self) -> Option<Duration> {
        self.ask(Ask::Rtt).await.flatten()
    }

    pub(super) async fn stats(&self) -> Option<Stats> {
        self.ask(Ask::Stats).await
    }

    pub(super) async fn timeline(&self) -> Option<Timeline> {
        self.ask(Ask::Timeline).await
    }

    /// `None` if the task has ended.
    async fn ask<T>(&self, ask: impl FnOnce(oneshot::Sender<T>) -> Ask) -> Option<T> {
        let (answer, answered) = oneshot::channel();
        self.0.send(ask(answer)).await.ok()?;
        answered.await.ok()
    }
}

impl Answerer {
    /// The next question. Cancel-safe.
    pub(super) async fn next(&mut self) -> Ask {
        if let Some(asks) = &mut self.asks {
            if let Some(ask) = asks.recv().await {
                return ask;
            }
            self.asks = None;
        }
        std::future::pending().await
    }

    /// Answers at once, or remembers the question until the peer has answered. Whoever asked may be gone.
    pub(super) fn answer<S>(&mut self, ask: Ask, driver: &mut Driver<S>) {
        let now = driver.now();
        match ask {
            Ask::Ping(payload, answer) => pings::ask(&mut self.pings, driver, &payload, answer),
            Ask::Rtt(answer) => drop(answer.send(driver.conn().rtt())),
            Ask::Stats(answer) => drop(answer.send(driver.conn().stats())),
            Ask::Timeline(answer) => drop(answer.send(driver.conn().timeline(now))),
        }
    }

    /// The connection is over, and pings have no answer.
    pub(super) fn handle_over(&mut self) {
        self.pings.clear();
    }

    /// The peer has answered a ping.
    pub(super) fn handle_answered(&mut self, ping: u64, rtt: Duration) {
        pings::answer(&mut self.pings, ping, rtt);
    }
}
