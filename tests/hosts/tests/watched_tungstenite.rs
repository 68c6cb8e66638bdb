//! A tungstenite server that is watched, with tungstenite clients and hand-made ones.

#[allow(dead_code)]
#[path = "../examples/watched_tungstenite.rs"]
mod watched_tungstenite;

use std::net::{TcpListener, TcpStream};
use std::thread;
use std::time::Duration;

use bowline_core::Disconnect;
use bowline_core::closing::Kind;
use bowline_host::tungstenite::Config;
use tungstenite::protocol::{CloseFrame, frame::coding::CloseCode};
use tungstenite::{Message, WebSocket};
use watched_tungstenite::echo;

/// Generous: no test waits this long if all is well.
const LIMIT: Duration = Duration::from_secs(30);

/// A client, and a server that echoes and finally reports how it ended.
fn pair(interval: u64, timeout: u64) -> (WebSocket<TcpStream>, thread::JoinHandle<Disconnect>) {
    let mut config = Config::default();
    config.heartbeat.interval = Duration::from_millis(interval);
    config.heartbeat.timeout = Duration::from_millis(timeout);
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let server = thread::spawn(move || echo(listener.accept().unwrap().0, config).unwrap());
    let stream = TcpStream::connect_timeout(&address, LIMIT).unwrap();
    stream.set_read_timeout(Some(LIMIT)).unwrap();
    (tungstenite::client(format!("ws://{address}/"), stream).unwrap().0, server)
}

#[test]
fn a_client_that_answers_lives_through_silence_and_says_goodbye() {
    let (mut client, server) = pair(20, 20_000);
    // tungstenite answers a ping at the next read. This lets an end that is being waited for show that it is there,
    // too.
    let mut pings = 0;
    while pings < 5 {
        let heard = client.read().unwrap();
        assert!(heard.is_ping() || heard.is_pong(), "{heard:?}");
        pings += usize::from(heard.is_ping());
    }
    client.send(Message::text("hello")).unwrap();
    while client.read().unwrap() != Message::text("hello") {}
    client.close(Some(CloseFrame { code: CloseCode::Away, reason: "night".into() })).unwrap();
    while client.read().is_ok() {}
    let end = server.join().unwrap();
    assert_eq!(end.to_string(), "received 1001 (going away) night; then sent 1001 (going away) night");
}

#[test]
fn a_client_that_hangs_is_found_dead() {
    // If the server itself did not run for seconds, it says so, and this proves nothing.
    let ends = std::iter::repeat_with(|| {
        let (_client, server) = pair(50, 200);
        server.join().unwrap()
    });
    let end = ends.take(20).find(|end| end.kind() != Kind::LocalSuspend).expect("a machine that runs this");
    assert_eq!(end.kind(), Kind::KeepaliveTimeout, "{end}");
}

#[test]
fn a_client_that_crashes_is_distinguished_from_one_that_closes() {
    let (client, server) = pair(20_000, 20_000);
    drop(client);
    let end = server.join().unwrap();
    assert!(matches!(end.kind(), Kind::Eof | Kind::DroppedAtOnce { .. }), "{end}");
}
