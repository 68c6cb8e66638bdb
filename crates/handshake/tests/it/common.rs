//! What the tests share: a matching request and answer, and short ways through a handshake.

use bowline_core::Instant;
use bowline_handshake::{Config, client, server};

pub(crate) const NOW: Instant = Instant::ZERO;
/// The nonce of RFC 6455 §1.3, `the sample nonce`.
pub(crate) const NONCE: [u8; 16] = *b"the sample nonce";

/// An answer that upgrades, without its blank line.
pub(crate) const UPGRADE: &str = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
                           Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n";
/// A request for a WebSocket, without its blank line.
pub(crate) const REQUEST: &str = "GET /chat HTTP/1.1\r\nHost: example.org\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
                           Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n";

/// A client whose request has left.
pub(crate) fn client(request: &client::Request) -> client::Handshake {
    let mut client = client::Handshake::new(request, NONCE, Config::default(), NOW);
    client.handle_written(NOW, client.output().len());
    client
}

pub(crate) fn request() -> client::Request {
    client::Request::new("ws://example.org/chat").unwrap()
}

/// The result of an answer for a client.
pub(crate) fn answered(answer: impl AsRef<[u8]>) -> Result<client::Upgraded, client::Error> {
    answered_to(&request(), answer)
}

/// The result of an answer for the client with this request.
pub(crate) fn answered_to(
    request: &client::Request,
    answer: impl AsRef<[u8]>,
) -> Result<client::Upgraded, client::Error> {
    let mut client = client(request);
    client.handle_input(NOW, answer.as_ref());
    client.poll_result().expect("the answer was complete")
}

/// A server that has read these bytes.
pub(crate) fn server(input: impl AsRef<[u8]>) -> server::Handshake {
    let mut server = server::Handshake::new(Config::default(), NOW);
    server.handle_input(NOW, input.as_ref());
    server
}

/// A server that waits for a decision about [`REQUEST`] with these headers added.
pub(crate) fn asked(headers: &str) -> server::Handshake {
    let server = server(format!("{REQUEST}{headers}\r\n"));
    assert!(server.request().is_some(), "{}", text(server.output()));
    server
}

/// The error and the answer to a request that is refused.
pub(crate) fn refused(input: impl AsRef<[u8]>) -> (server::Error, String) {
    let mut server = server(input);
    finish(&mut server)
}

/// Takes the answer, then the error.
pub(crate) fn finish(server: &mut server::Handshake) -> (server::Error, String) {
    assert!(server.request().is_none());
    let answer = text(server.output());
    server.handle_written(NOW, answer.len());
    (server.poll_result().expect("the answer has left").unwrap_err(), answer)
}

pub(crate) fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).expect("heads are text")
}

/// The lines of a head.
pub(crate) fn lines(bytes: &[u8]) -> Vec<String> {
    text(bytes).split("\r\n").map(str::to_owned).collect()
}
