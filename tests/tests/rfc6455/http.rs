//! HTTP heads written and read by hand, and short ways through an opening handshake.

use bowline_core::Instant;
use bowline_handshake::client::{self, Request};
use bowline_handshake::{Config, server};

pub(crate) const NOW: Instant = Instant::ZERO;
/// The key and its digest that §1.3 gives as an example, and the 16 bytes that the key stands for.
pub(crate) const NONCE: [u8; 16] = *b"the sample nonce";
pub(crate) const KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";
pub(crate) const ACCEPT: &str = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";

/// A request that is acceptable, without its blank line.
pub(crate) const REQUEST: &str = "GET /chat HTTP/1.1\r\nHost: example.org\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
                                  Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n";
/// An answer that accepts it, without its blank line.
pub(crate) const ANSWER: &str = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
                                 Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n";

/// A head in which this part was replaced, with its blank line.
pub(crate) fn with(head: &str, part: &str, replacement: &str) -> String {
    assert!(head.contains(part), "{head} has no {part}");
    format!("{}\r\n", head.replacen(part, replacement, 1))
}

/// A head with these lines added, and its blank line.
pub(crate) fn and(head: &str, lines: &str) -> String {
    format!("{head}{lines}\r\n")
}

pub(crate) fn request() -> Request {
    Request::new("ws://example.org/chat").expect("a URL")
}

/// The lines of a head.
pub(crate) fn lines(head: &[u8]) -> Vec<String> {
    let text = String::from_utf8(head.to_vec()).expect("heads are text");
    text.split("\r\n").map(str::to_owned).collect()
}

/// The values of a header in these lines.
pub(crate) fn values<'a>(lines: &'a [String], name: &str) -> Vec<&'a str> {
    let pairs = lines.iter().filter_map(|line| line.split_once(": "));
    pairs.filter(|(found, _)| found.eq_ignore_ascii_case(name)).map(|(_, value)| value).collect()
}

/// The lines that a client sends for this request.
pub(crate) fn asked(request: &Request) -> Vec<String> {
    lines(client::Handshake::new(request, NONCE, Config::default(), NOW).output())
}

/// The result of an answer for a client with this request.
pub(crate) fn answered_to(request: &Request, answer: &str) -> Result<client::Upgraded, client::Error> {
    let mut client = client::Handshake::new(request, NONCE, Config::default(), NOW);
    client.handle_written(NOW, client.output().len());
    client.handle_input(NOW, answer.as_bytes());
    client.poll_result().expect("the answer is complete")
}

/// The result of an answer for a client.
pub(crate) fn answered(answer: &str) -> Result<client::Upgraded, client::Error> {
    answered_to(&request(), answer)
}

/// A server that has read this request.
pub(crate) fn served(request: impl AsRef<[u8]>) -> server::Handshake {
    let mut server = server::Handshake::new(Config::default(), NOW);
    server.handle_input(NOW, request.as_ref());
    server
}

/// Whether a server passes this request to its application.
pub(crate) fn is_welcome(request: impl AsRef<[u8]>) -> bool {
    served(request).request().is_some()
}

/// The lines with which a server accepts a request.
pub(crate) fn accepted(request: &str, accept: &server::Accept) -> Vec<String> {
    let mut server = served(request);
    server.accept(NOW, accept).expect("a request that waits");
    lines(server.output())
}

/// The error of a server about this request, and the lines of its answer.
pub(crate) fn refused(request: impl AsRef<[u8]>) -> (server::Error, Vec<String>) {
    refusal(served(request))
}

/// The lines of the answer with which a server refuses, and the error once they have left.
pub(crate) fn refusal(mut server: server::Handshake) -> (server::Error, Vec<String>) {
    assert!(server.request().is_none(), "it is not refused");
    let answer = lines(server.output());
    server.handle_written(NOW, server.output().len());
    (server.poll_result().expect("the answer has left").expect_err("a refusal"), answer)
}

/// The status in the first line of an answer.
pub(crate) fn status(lines: &[String]) -> u16 {
    let status = lines[0].strip_prefix("HTTP/1.1 ").and_then(|rest| rest.get(..3));
    status.and_then(|digits| digits.parse().ok()).expect("a status line")
}
