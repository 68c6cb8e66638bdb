//! Pings of the application's own, and who waits for their answers.

use std::sync::mpsc;
use std::time::Duration;

use bowline_core::connection::PingError;

use crate::driver::Driver;
use crate::stream::Stream;

/// Where the answer to a ping goes.
pub(crate) type Waiter = mpsc::Sender<Result<Duration, PingError>>;
/// The pings of one connection that are not answered yet.
pub(crate) type Pings = bowline_host::Pings<Waiter>;

/// Sends a ping, and remembers who waits for its answer. Whoever asked may be gone.
pub(crate) fn ask<S: Stream>(pings: &mut Pings, driver: &mut Driver<S>, payload: &[u8], waiter: Waiter) {
    let now = driver.now();
    if let Err((waiter, error)) = pings.ask(now, driver.conn_mut(), payload, waiter) {
        let _ = waiter.send(Err(error));
    }
}

/// The peer has answered a ping.
pub(crate) fn answer(pings: &mut Pings, ping: u64, rtt: Duration) {
    if let Some(waiter) = pings.handle_answered(ping) {
        let _ = waiter.send(Ok(rtt));
    }
}
