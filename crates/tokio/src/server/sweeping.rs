//! Removing what nobody came back for, beside everything else that a server does.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use bowline_host::server::House;
use tokio::time::interval;

/// Sweeps the store at once, and then every so often, until it is dropped.
pub(super) async fn sweep(house: Arc<House>, every: Duration) -> Infallible {
    let mut rounds = interval(every);
    loop {
        rounds.tick().await;
        loop {
            let house = Arc::clone(&house);
            match tokio::task::spawn_blocking(move || house.sweep()).await {
                Ok(Ok(true)) => {}
                Ok(Ok(false)) | Err(_) => break,
                Ok(Err(error)) => {
                    tracing::warn!(%error, "sweep");
                    break;
                }
            }
        }
    }
}
