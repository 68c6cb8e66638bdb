//! How long a server waits for a client's handshake.

use std::time::Duration;

use bowline_host::LAST_WORDS;
use bowline_host::server::Hurry;
use tokio::sync::watch;

use super::places::Away;
use crate::clock::Clock;

/// A client that connects while the server serves has the configured time for all of it, and none any more when the
/// server stops. A client that connects after that has little time to send its request, only to be told.
pub(super) struct Patience {
    /// Started when the client connected.
    clock: Clock,
    time: Duration,
    /// Signals that others wait for its place.
    away: Away,
    /// `None` if the server has stopped already.
    stopping: Option<watch::Receiver<bool>>,
}

impl Patience {
    /// A client has connected.
    pub(super) fn new(stopping: watch::Receiver<bool>, time: Duration, away: Away) -> Self {
        let clock = Clock::start();
        if *stopping.borrow() {
            return Self { clock, time: time.min(LAST_WORDS), away, stopping: None };
        }
        Self { clock, time, away, stopping: Some(stopping) }
    }

    /// When the client connected.
    pub(super) fn clock(&self) -> Clock {
        self.clock
    }

    /// How long the handshake may take from then on.
    pub(super) fn time(&self) -> Duration {
        self.time
    }

    /// The result of a part of the handshake.
    ///
    /// # Errors
    /// If the server stops first, or the client must leave.
    pub(super) async fn wait<T>(&mut self, handshake: impl Future<Output = T>) -> Result<T, Hurry> {
        let Some(stopping) = &mut self.stopping else { return Ok(handshake.await) };
        tokio::select! {
            biased;
            outcome = handshake => Ok(outcome),
            // An error means that the server is gone: it has stopped as well.
            _ = stopping.wait_for(|stopping| *stopping) => Err(Hurry::Stop),
            () = self.away.told() => Err(Hurry::Others),
        }
    }
}
