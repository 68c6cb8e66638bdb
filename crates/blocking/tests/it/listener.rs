//! A thread for each client.

use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use bowline_blocking::{Listener, WebSocket};
use bowline_core::{Close, Message};

use crate::common::{LIMIT, within};

#[test]
fn a_client_more_than_are_served_waits_for_a_place() {
    within(|| {
        let listener = Listener::bind("127.0.0.1:0").unwrap().with_most(1);
        let url = format!("ws://{}/", listener.local_addr().unwrap());
        let stopper = listener.stopper();
        let (came, coming) = mpsc::channel();
        let server = thread::spawn(move || {
            listener.serve(move |stream, _| {
                let mut socket = WebSocket::accept(stream).unwrap();
                came.send(()).unwrap();
                while let Ok(message) = socket.receive() {
                    socket.send(message).unwrap();
                }
            })
        });
        let mut first = WebSocket::connect(&url).unwrap();
        coming.recv_timeout(LIMIT).unwrap();
        let second = thread::spawn({
            let url = url.clone();
            move || WebSocket::connect(&url).unwrap()
        });
        assert!(coming.recv_timeout(Duration::from_millis(200)).is_err(), "there is one place");
        first.close(Close::normal()).unwrap();
        first.ended();
        coming.recv_timeout(LIMIT).unwrap();

        // Who is there when it stops is served on.
        let mut second = second.join().unwrap();
        stopper.stop();
        let left = server.join().unwrap().unwrap();
        assert_eq!(left.count(), 1);
        assert!(WebSocket::connect(&url).is_err(), "nobody listens");
        second.send(Message::text("still there?")).unwrap();
        assert_eq!(second.receive().unwrap(), Message::text("still there?"));
        assert!(!left.wait(Duration::from_millis(10)));
        drop(second);
        assert!(left.wait(LIMIT));
    });
}
