//! Halves whose peer pings and never reads.

use std::io::Write;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use bowline_blocking::{Receiver, Sender, Unsent, WebSocket};
use bowline_core::closing::Kind;
use bowline_core::connection::{Config, SendError};
use bowline_core::{Close, Message};

use crate::common::{LIMIT, Over, pair, streams, within};

/// A client whose queue is full, and the peer, which ends when the transport does.
fn scene(stall_timeout: Duration) -> (Sender, Receiver, JoinHandle<()>) {
    let (dialed, accepted) = streams(Over::Tcp);
    let mut stream = accepted.stream;
    let peer = thread::spawn(move || {
        while stream.write_all(b"\x89\x00").is_ok() {
            thread::sleep(Duration::from_millis(5));
        }
    });
    let mut config = Config::default();
    config.closing.stall_timeout = stall_timeout;
    let (sender, receiver) = WebSocket::client(dialed, config).unwrap().spawn().unwrap();
    let message = Message::binary(vec![0; 1 << 20]);
    let mut refused = 0;
    while refused < 20 {
        match sender.try_send(message.clone()) {
            Ok(()) => refused = 0,
            Err(SendError::Full { .. }) => {
                refused += 1;
                thread::sleep(Duration::from_millis(10));
            }
            Err(error) => unreachable!("{error}"),
        }
    }
    (sender, receiver, peer)
}

#[test]
fn a_close_does_not_wait_until_a_peer_takes_what_is_queued() {
    within(|| {
        let (sender, mut receiver, peer) = scene(Duration::from_millis(200));
        sender.close(Close::normal()).unwrap();
        let late = Message::text("late");
        assert_eq!(sender.send(late.clone()), Err(SendError::Closing(late)), "nothing goes behind a Close");
        assert_eq!(receiver.ended().kind(), Kind::WriteStall);
        peer.join().unwrap();
    });
}

#[test]
fn dropping_both_halves_ends_a_connection_whose_peer_takes_nothing() {
    within(|| {
        let (sender, receiver, peer) = scene(Duration::from_millis(200));
        drop((sender, receiver));
        peer.join().unwrap();
    });
}

#[test]
fn any_clone_can_drop_the_connection_at_once() {
    within(|| {
        let (sender, mut receiver, peer) = scene(10 * LIMIT);
        let waiting = sender.clone();
        let waiting = thread::spawn(move || {
            loop {
                if let Err(refused) = waiting.send(Message::text("waits")) {
                    return refused;
                }
            }
        });
        sender.abort();
        assert_eq!(receiver.ended().kind(), Kind::LocalAbort);
        assert_eq!(waiting.join().unwrap(), SendError::Closing(Message::text("waits")));
        assert!(sender.is_closed());
        peer.join().unwrap();
    });
}

#[test]
fn a_flush_tells_what_a_deaf_peer_loses() {
    within(|| {
        let (sender, mut receiver, peer) = scene(Duration::from_millis(200));
        let flushing = sender.clone();
        let flushing = thread::spawn(move || flushing.flush());
        sender.close(Close::normal()).unwrap();
        assert_eq!(flushing.join().unwrap(), Err(Unsent::Lost));
        receiver.ended();
        assert_eq!(sender.flush(), Err(Unsent::Lost));
        peer.join().unwrap();
    });
}

#[test]
fn a_flush_waits_until_all_has_left() {
    within(|| {
        let (client, mut server) = pair(Over::Tcp, Config::default(), Config::default());
        let (sender, mut receiver) = client.spawn().unwrap();
        let reading = thread::spawn(move || {
            for _ in 0..20 {
                server.receive().unwrap();
            }
            server.ended()
        });
        for _ in 0..20 {
            sender.send(Message::binary(vec![7; 1 << 20])).unwrap();
        }
        assert_eq!(sender.flush(), Ok(()));
        sender.close(Close::normal()).unwrap();
        receiver.ended();
        assert_eq!(sender.flush(), Ok(()));
        assert_eq!(reading.join().unwrap().kind(), Kind::Clean);
    });
}
