//! Removing what nobody came back for, beside everything else that a server does.

use std::convert::Infallible;
use std::time::{Duration, SystemTime};

use bowline_store::DiskStore;
use tokio::time::interval;

/// How many transfers are looked at in one go: a moment's work of a thread that others may want.
const BUDGET: usize = 256;

/// Sweeps the store at once, and then every so often, until it is dropped.
pub(super) async fn sweep(store: DiskStore, every: Duration) -> Infallible {
    let mut rounds = interval(every);
    loop {
        rounds.tick().await;
        loop {
            let store = store.clone();
            match tokio::task::spawn_blocking(move || store.sweep(SystemTime::now(), BUDGET)).await {
                Ok(Ok(swept)) if !swept.done => {}
                Ok(Ok(_)) | Err(_) => break,
                Ok(Err(error)) => {
                    tracing::warn!(%error, "sweep");
                    break;
                }
            }
        }
    }
}
