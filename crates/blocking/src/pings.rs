//! The application's own pings, and who waits for their answers.

use std::sync::mpsc;
use std::time::Duration;

use bowline_core::connection::PingError;

use crate::driver::Driver;
use crate::stream::Stream;

/// Where the answer to a ping goes.
pub(crate) type Waiter = mpsc::Sender<Result<Duration, PingError>>;
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
pub(crate) fn ask<S: Stream>(pings: &mut Pings, driver: &mut Driver<S>, payload: &[u8], waiter: Waiter) {
    let now = driver.now();
    pings.ask(now, driver.conn_mut(), payload, waiter);
}
