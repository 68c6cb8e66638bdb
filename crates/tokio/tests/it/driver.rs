use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use bowline_core::closing::{Exchange, Kind, Who};
use bowline_core::connection::Event;
use bowline_core::frame::{Decoder, Limits, Opcode};
use bowline_core::{Close, CloseCode, Disconnect, End, Message, Role};
use bowline_tokio::{Clock, Driver};
use bytes::Bytes;
use futures_util::FutureExt;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, BufStream, ReadBuf};
use tokio::task::coop;
use tokio::time::Instant;

use crate::common::{PIPE, client, config, drain, event, in_time, pair, quiet};

/// The opcodes of all frames in these bytes of a client.
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
async fn a_peer_that_takes_nothing_is_found_too() {
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
    // Full to the brim, and then a ping comes.
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
async fn an_owner_that_waits_for_room_is_told() {
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

/// Sends `count` times the message, then waits for as many from the peer.
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
async fn what_came_behind_the_handshake_comes_first() {
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
async fn an_owner_that_leaves_its_messages_lying_stops_the_reading() {
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

/// A stream whose reads give some bytes and no end, and whose writes fail.
struct Broken(&'static [u8]);

impl AsyncRead for Broken {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.0.is_empty() { Poll::Pending } else { Pin::new(&mut self.0).poll_read(cx, buf) }
    }
}

impl AsyncWrite for Broken {
    fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, _: &[u8]) -> Poll<io::Result<usize>> {
        Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

#[tokio::test(start_paused = true)]
async fn after_a_failed_write_the_peers_last_words_are_read() {
    let stream = Broken(b"\x81\x02hi\x88\x06\x03\xf3full");
    let mut client = Driver::client(stream, &[], config(), Clock::start()).unwrap();
    let now = client.now();
    client.conn_mut().send(now, Message::text("hello")).unwrap();
    // Whatever comes first, the write or the read.
    assert!(client.poll_flush(&mut Context::from_waker(Waker::noop())).is_ready());
    let (messages, disconnect) = drain(&mut client).await;
    assert_eq!(messages, [Message::text("hi")]);
    assert_eq!(disconnect.received(), Some(&Close::new(CloseCode::INTERNAL_ERROR, "full").unwrap()));
}

#[tokio::test(start_paused = true)]
async fn after_a_failed_write_reading_ends_soon() {
    let mut client = Driver::client(Broken(b""), &[], config(), Clock::start()).unwrap();
    let now = client.now();
    client.conn_mut().send(now, Message::text("hello")).unwrap();
    let (_, disconnect) = drain(&mut client).await;
    assert_eq!(disconnect.kind(), Kind::WriteError);
    assert_eq!(client.now() - now, Duration::from_secs(1));
}

#[tokio::test(start_paused = true)]
async fn a_stream_that_holds_bytes_back_is_flushed() {
    let (near, far) = tokio::io::duplex(PIPE);
    let clock = Clock::start();
    let mut client = Driver::client(BufStream::new(near), &[], config(), clock).unwrap();
    let mut server = Driver::server(BufStream::new(far), &[], config(), clock).unwrap();
    let now = client.now();
    client.conn_mut().send(now, Message::text("hello")).unwrap();
    tokio::select! {
        event = event(&mut server) => assert_eq!(event, Event::Message(Message::text("hello"))),
        _ = drain(&mut client) => unreachable!("nothing ends here"),
    }
    assert_eq!(now, client.now(), "nothing had to time out");
    client.conn_mut().close(now, Close::normal()).unwrap();
    let (at_client, _) = tokio::join!(drain(&mut client), drain(&mut server));
    assert_eq!(at_client.1.kind(), Kind::Clean);
    assert_eq!(now, client.now(), "nothing had to time out");
}

#[tokio::test(start_paused = true)]
async fn a_close_without_answer_ends_after_its_own_time() {
    let (mut client, _peer) = client(config());
    // The timer is set for the heartbeat first, which is later.
    assert!(tokio::time::timeout(Duration::from_secs(1), event(&mut client)).await.is_err());
    let now = client.now();
    client.conn_mut().close(now, Close::normal()).unwrap();
    let start = Instant::now();
    let (_, disconnect) = drain(&mut client).await;
    assert_eq!(disconnect.kind(), Kind::CloseTimeout);
    assert_eq!(start.elapsed(), Duration::from_secs(5));
}

#[tokio::test(start_paused = true)]
async fn a_stream_that_takes_no_more_is_reported_once() {
    let (mut client, mut peer) = client(quiet());
    let now = client.now();
    client.conn_mut().send(now, Message::binary(vec![0; 1 << 20])).unwrap();
    for _ in 0..10 {
        assert!(tokio::time::timeout(Duration::from_secs(1), event(&mut client)).await.is_err());
    }
    assert_eq!(client.conn().stats().blocked, 1);

    peer.read_exact(&mut [0; 1000]).await.unwrap();
    assert!(tokio::time::timeout(Duration::from_secs(1), event(&mut client)).await.is_err());
    assert_eq!(client.conn().stats().blocked, 2);
}

#[tokio::test(start_paused = true)]
async fn a_task_that_used_up_its_budget_does_not_blame_the_stream() {
    let (near, _far) = tokio::io::duplex(64 << 20);
    let mut client = Driver::client(near, &[], quiet(), Clock::start()).unwrap();
    let now = client.now();
    client.conn_mut().send(now, Message::binary(vec![0; 32 << 20])).unwrap();
    poll_fn(|cx| client.poll_flush(cx)).await;
    assert_eq!(client.conn().queued(), 0);
    assert_eq!(client.conn().stats().blocked, 0);
}

#[tokio::test(start_paused = true)]
async fn a_task_that_used_up_its_budget_does_not_judge_silence() {
    let (mut client, mut peer) = client(config());
    // A ping leaves after 20 s and would be due for the last time after 40 s.
    assert!(tokio::time::timeout(Duration::from_secs(30), event(&mut client)).await.is_err());
    assert_eq!(client.conn().stats().pings, 1);
    peer.write_all(b"\x81\x02hi").await.unwrap();
    tokio::time::advance(Duration::from_secs(10)).await;

    poll_fn(|cx| {
        while coop::has_budget_remaining() {
            if let Poll::Ready(progress) = coop::poll_proceed(cx) {
                progress.made_progress();
            }
        }
        let _ = client.poll_drive(cx);
        Poll::Ready(())
    })
    .await;
    assert!(!client.is_over());
    assert_eq!(event(&mut client).await, Event::Message(Message::text("hi")));
}

#[tokio::test(start_paused = true)]
async fn a_busy_peer_lets_the_owner_have_its_turn() {
    let mut large = quiet();
    large.receive_buffer = 64 << 20;
    let (near, mut far) = tokio::io::duplex(64 << 20);
    let mut client = Driver::client(near, &[], large, Clock::start()).unwrap();
    let frame = [b"\x82\x7e\xff\xff".as_slice(), &vec![0; 65_535]].concat();
    far.write_all(&frame.repeat(100)).await.unwrap();
    client.drive().await;
    client.drive().await;
    let received = client.conn().stats().bytes_received;
    assert!((1 << 20..3 << 20).contains(&received), "{received} bytes in one or two turns");
}
