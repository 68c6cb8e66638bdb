//! The server in axum, the real client, and clients that speak plain HTTP.

#[allow(dead_code)]
#[path = "../examples/axum_uploads.rs"]
mod axum_uploads;

use std::net::SocketAddr;
use std::time::Duration;

use axum_uploads::serve;
use bowline_core::transfer::{SafeName, TransferId};
use bowline_tokio::{Access, Client, ClientConfig, ServerConfig};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio::time::timeout;

/// Generous: no test waits this long if all is well.
const LIMIT: Duration = Duration::from_secs(60);

struct Running {
    address: SocketAddr,
    folder: TempDir,
    stop: oneshot::Sender<()>,
    serving: JoinHandle<()>,
}

async fn start(config: ServerConfig) -> Running {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (address, folder) = (listener.local_addr().unwrap(), TempDir::new().unwrap());
    let (stop, stopped) = oneshot::channel();
    let path = folder.path().to_owned();
    let serving = tokio::spawn(async move {
        serve(listener, &path, config, async { drop(stopped.await) }).await.unwrap();
    });
    Running { address, folder, stop, serving }
}

/// The answer to plain HTTP.
async fn ask(address: SocketAddr, head: &str) -> Vec<u8> {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let request = format!("{head}\r\nHost: {address}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    timeout(LIMIT, stream.read_to_end(&mut answer)).await.unwrap().unwrap();
    answer
}

fn starts(answer: &[u8], with: &str) {
    assert!(answer.starts_with(with.as_bytes()), "{}", String::from_utf8_lossy(answer));
}

fn contents(len: usize) -> Vec<u8> {
    (0..len).map(|n| (n ^ (n >> 8)) as u8).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn files_are_received_on_one_route_and_served_on_another() {
    let Running { address, folder, stop, serving } = start(ServerConfig::default()).await;
    let here = TempDir::new().unwrap();
    std::fs::write(here.path().join("a"), contents(3_000_000)).unwrap();
    starts(&ask(address, "GET /files/there HTTP/1.1").await, "HTTP/1.1 404 ");

    let client = Client::new(&format!("ws://{address}/link"), ClientConfig::default()).unwrap();
    let (name, id) = (SafeName::parse("there").unwrap(), TransferId::from_bytes([1; 16]));
    let mut upload = client.upload(&here.path().join("a"), name.clone(), id).await.unwrap();
    let finished = timeout(LIMIT, upload.finished()).await.unwrap().unwrap();
    assert_eq!((finished.bytes, finished.links), (3_000_000, 1));
    assert!(std::fs::read(folder.path().join("there")).unwrap() == contents(3_000_000));

    // While the link is still up.
    let answer = ask(address, "GET /files/there HTTP/1.1").await;
    starts(&answer, "HTTP/1.1 200 ");
    assert!(answer.ends_with(&contents(3_000_000)));
    starts(&ask(address, "GET / HTTP/1.1").await, "HTTP/1.1 200 ");

    let (back, id) = (here.path().join("b"), TransferId::from_bytes([2; 16]));
    let mut download = client.download(name, &back, id, false).await.unwrap();
    timeout(LIMIT, download.finished()).await.unwrap().unwrap();
    assert!(std::fs::read(back).unwrap() == contents(3_000_000));

    // It is told to come back later, and the server ends.
    let mut state = client.link();
    stop.send(()).unwrap();
    timeout(LIMIT, serving).await.unwrap().unwrap();
    let down = |state: &bowline_tokio::LinkState| !matches!(state, bowline_tokio::LinkState::Up { .. });
    timeout(LIMIT, state.wait_for(down)).await.unwrap().unwrap();
}

#[tokio::test]
async fn a_request_that_is_not_for_a_link_is_told_why_it_is_refused() {
    let mut config = ServerConfig::default();
    config.access = Access::by_token("secret");
    let running = start(config).await;
    let address = running.address;
    let answer = ask(address, "GET /link HTTP/1.1").await;
    starts(&answer, "HTTP/1.1 426 ");
    let answer = String::from_utf8(answer).unwrap().to_lowercase();
    assert!(answer.contains("\r\nupgrade: websocket\r\n"), "{answer}");
    assert!(answer.contains("\r\nsec-websocket-version: 13\r\n"), "{answer}");

    let websocket = "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
        Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==";
    starts(&ask(address, &format!("GET /link HTTP/1.1\r\n{websocket}")).await, "HTTP/1.1 401 ");
    let known = format!("GET /link HTTP/1.1\r\nAuthorization: Bearer secret\r\n{websocket}");
    let answer = ask(address, &known).await;
    starts(&answer, "HTTP/1.1 400 ");
    assert!(String::from_utf8_lossy(&answer).contains("speaks the subprotocol"));
}
