//! Sending through the traits of `futures`.

use std::time::Duration;

use bowline_core::connection::SendError;
use bowline_core::message::Piece;
use bowline_core::{Close, Message};
use bowline_tokio::{Sender, SinkError, Unsent, WebSocket};
use futures_util::{FutureExt, SinkExt, StreamExt, TryStreamExt};
use tokio::io::DuplexStream;
use tokio::time::timeout;

use crate::common::{self, config, in_time, quiet};

fn pair() -> (WebSocket<DuplexStream>, WebSocket<DuplexStream>) {
    let (client, server) = common::pair(quiet(), quiet());
    (WebSocket::new(client), WebSocket::new(server))
}

fn text(text: &str) -> Message {
    Message::text(text.to_owned())
}

#[tokio::test(start_paused = true)]
async fn a_message_that_a_sink_refuses_comes_back_with_the_reason() {
    let (mut client, _server) = pair();
    client.try_send_piece(Piece::text("begun")).unwrap();
    let refused = SinkExt::send(&mut client, text("another")).await;
    assert_eq!(refused, Err(SinkError::Refused(SendError::Unfinished(text("another")))));
    client.close(Close::normal()).unwrap();
    let refused = SinkExt::send(&mut client, text("late")).await;
    assert_eq!(refused, Err(SinkError::Refused(SendError::Closing(text("late")))));
}

#[tokio::test(start_paused = true)]
async fn a_sink_that_loses_what_was_sent_says_so() {
    let (client, far) = common::client(config());
    let mut client = WebSocket::new(client);
    client.send(Message::binary(vec![1; 1 << 20])).await.unwrap();
    assert_eq!(SinkExt::flush(&mut client).await, Err(SinkError::Unsent(Unsent::Lost)));
    drop(far);
}

#[tokio::test(start_paused = true)]
async fn the_halves_of_a_task_forward_what_they_receive() {
    let (mut client, server) = pair();
    let (sender, receiver) = server.spawn();
    let echo = tokio::spawn(receiver.map_err(|_| unreachable!("a clean end")).forward(sender));
    in_time(async {
        for n in 0..200 {
            client.send(text(&n.to_string())).await.unwrap();
            assert_eq!(client.receive().await.unwrap(), text(&n.to_string()));
        }
        client.close(Close::normal()).unwrap();
        assert_eq!(client.ended().await.to_string(), "sent 1000 (OK); then received 1000 (OK)");
    })
    .await;
    assert_eq!(echo.await.unwrap(), Ok::<(), SinkError>(()));
}

#[tokio::test(start_paused = true)]
async fn a_half_of_a_task_that_is_closed_as_a_sink_closes_the_connection() {
    let (mut client, server) = pair();
    let (mut sender, _receiver) = server.spawn();
    sender.feed(text("last")).await.unwrap();
    SinkExt::close(&mut sender).await.unwrap();
    assert_eq!(client.receive().await.unwrap(), text("last"));
    assert_eq!(client.ended().await.to_string(), "received 1000 (OK); then sent 1000 (OK)");
}

#[tokio::test(start_paused = true)]
async fn a_half_of_a_task_is_a_sink_that_gives_back_what_it_refuses() {
    let (mut client, server) = pair();
    let (mut sender, mut receiver) = server.spawn();
    sender.try_send_piece(Piece::text("begun")).unwrap();
    let refused = sender.feed(text("another")).await;
    assert_eq!(refused, Err(SinkError::Refused(SendError::Unfinished(text("another")))));
    sender.try_send_piece(Piece::text("").last()).unwrap();
    // Anything left in the queue when a Close is answered would be lost.
    assert_eq!(SinkExt::flush(&mut sender).await, Ok(()));
    // One has a place, and loses it.
    let ready = std::future::poll_fn(|cx| sender.poll_ready_unpin(cx)).await;
    assert_eq!(ready, Ok(()));
    client.close(Close::normal()).unwrap();
    tokio::join!(client.ended(), receiver.ended());
    for _ in 0..2 {
        let refused = sender.start_send_unpin(text("late"));
        assert_eq!(refused, Err(SinkError::Refused(SendError::Closing(text("late")))));
    }
    assert_eq!(sender.feed(text("late")).await, Err(SinkError::Refused(SendError::Closing(text("late")))));
    assert_eq!(SinkExt::close(&mut sender).await, Ok(()));
}

/// The peer reads nothing, so the queue fills up.
#[tokio::test(start_paused = true)]
async fn a_sink_that_has_given_up_waiting_for_a_place_has_sent_nothing_and_waits_again() {
    let (mut client, server) = pair();
    let (mut sender, _receiver) = server.spawn();
    let message = Message::binary(vec![7; 100_000]);
    let mut sent = 0;
    let wait = Duration::from_millis(10);
    while let Ok(fed) = timeout(wait, sender.feed(message.clone())).await {
        fed.unwrap();
        sent += 1;
    }
    let mut clone = sender.clone();
    assert!(clone.feed(message.clone()).now_or_never().is_none(), "a clone has no place of its own");
    drop(clone);
    let last = async {
        in_time(sender.feed(text("last"))).await.unwrap();
        sender
    };
    let received = async {
        for _ in 0..sent {
            assert_eq!(client.receive().await.unwrap(), message);
        }
        assert_eq!(client.receive().await.unwrap(), text("last"));
    };
    tokio::join!(last, in_time(received));
}

#[tokio::test(start_paused = true)]
async fn a_sink_that_has_given_up_a_flush_waits_for_what_was_sent_since() {
    for is_fed in [false, true] {
        let (mut client, server) = pair();
        let (mut sender, _receiver) = server.spawn();
        let message = Message::binary(vec![7; 1 << 20]);
        sender.send(message.clone()).await.unwrap();
        assert!(SinkExt::flush(&mut sender).now_or_never().is_none(), "the peer reads nothing");
        if is_fed {
            sender.feed(message.clone()).await.unwrap();
        } else {
            sender.send(message.clone()).await.unwrap();
        }
        assert_eq!(client.receive().await.unwrap(), message);
        let wait = Duration::from_millis(10);
        assert!(timeout(wait, SinkExt::flush(&mut sender)).await.is_err(), "nobody has read the second");
        assert_eq!(client.receive().await.unwrap(), message);
        assert_eq!(in_time(SinkExt::flush(&mut sender)).await, Ok(()));
    }
}

#[tokio::test(start_paused = true)]
async fn a_flush_that_was_given_up_holds_nothing_back() {
    let (_client, server) = pair();
    let (sender, _receiver) = server.spawn();
    sender.send(Message::binary(vec![7; 100_000])).await.unwrap();
    assert!(timeout(Duration::from_millis(10), sender.flush()).await.is_err(), "the peer reads nothing");
    // More than there is room for in the queue.
    for n in 0..200 {
        in_time(sender.send(text(&n.to_string()))).await.unwrap();
    }
}

#[test]
fn a_half_of_a_task_can_be_shared() {
    fn is_shared<T: Clone + Send + Sync + Unpin>() {}
    is_shared::<Sender>();
}
