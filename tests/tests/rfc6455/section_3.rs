//! §3, WebSocket URIs.
//!
//! Binds no endpoint of ours: nothing.

use crate::http::asked;
use bowline_handshake::client::{Request, RequestError};

fn parts(url: &str) -> (bool, String, u16) {
    let request = Request::new(url).expect("a URL");
    (request.is_secure(), request.host().to_owned(), request.port())
}

fn resource(url: &str) -> String {
    Request::new(url).expect("a URL").target().to_owned()
}

#[test]
fn the_port_is_80_for_ws_unless_the_url_says_otherwise() {
    assert_eq!(parts("ws://example.org/"), (false, "example.org".to_owned(), 80));
    assert_eq!(parts("ws://example.org:9001/").2, 9001);
}

#[test]
fn the_port_is_443_for_wss_unless_the_url_says_otherwise() {
    assert_eq!(parts("wss://example.org/"), (true, "example.org".to_owned(), 443));
    assert_eq!(parts("wss://example.org:9001/").2, 9001);
}

#[test]
fn the_scheme_may_be_written_in_any_case() {
    assert!(parts("WSS://example.org/").0);
    assert!(!parts("Ws://example.org/").0);
}

#[test]
fn the_resource_is_the_path_with_the_query() {
    assert_eq!(resource("ws://a/chat"), "/chat");
    assert_eq!(resource("ws://a/chat?room=7&x"), "/chat?room=7&x");
    assert_eq!(resource("ws://a/a/b/?"), "/a/b/?");
}

#[test]
fn an_empty_path_is_the_root() {
    assert_eq!(resource("ws://a"), "/");
    assert_eq!(resource("ws://a?q"), "/?q");
}

#[test]
fn a_fragment_is_refused() {
    for url in ["ws://a/b#c", "ws://a/b#", "ws://a#b", "wss://a/?q#c"] {
        assert_eq!(Request::new(url), Err(RequestError::Fragment), "{url}");
    }
}

#[test]
fn an_escaped_number_sign_is_a_character_of_the_path() {
    assert_eq!(resource("ws://a/b%23c"), "/b%23c");
    assert_eq!(asked(&Request::new("ws://a/b%23c").unwrap())[0], "GET /b%23c HTTP/1.1");
}
