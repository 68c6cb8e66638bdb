//! A WebSocket that is dialled again: its wiring. What it decides is tested without sockets.

use std::io::Write;
use std::net::{TcpListener, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

use bowline_blocking::accept::{self, Accept, Decision};
use bowline_blocking::{GaveUp, LinkEvent, LinkState, ReconnectingConfig, ReconnectingWebSocket, WebSocket};
use bowline_core::connection::SendError;
use bowline_core::message::Delivery;
use bowline_core::{Close, CloseCode, Message};
use bowline_handshake::client::Request;

const MOMENT: Duration = Duration::from_millis(10);

fn listen() -> (TcpListener, ReconnectingWebSocket) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("ws://{}/", listener.local_addr().unwrap());
    (listener, ReconnectingWebSocket::new(&url, ReconnectingConfig::default()).unwrap())
}

fn accept(listener: &TcpListener) -> WebSocket<TcpStream> {
    let (stream, _) = listener.accept().unwrap();
    WebSocket::accept(stream).unwrap()
}

/// Takes events until a link is up; returns the names of the others.
fn until_up(socket: &mut ReconnectingWebSocket) -> Vec<String> {
    let mut before = Vec::new();
    loop {
        match socket.event().expect("it has not ended") {
            LinkEvent::Up { .. } => return before,
            event => before.push(format!("{event:?}").split([' ', '{', '(']).next().unwrap().to_owned()),
        }
    }
}

#[test]
fn a_dial_after_one_that_timed_out_has_twice_as_long() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut config = ReconnectingConfig::default();
    config.dial.connect_timeout = Duration::from_millis(100);
    config.reconnect.first_window = Duration::ZERO;
    let url = format!("ws://{}/", listener.local_addr().unwrap());
    let mut socket = ReconnectingWebSocket::new(&url, config).unwrap();
    for time in ["100 ms", "200 ms"] {
        let why = loop {
            if let LinkEvent::DialFailed { disconnect, .. } = socket.event().expect("it has not ended") {
                break disconnect.to_string();
            }
        };
        assert!(why.contains(time), "{why}, not after {time}");
    }
}

#[test]
fn each_state_of_a_connection_that_is_lost_and_made_again_is_reported() {
    let (listener, mut socket) = listen();
    let server = thread::spawn(move || {
        drop(accept(&listener));
        let mut again = accept(&listener);
        again.send(Message::text("again")).unwrap();
        again.ended()
    });
    assert_eq!(until_up(&mut socket), ["Dialing"]);
    assert!(matches!(socket.state(), LinkState::Up));
    assert!(socket.rtt().is_some(), "the handshake has shown it");
    assert_eq!(until_up(&mut socket), ["Down", "Waiting", "Dialing"]);
    assert_eq!(socket.receive(), Ok(Message::text("again")));

    socket.close(Close::normal());
    assert_eq!(socket.receive(), Err(GaveUp::Closed));
    assert!(matches!(socket.state(), LinkState::Ended { .. }));
    assert_eq!(server.join().unwrap().to_string(), "received 1000 (OK); then sent 1000 (OK)");
}

#[test]
fn the_subprotocol_that_the_server_has_chosen_is_known() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("ws://{}/", listener.local_addr().unwrap());
    let request = Request::new(&url).unwrap().with_subprotocol("b").unwrap().with_subprotocol("a").unwrap();
    let mut socket = ReconnectingWebSocket::with_request(request, ReconnectingConfig::default()).unwrap();
    assert_eq!(socket.subprotocol(), None);
    let server = thread::spawn(move || {
        let (stream, _) = listener.accept().unwrap();
        let decide =
            |_: &http::Request<()>, _: &[String]| Decision::Accept(Accept::new().with_subprotocol("a"));
        accept::accept(stream, &accept::Config::default(), decide).unwrap()
    });
    until_up(&mut socket);
    assert_eq!(socket.subprotocol(), Some("a"));
    drop(server.join().unwrap());
}

#[test]
fn a_message_without_a_connection_comes_back() {
    let (listener, mut socket) = listen();
    let refused = socket.send(Message::text("early"));
    assert_eq!(refused, Err(SendError::Closing(Message::text("early"))));
    let server = thread::spawn(move || accept(&listener).receive());
    until_up(&mut socket);
    socket.send(Message::text("in time")).unwrap();
    assert_eq!(server.join().unwrap().unwrap(), Message::text("in time"));
}

#[test]
fn a_dial_outlives_the_calls_that_wait_for_it() {
    let (listener, mut socket) = listen();
    for _ in 0..5 {
        assert_eq!(socket.receive_timeout(MOMENT), Ok(None), "nobody answers yet");
    }
    let server = thread::spawn(move || {
        let mut socket = accept(&listener);
        socket.send(Message::text("the first dial")).unwrap();
        socket.ended()
    });
    assert_eq!(socket.receive(), Ok(Message::text("the first dial")));
    assert_eq!(socket.receive_timeout(MOMENT), Ok(None), "no other message");
    drop(socket);
    server.join().unwrap();
}

#[test]
fn a_wait_for_the_next_dial_ends_on_time() {
    // Nobody listens there.
    let mut socket = ReconnectingWebSocket::new("ws://127.0.0.1:1/", ReconnectingConfig::default()).unwrap();
    while !matches!(socket.state(), LinkState::Waiting { .. }) {
        socket.event().unwrap();
    }
    let start = Instant::now();
    while socket.event_timeout(MOMENT).unwrap().is_some() {}
    assert!(start.elapsed() >= MOMENT);
}

#[test]
fn a_refusal_by_the_server_ends_it() {
    let (listener, mut socket) = listen();
    let server = thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        stream.write_all(b"HTTP/1.1 401 Unauthorized\r\ncontent-length: 0\r\n\r\n").unwrap();
        stream
    });
    let Err(GaveUp::Refused(why)) = socket.receive() else { panic!("it said no") };
    assert!(why.contains("401"), "{why}");
    assert_eq!(socket.receive_timeout(MOMENT), Err(GaveUp::Refused(why)), "again and again");
    drop(server.join().unwrap());
}

#[test]
fn a_server_that_closed_normally_can_be_dialled_again() {
    let (listener, mut socket) = listen();
    let server = thread::spawn(move || {
        let mut first = accept(&listener);
        first.close(Close::normal()).unwrap();
        first.ended();
        accept(&listener).send(Message::text("again"))
    });
    assert!(matches!(socket.receive(), Err(GaveUp::Refused(why)) if why.contains("1000 (OK)")));
    socket.dial();
    assert_eq!(socket.receive(), Ok(Message::text("again")));
    server.join().unwrap().unwrap();
}

#[test]
fn a_connection_closed_before_it_was_dialled_is_not_dialled() {
    let (listener, mut socket) = listen();
    socket.close(Close::normal());
    assert_eq!(socket.receive(), Err(GaveUp::Closed));
    listener.set_nonblocking(true).unwrap();
    assert!(listener.accept().is_err(), "nobody comes");
}

#[test]
fn messages_that_arrive_in_pieces_are_received_whole() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut config = ReconnectingConfig::default();
    config.connection.delivery = Delivery::Pieces;
    let url = format!("ws://{}/", listener.local_addr().unwrap());
    let mut socket = ReconnectingWebSocket::new(&url, config).unwrap();
    let long = Message::binary(vec![7; 1 << 20]);
    let server = thread::spawn({
        let long = long.clone();
        move || {
            let mut socket = accept(&listener);
            socket.send(long).unwrap();
            socket.ended()
        }
    });
    assert_eq!(socket.receive(), Ok(long));
    drop(socket);
    server.join().unwrap();
}

#[test]
fn a_close_that_must_not_be_sent_ends_it_too() {
    let (listener, mut socket) = listen();
    let server = thread::spawn(move || accept(&listener).ended());
    until_up(&mut socket);
    socket.close(Close::decode(&1006_u16.to_be_bytes()).0);
    assert_eq!(socket.receive(), Err(GaveUp::Closed));
    assert_eq!(server.join().unwrap().code(), CloseCode::NORMAL);
}
