//! The opening handshake in both roles, with any input and any application.

mod choices;
mod seeds;

pub(super) use seeds::seeds;

use super::choice::{Rest, Tell, choose};
use super::closing::obeyed_by_a_terminal;
use super::differential::stream::pieces;
use crate::heap;
use bowline_core::{End, Instant};
use bowline_handshake::{client, server};
use choices::{Answer, Ask, Meeting, Terms};
use std::fmt::Display;
use std::time::Duration;
use tungstenite::handshake::derive_accept_key;

const NOW: Instant = Instant::ZERO;
/// The nonce of every client here, and the key that follows from it.
const NONCE: [u8; 16] = [0; 16];
const KEY: &str = "AAAAAAAAAAAAAAAAAAAAAA==";
/// What must not appear in an error, even if the server sends it.
const SECRET: &str = "hunter2hunter2";
/// The longest error, in bytes.
const LONGEST: usize = 1000;
/// A buffer, a map of headers, an error, and a body: what a head may cost besides its bytes.
const ALLOWED: usize = 64 << 10;

/// Requests and answers that are correct except for a few things: pieces make no difference, heads contain no line that
/// nobody wrote, errors are harmless where they are printed, and what is correct is accepted.
pub fn handshake(data: &[u8]) {
    let meeting: Meeting = choose(data);
    let _tell = Tell(&meeting);
    match &meeting {
        Meeting::Asked(head, answer, terms) => {
            let mut bytes = head.bytes(&REQUEST);
            bytes.extend(&terms.rest.0);
            let whole = serve(&[&bytes], answer, terms);
            assert_eq!(whole, serve(&pieces(&bytes, &terms.cuts), answer, terms), "pieces make a difference");
            let single: Vec<_> = bytes.chunks(1).collect();
            assert_eq!(whole, serve(&single, answer, terms), "byte by byte");
            assert!(!whole.is_open || bytes.ends_with(&whole.leftover.0), "the rest belongs to the frames");
        }
        Meeting::Answered(ask, head, terms) => {
            let Some(request) = ask.request() else { return };
            let accept = format!("Sec-WebSocket-Accept: {}", derive_accept_key(KEY.as_bytes()));
            let mut lines = vec![
                "HTTP/1.1 101 Switching Protocols",
                "Upgrade: websocket",
                "Connection: Upgrade",
                &accept,
            ];
            let chosen = request.subprotocols().first().map(|name| format!("Sec-WebSocket-Protocol: {name}"));
            lines.extend(chosen.as_deref());
            let mut bytes = head.bytes(&lines);
            bytes.extend(&terms.rest.0);
            let whole = ask_and_hear(&request, ask, &[&bytes], terms);
            let cut = pieces(&bytes, &terms.cuts);
            assert_eq!(whole, ask_and_hear(&request, ask, &cut, terms), "pieces make a difference");
            let single: Vec<_> = bytes.chunks(1).collect();
            assert_eq!(whole, ask_and_hear(&request, ask, &single, terms), "byte by byte");
            assert!(!whole.is_open || bytes.ends_with(&whole.leftover.0), "the rest belongs to the frames");
        }
        Meeting::Both(ask, answer, terms) => meet(ask, answer, terms),
    }
}

const REQUEST: [&str; 6] = [
    "GET /chat?a=b HTTP/1.1",
    "Host: example.org",
    "Upgrade: websocket",
    "Connection: keep-alive, Upgrade",
    "Sec-WebSocket-Version: 13",
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
];

/// The outcome of one side's handshake.
#[derive(Debug, Default, PartialEq)]
struct Outcome {
    is_open: bool,
    leftover: Rest,
    /// What it wrote.
    written: Rest,
    /// The request or the answer that it understood, and the subprotocol, or the error; printed.
    result: String,
}

/// A server that receives these pieces.
fn serve(pieces: &[&[u8]], answer: &Answer, terms: &Terms) -> Outcome {
    let mut handshake = server::Handshake::new(terms.config(), NOW);
    let mut outcome = Outcome::default();
    let mut given = 0;
    for piece in pieces.iter().filter(|piece| !piece.is_empty()) {
        given += piece.len();
        let ((), used) = heap::measure(|| handshake.handle_input(NOW, piece));
        assert!(used.peak <= ALLOWED + 8 * given, "{used:?} for {given} bytes");
    }
    if handshake.request().is_some() {
        answer.give(&mut handshake);
    }
    let later = NOW + terms.waits.0;
    handshake.handle_timeout(later);
    assert!(handshake.poll_timeout().is_none_or(|next| next > later || next == Instant::MAX));
    outcome.written = Rest(handshake.output().to_vec());
    handshake.handle_written(later, outcome.written.0.len());
    handshake.handle_end(later, End::Eof);
    match handshake.poll_result() {
        Some(Ok(upgraded)) => {
            outcome.is_open = true;
            outcome.leftover = Rest(upgraded.leftover.to_vec());
            outcome.result = format!("{:?} {:?}", upgraded.request, upgraded.subprotocol);
        }
        Some(Err(error)) => {
            check_words(&error);
            outcome.result = format!("{error:?}");
        }
        None => {}
    }
    assert!(handshake.poll_result().is_none(), "a second result");
    check_answer(&outcome, answer);
    outcome
}

impl Answer {
    fn give(&self, handshake: &mut server::Handshake) {
        if let Some(status) = self.rejects {
            let mut response = http::Response::builder().status(status);
            for header in &self.headers.0 {
                response = response.header(&header.name.0[..], &header.value.0[..]);
            }
            let Ok(response) = response.body(&self.body.0[..]) else { return };
            let is_refusal = (300..=599).contains(&status);
            assert_eq!(handshake.reject(NOW, &response).is_ok(), is_refusal);
            return;
        }
        let subprotocol = self.subprotocol.as_ref().map(|name| String::from_utf8_lossy(&name.0).into_owned());
        let offered = subprotocol.as_ref().is_none_or(|name| handshake.subprotocols().contains(name));
        assert_eq!(handshake.accept(NOW, &self.accept()).is_ok(), offered);
    }

    fn accept(&self) -> server::Accept {
        let mut accept = server::Accept::new();
        if let Some(name) = &self.subprotocol {
            accept = accept.with_subprotocol(String::from_utf8_lossy(&name.0));
        }
        for header in &self.headers.0 {
            accept = accept.clone().with_header(&header.name.0[..], &header.value.0[..]).unwrap_or(accept);
        }
        accept
    }
}

/// A server writes one answer without any lines that nobody wrote, and with the body that it promises.
fn check_answer(outcome: &Outcome, answer: &Answer) {
    if outcome.written.0.is_empty() {
        return;
    }
    let (lines, body) = split_head(&outcome.written.0);
    let (status, headers) = lines.split_first().expect("a status line");
    assert!(status.starts_with(b"HTTP/1.1 "), "{}", status.escape_ascii());
    assert_eq!(outcome.is_open, status.starts_with(b"HTTP/1.1 101 "));
    let known = [
        "upgrade",
        "connection",
        "sec-websocket-accept",
        "sec-websocket-protocol",
        "content-length",
        "content-type",
        "allow",
        "sec-websocket-version",
        "date",
    ];
    for line in headers {
        let name = line.split(|byte| *byte == b':').next().unwrap_or_default().to_ascii_lowercase();
        let is_theirs = answer.headers.0.iter().any(|header| header.name.0.eq_ignore_ascii_case(&name));
        assert!(is_theirs || known.iter().any(|known| known.as_bytes() == name), "{}", line.escape_ascii());
    }
    assert!(headers.len() <= known.len() + answer.headers.0.len());
    let promised = headers.iter().find_map(|line| line.strip_prefix(b"Content-Length: "));
    let promised = promised.and_then(|length| std::str::from_utf8(length).ok()?.parse().ok());
    assert_eq!(promised.unwrap_or(0), body.len(), "the body is not as long as promised");
}

/// A client that sends its request, and receives these pieces.
fn ask_and_hear(request: &client::Request, ask: &Ask, pieces: &[&[u8]], terms: &Terms) -> Outcome {
    let mut handshake = client::Handshake::new(request, NONCE, terms.config(), NOW);
    let mut outcome = Outcome { written: Rest(handshake.output().to_vec()), ..Outcome::default() };
    ask.check(request, &outcome.written.0);
    if ask.write_fails {
        handshake.handle_end(NOW, End::WriteFailed);
    } else {
        handshake.handle_written(NOW, outcome.written.0.len());
    }
    let mut given = 0;
    for piece in pieces.iter().filter(|piece| !piece.is_empty()) {
        given += piece.len();
        let ((), used) = heap::measure(|| handshake.handle_input(NOW, piece));
        assert!(used.peak <= ALLOWED + 8 * given, "{used:?} for {given} bytes");
    }
    let later = NOW + terms.waits.0;
    handshake.handle_timeout(later);
    assert!(handshake.poll_timeout().is_none_or(|next| next > later || next == Instant::MAX));
    if terms.waits.0 < Duration::from_secs(1) {
        handshake.handle_end(later, End::Eof);
    }
    handshake.handle_timeout(later + Duration::from_secs(3600));
    match handshake.poll_result().expect("it went one way or the other") {
        Ok(upgraded) => {
            outcome.is_open = true;
            outcome.leftover = Rest(upgraded.leftover.to_vec());
            let subprotocol = upgraded.subprotocol;
            assert!(subprotocol.as_ref().is_none_or(|name| request.subprotocols().contains(name)));
            outcome.result = format!("{:?} {subprotocol:?}", upgraded.response);
        }
        Err(error) => {
            check_words(&error);
            assert!(!error.to_string().contains(SECRET), "{error}");
            outcome.result = format!("{error:?}");
        }
    }
    assert!(handshake.poll_result().is_none(), "a second result");
    outcome
}

impl Ask {
    /// The request, if the application's wishes can be expressed in one.
    fn request(&self) -> Option<client::Request> {
        let url = match &self.url {
            Some(url) => format!("ws://{}", String::from_utf8_lossy(&url.0)),
            None => "ws://example.org/chat".to_owned(),
        };
        let mut request = client::Request::new(&url).map_err(|error| check_words(&error)).ok()?;
        for name in &self.subprotocols.0 {
            let name = String::from_utf8_lossy(&name.0);
            request = request.clone().with_subprotocol(&name).unwrap_or(request);
        }
        for header in &self.headers.0 {
            request = request.clone().with_header(&header.name.0[..], &header.value.0[..]).unwrap_or(request);
        }
        let credentials = format!("Bearer {SECRET}");
        Some(request.clone().with_header("authorization", credentials).unwrap_or(request))
    }

    /// The request names its target and contains no line that nobody wrote.
    fn check(&self, request: &client::Request, written: &[u8]) {
        let (lines, body) = split_head(written);
        assert!(body.is_empty(), "a request has no body: {}", body.escape_ascii());
        let (first, headers) = lines.split_first().expect("a request line");
        assert_eq!(*first, format!("GET {} HTTP/1.1", request.target()).as_bytes());
        assert_eq!(first.split(|byte| *byte == b' ').count(), 3, "{}", first.escape_ascii());
        let own = 5 + usize::from(!request.subprotocols().is_empty());
        assert_eq!(headers.len(), own + request.headers().len(), "{}", written.escape_ascii());
        assert!(format!("{request:?}").chars().all(|c| !obeyed_by_a_terminal(c)));
        assert!(self.url.is_some() || headers[0] == b"Host: example.org");
    }
}

/// A client and a server of ours: if the server accepts, both report it, and what each sends after that is not lost.
fn meet(ask: &Ask, answer: &Answer, terms: &Terms) {
    let Some(request) = ask.request() else { return };
    let mut client = client::Handshake::new(&request, NONCE, terms.config(), NOW);
    let mut server = server::Handshake::new(terms.config(), NOW);
    let asked = [client.output(), b"frames"].concat();
    client.handle_written(NOW, asked.len());
    for piece in pieces(&asked, &terms.cuts) {
        server.handle_input(NOW, piece);
    }
    if server.request().is_some() {
        assert_eq!(server.subprotocols(), request.subprotocols());
        answer.give(&mut server);
    }
    let answered = [server.output(), &terms.rest.0].concat();
    server.handle_written(NOW, answered.len());
    for piece in pieces(&answered, &terms.cuts) {
        client.handle_input(NOW, piece);
    }
    client.handle_end(NOW, End::Eof);
    let (at_client, at_server) = (client.poll_result(), server.poll_result());
    match (at_client.expect("it is over"), at_server) {
        (Ok(at_client), Some(Ok(at_server))) => {
            assert_eq!(at_server.leftover, "frames");
            assert_eq!(at_client.leftover, &terms.rest.0[..]);
            assert_eq!(at_client.subprotocol, at_server.subprotocol);
        }
        // The answer may be larger than the client accepts.
        (Err(error), Some(Ok(_))) => {
            let is_limit =
                matches!(error, client::Error::TooLarge { .. } | client::Error::TooManyHeaders { .. });
            assert!(is_limit, "{error}");
        }
        (Err(error), _) => check_words(&error),
        (Ok(_), refused) => panic!("open at the client, and at the server {refused:?}"),
    }
}

/// The lines of a head, which end with CR LF and contain neither of the two, and what follows.
fn split_head(bytes: &[u8]) -> (Vec<&[u8]>, &[u8]) {
    let mut lines = Vec::new();
    let mut rest = bytes;
    loop {
        let end = rest.windows(2).position(|pair| pair == b"\r\n").expect("a head that ends");
        let (line, after) = (&rest[..end], &rest[end + 2..]);
        if line.is_empty() {
            return (lines, after);
        }
        assert!(!line.contains(&b'\r') && !line.contains(&b'\n'), "{}", line.escape_ascii());
        lines.push(line);
        rest = after;
    }
}

/// An error is one line, short, and harmless.
fn check_words(error: &impl Display) {
    let words = error.to_string();
    assert!(!words.is_empty() && words.len() <= LONGEST, "{} bytes: {words}", words.len());
    assert_eq!(words.chars().find(|c| obeyed_by_a_terminal(*c)), None, "{words:?}");
}
