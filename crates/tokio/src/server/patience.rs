//! How long a server waits for somebody who shakes hands.

use std::time::Duration;

use bowline_host::LAST_WORDS;
use bowline_host::server::Hurry;
use tokio::sync::watch;

use super::places::Away;

/// Whoever comes while the server serves has the time of the settings, and none any more when it stops. Whoever comes after
/// that is to hear so, and has little time to ask.
pub(super) struct Patience {
    time: Duration,
    /// `None` if the server has stopped already.
    stopping: Option<watch::Receiver<bool>>,
}

impl Patience {
    pub(super) fn new(stopping: watch::Receiver<bool>, time: Duration) -> Self {
        if *stopping.borrow() {
            return Self { time: time.min(LAST_WORDS), stopping: None };
        }
        Self { time, stopping: Some(stopping) }
    }

    /// How long it lasts at most.
    pub(super) fn time(&self) -> Duration {
        self.time
    }

    /// What a part of the handshake comes to.
    ///
    /// # Errors
    /// The server stops first, or somebody has to go.
    pub(super) async fn wait<T>(
        self,
        away: &mut Away,
        handshake: impl Future<Output = T>,
    ) -> Result<T, Hurry> {
        let Some(mut stopping) = self.stopping else { return Ok(handshake.await) };
        tokio::select! {
            biased;
            outcome = handshake => Ok(outcome),
            // An error says that the server is gone: it has stopped as well.
            _ = stopping.wait_for(|stopping| *stopping) => Err(Hurry::Stop),
            () = away.told() => Err(Hurry::Others),
        }
    }
}
