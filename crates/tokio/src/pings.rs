//! Pings of the application's own, and who waits for their answers.

use std::time::Duration;

use bowline_core::connection::PingError;
use tokio::sync::oneshot;

use crate::driver::Driver;

/// Where the answer to a ping goes.
pub(crate) type Waiter = oneshot::Sender<Result<Duration, PingError>>;

/// The pings of one connection that are not answered yet, by their numbers.
#[derive(Debug, Default)]
pub(crate) struct Pings(Vec<(u64, Waiter)>);

impl Pings {
    /// Sends a ping, and remembers who waits for its answer. Whoever asked may be gone.
    pub(crate) fn ask<S>(&mut self, driver: &mut Driver<S>, payload: &[u8], waiter: Waiter) {
        let now = driver.now();
        match driver.conn_mut().ping(now, payload) {
            Ok(ping) => {
                // What nobody waits for any more need not be remembered.
                self.0.retain(|(_, waiter)| !waiter.is_closed());
                self.0.push((ping, waiter));
            }
            Err(error) => drop(waiter.send(Err(error))),
        }
    }

    /// The peer has answered a ping. They are answered in order, so one before it that is still waited for was given up.
    pub(crate) fn handle_answered(&mut self, ping: u64, rtt: Duration) {
        self.0.retain(|(number, _)| *number >= ping);
        if let Some(index) = self.0.iter().position(|(number, _)| *number == ping) {
            let _ = self.0.remove(index).1.send(Ok(rtt));
        }
    }

    /// The connection is gone, and with it every answer.
    pub(crate) fn clear(&mut self) {
        self.0.clear();
    }
}

/// Waits for the answer to a ping. Who drops the other end cannot be asked any more.
pub(crate) async fn answered(
    waiting: oneshot::Receiver<Result<Duration, PingError>>,
) -> Result<Duration, PingError> {
    waiting.await.unwrap_or(Err(PingError::Closing))
}
