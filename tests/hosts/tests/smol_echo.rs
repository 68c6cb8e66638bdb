//! Both ends on smol.

#[allow(dead_code)]
#[path = "../examples/smol_echo.rs"]
mod smol_echo;

use std::future::Future;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::time::{Duration, Instant as Clock};

use bowline_core::closing::Kind;
use bowline_core::connection::Config;
use bowline_core::{Close, Connection, Disconnect, Instant, Message};
use smol::future::FutureExt;
use smol::io::{AsyncReadExt, AsyncWriteExt};
use smol::{Async, Timer};
use smol_echo::{Link, echo, say};

/// Generous: no test waits this long if all is well.
const LIMIT: Duration = Duration::from_secs(60);

/// A frame in the same segment as the request; its mask is four zeros.
const REQUEST_AND_FRAME: &[u8] =
    b"GET / HTTP/1.1\r\nHost: here\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
    Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n\x81\x85\0\0\0\0hello";

const CLIENT_CLOSED: &str = "sent 1000 (OK); then received 1000 (OK)";
const SERVER_CLOSED: &str = "received 1000 (OK); then sent 1000 (OK)";

fn run(test: impl Future<Output = ()>) {
    let late = async {
        Timer::after(LIMIT).await;
        panic!("not done within {LIMIT:?}");
    };
    smol::block_on(test.or(late));
}

fn heartbeat(interval: u64, timeout: u64) -> Config {
    let mut config = Config::default();
    config.heartbeat.interval = Duration::from_millis(interval);
    config.heartbeat.timeout = Duration::from_millis(timeout);
    config
}

/// A server that echoes, and a client of it.
async fn pair(client: Config, server: Config) -> (smol::Task<Disconnect>, Link, Connection) {
    let listener = Async::<TcpListener>::bind(SocketAddr::from(([127, 0, 0, 1], 0))).unwrap();
    let address = listener.get_ref().local_addr().unwrap();
    let serving = smol::spawn(async move { echo(listener.accept().await.unwrap().0, server).await.unwrap() });
    let link = Link::new(Async::<TcpStream>::connect(address).await.unwrap());
    let conn = link.ask(&format!("ws://{address}/"), client).await.unwrap();
    (serving, link, conn)
}

#[test]
fn messages_go_both_ways_until_one_end_closes() {
    run(async {
        // The server ends its direction; if that did not happen, this would wait for too long.
        let mut config = Config::default();
        config.closing.end_timeout = 10 * LIMIT;
        let (server, link, mut conn) = pair(config.clone(), config).await;
        let message = |n| Message::binary(vec![n; 100_000]);
        conn.send(Instant::ZERO, message(0)).unwrap();
        let mut heard = 0;
        let drive = link.drive(&mut conn, |conn, now, echo| {
            assert_eq!(echo, message(heard));
            heard += 1;
            if heard < 20 {
                conn.send(now, message(heard)).unwrap();
            } else {
                conn.close(now, Close::normal()).unwrap();
            }
        });
        assert_eq!(drive.await.unwrap().to_string(), CLIENT_CLOSED);
        assert_eq!(server.await.to_string(), SERVER_CLOSED);
        assert_eq!(heard, 20);
    });
}

#[test]
fn a_client_is_answered() {
    run(async {
        let listener = Async::<TcpListener>::bind(SocketAddr::from(([127, 0, 0, 1], 0))).unwrap();
        let address = listener.get_ref().local_addr().unwrap();
        let server =
            smol::spawn(
                async move { echo(listener.accept().await.unwrap().0, Config::default()).await.unwrap() },
            );
        let (answer, disconnect) = say(address, "hello").await.unwrap();
        assert_eq!(answer, Message::text("hello"));
        assert_eq!(disconnect.to_string(), CLIENT_CLOSED);
        assert_eq!(server.await.to_string(), SERVER_CLOSED);
    });
}

#[test]
fn a_message_right_after_the_request_is_heard() {
    run(async {
        let listener = Async::<TcpListener>::bind(SocketAddr::from(([127, 0, 0, 1], 0))).unwrap();
        let address = listener.get_ref().local_addr().unwrap();
        let _server =
            smol::spawn(async move { echo(listener.accept().await.unwrap().0, Config::default()).await });
        let mut socket = Async::<TcpStream>::connect(address).await.unwrap();
        socket.write_all(REQUEST_AND_FRAME).await.unwrap();
        let mut answer = Vec::new();
        while !answer.ends_with(b"\r\n\r\n\x81\x05hello") {
            let mut place = [0; 100];
            let n = socket.read(&mut place).await.unwrap();
            assert!(n > 0, "{:?}", String::from_utf8_lossy(&answer));
            answer.extend_from_slice(&place[..n]);
        }
    });
}

#[test]
fn a_server_with_room_for_one_message_loses_none() {
    const COUNT: u8 = 50;
    run(async {
        let mut config = Config::default();
        config.send_buffer = 1;
        let (server, link, mut conn) = pair(Config::default(), config).await;
        let message = |n: u8| Message::binary(vec![n; 1000]);
        for n in 0..COUNT {
            conn.send(Instant::ZERO, message(n)).unwrap();
        }
        let mut heard = 0;
        let drive = link.drive(&mut conn, |conn, now, echo| {
            assert_eq!(echo, message(heard));
            heard += 1;
            if heard == COUNT {
                conn.close(now, Close::normal()).unwrap();
            }
        });
        assert_eq!(drive.await.unwrap().to_string(), CLIENT_CLOSED);
        assert_eq!(server.await.to_string(), SERVER_CLOSED);
    });
}

#[test]
fn a_message_larger_than_any_buffer_of_the_system_comes_back() {
    run(async {
        let (server, link, mut conn) = pair(Config::default(), Config::default()).await;
        let message = Message::binary(vec![7; 12_000_000]);
        conn.send(Instant::ZERO, message.clone()).unwrap();
        let drive = link.drive(&mut conn, |conn, now, echo| {
            assert!(echo == message);
            conn.close(now, Close::normal()).unwrap();
        });
        assert_eq!(drive.await.unwrap().to_string(), CLIENT_CLOSED);
        assert_eq!(server.await.to_string(), SERVER_CLOSED);
    });
}

#[test]
fn an_unanswered_close_ends_on_time() {
    run(async {
        let listener = Async::<TcpListener>::bind(SocketAddr::from(([127, 0, 0, 1], 0))).unwrap();
        let address = listener.get_ref().local_addr().unwrap();
        let silent = smol::spawn(async move {
            let link = Link::new(listener.accept().await.unwrap().0);
            (link.accept(Config::default()).await.unwrap(), link)
        });
        let mut config = Config::default();
        config.closing.close_timeout = Duration::from_millis(200);
        let link = Link::new(Async::<TcpStream>::connect(address).await.unwrap());
        let mut conn = link.ask(&format!("ws://{address}/"), config).await.unwrap();
        let _silent = silent.await;
        conn.close(Instant::ZERO, Close::normal()).unwrap();
        let disconnect = link.drive(&mut conn, |_, _, _| unreachable!("nobody speaks")).await.unwrap();
        assert_eq!(disconnect.kind(), Kind::CloseTimeout, "{disconnect}");
    });
}

#[test]
fn a_silence_is_lived_through_by_pings() {
    run(async {
        // On an overloaded machine, a pong may take longer.
        for (silence, is_last) in [(500, false), (5000, false), (20_000, true)] {
            // The client's are more frequent, so that the server need not ping.
            let (_server, link, mut conn) = pair(heartbeat(50, 20_000), Config::default()).await;
            let silence = async {
                Timer::after(Duration::from_millis(silence)).await;
                None
            };
            let drive = async { Some(link.drive(&mut conn, |_, _, _| unreachable!("nobody speaks")).await) };
            assert!(drive.or(silence).await.is_none(), "it lives");
            if conn.stats().pongs >= 2 {
                return;
            }
            assert!(!is_last, "{:?}", conn.stats());
        }
    });
}

#[test]
fn an_end_caused_by_a_deadline_is_reported_at_once() {
    run(async {
        // If the server itself did not run for seconds, it says so, and this proves nothing.
        for _ in 0..20 {
            let (server, _silent, _conn) = pair(heartbeat(60_000, 60_000), heartbeat(50, 200)).await;
            let (began, end) = (Clock::now(), server.await);
            // Far below the next thing that could have woken it.
            assert!(began.elapsed() < LIMIT / 2);
            if end.kind() != Kind::LocalSuspend {
                assert_eq!(end.kind(), Kind::KeepaliveTimeout, "{end}");
                return;
            }
        }
        panic!("this machine runs nothing");
    });
}
