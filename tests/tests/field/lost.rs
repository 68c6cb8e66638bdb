//! Paths that fall silent without a word: both ends notice, within interval, timeout and a second.
//!
//! A relay that keeps accepting what it loses is not among them while we upload: it accepts bytes whenever it was full,
//! and so appears to be alive.

use std::time::Duration;

use bowline_core::closing::Kind;
use tokio::time::{Instant, sleep, timeout};

use crate::ends::{Adapter, heartbeat, listen};
use crate::relay::{Path, Relay};

/// The traffic until the path falls silent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Traffic {
    None,
    Upload,
    Download,
}

over! {
    a_path_that_loses_everything_is_noticed_when_idle
    a_path_that_takes_nothing_is_noticed_when_idle
    a_path_that_takes_nothing_is_noticed_during_an_upload
    a_path_that_takes_nothing_is_noticed_during_a_download
}

async fn a_path_that_loses_everything_is_noticed_when_idle(adapter: Adapter) {
    is_noticed(adapter, Path::Lossy, Traffic::None).await;
}

async fn a_path_that_takes_nothing_is_noticed_when_idle(adapter: Adapter) {
    is_noticed(adapter, Path::Stuck, Traffic::None).await;
}

async fn a_path_that_takes_nothing_is_noticed_during_an_upload(adapter: Adapter) {
    is_noticed(adapter, Path::Stuck, Traffic::Upload).await;
}

async fn a_path_that_takes_nothing_is_noticed_during_a_download(adapter: Adapter) {
    is_noticed(adapter, Path::Stuck, Traffic::Download).await;
}

async fn is_noticed(adapter: Adapter, path: Path, traffic: Traffic) {
    let mut config = heartbeat(3, 2);
    // Full queues make long round trips, for which the timeout would stretch.
    config.heartbeat.timeout_max = config.heartbeat.timeout;
    let limit = config.heartbeat.interval + config.heartbeat.timeout + Duration::from_secs(1);
    let (url, listener) = listen().await;
    let relay = Relay::start(&url, None).await;
    let server = tokio::spawn({
        let config = config.clone();
        async move { adapter.accept(&listener, config).await }
    });
    let client = adapter.dial(&relay.url(), config).await;
    let server = server.await.unwrap();
    let client = client.end(traffic == Traffic::Upload);
    let server = server.end(traffic == Traffic::Download);

    // Longer than an interval: both have pinged and been answered, or have carried something instead.
    sleep(Duration::from_secs(4)).await;
    relay.set_path(path);
    let silent = Instant::now();

    for (role, end) in [("client", client), ("server", server)] {
        let (disconnect, at) =
            timeout(Duration::from_secs(60), end).await.expect("it is never noticed").unwrap();
        let after = at - silent;
        println!(
            "{adapter:?}: {path:?}, {traffic:?}: the {role} noticed after {:.2} s: {disconnect}",
            after.as_secs_f64()
        );
        assert!(
            matches!(disconnect.kind(), Kind::KeepaliveTimeout | Kind::WriteStall),
            "{:?}",
            disconnect.kind()
        );
        assert!(after <= limit, "the {role} noticed only after {after:?}");
    }
}
