use std::time::Duration;

use bowline_core::closing::{Exchange, Kind, Who};
use bowline_core::connection::Event;
use bowline_core::frame::{Decoder, Limits, Opcode};
use bowline_core::{Close, CloseCode, Disconnect, End, Message, Role};
use bowline_tokio::{Clock, Driver};
use bytes::Bytes;
use futures_util::FutureExt;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::time::Instant;

use crate::common::{PIPE, client, config, drain, event, in_time, pair, quiet};

/// The opcodes of all frames in these bytes from a client.
fn opcodes(bytes: &[u8]) -> Vec<Opcode> {
    let mut decoder = Decoder::new(Role::Server, &Limits::default());
    decoder.push(bytes);
    std::iter::from_fn(|| decoder.decode().unwrap().map(|header| header.opcode)).collect()
}

#[tokio::test(start_paused = true)]
async fn an_idle_connection_pings_on_time() {
    let (mut client, mut server) = pair(config(), quiet());
    let start = Instant::now();
    tokio::select! {
        event = event(&mut client) => assert!(matches!(event, Event::Pong { .. }), "{event:?}"),
        _ = drain(&mut server) => unreachable!("nothing ends here"),
    }
    assert_eq!(start.elapsed(), Duration::from_secs(20));
    assert_eq!(client.conn().stats().pings, 1);
}

#[tokio::test(start_paused = true)]
async fn a_dead_peer_is_found_after_interval_plus_timeout() {
    let (mut client, mut peer) = client(config());
    let start = Instant::now();
    let (_, disconnect) = drain(&mut client).await;
    assert_eq!(start.elapsed(), Duration::from_secs(40));
    assert_eq!((disconnect.kind(), disconnect.who()), (Kind::KeepaliveTimeout, Who::Path));

    assert!(client.is_over());
    let mut heard = Vec::new();
    peer.read_to_end(&mut heard).await.unwrap();
    assert_eq!(
        opcodes(&heard),
        [Opcode::Ping, Opcode::Close],
        "its last words were offered, and the stream dropped"
    );
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_takes_nothing_is_found_dead_too() {
    let (mut client, _peer) = client(config());
    let now = client.now();
    client.conn_mut().send(now, Message::binary(vec![0; 1 << 20])).unwrap();
    let start = Instant::now();
    let (_, disconnect) = drain(&mut client).await;
    assert_eq!(start.elapsed(), Duration::from_secs(40));
    assert_eq!(disconnect.kind(), Kind::WriteStall);
}

#[tokio::test(start_paused = true)]
async fn a_pong_overtakes_what_waits_for_a_peer_that_does_not_read() {
    let (mut client, mut peer) = client(config());
    let now = client.now();
    client.conn_mut().send(now, Message::binary(vec![0; 8 << 20])).unwrap();
    // Completely full, and then a ping arrives.
    peer.write_all(b"\x89\x01?").await.unwrap();
    let read = async {
        tokio::time::sleep(Duration::from_secs(10)).await;
        let mut heard = vec![0; PIPE + (16 << 10) + 64];
        peer.read_exact(&mut heard).await.unwrap();
        opcodes(&heard)
    };
    let opcodes = tokio::select! {
        opcodes = read => opcodes,
        _ = drain(&mut client) => unreachable!("nothing ends here"),
    };
    assert!(opcodes.contains(&Opcode::Pong), "{opcodes:?}");
}

#[tokio::test(start_paused = true)]
async fn an_owner_that_waits_for_room_is_woken() {
    let (mut client, mut peer) = client(config());
    let sink = tokio::spawn(async move { tokio::io::copy(&mut peer, &mut tokio::io::sink()).await });
    let start = Instant::now();
    for _ in 0..100 {
        while client.conn().room() == 0 {
            client.drive().await;
        }
        let now = client.now();
        client.conn_mut().send(now, Message::binary(vec![0; 100_000])).unwrap();
    }
    assert_eq!(start.elapsed(), Duration::ZERO, "nothing had to time out");
    drop(client);
    sink.await.unwrap().unwrap();
}

/// Sends the message `count` times, then waits for as many from the peer.
async fn flood<S: AsyncRead + AsyncWrite + Unpin>(
    driver: &mut Driver<S>,
    message: &Message,
    count: usize,
) -> Disconnect {
    let (mut sent, mut received) = (0, 0);
    loop {
        while sent < count && driver.conn().room() > 0 {
            let now = driver.now();
            driver.conn_mut().send(now, message.clone()).unwrap();
            sent += 1;
        }
        while let Some(event) = driver.conn_mut().poll_event() {
            match event {
                Event::Message(got) => {
                    assert!(got == *message);
                    received += 1;
                    if received == count {
                        let now = driver.now();
                        let _ = driver.conn_mut().close(now, Close::normal());
                    }
                }
                Event::Closed(disconnect) => {
                    assert_eq!((sent, received), (count, count));
                    return disconnect;
                }
                _ => {}
            }
        }
        driver.drive().await;
    }
}

#[tokio::test(start_paused = true)]
async fn two_ends_that_both_send_at_once_finish() {
    let (mut client, mut server) = pair(config(), config());
    let message = Message::binary(Bytes::from(vec![7; 1 << 20]));
    let (at_client, at_server) =
        in_time(async { tokio::join!(flood(&mut client, &message, 64), flood(&mut server, &message, 64)) })
            .await;
    // Their Close frames may cross.
    assert!(matches!(at_client.kind(), Kind::Clean), "{at_client}");
    assert!(matches!(at_server.kind(), Kind::Clean), "{at_server}");
}

#[tokio::test(start_paused = true)]
async fn either_end_closes_cleanly() {
    for client_closes in [true, false] {
        let (mut client, mut server) = pair(config(), config());
        let close = Close::new(CloseCode::GOING_AWAY, "enough").unwrap();
        let closer = if client_closes { &mut client } else { &mut server };
        let now = closer.now();
        closer.conn_mut().send(now, Message::text("last words")).unwrap();
        closer.conn_mut().close(now, close.clone()).unwrap();

        let start = Instant::now();
        let (at_client, at_server) = tokio::join!(drain(&mut client), drain(&mut server));
        assert_eq!(start.elapsed(), Duration::ZERO, "nothing had to time out");
        let (closed, other) = if client_closes { (at_client, at_server) } else { (at_server, at_client) };
        assert_eq!(closed.1.sent(), Some(&close));
        assert_eq!(closed.1.received(), Some(&close));
        assert_eq!(other.0, [Message::text("last words")]);
        assert_eq!(other.1.received(), Some(&close));
    }
}

#[tokio::test(start_paused = true)]
async fn a_dropped_peer_is_an_end_without_close() {
    let (mut client, peer) = client(config());
    drop(peer);
    let (_, disconnect) = drain(&mut client).await;
    assert_eq!(disconnect.end(), Some(End::Eof));
    assert_eq!(disconnect.exchange(), &Exchange::Neither);
}

#[tokio::test(start_paused = true)]
async fn bytes_that_came_with_the_handshake_come_first() {
    let (stream, mut peer) = tokio::io::duplex(PIPE);
    peer.write_all(b"llo\x81\x05again").await.unwrap();
    let mut client = Driver::client(stream, b"\x81\x05he", config(), Clock::start()).unwrap();
    assert_eq!(event(&mut client).await, Event::Message(Message::text("hello")));
    assert_eq!(event(&mut client).await, Event::Message(Message::text("again")));
}

#[tokio::test(start_paused = true)]
async fn a_cancelled_drive_loses_nothing() {
    let (mut client, mut server) = pair(config(), config());
    let sender = async {
        for n in 0..200_u32 {
            let now = server.now();
            server.conn_mut().send(now, Message::text(n.to_string().repeat(1000))).unwrap();
            while server.conn().room() < 1000 {
                server.drive().await;
            }
        }
        drain(&mut server).await
    };
    let receiver = async {
        for n in 0..200_u32 {
            let received = loop {
                // Polled once and dropped, again and again.
                match event(&mut client).now_or_never() {
                    Some(event) => break event,
                    None => tokio::time::sleep(Duration::from_millis(1)).await,
                }
            };
            assert_eq!(received, Event::Message(Message::text(n.to_string().repeat(1000))));
        }
    };
    in_time(async {
        tokio::select! {
            () = receiver => {}
            _ = sender => unreachable!("nothing ends here"),
        }
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn an_owner_that_does_not_take_its_messages_stops_the_reading() {
    let mut small = config();
    small.receive_buffer = 1000;
    let (mut client, mut server) = pair(config(), small);
    let flood = async {
        for _ in 0..1000 {
            while client.conn().room() == 0 {
                client.drive().await;
            }
            let now = client.now();
            client.conn_mut().send(now, Message::text("x".repeat(1000))).unwrap();
        }
    };
    tokio::select! {
        () = flood => unreachable!("a megabyte does not fit anywhere"),
        () = async { loop { server.drive().await } } => {}
        () = tokio::time::sleep(Duration::from_secs(600)) => {}
    }
    let received = server.conn().stats().bytes_received;
    assert!(received < 100_000, "{received} bytes were read");
    assert!(!server.is_over(), "a peer that we do not listen to is not dead");
}

#[tokio::test(start_paused = true)]
async fn a_close_without_answer_ends_after_its_own_time() {
    let (mut client, _peer) = client(config());
    // The timer is first set for the heartbeat, which is later.
    assert!(tokio::time::timeout(Duration::from_secs(1), event(&mut client)).await.is_err());
    let now = client.now();
    client.conn_mut().close(now, Close::normal()).unwrap();
    let start = Instant::now();
    let (_, disconnect) = drain(&mut client).await;
    assert_eq!(disconnect.kind(), Kind::CloseTimeout);
    assert_eq!(start.elapsed(), Duration::from_secs(5));
}
