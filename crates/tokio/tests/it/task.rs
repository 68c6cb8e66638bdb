use std::time::Duration;

use bowline_core::closing::{CloseError, Kind};
use bowline_core::connection::{Config, PingError, SendError};
use bowline_core::{Close, CloseCode, Message};
use bowline_tokio::{Receiver, Sender, WebSocket};
use futures_util::StreamExt;
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};
use tokio::time::{Instant, sleep, timeout};

use crate::common::{self, config, in_time, quiet};

fn pair(client: Config, server: Config) -> ((Sender, Receiver), WebSocket<DuplexStream>) {
    let (client, server) = common::pair(client, server);
    (WebSocket::new(client).spawn(), WebSocket::new(server))
}

#[tokio::test(start_paused = true)]
async fn heartbeats_keep_their_time_while_the_owner_is_busy() {
    let ((sender, mut receiver), mut server) = pair(config(), quiet());
    tokio::select! {
        _ = server.receive() => unreachable!("nothing is sent"),
        () = sleep(Duration::from_secs(610)) => {}
    }
    assert_eq!(server.conn().stats().pings_received, 30, "one in 20 s, for ten minutes");
    // The peer is gone, and the owner of the halves does not look.
    sleep(Duration::from_secs(60)).await;
    assert!(sender.is_closed());
    assert_eq!(receiver.receive().await.unwrap_err().kind(), Kind::KeepaliveTimeout);
}

#[tokio::test(start_paused = true)]
async fn a_slow_owner_is_not_taken_for_a_dead_peer() {
    let ((_sender, mut receiver), mut server) = pair(config(), config());
    let flood = async {
        for _ in 0..200 {
            server.send(Message::binary(vec![0; 100_000])).await.unwrap();
        }
        server.ended().await
    };
    let slow = async {
        for _ in 0..200 {
            sleep(Duration::from_secs(30)).await;
            assert_eq!(receiver.receive().await.unwrap().len(), 100_000);
        }
    };
    tokio::select! {
        () = slow => {}
        disconnect = flood => unreachable!("{disconnect}"),
    }
}

#[tokio::test(start_paused = true)]
async fn a_ping_ends_with_the_connection_before_the_owner_has_read_to_the_end() {
    let ((sender, mut receiver), mut server) = pair(quiet(), quiet());
    server.send(Message::text("work")).await.unwrap();
    assert_eq!(receiver.receive().await.unwrap(), Message::text("work"));
    let leave = async {
        sleep(Duration::from_secs(1)).await;
        drop(server);
    };
    let (answer, ()) = in_time(async { tokio::join!(sender.ping(b"?"), leave) }).await;
    assert_eq!(answer, Err(PingError::Closing));
    assert_eq!(receiver.receive().await.unwrap_err().kind(), Kind::Eof);
}

#[tokio::test(start_paused = true)]
async fn an_end_waits_behind_messages_that_find_no_place() {
    let ((_sender, mut receiver), mut server) = pair(quiet(), quiet());
    let flood = async {
        for n in 0..60_u32 {
            server.send(Message::text(n.to_string())).await.unwrap();
        }
        server.close(Close::normal()).unwrap();
        server.ended().await
    };
    assert_eq!(flood.await.kind(), Kind::Clean);
    sleep(Duration::from_secs(600)).await;
    for n in 0..60_u32 {
        assert_eq!(receiver.receive().await, Ok(Message::text(n.to_string())));
    }
    assert_eq!(receiver.receive().await.unwrap_err().kind(), Kind::Clean);
}

#[tokio::test(start_paused = true)]
async fn the_messages_that_wait_for_a_slow_owner_are_bounded() {
    let ((_sender, _receiver), mut server) = pair(config(), config());
    let flood = async {
        for sent in 0.. {
            if timeout(Duration::from_secs(600), server.send(Message::binary(vec![0; 100_000])))
                .await
                .is_err()
            {
                return sent;
            }
        }
        unreachable!()
    };
    let sent: usize = flood.await;
    // The queue has room for two, since it counts bytes; the pipe and both connections hold some more.
    assert!((2..12).contains(&sent), "{sent} messages found a place");
}

#[tokio::test(start_paused = true)]
async fn small_messages_that_wait_for_a_slow_owner_are_counted() {
    let mut config = config();
    config.receive_buffer = 1000;
    let ((_sender, mut receiver), mut server) = pair(config.clone(), config);
    for n in 0..2000_u32 {
        let message = Message::text(n.to_string().repeat(n as usize % 400));
        let (sent, received) =
            in_time(async { tokio::join!(server.send(message.clone()), receiver.receive()) }).await;
        sent.unwrap();
        assert_eq!(received.unwrap(), message);
    }
}

#[tokio::test(start_paused = true)]
async fn a_burst_arrives_in_order() {
    let ((sender, receiver), server) = pair(config(), config());
    let (answers, mut questions) = server.spawn();
    let echo = tokio::spawn(async move {
        while let Ok(message) = questions.receive().await {
            answers.send(message).await.unwrap();
        }
        questions.ended().await
    });
    let all: Vec<_> = (0..2000_u32).map(|n| Message::text(n.to_string())).collect();
    let expected = all.clone();
    let sending = tokio::spawn(async move {
        for message in all {
            sender.send(message).await.unwrap();
        }
        // The sender must live until the answers have arrived.
        sender
    });
    let received: Vec<_> = in_time(receiver.take(2000).map(Result::unwrap).collect()).await;
    assert!(received == expected);
    drop(sending.await.unwrap());
    assert_eq!(echo.await.unwrap().received(), Some(&Close::normal()), "both halves are dropped");
}

#[tokio::test(start_paused = true)]
async fn one_half_keeps_the_connection() {
    let ((sender, receiver), mut server) = pair(config(), config());
    drop(receiver);
    for _ in 0..100 {
        // Nobody wants to receive this.
        server.send(Message::text("x".repeat(1000))).await.unwrap();
        sender.send(Message::text("hello")).await.unwrap();
        assert_eq!(server.receive().await, Ok(Message::text("hello")));
    }
    drop(sender);
    assert_eq!(server.ended().await.received(), Some(&Close::normal()));

    let ((sender, mut receiver), mut server) = pair(config(), config());
    drop(sender);
    sleep(Duration::from_secs(1)).await;
    let (sent, received) = tokio::join!(server.send(Message::text("hello")), receiver.receive());
    sent.unwrap();
    assert_eq!(received, Ok(Message::text("hello")));
    drop(receiver);
    assert_eq!(server.ended().await.received(), Some(&Close::normal()));
}

#[tokio::test(start_paused = true)]
async fn a_close_is_sent_after_the_messages() {
    let ((sender, mut receiver), mut server) = pair(config(), config());
    let close = Close::new(CloseCode::GOING_AWAY, "done").unwrap();
    for n in 0..10 {
        sender.send(Message::text(n.to_string())).await.unwrap();
    }
    sender.close(close.clone()).await.unwrap();
    let received: Vec<_> = server.by_ref().take(10).collect().await;
    assert!(received.iter().all(Result::is_ok), "{received:?}");
    assert_eq!(server.ended().await.received(), Some(&close));
    assert_eq!(receiver.ended().await.sent(), Some(&close));
    assert!(receiver.disconnect().is_some());
    assert_eq!(sender.send(Message::text("late")).await, Err(SendError::Closing(Message::text("late"))));
    assert_eq!(sender.try_send(Message::text("late")), Err(SendError::Closing(Message::text("late"))));
    assert_eq!(sender.close(close).await, Err(CloseError::AlreadyClosing));
}

#[tokio::test(start_paused = true)]
async fn senders_that_wait_get_their_message_back_at_the_end() {
    let ((sender, mut receiver), server) = pair(config(), config());
    let start = Instant::now();
    let big = Message::binary(vec![0; 1 << 20]);
    // One is queued in the connection, 32 in the queue.
    let refused = loop {
        if let Err(refused) = sender.send(big.clone()).await {
            break refused;
        }
    };
    assert!(refused == SendError::Closing(big));
    assert_eq!(start.elapsed(), Duration::from_secs(40));
    assert_eq!(receiver.ended().await.kind(), Kind::WriteStall);
    drop(server);
}

#[tokio::test(start_paused = true)]
async fn nothing_is_taken_while_the_connection_closes() {
    let (client, mut peer) = common::client(config());
    let (sender, mut receiver) = WebSocket::new(client).spawn();
    let start = Instant::now();
    peer.write_all(b"\x88\x02\x03\xe8").await.unwrap();
    // This is the answer; the peer ends the transport only later.
    peer.read_exact(&mut [0; 8]).await.unwrap();
    let late = Message::text("late");
    assert_eq!(sender.send(late.clone()).await, Err(SendError::Closing(late)));
    assert_eq!(start.elapsed(), Duration::ZERO);
    drop(peer);
    assert_eq!(receiver.ended().await.kind(), Kind::Clean);
}

#[tokio::test(start_paused = true)]
async fn a_burst_of_large_messages_arrives_whole() {
    let ((sender, _receiver), mut server) = pair(config(), config());
    for n in 0..20_u8 {
        sender.try_send(Message::binary(vec![n; 100_000])).unwrap();
    }
    for n in 0..20_u8 {
        assert!(server.receive().await == Ok(Message::binary(vec![n; 100_000])), "message {n}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_close_that_must_not_be_sent_is_refused() {
    let ((sender, _receiver), _server) = pair(config(), config());
    let (received, _) = Close::decode(&1006_u16.to_be_bytes());
    assert_eq!(sender.close(received).await, Err(CloseError::InvalidCode(1006)));
}

#[tokio::test(start_paused = true)]
async fn an_end_that_was_taken_before_is_reported_again() {
    let (mut client, server) = common::client(config());
    drop(server);
    common::drain(&mut client).await;
    let (_sender, mut receiver) = WebSocket::new(client).spawn();
    assert_eq!(receiver.receive().await.unwrap_err().kind(), Kind::LocalAbort);
}

#[test]
fn the_end_of_the_runtime_is_an_end() {
    let build = || tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let first = build();
    let ((sender, mut receiver), _server) = first.block_on(async { pair(config(), config()) });
    drop(first);
    assert_eq!(build().block_on(receiver.receive()).unwrap_err().kind(), Kind::LocalAbort);
    assert!(sender.is_closed());
}

#[tokio::test(start_paused = true)]
async fn either_half_can_look_at_the_connection() {
    let ((sender, receiver), mut server) = pair(config(), quiet());
    let looking = async {
        assert_eq!((sender.rtt().await, receiver.rtt().await), (None, None));
        sender.send(Message::text("hello")).await.unwrap();
        assert_eq!(sender.ping(b"a").await, Ok(Duration::ZERO));
        assert_eq!(sender.ping(&[0; 126]).await, Err(PingError::TooLong(126)));
        sleep(Duration::from_secs(25)).await;
        assert_eq!(receiver.rtt().await, Some(Duration::ZERO));
        assert_eq!(sender.stats().await.unwrap().messages_sent, 1);
        assert_eq!(receiver.stats().await.unwrap().pongs, 1);
        let timeline = receiver.timeline().await.unwrap().to_string();
        assert_eq!(sender.timeline().await.unwrap().to_string(), timeline);
        assert!(timeline.contains("2 pings answered in less than 1 ms"), "{timeline}");
    };
    tokio::select! {
        () = looking => {}
        disconnect = server.ended() => unreachable!("{disconnect}"),
    }
}

#[tokio::test(start_paused = true)]
async fn a_ping_is_answered_while_the_owner_receives_nothing() {
    let ((sender, _receiver), mut server) = pair(config(), quiet());
    server.send(Message::text("unread")).await.unwrap();
    tokio::select! {
        answer = sender.ping(b"there?") => assert_eq!(answer, Ok(Duration::ZERO)),
        disconnect = server.ended() => unreachable!("{disconnect}"),
    }
}

#[tokio::test(start_paused = true)]
async fn a_ping_is_answered_while_messages_wait_for_their_owner() {
    let ((sender, mut receiver), mut server) = pair(quiet(), quiet());
    for n in 0..100 {
        server.send(Message::text(n.to_string())).await.unwrap();
    }
    let rtt = tokio::select! {
        rtt = in_time(sender.ping(b"there?")) => rtt,
        _ = server.receive() => unreachable!("nothing is sent"),
    };
    assert_eq!(rtt, Ok(Duration::ZERO));
    for n in 0..100 {
        assert_eq!(receiver.receive().await.unwrap(), Message::text(n.to_string()));
    }
}

#[tokio::test(start_paused = true)]
async fn a_ping_that_is_never_answered_ends_with_the_connection() {
    let ((sender, mut receiver), server) = pair(config(), quiet());
    drop(server);
    let (answer, disconnect) = tokio::join!(sender.ping(b"there?"), receiver.ended());
    assert_eq!(answer, Err(PingError::Closing));
    assert!(disconnect.explain().to_string().contains("the stream ended (EOF)"), "{}", disconnect.explain());
    assert_eq!((sender.rtt().await, sender.stats().await), (None, None));
    assert_eq!((receiver.timeline().await, receiver.stats().await), (None, None));
    assert_eq!(sender.ping(b"there?").await, Err(PingError::Closing));
}
