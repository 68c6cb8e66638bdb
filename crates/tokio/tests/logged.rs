//! What a client writes to its log.

use std::fs;
use std::future::pending;
use std::sync::Mutex;

use bowline_core::transfer::{SafeName, TransferId};
use bowline_store::DiskStore;
use bowline_tokio::{Client, ClientConfig, Server, ServerConfig};
use tokio::net::TcpListener;

#[test]
fn the_log_has_words_and_numbers_for_a_finished_file() {
    let log = tempfile::NamedTempFile::new().unwrap();
    let to = Mutex::new(log.reopen().unwrap());
    let subscriber = tracing_subscriber::fmt().with_ansi(false).with_writer(to).finish();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    tracing::subscriber::with_default(subscriber, || runtime.block_on(send()));
    let log = fs::read_to_string(log.path()).unwrap();
    let line = log.lines().find(|line| line.contains(" done id=")).expect("a line");
    assert!(line.contains("name=\"a.txt\" bytes=5 blake3=ea8f163db38682925e4491c5e58d4bb3"), "{line}");
    assert!(!log.contains('{'), "{log}");
    // After an end that was asked for, there is nothing to give up.
    let last = log.lines().last().expect("a line");
    assert!(last.contains("no more dials why=sent 1000 (OK)"), "{last}");
}

async fn send() {
    let dir = tempfile::tempdir().unwrap();
    let store = DiskStore::open(dir.path(), bowline_store::Config::default()).unwrap();
    let server = Server::new(store, ServerConfig::default());
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("ws://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { server.serve(listener, pending()).await });
    let file = dir.path().join("source");
    fs::write(&file, "hello").unwrap();
    let client = Client::new(&url, ClientConfig::default()).unwrap();
    let id = TransferId::from_bytes([7; 16]);
    let mut upload = client.upload(&file, SafeName::parse("a.txt").unwrap(), id).await.unwrap();
    upload.finished().await.unwrap();
    client.close().await;
}
