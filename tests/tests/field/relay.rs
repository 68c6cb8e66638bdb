//! A relay between a client and a server on this machine, which can be slow, and can fall silent.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep_until};

/// It forwards the bytes of each connection until it is dropped.
#[derive(Debug)]
pub(crate) struct Relay {
    address: SocketAddr,
    path: watch::Sender<Path>,
    task: JoinHandle<()>,
}

/// What happens to the bytes, in both directions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Path {
    Open,
    /// They are accepted and lost.
    Lossy,
    /// They are not accepted; those on the way are lost.
    Stuck,
}

impl Relay {
    /// Starts a relay to the server at a `ws://` URL that carries this many bytes per second and direction.
    pub(crate) async fn start(server: &str, rate: Option<u32>) -> Self {
        let server: SocketAddr = server.trim_start_matches("ws://").parse().unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (path, seen) = watch::channel(Path::Open);
        let task = tokio::spawn(async move {
            loop {
                let (client, _) = listener.accept().await.unwrap();
                let server = TcpStream::connect(server).await.unwrap();
                let (from_client, to_client) = client.into_split();
                let (from_server, to_server) = server.into_split();
                tokio::spawn(pump(from_client, to_server, rate, seen.clone()));
                tokio::spawn(pump(from_server, to_client, rate, seen.clone()));
            }
        });
        Self { address, path, task }
    }

    /// Where clients find it.
    pub(crate) fn url(&self) -> String {
        format!("ws://{}", self.address)
    }

    /// From now on, this happens to the bytes. No connection is closed.
    pub(crate) fn set_path(&self, path: Path) {
        self.path.send_replace(path);
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Forwards one direction. It ends with its source, its destination, or the relay.
async fn pump(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    rate: Option<u32>,
    mut path: watch::Receiver<Path>,
) {
    // A fiftieth of a second's worth at a time, so that the flow is even.
    let size = rate.map_or(64 << 10, |rate| (rate as usize / 50).max(1));
    let mut bytes = vec![0; size];
    let mut free = Instant::now();
    loop {
        let stuck = path.wait_for(|path| *path != Path::Stuck);
        if stuck.await.is_err() {
            return;
        }
        let read = tokio::select! {
            read = from.read(&mut bytes) => read,
            changed = path.changed() => match changed {
                Ok(()) => continue,
                Err(_) => return,
            },
        };
        let Ok(n @ 1..) = read else {
            // An end can get lost like anything else.
            let _ = path.wait_for(|path| *path == Path::Open).await;
            return;
        };
        if let Some(rate) = rate {
            free = free.max(Instant::now()) + Duration::from_secs_f64(n as f64 / f64::from(rate));
            sleep_until(free).await;
        }
        let is_open = *path.borrow() == Path::Open;
        if is_open && to.write_all(&bytes[..n]).await.is_err() {
            return;
        }
    }
}

#[tokio::test]
async fn the_relay_is_as_slow_as_told() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let relay = Relay::start(&format!("ws://{}", listener.local_addr().unwrap()), Some(100_000)).await;
    let mut client = TcpStream::connect(relay.address).await.unwrap();
    let (mut server, _) = listener.accept().await.unwrap();

    let start = Instant::now();
    client.write_all(&vec![7; 50_000]).await.unwrap();
    let mut bytes = vec![0; 50_000];
    server.read_exact(&mut bytes).await.unwrap();
    let took = start.elapsed();

    assert!(took >= Duration::from_millis(499), "{took:?}");
    assert!(bytes.iter().all(|byte| *byte == 7));
}

#[tokio::test]
async fn the_relay_opens_again_when_told() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let relay = Relay::start(&format!("ws://{}", listener.local_addr().unwrap()), None).await;
    let mut client = TcpStream::connect(relay.address).await.unwrap();
    let (mut server, _) = listener.accept().await.unwrap();
    let mut bytes = [0; 5];
    client.write_all(b"first").await.unwrap();
    server.read_exact(&mut bytes).await.unwrap();

    relay.set_path(Path::Stuck);
    client.write_all(b"again").await.unwrap();
    let silent = tokio::time::timeout(Duration::from_millis(200), server.read_exact(&mut bytes)).await;
    assert!(silent.is_err());
    relay.set_path(Path::Open);
    crate::peer::within(server.read_exact(&mut bytes)).await.unwrap();
    assert_eq!(&bytes, b"again");
}
