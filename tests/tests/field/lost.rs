//! Paths that fall silent without a word: both ends notice, within interval, time-out and a second.
//!
//! A relay that goes on taking what it loses is not among them while we upload: it takes bytes whenever it has been full,
//! and so it lives as far as can be seen from here.

use std::time::Duration;

use bowline_core::closing::Kind;
use bowline_core::{Disconnect, Message};
use bowline_tokio::{MaybeTlsStream, WebSocket};
use tokio::sync::oneshot;
use tokio::time::{Instant, sleep, timeout};

use crate::ends::{accept, dial, heartbeat, listen};
use crate::relay::{Path, Relay};

/// What crosses until the path falls silent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Traffic {
    None,
    Upload,
    Download,
}

#[tokio::test]
#[ignore = "real sockets against the clock: tests/interop/field runs it"]
async fn a_path_that_loses_everything_is_noticed_when_idle() {
    is_noticed(Path::Lossy, Traffic::None).await;
}

#[tokio::test]
#[ignore = "real sockets against the clock: tests/interop/field runs it"]
async fn a_path_that_takes_nothing_is_noticed_when_idle() {
    is_noticed(Path::Stuck, Traffic::None).await;
}

#[tokio::test]
#[ignore = "real sockets against the clock: tests/interop/field runs it"]
async fn a_path_that_takes_nothing_is_noticed_during_an_upload() {
    is_noticed(Path::Stuck, Traffic::Upload).await;
}

#[tokio::test]
#[ignore = "real sockets against the clock: tests/interop/field runs it"]
async fn a_path_that_takes_nothing_is_noticed_during_a_download() {
    is_noticed(Path::Stuck, Traffic::Download).await;
}

async fn is_noticed(path: Path, traffic: Traffic) {
    let mut config = heartbeat(3, 2);
    // Full queues make long round trips, for which the time-out would stretch.
    config.heartbeat.timeout_max = config.heartbeat.timeout;
    let limit = config.heartbeat.interval + config.heartbeat.timeout + Duration::from_secs(1);
    let (url, listener) = listen().await;
    let relay = Relay::start(&url, None).await;
    let server = tokio::spawn({
        let config = config.clone();
        async move { accept(&listener, config).await }
    });
    let client = dial(&relay.url(), config).await;
    let server = server.await.unwrap();
    let client = end_of(client, traffic == Traffic::Upload);
    let server = end_of(server, traffic == Traffic::Download);

    // Longer than an interval: both have pinged and been answered, or carried something instead.
    sleep(Duration::from_secs(4)).await;
    relay.set_path(path);
    let silent = Instant::now();

    for (role, end) in [("client", client), ("server", server)] {
        let (disconnect, at) =
            timeout(Duration::from_secs(60), end).await.expect("it is never noticed").unwrap();
        let after = at - silent;
        println!(
            "{path:?}, {traffic:?}: the {role} noticed after {:.2} s: {disconnect}",
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

/// Drives one end, sending without a pause or not at all, and tells its end and the time of that.
fn end_of(mut socket: WebSocket<MaybeTlsStream>, sends: bool) -> oneshot::Receiver<(Disconnect, Instant)> {
    let (teller, end) = oneshot::channel();
    tokio::spawn(async move {
        let message = Message::binary(vec![0; 16 << 10]);
        while sends && socket.send(message.clone()).await.is_ok() {}
        let disconnect = socket.ended().await;
        // Nobody may want to know any more.
        let _ = teller.send((disconnect, Instant::now()));
    });
    end
}
