//! Halves whose peer pings and never reads.

use std::time::Duration;

use bowline_core::closing::Kind;
use bowline_core::connection::SendError;
use bowline_core::{Close, Message};
use bowline_tokio::{Receiver, Sender, SinkError, Unsent, WebSocket};
use futures_util::SinkExt;
use tokio::io::{AsyncWriteExt, DuplexStream};
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, timeout};

use crate::common::{self, config, in_time};

/// A client whose queue is full, and the peer: a task that ends when the transport does, and returns after what time.
async fn scene() -> (Sender, Receiver, JoinHandle<Duration>) {
    let (client, peer) = common::client(config());
    let (sender, receiver) = WebSocket::new(client).spawn();
    let peer = tokio::spawn(pings(peer));
    let message = Message::binary(vec![0; 100_000]);
    while timeout(Duration::from_millis(10), sender.send(message.clone())).await.is_ok() {}
    (sender, receiver, peer)
}

/// Pings once a second until nobody is there.
async fn pings(mut stream: DuplexStream) -> Duration {
    let start = Instant::now();
    while stream.write_all(b"\x89\x00").await.is_ok() {
        sleep(Duration::from_secs(1)).await;
    }
    start.elapsed()
}

#[tokio::test(start_paused = true)]
async fn a_close_does_not_wait_until_a_peer_takes_what_is_queued() {
    let (sender, mut receiver, peer) = scene().await;
    in_time(sender.close(Close::normal())).await.unwrap();
    let late = Message::text("late");
    assert_eq!(sender.try_send(late.clone()), Err(SendError::Closing(late)), "nothing goes behind a Close");
    let end = in_time(receiver.ended()).await;
    assert_eq!(end.kind(), Kind::WriteStall, "{end}");
    assert!(in_time(peer).await.unwrap() < Duration::from_secs(30));
}

#[tokio::test(start_paused = true)]
async fn dropping_both_halves_ends_a_connection_whose_peer_takes_nothing() {
    let (sender, receiver, peer) = scene().await;
    drop((sender, receiver));
    assert!(in_time(peer).await.unwrap() < Duration::from_secs(30));
}

#[tokio::test(start_paused = true)]
async fn any_clone_can_drop_the_connection_at_once() {
    let (sender, mut receiver, peer) = scene().await;
    sender.clone().abort();
    assert_eq!(in_time(receiver.ended()).await.kind(), Kind::LocalAbort);
    assert!(in_time(peer).await.unwrap() < Duration::from_secs(3));
    assert!(sender.is_closed());
}

#[tokio::test(start_paused = true)]
async fn messages_queued_before_a_close_leave_when_a_slow_peer_takes_them() {
    let (client, server) = common::pair(config(), config());
    let ((sender, mut receiver), mut server) = (WebSocket::new(client).spawn(), WebSocket::new(server));
    for n in 0..32_u8 {
        sender.send(Message::binary(vec![n; 100_000])).await.unwrap();
    }
    in_time(sender.close(Close::normal())).await.unwrap();
    for n in 0..32_u8 {
        sleep(Duration::from_secs(3)).await;
        assert!(server.receive().await == Ok(Message::binary(vec![n; 100_000])), "message {n}");
    }
    let (end, _) = in_time(async { tokio::join!(receiver.ended(), server.ended()) }).await;
    assert_eq!(end.kind(), Kind::Clean, "{end}");
}

#[tokio::test(start_paused = true)]
async fn a_flush_waits_for_a_slow_peer_and_tells_what_a_deaf_one_loses() {
    let (sender, receiver, _peer) = scene().await;
    let (flushed, ()) = in_time(async {
        tokio::join!(sender.flush(), async {
            sleep(Duration::from_secs(60)).await;
            sender.abort();
        })
    })
    .await;
    assert_eq!(flushed, Err(Unsent::Lost));
    assert_eq!(sender.flush().await, Err(Unsent::Lost));
    drop(receiver);
    assert_eq!(in_time(sender.flush()).await, Err(Unsent::Lost));

    let (client, server) = common::pair(config(), config());
    let ((sender, mut receiver), mut server) = (WebSocket::new(client).spawn(), WebSocket::new(server));
    for n in 0..10_u8 {
        sender.send(Message::binary(vec![n; 100_000])).await.unwrap();
    }
    let start = Instant::now();
    let reads = async {
        for _ in 0..10 {
            sleep(Duration::from_secs(3)).await;
            server.receive().await.unwrap();
        }
        server.ended().await
    };
    let flushes = async {
        sender.flush().await.unwrap();
        assert!(start.elapsed() > Duration::from_secs(20), "ten do not fit into what lies between");
        sender.close(Close::normal()).await.unwrap();
        receiver.ended().await;
        sender.flush().await
    };
    assert_eq!(in_time(async { tokio::join!(reads, flushes) }).await.1, Ok(()));
}

#[tokio::test(start_paused = true)]
async fn a_sink_that_forwards_to_a_deaf_peer_does_not_say_that_all_has_left() {
    let (sender, _receiver, _peer) = scene().await;
    let mut sink = sender.clone();
    let closed = in_time(SinkExt::close(&mut sink)).await;
    assert_eq!(closed, Err(SinkError::Unsent(Unsent::Lost)));
}
