//! The application's own pings, and who waits for their answers.

use std::time::Duration;

use bowline_core::connection::PingError;
use tokio::sync::oneshot;

use crate::driver::Driver;

/// Where the answer to a ping goes.
pub(crate) type Waiter = oneshot::Sender<Result<Duration, PingError>>;
/// The unanswered pings of one connection.
pub(crate) type Pings = bowline_host::Pings<Waiter>;

/// Starts empty.
pub(crate) fn pings() -> Pings {
    Pings::new(|waiter, answer| {
        // The waiter may be gone.
        let _ = waiter.send(answer);
    })
}

/// Sends a ping, and remembers who waits for its answer.
pub(crate) fn ask<S>(pings: &mut Pings, driver: &mut Driver<S>, payload: &[u8], waiter: Waiter) {
    // Pings without a waiter need not be remembered.
    pings.retain(|waiter| !waiter.is_closed());
    let now = driver.now();
    pings.ask(now, driver.conn_mut(), payload, waiter);
}

/// Waits for the answer to a ping. If the other end was dropped, there is no connection any more.
pub(crate) async fn answered(
    waiting: oneshot::Receiver<Result<Duration, PingError>>,
) -> Result<Duration, PingError> {
    waiting.await.unwrap_or(Err(PingError::Closing))
}
