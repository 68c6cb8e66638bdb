//! A WebSocket that is dialled again: its wiring. What it decides is tested without sockets.

use std::time::Duration;

use bowline_core::connection::{Event, SendError};
use bowline_core::message::Delivery;
use bowline_core::{Close, CloseCode, Message};
use bowline_handshake::client::Request;
use bowline_tokio::accept::{self, Accept, Decision};
use bowline_tokio::{GaveUp, LinkEvent, LinkState, ReconnectingConfig, ReconnectingWebSocket, WebSocket};
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;

use crate::common::in_time;

async fn listen() -> (TcpListener, ReconnectingWebSocket) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("ws://{}/", listener.local_addr().unwrap());
    (listener, ReconnectingWebSocket::new(&url, ReconnectingConfig::default()).unwrap())
}

async fn accept(listener: &TcpListener) -> WebSocket<TcpStream> {
    let (stream, _) = listener.accept().await.unwrap();
    WebSocket::accept(stream).await.unwrap()
}

/// Takes events until one of them is of this kind; returns the names of the others.
async fn until(socket: &mut ReconnectingWebSocket, kind: fn(&LinkEvent) -> bool) -> Vec<String> {
    let mut before = Vec::new();
    loop {
        match in_time(socket.event()).await.expect("it has not ended") {
            event if kind(&event) => return before,
            event => before.push(format!("{event:?}").split([' ', '{', '(']).next().unwrap().to_owned()),
        }
    }
}

fn is_up(event: &LinkEvent) -> bool {
    matches!(event, LinkEvent::Up { .. })
}

#[tokio::test]
async fn a_dial_after_one_that_timed_out_has_twice_as_long() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mut config = ReconnectingConfig::default();
    config.dial.connect_timeout = Duration::from_millis(100);
    config.reconnect.first_window = Duration::ZERO;
    let url = format!("ws://{}/", listener.local_addr().unwrap());
    let mut socket = ReconnectingWebSocket::new(&url, config).unwrap();
    for time in ["100 ms", "200 ms"] {
        let why = loop {
            if let LinkEvent::DialFailed { disconnect, .. } = in_time(socket.event()).await.unwrap() {
                break disconnect.to_string();
            }
        };
        assert!(why.contains(time), "{why}, not after {time}");
    }
}

#[tokio::test]
async fn each_state_of_a_connection_that_is_lost_and_made_again_is_reported() {
    let (listener, mut socket) = listen().await;
    let server = tokio::spawn(async move {
        drop(accept(&listener).await);
        let mut again = accept(&listener).await;
        again.send(Message::text("again")).await.unwrap();
        again.ended().await
    });
    assert_eq!(until(&mut socket, is_up).await, ["Dialing"]);
    assert!(matches!(socket.state(), LinkState::Up));
    assert!(socket.rtt().is_some(), "the handshake has shown it");
    assert_eq!(until(&mut socket, is_up).await, ["Down", "Waiting", "Dialing"]);
    assert_eq!(in_time(socket.receive()).await, Ok(Message::text("again")));

    socket.close(Close::normal());
    let end = in_time(socket.event()).await;
    let Ok(LinkEvent::Notice(Event::CloseSent(_) | Event::CloseReceived(_)) | LinkEvent::Down { .. }) = end
    else {
        panic!("{end:?}")
    };
    assert_eq!(in_time(socket.receive()).await, Err(GaveUp::Closed));
    assert!(matches!(socket.state(), LinkState::Ended { .. }));
    assert_eq!(in_time(server).await.unwrap().to_string(), "received 1000 (OK); then sent 1000 (OK)");
}

#[tokio::test]
async fn the_subprotocol_that_the_server_has_chosen_is_known() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("ws://{}/", listener.local_addr().unwrap());
    let request = Request::new(&url).unwrap().with_subprotocol("b").unwrap().with_subprotocol("a").unwrap();
    let mut socket = ReconnectingWebSocket::with_request(request, ReconnectingConfig::default()).unwrap();
    assert_eq!(socket.subprotocol(), None);
    let server = tokio::spawn(async move {
        let (stream, _) = listener.accept().await.unwrap();
        let decide =
            |_: &http::Request<()>, _: &[String]| Decision::Accept(Accept::new().with_subprotocol("a"));
        accept::accept(stream, &accept::Config::default(), decide).await.unwrap()
    });
    until(&mut socket, is_up).await;
    assert_eq!(socket.subprotocol(), Some("a"));
    drop(in_time(server).await.unwrap());
}

#[tokio::test]
async fn a_message_without_a_connection_comes_back() {
    let (listener, mut socket) = listen().await;
    let refused = socket.send(Message::text("early")).await;
    assert_eq!(refused, Err(SendError::Closing(Message::text("early"))));
    let server = tokio::spawn(async move { accept(&listener).await.receive().await });
    until(&mut socket, is_up).await;
    in_time(socket.send(Message::text("in time"))).await.unwrap();
    assert_eq!(in_time(server).await.unwrap().unwrap(), Message::text("in time"));
}

#[tokio::test]
async fn a_dial_outlives_the_calls_that_wait_for_it() {
    let (listener, mut socket) = listen().await;
    for _ in 0..5 {
        assert!(timeout(Duration::from_millis(10), socket.receive()).await.is_err(), "nobody answers yet");
    }
    let (stream, _) = listener.accept().await.unwrap();
    let server = tokio::spawn(async move {
        let mut socket = WebSocket::accept(stream).await.unwrap();
        socket.send(Message::text("the first dial")).await.unwrap();
        socket.ended().await
    });
    assert_eq!(in_time(socket.receive()).await, Ok(Message::text("the first dial")));
    server.abort();
}

#[tokio::test]
async fn a_refusal_by_the_server_ends_it() {
    let (listener, mut socket) = listen().await;
    let server = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let answer = "HTTP/1.1 401 Unauthorized\r\ncontent-length: 0\r\n\r\n";
        stream.write_all(answer.as_bytes()).await.unwrap();
        stream
    });
    let Err(GaveUp::Refused(why)) = in_time(socket.receive()).await else { panic!("it said no") };
    assert!(why.contains("401"), "{why}");
    assert_eq!(in_time(socket.receive()).await, Err(GaveUp::Refused(why)), "again and again");
    drop(server.await.unwrap());
}

#[tokio::test]
async fn a_server_that_closed_normally_can_be_dialled_again() {
    let (listener, mut socket) = listen().await;
    let server = tokio::spawn(async move {
        let mut first = accept(&listener).await;
        first.close(Close::normal()).unwrap();
        first.ended().await;
        accept(&listener).await.send(Message::text("again")).await
    });
    assert!(
        matches!(in_time(socket.receive()).await, Err(GaveUp::Refused(why)) if why.contains("1000 (OK)"))
    );
    socket.dial();
    assert_eq!(in_time(socket.receive()).await, Ok(Message::text("again")));
    in_time(server).await.unwrap().unwrap();
}

#[tokio::test]
async fn a_connection_closed_before_it_was_dialled_is_not_dialled() {
    let (listener, mut socket) = listen().await;
    socket.close(Close::normal());
    assert_eq!(in_time(socket.receive()).await, Err(GaveUp::Closed));
    assert!(timeout(Duration::from_millis(20), listener.accept()).await.is_err(), "nobody comes");
}

#[tokio::test]
async fn messages_that_arrive_in_pieces_are_received_whole() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mut config = ReconnectingConfig::default();
    config.connection.delivery = Delivery::Pieces;
    let url = format!("ws://{}/", listener.local_addr().unwrap());
    let mut socket = ReconnectingWebSocket::new(&url, config).unwrap();
    let long = Message::binary(vec![7; 1 << 20]);
    let server = tokio::spawn({
        let long = long.clone();
        async move {
            let mut socket = accept(&listener).await;
            socket.send(long).await.unwrap();
            socket.ended().await
        }
    });
    assert_eq!(in_time(socket.receive()).await, Ok(long));
    server.abort();
}

#[tokio::test]
async fn a_close_that_must_not_be_sent_ends_it_too() {
    let (listener, mut socket) = listen().await;
    let server = tokio::spawn(async move { accept(&listener).await.ended().await });
    until(&mut socket, is_up).await;
    socket.close(Close::decode(&1006_u16.to_be_bytes()).0);
    assert_eq!(in_time(socket.receive()).await, Err(GaveUp::Closed));
    assert_eq!(in_time(server).await.unwrap().code(), CloseCode::NORMAL);
}
