//! Both ends on smol.

#[path = "../examples/smol_echo.rs"]
mod smol_echo;

use std::net::{SocketAddr, TcpListener, TcpStream};
use std::time::Duration;

use bowline_core::connection::Config;
use bowline_core::{Close, Connection, Disconnect, Instant, Message};
use smol::future::FutureExt;
use smol::{Async, Timer};
use smol_echo::{Link, echo};

/// A server that echoes, and a client of it.
async fn pair(config: Config) -> (smol::Task<Disconnect>, Link, Connection) {
    let listener = Async::<TcpListener>::bind(SocketAddr::from(([127, 0, 0, 1], 0))).unwrap();
    let address = listener.get_ref().local_addr().unwrap();
    let server = smol::spawn(async move { echo(listener.accept().await.unwrap().0).await.unwrap() });
    let link = Link::new(Async::<TcpStream>::connect(address).await.unwrap());
    let conn = link.ask(&format!("ws://{address}/"), config).await.unwrap();
    (server, link, conn)
}

#[test]
fn messages_go_both_ways_until_one_end_closes() {
    smol::block_on(async {
        let (server, link, mut conn) = pair(Config::default()).await;
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
        assert_eq!(drive.await.unwrap().to_string(), "sent 1000 (OK); then received 1000 (OK)");
        assert_eq!(server.await.to_string(), "received 1000 (OK); then sent 1000 (OK)");
        assert_eq!(heard, 20);
    });
}

#[test]
fn pings_leave_and_are_answered_in_a_silence() {
    smol::block_on(async {
        let mut config = Config::default();
        config.heartbeat.interval = Duration::from_millis(50);
        let (_server, link, mut conn) = pair(config).await;
        assert_eq!(conn.rtt(), None);
        let silence = async {
            Timer::after(Duration::from_secs(1)).await;
            None
        };
        let drive = async { Some(link.drive(&mut conn, |_, _, _| unreachable!("nobody speaks")).await) };
        assert!(drive.or(silence).await.is_none(), "it lives");
        assert!(conn.rtt().is_some());
    });
}
