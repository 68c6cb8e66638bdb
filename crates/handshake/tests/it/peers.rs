//! Both roles against each other, and each against tungstenite's own handshake.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::io::{self, Read, Write};
use std::rc::Rc;

use bowline_handshake::server::{Accept, negotiate};
use bowline_handshake::{Config, client, server};
use tungstenite::handshake::HandshakeError;
use tungstenite::handshake::client::ClientHandshake;
use tungstenite::handshake::server::{Request as TheirRequest, Response as TheirResponse, ServerHandshake};

use crate::common::{NONCE, NOW, text};

fn request() -> client::Request {
    let request = client::Request::new("wss://ann:pw@[::1]:9001/a%20b?c=d").unwrap();
    let request = request.with_subprotocol("chat.v1").unwrap().with_subprotocol("chat.v2").unwrap();
    request.with_header("origin", "https://example.org").unwrap().with_header("x-note", "grün").unwrap()
}

#[test]
fn both_roles_meet_byte_by_byte() {
    let mut client = client::Handshake::new(&request(), NONCE, Config::default(), NOW);
    let mut server = server::Handshake::new(Config::default(), NOW);
    while let Some(byte) = client.output().first().copied() {
        assert!(server.request().is_none());
        server.handle_input(NOW, &[byte]);
        client.handle_written(NOW, 1);
    }
    let subprotocol = negotiate(&["chat.v2", "chat.v1"], server.subprotocols()).unwrap();
    server.accept(NOW, &Accept::new().with_subprotocol(subprotocol)).unwrap();
    while let Some(byte) = server.output().first().copied() {
        assert!(client.poll_result().is_none());
        client.handle_input(NOW, &[byte]);
        server.handle_written(NOW, 1);
    }
    let at_client = client.poll_result().unwrap().unwrap();
    let at_server = server.poll_result().unwrap().unwrap();
    assert_eq!(at_client.subprotocol.as_deref(), Some("chat.v2"));
    assert_eq!(at_server.subprotocol, at_client.subprotocol);
    assert_eq!(at_server.request.uri(), "/a%20b?c=d");
    let headers = at_server.request.headers();
    assert_eq!(headers["host"], "[::1]:9001");
    assert_eq!(headers["authorization"], "Basic YW5uOnB3");
    assert_eq!(headers["x-note"].as_bytes(), "grün".as_bytes());
}

#[test]
fn a_rejection_reaches_the_client_with_its_text() {
    let mut client = client::Handshake::new(&request(), NONCE, Config::default(), NOW);
    let mut server = server::Handshake::new(Config::default(), NOW);
    server.handle_input(NOW, client.output());
    client.handle_written(NOW, client.output().len());
    let response = http::Response::builder().status(503).header("retry-after", 9).body("full").unwrap();
    server.reject(NOW, &response).unwrap();
    client.handle_input(NOW, server.output());
    assert_eq!(
        client.poll_result().unwrap().unwrap_err().to_string(),
        "the server is overloaded or down for maintenance (503 Service Unavailable) and asks us to wait 9 s: \"full\""
    );
}

/// A transport in memory that tungstenite reads and writes, and that would block if there is nothing to read.
#[derive(Clone, Debug, Default)]
struct Pipe {
    to_them: Rc<RefCell<VecDeque<u8>>>,
    from_them: Rc<RefCell<Vec<u8>>>,
}

impl Pipe {
    fn send(&self, bytes: &[u8]) {
        self.to_them.borrow_mut().extend(bytes);
    }

    fn received(&self) -> Vec<u8> {
        self.from_them.take()
    }
}

impl Read for Pipe {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let mut to_them = self.to_them.borrow_mut();
        if to_them.is_empty() { Err(io::ErrorKind::WouldBlock.into()) } else { to_them.read(buffer) }
    }
}

impl Write for Pipe {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.from_them.borrow_mut().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
#[expect(clippy::result_large_err, reason = "their callback returns what it does")]
fn our_client_is_accepted_by_tungstenite() {
    let pipe = Pipe::default();
    let mut client = client::Handshake::new(&request(), NONCE, Config::default(), NOW);
    pipe.send(client.output());
    client.handle_written(NOW, client.output().len());
    let choose = |request: &TheirRequest, mut response: TheirResponse| {
        assert_eq!(request.uri().path(), "/a%20b");
        assert_eq!(request.headers()["sec-websocket-protocol"], "chat.v1, chat.v2");
        response.headers_mut().insert("sec-websocket-protocol", "chat.v2".parse().unwrap());
        Ok(response)
    };
    let mut socket = ServerHandshake::start(pipe.clone(), choose, None).handshake().expect("they accept");
    socket.send("hello".into()).unwrap();
    client.handle_input(NOW, &pipe.received());
    let upgraded = client.poll_result().unwrap().unwrap();
    assert_eq!(upgraded.subprotocol.as_deref(), Some("chat.v2"));
    assert_eq!(upgraded.leftover, "\u{81}\u{5}hello".chars().map(|c| c as u8).collect::<Vec<_>>());
}

/// A tungstenite client that has sent its request.
fn their_client(pipe: &Pipe) -> tungstenite::handshake::MidHandshake<ClientHandshake<Pipe>> {
    let request = TheirRequest::builder()
        .uri("ws://example.org/chat?x=y")
        .header("Host", "example.org")
        .header("Connection", "Upgrade")
        .header("Upgrade", "websocket")
        .header("Sec-WebSocket-Version", "13")
        .header("Sec-WebSocket-Key", tungstenite::handshake::client::generate_key())
        .header("Sec-WebSocket-Protocol", "chat.v1");
    let started = ClientHandshake::start(pipe.clone(), request.body(()).unwrap(), None).unwrap();
    match started.handshake() {
        Err(HandshakeError::Interrupted(waiting)) => waiting,
        other => panic!("they must wait for our answer: {other:?}"),
    }
}

#[test]
fn our_server_is_accepted_by_tungstenite() {
    let pipe = Pipe::default();
    let theirs = their_client(&pipe);
    let mut server = server::Handshake::new(Config::default(), NOW);
    server.handle_input(NOW, &pipe.received());
    assert_eq!(server.request().unwrap().uri(), "/chat?x=y");
    server.accept(NOW, &Accept::new().with_subprotocol("chat.v1").with_header("x-y", "z").unwrap()).unwrap();
    pipe.send(server.output());
    let (_, response) = theirs.handshake().expect("they accept");
    assert_eq!(response.headers()["sec-websocket-protocol"], "chat.v1");
    assert_eq!(response.headers()["x-y"], "z");
}

#[test]
fn our_rejection_is_understood_by_tungstenite() {
    let pipe = Pipe::default();
    let theirs = their_client(&pipe);
    let mut server = server::Handshake::new(Config::default(), NOW);
    server.handle_input(NOW, &pipe.received());
    server.reject(NOW, &http::Response::builder().status(403).body("go away").unwrap()).unwrap();
    pipe.send(server.output());
    match theirs.handshake() {
        Err(HandshakeError::Failure(tungstenite::Error::Http(response))) => {
            assert_eq!(response.status(), 403);
            assert_eq!(text(response.body().as_ref().unwrap()), "go away");
        }
        other => panic!("{other:?}"),
    }
}
