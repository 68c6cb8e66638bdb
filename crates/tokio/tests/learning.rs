//! A client behind a proxy that ends silent connections: one is lost, the next lives, and so does another process.

use std::net::SocketAddr;
use std::time::Duration;

use bowline_core::connection::Event;
use bowline_core::heartbeat::Mode;
use bowline_store::DiskStore;
use bowline_tokio::{Client, ClientConfig, LinkEvent, Paths, Server, ServerConfig};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::broadcast;
use tokio::time::{Instant, timeout};

/// Generous: no test waits this long if all is well.
const LIMIT: Duration = Duration::from_secs(60);

/// What the proxy allows, like nginx with `proxy_read_timeout 3s`.
const IDLE: Duration = Duration::from_secs(3);

/// A server that never pings, and the address of the proxy in front of it.
async fn serve_behind_a_proxy(dir: &std::path::Path) -> SocketAddr {
    let mut config = ServerConfig::default();
    config.connection.heartbeat.mode = Mode::Off;
    let server =
        Server::new(DiskStore::open(dir, bowline_store::Config::default()).expect("a store"), config);
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let behind = listener.local_addr().expect("bound");
    tokio::spawn(async move { server.serve(listener, std::future::pending()).await });

    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("bound");
    tokio::spawn(async move {
        while let Ok((client, _)) = listener.accept().await {
            let server = TcpStream::connect(behind).await.expect("the server listens");
            tokio::spawn(proxy(client, server));
        }
    });
    address
}

/// Carries bytes until nothing has crossed for too long; then closes both ends.
async fn proxy(mut client: TcpStream, mut server: TcpStream) {
    let (mut up, mut down) = ([0; 4096], [0; 4096]);
    loop {
        let carried = timeout(IDLE, async {
            tokio::select! {
                read = client.read(&mut up) => {
                    let n = read.ok().filter(|n| *n > 0)?;
                    server.write_all(&up[..n]).await.ok()
                }
                read = server.read(&mut down) => {
                    let n = read.ok().filter(|n| *n > 0)?;
                    client.write_all(&down[..n]).await.ok()
                }
            }
        });
        if !matches!(carried.await, Ok(Some(()))) {
            return;
        }
    }
}

fn client(address: SocketAddr, paths: &Paths) -> (Client, broadcast::Receiver<LinkEvent>) {
    let mut config = ClientConfig::default();
    config.connection.heartbeat.interval = Duration::from_secs(10);
    config.reconnect.base = Duration::from_millis(50);
    config.paths = paths.clone();
    let client = Client::new(&format!("ws://{address}"), config).expect("a URL");
    let events = client.events();
    (client, events)
}

/// The next end of a link, if it comes in time.
async fn next_end(events: &mut broadcast::Receiver<LinkEvent>, limit: Duration) -> Option<String> {
    let end = async {
        loop {
            if let LinkEvent::Down { disconnect } = events.recv().await.expect("the client lives") {
                return disconnect.to_string();
            }
        }
    };
    timeout(limit, end).await.ok()
}

#[tokio::test]
async fn a_client_learns_from_the_end_of_its_link_and_remembers() {
    let dir = tempfile::tempdir().expect("a folder");
    let address = serve_behind_a_proxy(dir.path()).await;
    let paths = Paths::default();
    let (first, mut events) = client(address, &paths);

    let (mut end, mut learned) = (String::new(), None);
    // An end during which we did not run ourselves teaches nothing.
    for _ in 0..5 {
        end = next_end(&mut events, LIMIT).await.expect("the proxy ends it");
        if let Ok(LinkEvent::Notice(Event::HeartbeatChanged { to, .. })) = events.recv().await {
            learned = Some(to);
            break;
        }
    }
    let to = learned.unwrap_or_else(|| panic!("another heartbeat was to follow: {end}"));
    let set = format!("{:.1} s", to.as_secs_f64()).replace(".0 s", " s");
    assert!(end.ends_with(&format!("; heartbeat set to {set}")), "{end}");
    let key = address.to_string();
    let hi = paths.path(&key).hi().expect("a limit");
    assert_eq!(to, hi * 3 / 4);
    assert!(hi > IDLE / 2, "{hi:?}");

    // The next link lives; on a machine that is busy for long, another one may be needed.
    let started = Instant::now();
    while let Some(end) = next_end(&mut events, 2 * IDLE + Duration::from_secs(1)).await {
        assert!(started.elapsed() < LIMIT, "it does not live: {end}");
    }

    // Another process starts with what this one knew.
    let (kept, bad) = Paths::read(&paths.to_string());
    assert_eq!(bad, []);
    assert!(kept.path(&key).hi().is_some_and(|known| known <= hi), "{kept}");
    let (second, mut events) = client(address, &kept);
    while let Some(end) = next_end(&mut events, IDLE + Duration::from_secs(1)).await {
        assert!(started.elapsed() < 2 * LIMIT, "it does not live: {end}");
    }
    first.close().await;
    second.close().await;
    assert!(paths.path(&key).lo().is_some(), "what was survived is remembered at the end");
}

#[tokio::test]
async fn a_path_may_have_a_name_of_its_own() {
    let dir = tempfile::tempdir().expect("a folder");
    let address = serve_behind_a_proxy(dir.path()).await;
    let mut config = ClientConfig::default();
    let (paths, _) = Paths::read("here at-home 2.000 - 7\n");
    config.paths = paths.clone();
    config.path = Some("here at-home".into());
    config.connection.heartbeat.interval = Duration::from_secs(10);
    let client = Client::new(&format!("ws://{address}"), config).expect("a URL");
    let mut events = client.events();
    // An end during which we did not run ourselves teaches nothing.
    while paths.path("here at-home").hi().is_none() {
        next_end(&mut events, LIMIT).await.expect("the proxy ends it");
    }
    let path = paths.path("here at-home");
    assert_eq!(path.lo(), Some(Duration::from_secs(2)), "it is known still");
    assert!(path.hi() > Some(IDLE / 2), "{path}");
    assert_eq!(paths.to_string().lines().count(), 1);
    client.close().await;
}
