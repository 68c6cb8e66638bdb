//! Foreign programs talk to ours over real sockets: python `websockets` and Node's `ws` in both roles, headless
//! Chromium as a client. Text, binary, empty messages, a mebibyte, fragments, pings in both directions, close codes and
//! reasons in both directions.
//!
//! `tests/interop/run` installs them, and runs this. Both sides report what they saw: the foreign ones in lines of
//! JSON.

mod peer;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use bowline_core::connection::{Config, Event};
use bowline_core::transfer::SUBPROTOCOL;
use bowline_core::{Close, Disconnect, Message};
use bowline_store::DiskStore;
use bowline_tokio::accept::{self, Decision};
use bowline_tokio::dial;
use bowline_tokio::{Clock, Driver, MaybeTlsStream, Origins, Server, ServerConfig, ServerEvent};
use bytes::Bytes;
use peer::{Peer, node, python, within};
use serde_json::{Value, json};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::process::Command;
use tokio::sync::mpsc;

const MIB: usize = 1 << 20;

// ----- their clients, our server -----

/// What a client does: it has messages echoed, pings, and closes; is closed by us; and closes in the simplest way.
const ECHOES: [&str; 6] = ["text", "binary", "empty text", "empty binary", "large text", "large binary"];
const FRAGMENTS: [&str; 2] = ["text in fragments", "binary in fragments"];
const CLOSED_BY_THEM: &str = "/echo: received 4001 (private use) tschüß; then sent 4001 (private use) tschüß";
const CLOSED_BY_US: &str =
    "/close: sent 4002 (private use) schöner Gruß; then received 4002 (private use) schöner Gruß";
const CLOSED_WITHOUT_CODE: &str =
    "/echo: received 1005 (no status received [internal]); then sent 1005 (no status received [internal])";

#[tokio::test]
#[ignore = "needs python websockets: tests/interop/run installs it"]
async fn python_websockets_talks_to_our_server() {
    let seen = visit(python_peer("client")).await;
    let echoes = ECHOES.iter().chain(&FRAGMENTS).map(echoed);
    let ends = [closed(4001, "tschüß"), closed(4002, "schöner Gruß"), closed(1000, "")];
    assert_eq!(seen.theirs, echoes.chain([pong()]).chain(ends).collect::<Vec<_>>());
    let plain = "/echo: received 1000 (OK); then sent 1000 (OK)";
    assert_eq!(seen.ours, [CLOSED_BY_THEM, CLOSED_BY_US, plain]);
    assert_eq!(seen.pings_received, 1);
}

#[tokio::test]
#[ignore = "needs Node's ws: tests/interop/run installs it"]
async fn node_ws_talks_to_our_server() {
    let seen = visit(node_peer("peer.mjs", "client")).await;
    let echoes = ECHOES.iter().chain(&FRAGMENTS).map(echoed);
    let ends = [closed(4001, "tschüß"), closed(4002, "schöner Gruß"), closed(1005, "")];
    assert_eq!(seen.theirs, echoes.chain([pong()]).chain(ends).collect::<Vec<_>>());
    assert_eq!(seen.ours, [CLOSED_BY_THEM, CLOSED_BY_US, CLOSED_WITHOUT_CODE]);
    assert_eq!(seen.pings_received, 1);
}

#[tokio::test]
#[ignore = "needs Chromium: tests/interop/run installs it"]
async fn chromium_talks_to_our_server() {
    let seen = visit(node_peer("browser.mjs", "client")).await;
    let ends = [closed(4001, "tschüß"), closed(4002, "schöner Gruß"), closed(1005, "")];
    assert_eq!(seen.theirs, ECHOES.iter().map(echoed).chain(ends).collect::<Vec<_>>());
    assert_eq!(seen.ours, [CLOSED_BY_THEM, CLOSED_BY_US, CLOSED_WITHOUT_CODE]);
}

/// The server reports what is refused, so it was not the browser that refused.
#[tokio::test]
#[ignore = "needs Chromium: tests/interop/run installs it"]
async fn chromium_opens_a_server_of_files_for_pages_that_may() {
    let dir = tempfile::tempdir().unwrap();
    let store = DiskStore::open(dir.path(), bowline_store::Config::default()).unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let mut settings = ServerConfig::default();
    settings.origins = Origins::own().with_origin("http://named.localhost:8080").unwrap();
    let server = Server::new(store, settings);
    let mut events = server.events();
    let serving = tokio::spawn(async move { server.serve(listener, std::future::pending()).await });

    let own = format!("http://{address}");
    let origins = [own.as_str(), "http://named.localhost:8080", "http://evil.localhost", "http://localhost"];
    let mut knocking = node_peer("browser.mjs", "knock");
    knocking.arg(url(address)).arg(SUBPROTOCOL).args(origins);
    let mut knocking = Peer::start(knocking);
    for (n, origin) in origins.into_iter().enumerate() {
        let seen = within(knocking.line()).await.unwrap();
        assert_eq!(seen, json!({"origin": origin, "opened": n < 2}));
    }
    for origin in &origins[2..] {
        let refused = async {
            loop {
                match events.recv().await.unwrap() {
                    // The browser also opens connections that it does not use.
                    ServerEvent::Rejected { why, .. } if why.contains("403") => break why,
                    _ => {}
                }
            }
        };
        let why = within(refused).await;
        assert!(why.ends_with(&format!(": {origin}")), "{why}");
    }
    serving.abort();
}

// ----- our client, their servers -----

#[tokio::test]
#[ignore = "needs python websockets: tests/interop/run installs it"]
async fn python_websockets_hears_our_client() {
    hears_our_client(python_peer("server")).await;
}

#[tokio::test]
#[ignore = "needs Node's ws: tests/interop/run installs it"]
async fn node_ws_hears_our_client() {
    hears_our_client(node_peer("peer.mjs", "server")).await;
}

async fn hears_our_client(server: Command) {
    let mut server = Peer::start(server);
    let url = server.url().await;

    let mut driver = dial(&format!("{url}/echo")).await;
    for (name, message) in messages() {
        let now = driver.now();
        driver.conn_mut().send(now, message.clone()).unwrap();
        let answer = event(&mut driver, |event| match event {
            Event::Message(answer) => Some(answer),
            _ => None,
        });
        assert!(answer.await == message, "{name} came back as something else");
    }
    // Our heartbeat pings, and the server answers.
    event(&mut driver, |event| matches!(event, Event::Pong { .. }).then_some(())).await;
    let now = driver.now();
    driver.conn_mut().close(now, Close::new(4001, "tschüß").unwrap()).unwrap();
    assert_eq!(
        end(&mut driver).await.to_string(),
        "sent 4001 (private use) tschüß; then received 4001 (private use) tschüß"
    );
    assert_eq!(within(server.line()).await.unwrap(), closed(4001, "tschüß"));

    // The server pings, we answer, and it closes.
    let mut driver = dial(&format!("{url}/close")).await;
    assert_eq!(
        end(&mut driver).await.to_string(),
        "received 4002 (private use) schöner Gruß; then sent 4002 (private use) schöner Gruß"
    );
    assert_eq!(driver.conn().stats().pings_received, 1);
    assert_eq!(within(server.line()).await.unwrap(), pong());
    assert_eq!(within(server.line()).await.unwrap(), closed(4002, "schöner Gruß"));
}

fn messages() -> BTreeMap<&'static str, Message> {
    BTreeMap::from([
        ("text", Message::text("grüße 🚢")),
        ("binary", Message::binary((0..=255).collect::<Vec<u8>>())),
        ("empty text", Message::text("")),
        ("empty binary", Message::binary(Bytes::new())),
        // More than a fragment: they leave, and come back, in many.
        ("large text", Message::text("ü".repeat(MIB / 2))),
        ("large binary", Message::binary((0..MIB).map(|i| (i % 251) as u8).collect::<Vec<u8>>())),
    ])
}

async fn dial(url: &str) -> Driver<MaybeTlsStream> {
    let dialed = dial::connect(url, &dial::Config::default()).await.unwrap();
    Driver::client(dialed.stream, &dialed.leftover, config(), Clock::start()).unwrap()
}

// ----- our server -----

/// What both sides saw.
struct Seen {
    theirs: Vec<Value>,
    ours: Vec<String>,
    pings_received: u64,
}

/// Serves a client until it has finished.
async fn visit(mut client: Command) -> Seen {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (ends, mut ended) = mpsc::unbounded_channel();
    let server = tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            tokio::spawn(serve(stream, ends.clone()));
        }
    });
    client.arg(url(address));
    let mut client = Peer::start(client);
    let mut theirs = Vec::new();
    while let Some(line) = within(client.line()).await {
        theirs.push(line);
    }
    let status = within(client.child.wait()).await.unwrap();
    assert!(status.success(), "the client has failed: {status}; it told {theirs:?}");

    let (mut ours, mut pings_received) = (Vec::new(), 0);
    for _ in 0..3 {
        let (end, pings) = within(ended.recv()).await.unwrap();
        ours.push(end);
        pings_received += pings;
    }
    server.abort();
    Seen { theirs, ours, pings_received }
}

/// Sends everything back. On the path `/close` it closes as soon as the client has answered a ping.
async fn serve(stream: TcpStream, ends: mpsc::UnboundedSender<(String, u64)>) {
    let limits = accept::Config::default();
    let accepted = accept::accept(stream, &limits, |_, _| Decision::accept()).await.unwrap();
    let path = accepted.request.uri().path().to_owned();
    let mut driver = Driver::server(accepted.stream, &accepted.leftover, config(), Clock::start()).unwrap();
    let disconnect = loop {
        let now = driver.now();
        match driver.conn_mut().poll_event() {
            // The next one arrives when this one has been echoed, so there is always room.
            Some(Event::Message(message)) => driver.conn_mut().send(now, message).unwrap(),
            Some(Event::Pong { .. }) if path == "/close" => {
                driver.conn_mut().close(now, Close::new(4002, "schöner Gruß").unwrap()).unwrap();
            }
            Some(Event::Closed(disconnect)) => break disconnect,
            Some(_) => {}
            None => driver.drive().await,
        }
    };
    ends.send((format!("{path}: {disconnect}"), driver.conn().stats().pings_received)).unwrap();
}

/// Pings at once when it is quiet, and cuts what is large into many frames.
fn config() -> Config {
    let mut config = Config::default();
    config.heartbeat.interval = Duration::from_millis(50);
    config.fragment = Some(1000);
    config
}

fn url(address: SocketAddr) -> String {
    format!("ws://{address}")
}

async fn event<S: AsyncRead + AsyncWrite + Unpin, T>(
    driver: &mut Driver<S>,
    mut wanted: impl FnMut(Event) -> Option<T>,
) -> T {
    within(async {
        loop {
            match driver.conn_mut().poll_event() {
                Some(Event::Closed(disconnect)) => panic!("{disconnect}"),
                Some(event) => {
                    if let Some(found) = wanted(event) {
                        return found;
                    }
                }
                None => driver.drive().await,
            }
        }
    })
    .await
}

async fn end<S: AsyncRead + AsyncWrite + Unpin>(driver: &mut Driver<S>) -> Disconnect {
    within(async {
        loop {
            match driver.conn_mut().poll_event() {
                Some(Event::Closed(disconnect)) => return disconnect,
                Some(_) => {}
                None => driver.drive().await,
            }
        }
    })
    .await
}

// ----- their programs, and what they tell -----

fn python_peer(role: &str) -> Command {
    let mut command = python("peer.py");
    command.arg(role);
    command
}

fn node_peer(file: &str, role: &str) -> Command {
    let mut command = node(file);
    command.arg(role);
    command
}

fn echoed(name: &&str) -> Value {
    json!({"echoed": name, "same": true})
}

fn pong() -> Value {
    json!({"pong": true})
}

fn closed(code: u16, reason: &str) -> Value {
    json!({"closed": [code, reason]})
}
