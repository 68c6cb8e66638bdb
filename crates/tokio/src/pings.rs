//! Pings of the application's own, and who waits for their answers.

use std::time::Duration;

use bowline_core::connection::PingError;
use tokio::sync::oneshot;

use crate::driver::Driver;

/// Where the answer to a ping goes.
pub(crate) type Waiter = oneshot::Sender<Result<Duration, PingError>>;
/// The pings of one connection that are not answered yet.
pub(crate) type Pings = bowline_host::Pings<Waiter>;

/// None yet.
pub(crate) fn pings() -> Pings {
    Pings::new(|waiter, answer| {
        // Whoever asked may be gone.
        let _ = waiter.send(answer);
    })
}

/// Sends a ping, and remembers who waits for its answer.
pub(crate) fn ask<S>(pings: &mut Pings, driver: &mut Driver<S>, payload: &[u8], waiter: Waiter) {
    // What nobody waits for any more need not be remembered.
    pings.retain(|waiter| !waiter.is_closed());
    let now = driver.now();
    pings.ask(now, driver.conn_mut(), payload, waiter);
}

/// Waits for the answer to a ping. Who drops the other end cannot be asked any more.
pub(crate) async fn answered(
    waiting: oneshot::Receiver<Result<Duration, PingError>>,
) -> Result<Duration, PingError> {
    waiting.await.unwrap_or(Err(PingError::Closing))
}
