//! How long a server waits for somebody who shakes hands.

use std::time::Duration;

use bowline_host::LAST_WORDS;
use bowline_host::server::Hurry;
use tokio::sync::watch;

use super::places::Away;
use crate::clock::Clock;

/// Whoever comes while the server serves has the time of the settings for all of it, and none any more when it stops. Whoever
/// comes after that is to hear so, and has little time to ask.
pub(super) struct Patience {
    /// It was started when he came.
    clock: Clock,
    time: Duration,
    /// Others may wait for his place.
    away: Away,
    /// `None` if the server has stopped already.
    stopping: Option<watch::Receiver<bool>>,
}

impl Patience {
    /// Somebody has come.
    pub(super) fn new(stopping: watch::Receiver<bool>, time: Duration, away: Away) -> Self {
        let clock = Clock::start();
        if *stopping.borrow() {
            return Self { clock, time: time.min(LAST_WORDS), away, stopping: None };
        }
        Self { clock, time, away, stopping: Some(stopping) }
    }

    /// When he came.
    pub(super) fn clock(&self) -> Clock {
        self.clock
    }

    /// How long it lasts at most, from then on.
    pub(super) fn time(&self) -> Duration {
        self.time
    }

    /// What a part of the handshake comes to.
    ///
    /// # Errors
    /// The server stops first, or somebody has to go.
    pub(super) async fn wait<T>(&mut self, handshake: impl Future<Output = T>) -> Result<T, Hurry> {
        let Some(stopping) = &mut self.stopping else { return Ok(handshake.await) };
        tokio::select! {
            biased;
            outcome = handshake => Ok(outcome),
            // An error says that the server is gone: it has stopped as well.
            _ = stopping.wait_for(|stopping| *stopping) => Err(Hurry::Stop),
            () = self.away.told() => Err(Hurry::Others),
        }
    }
}
