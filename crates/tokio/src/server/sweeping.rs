//! Removes abandoned parts, beside everything else that a server does.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use bowline_host::server::House;
use tokio::time::sleep;

/// Sweeps the store at once, and then at this interval, until it is dropped.
pub(super) async fn sweep(house: Arc<House>, every: Duration) -> Infallible {
    rounds(every, || round(Arc::clone(&house))).await
}

/// Runs one round after the other. However long one takes, there is a pause before the next.
async fn rounds<F: Future<Output = ()>>(pause: Duration, mut round: impl FnMut() -> F) -> Infallible {
    loop {
        round().await;
        sleep(pause).await;
    }
}

/// Examines all transfers.
async fn round(house: Arc<House>) {
    loop {
        let house = Arc::clone(&house);
        match tokio::task::spawn_blocking(move || house.sweep()).await {
            Ok(Ok(true)) => {}
            Ok(Ok(false)) | Err(_) => return,
            Ok(Err(error)) => return tracing::warn!(%error, "sweep"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::time::{Instant, timeout};

    #[tokio::test(start_paused = true)]
    async fn a_slow_sweep_is_followed_by_a_pause_and_not_by_the_missed_ones() {
        let (second, start, mut begun) = (Duration::from_secs(1), Instant::now(), Vec::new());
        let rounds = rounds(second, || {
            begun.push(start.elapsed().as_secs());
            sleep(3 * second)
        });
        timeout(9 * second, rounds).await.unwrap_err();
        assert_eq!(begun, [0, 4, 8]);
    }
}
