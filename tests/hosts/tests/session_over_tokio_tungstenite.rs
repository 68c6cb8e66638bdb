//! The session over WebSockets of tokio-tungstenite that are cut.

#[allow(dead_code, unused_imports)]
#[path = "../examples/session_over_tokio_tungstenite.rs"]
mod session_over_tokio_tungstenite;

use std::iter::repeat;
use std::time::Duration;

use bowline_core::Message;
use bowline_core::session::Event;
use bowline_core::transfer::{self, SafeName, TransferId};
use bowline_store::DiskStore;
use session_over_tokio_tungstenite::{Party, call, reports, serve};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, copy};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;

/// Generous: no test waits this long if all is well.
const LIMIT: Duration = Duration::from_secs(60);

const LENGTH: usize = 3_000_000;
const MESSAGES: usize = 20;

fn contents() -> Vec<u8> {
    (0..LENGTH).map(|n| (n ^ (n >> 8)) as u8).collect()
}

/// Passes connections on, and cuts the first two after this many bytes.
async fn cutting(listener: TcpListener, server: std::net::SocketAddr) {
    for limit in [500_000, 1_000_000].into_iter().chain(repeat(u64::MAX)) {
        let (mut near, mut far) =
            (listener.accept().await.unwrap().0, TcpStream::connect(server).await.unwrap());
        tokio::spawn(async move {
            let ((near_in, mut near_out), (mut far_in, mut far_out)) = (near.split(), far.split());
            let mut near_in = near_in.take(limit);
            // Both are dropped with the first that ends.
            tokio::select! {
                _ = copy(&mut near_in, &mut far_out) => {}
                _ = copy(&mut far_in, &mut near_out) => {}
            }
        });
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn files_and_messages_arrive_once_over_websockets_that_are_cut() {
    let (here, there) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    std::fs::write(here.path().join("file"), contents()).unwrap();
    let store = DiskStore::open(there.path(), bowline_store::Config::default()).unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let server = listener.local_addr().unwrap();
    let serving = tokio::spawn(async move { drop(serve(listener, store).await) });
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let cutting = tokio::spawn(cutting(listener, server));

    let (deliver, mut reports) = reports();
    let mut party = Party::client(deliver).unwrap();
    party
        .upload(&here.path().join("file"), SafeName::parse("copy").unwrap(), TransferId::from_bytes([7; 16]))
        .unwrap();
    let message = |n: usize| Message::text(n.to_string());
    for n in 0..MESSAGES {
        let now = party.now();
        party.session.messages_mut().unwrap().send(now, message(n)).unwrap();
    }
    let (mut heard, mut lost, mut done) = (0, 0, false);
    let calling = call(&mut party, &mut reports, &address, |party, event| {
        let now = party.now();
        while let Some(received) = party.session.messages_mut().unwrap().poll_received(now) {
            assert_eq!(received.message, message(heard));
            heard += 1;
        }
        match event {
            Some(Event::LinkDown(_)) => lost += 1,
            Some(Event::Transfer(transfer::Event::Done { length, .. })) => {
                assert_eq!(length, LENGTH as u64);
                done = true;
            }
            Some(Event::Transfer(transfer::Event::Failed { failure, .. })) => panic!("{failure}"),
            _ => {}
        }
        heard < MESSAGES || !done
    });
    timeout(LIMIT, calling).await.expect("it arrives");
    assert_eq!(lost, 2);
    assert!(std::fs::read(there.path().join("copy")).unwrap() == contents());
    serving.abort();
    cutting.abort();
}
