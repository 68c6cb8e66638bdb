//! How long a server waits for somebody who shakes hands.

use std::time::Duration;

use bowline_host::LAST_WORDS;
use tokio::sync::watch;

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

    /// What a part of the handshake comes to; `None` if the server stops first.
    pub(super) async fn wait<T>(self, handshake: impl Future<Output = T>) -> Option<T> {
        let Some(mut stopping) = self.stopping else { return Some(handshake.await) };
        tokio::select! {
            biased;
            outcome = handshake => Some(outcome),
            // An error says that the server is gone: it has stopped as well.
            _ = stopping.wait_for(|stopping| *stopping) => None,
        }
    }
}
