use std::time::Duration;

use bowline_core::closing::Kind;
use bowline_core::connection::{Config, SendError};
use bowline_core::frame::Limits;
use bowline_core::message::{Delivery, Piece};
use bowline_core::{Close, Message};
use bowline_tokio::WebSocket;
use tokio::io::DuplexStream;
use tokio::time::{sleep, timeout};

use crate::common::{self, in_time, quiet};

fn in_pieces() -> Config {
    let mut config = quiet();
    config.delivery = Delivery::Pieces;
    config.limits = Limits::none();
    config
}

fn pair(client: Config, server: Config) -> (WebSocket<DuplexStream>, WebSocket<DuplexStream>) {
    let (client, server) = common::pair(client, server);
    (WebSocket::new(client), WebSocket::new(server))
}

/// How many bytes come before the last piece, and the end of it.
async fn count(socket: &mut WebSocket<DuplexStream>) -> usize {
    let mut bytes = 0;
    loop {
        let piece = socket.receive_piece().await.unwrap();
        bytes += piece.len();
        if piece.is_last {
            return bytes;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_long_message_is_echoed_in_pieces_by_all_forms() {
    let (client, mut polled) = pair(in_pieces(), in_pieces());
    let echo = async {
        while let Ok(piece) = polled.receive_piece().await {
            polled.send_piece(piece).await.unwrap();
        }
        polled.ended().await
    };
    let (sender, mut receiver) = client.spawn();
    let send = async {
        for n in 0..1000_u32 {
            sender.send_piece(Piece::binary(vec![n as u8; 10_000])).await.unwrap();
        }
        sender.send_piece(Piece::binary("").last()).await.unwrap();
        sender.send(Message::text("done")).await.unwrap();
        // After all of it: this waits for the answers no more than the echo does.
        sender.close(Close::normal()).await.unwrap();
    };
    let receive = async {
        let (mut bytes, mut pieces) = (0, 0);
        loop {
            let piece = receiver.receive_piece().await.unwrap();
            bytes += piece.len();
            pieces += 1;
            if piece.is_last {
                break;
            }
        }
        assert_eq!(receiver.receive().await, Ok(Message::text("done")));
        (bytes, pieces, receiver.ended().await)
    };
    let (at_server, (), (bytes, pieces, at_client)) =
        in_time(async { tokio::join!(echo, send, receive) }).await;
    assert_eq!(bytes, 10_000_000);
    assert!(pieces > 100, "{pieces}");
    assert_eq!(at_server.to_string(), "received 1000 (OK); then sent 1000 (OK)");
    assert_eq!(at_client.to_string(), "sent 1000 (OK); then received 1000 (OK)");
}

#[tokio::test(start_paused = true)]
async fn a_slow_owner_of_pieces_holds_the_peer_back() {
    let (mut client, mut server) = pair(quiet(), in_pieces());
    let message = Message::binary(vec![0; 10_000_000]);
    client.send(message).await.unwrap();
    assert!(timeout(Duration::from_secs(60), client.flush()).await.is_err());
    let first = server.receive_piece().await.unwrap();
    assert!(!first.is_last && first.len() < 1 << 20);
    assert!(timeout(Duration::from_secs(60), client.flush()).await.is_err());
    assert!(client.conn().queued() > 9_000_000);
    let (rest, flushed) = in_time(async { tokio::join!(count(&mut server), client.flush()) }).await;
    assert_eq!(flushed, Ok(()));
    assert_eq!(first.len() + rest, 10_000_000);
}

#[tokio::test(start_paused = true)]
async fn messages_and_pieces_can_each_be_received_as_the_other() {
    let (mut client, mut server) = pair(quiet(), in_pieces());
    client.send(Message::text("whole")).await.unwrap();
    client.try_send_piece(Piece::text("in ")).unwrap();
    client.flush().await.unwrap();
    sleep(Duration::from_secs(1)).await;
    assert_eq!(server.receive().await, Ok(Message::text("whole")));
    client.send_piece(Piece::text("pieces").last()).await.unwrap();
    assert_eq!(server.receive().await, Ok(Message::text("in pieces")));
    // An owner who does not want pieces gets them as messages.
    server.send_piece(Piece::binary("x").last()).await.unwrap();
    assert_eq!(client.receive_piece().await, Ok(Piece::binary("x").last()));
}

#[tokio::test(start_paused = true)]
async fn a_message_or_piece_out_of_order_comes_back() {
    let (mut client, mut server) = pair(quiet(), in_pieces());
    client.send_piece(Piece::text("begun")).await.unwrap();
    let (message, piece) = (Message::text("other"), Piece::binary("other"));
    assert_eq!(client.send(message.clone()).await, Err(SendError::Unfinished(message.clone())));
    assert_eq!(client.send_piece(piece.clone()).await, Err(SendError::OtherKind(piece.clone())));

    // The halves know what was begun before, also by each other.
    let (sender, _receiver) = client.spawn();
    let other = sender.clone();
    assert_eq!(other.send(message.clone()).await, Err(SendError::Unfinished(message.clone())));
    assert_eq!(other.try_send(message.clone()), Err(SendError::Unfinished(message.clone())));
    assert_eq!(other.send_piece(piece.clone()).await, Err(SendError::OtherKind(piece.clone())));
    assert_eq!(other.try_send_piece(piece.clone()), Err(SendError::OtherKind(piece)));
    sender.try_send_piece(Piece::text(" and ended").last()).unwrap();
    other.send(message.clone()).await.unwrap();
    assert_eq!(server.receive().await, Ok(Message::text("begun and ended")));
    assert_eq!(server.receive().await, Ok(message));
}

#[tokio::test(start_paused = true)]
async fn a_queue_that_is_full_says_how_full() {
    let (client, _server) = pair(quiet(), quiet());
    let (sender, _receiver) = client.spawn();
    let refused = loop {
        if let Err(refused) = sender.try_send_piece(Piece::binary(vec![0; 100_000])) {
            break refused;
        }
    };
    assert_eq!(refused.to_string(), "no room in the send queue: 32 of 32 are taken");
    assert_eq!(refused.into_inner().len(), 100_000);
}

#[tokio::test(start_paused = true)]
async fn a_message_that_is_given_up_has_no_last_piece() {
    let (mut client, mut server) = pair(quiet(), in_pieces());
    client.send_piece(Piece::text("half")).await.unwrap();
    client.close(Close::normal()).unwrap();
    let late = Piece::text("late");
    assert_eq!(client.send_piece(late.clone()).await, Err(SendError::Closing(late)));
    let (end, _) = tokio::join!(
        async {
            assert_eq!(server.receive_piece().await, Ok(Piece::text("half")));
            server.receive_piece().await.unwrap_err()
        },
        client.ended()
    );
    assert_eq!((end.kind(), end.incomplete_message()), (Kind::Clean, 4));
}
