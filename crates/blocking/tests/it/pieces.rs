//! Messages in pieces, over WebSockets that are driven by a thread.

use std::thread;

use bowline_core::closing::CloseError;
use bowline_core::connection::{Config, SendError};
use bowline_core::frame::Limits;
use bowline_core::message::{Delivery, Piece};
use bowline_core::{Close, Message};

use crate::common::{Over, pair, within};

fn in_pieces() -> Config {
    let mut config = Config::default();
    config.delivery = Delivery::Pieces;
    config.limits = Limits::none();
    config
}

pub(crate) fn a_long_message_goes_in_pieces_from_half_to_half(over: Over) {
    within(move || {
        let (client, server) = pair(over, Config::default(), in_pieces());
        let (_sender, mut receiver) = server.spawn().unwrap();
        let (sender, mut ending) = client.spawn().unwrap();
        let sending = thread::spawn(move || {
            for _ in 0..100 {
                sender.send_piece(Piece::binary(vec![7; 100_000])).unwrap();
            }
            sender.send_piece(Piece::binary("").last()).unwrap();
            sender.close(Close::normal()).unwrap();
            sender.close(Close::normal())
        });
        let (mut bytes, mut lasts) = (0, 0);
        while let Ok(piece) = receiver.receive_piece() {
            bytes += piece.len();
            lasts += usize::from(piece.is_last);
        }
        assert_eq!((bytes, lasts), (10_000_000, 1));
        assert_eq!(sending.join().unwrap(), Err(CloseError::AlreadyClosing));
        assert_eq!(ending.ended().to_string(), "sent 1000 (OK); then received 1000 (OK)");
    });
}

pub(crate) fn a_piece_leaves_although_its_owner_does_something_else(over: Over) {
    within(move || {
        let (mut client, mut server) = pair(over, Config::default(), Config::default());
        client.send_piece(Piece::text("now").last()).unwrap();
        assert_eq!(server.receive().unwrap(), Message::text("now"));
        drop(client);
    });
}

pub(crate) fn a_message_or_piece_out_of_order_comes_back(over: Over) {
    within(move || {
        let (mut client, mut server) = pair(over, Config::default(), in_pieces());
        client.send_piece(Piece::text("begun")).unwrap();
        let (message, piece) = (Message::text("other"), Piece::binary("other"));
        // The halves know what was begun before, also by each other.
        let (sender, _receiver) = client.spawn().unwrap();
        let other = sender.clone();
        assert_eq!(other.send(message.clone()), Err(SendError::Unfinished(message.clone())));
        assert_eq!(other.try_send(message.clone()), Err(SendError::Unfinished(message.clone())));
        assert_eq!(other.send_piece(piece.clone()), Err(SendError::OtherKind(piece.clone())));
        assert_eq!(other.try_send_piece(piece.clone()), Err(SendError::OtherKind(piece)));
        sender.try_send_piece(Piece::text(" and ended").last()).unwrap();
        other.send(message.clone()).unwrap();
        assert_eq!(server.receive().unwrap(), Message::text("begun and ended"));
        assert_eq!(server.receive().unwrap(), message);
    });
}

pub(crate) fn a_thread_takes_over_messages_that_came_while_its_owner_sent(over: Over) {
    within(move || {
        for config in [Config::default(), in_pieces()] {
            let (mut client, mut server) = pair(over, Config::default(), config);
            client.send(Message::text("early")).unwrap();
            client.flush().unwrap();
            let message = Message::binary(vec![7; 4 << 20]);
            let reading = thread::spawn(move || {
                for _ in 0..3 {
                    assert_eq!(client.receive().unwrap().len(), 4 << 20);
                }
                client
            });
            // A sender that waits for room reads what arrives.
            for _ in 0..3 {
                server.send(message.clone()).unwrap();
            }
            let (_sender, mut receiver) = server.spawn().unwrap();
            assert_eq!(receiver.receive().unwrap(), Message::text("early"));
            reading.join().unwrap();
        }
    });
}
