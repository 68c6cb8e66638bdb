use std::time::Duration;

use bowline_core::transfer::{Code, Leftover, SafeName, TransferId};
use bowline_store::DiskStore;
use bowline_tokio::{Client, ClientConfig, Server, ServerConfig, ServerEvent, TransferError};
use tokio::net::TcpListener;
use tokio::time::timeout;

/// Everything is on one thread, so the link does not run while the orders are given.
#[tokio::test]
async fn a_cancel_among_many_is_heard() {
    let dir = tempfile::tempdir().unwrap();
    let inbox = dir.path().join("inbox");
    std::fs::create_dir(&inbox).unwrap();
    let store = DiskStore::open(&inbox, bowline_store::Config::default()).unwrap();
    let mut config = ServerConfig::default();
    // So that it does not arrive in the meantime.
    config.transfer.limit_rate = Some(1 << 20);
    let server = Server::new(store, config);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("ws://{}", listener.local_addr().unwrap());
    let serving = server.clone();
    tokio::spawn(async move { serving.serve(listener, std::future::pending()).await });

    let path = dir.path().join("file");
    std::fs::write(&path, vec![7; 64 << 20]).unwrap();
    let mut events = server.events();
    let client = Client::new(&url, ClientConfig::default()).unwrap();
    let id = TransferId::from_bytes([7; 16]);
    let mut upload = client.upload(&path, SafeName::parse("file").unwrap(), id).await.unwrap();
    while !matches!(events.recv().await.unwrap(), ServerEvent::Began { .. }) {}
    server.cancel(id, Leftover::Discard);
    for other in 0..5000_u128 {
        server.cancel(TransferId::from_bytes(other.to_be_bytes()), Leftover::Discard);
    }
    let ended = timeout(Duration::from_secs(40), upload.finished()).await.expect("the cancel is lost");
    let Err(TransferError::Failed(failure)) = ended else { panic!("{ended:?}") };
    assert_eq!(failure.code, Code::Cancelled);
}
