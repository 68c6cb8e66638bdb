//! §11.3, HTTP headers: how often each may occur.
//!
//! Binds no endpoint of ours: nothing; the rest of §11 is for the registrar.

use crate::http::{
    ACCEPT, ANSWER, KEY, REQUEST, accepted, and, answered, answered_to, asked, is_welcome, refused, request,
    served, status, values, with,
};
use bowline_handshake::client;
use bowline_handshake::server::{Accept, Error};

#[test]
fn a_key_appears_once() {
    assert_eq!(values(&asked(&request()), "sec-websocket-key").len(), 1);
    let line = format!("Sec-WebSocket-Key: {KEY}\r\n");
    let (error, answer) = refused(with(REQUEST, &line, &line.repeat(2)));
    assert_eq!((error, status(&answer)), (Error::Key, 400));
}

#[test]
fn extensions_may_be_asked_for_in_several_lines() {
    let lines = "Sec-WebSocket-Extensions: a\r\nSec-WebSocket-Extensions: b; c\r\n";
    assert!(is_welcome(and(REQUEST, lines)));
}

#[test]
fn accept_appears_once() {
    assert_eq!(values(&accepted(&and(REQUEST, ""), &Accept::new()), "sec-websocket-accept").len(), 1);
    let line = format!("Sec-WebSocket-Accept: {ACCEPT}\r\n");
    let error = answered(&with(ANSWER, &line, &line.repeat(2))).unwrap_err();
    assert_eq!(error, client::Error::WrongAccept { missing: true });
}

#[test]
fn subprotocols_may_be_asked_for_in_several_lines() {
    let server = served(and(REQUEST, "Sec-WebSocket-Protocol: a\r\nSec-WebSocket-Protocol: b, c\r\n"));
    assert_eq!(server.subprotocols(), ["a", "b", "c"]);
}

#[test]
fn a_subprotocol_is_chosen_once() {
    let request = request().with_subprotocol("a").unwrap();
    let line = "Sec-WebSocket-Protocol: a\r\n";
    let error = answered_to(&request, &and(ANSWER, &line.repeat(2))).unwrap_err();
    assert_eq!(error, client::Error::UnexpectedSubprotocol { subprotocol: "a, a".into() });
}

#[test]
fn a_version_appears_once_in_a_request() {
    assert_eq!(values(&asked(&request()), "sec-websocket-version").len(), 1);
    let line = "Sec-WebSocket-Version: 13\r\n";
    let (error, answer) = refused(with(REQUEST, line, &line.repeat(2)));
    assert_eq!((error, status(&answer)), (Error::Version { version: "13, 13".into() }, 426));
}
