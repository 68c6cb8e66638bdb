//! What a client can request. The requirements of RFC 6455 are tested by section, together with those for frames.

use crate::common::{NOW, lines, request};
use bowline_handshake::HeaderError;
use bowline_handshake::client::{Request, RequestError};
use proptest::prelude::*;

/// The lines that a client sends for this request.
fn sent(request: &Request) -> Vec<String> {
    let nonce = *b"the sample nonce";
    let config = bowline_handshake::Config::default();
    lines(bowline_handshake::client::Handshake::new(request, nonce, config, NOW).output())
}

#[test]
fn additional_headers_are_sent() {
    let request = request().with_header("origin", "https://example.org").unwrap();
    let request = request.with_header("cookie", "a=1").unwrap().with_header("cookie", "b=2").unwrap();
    let lines = sent(&request);
    for line in ["Origin: https://example.org", "Cookie: a=1", "Cookie: b=2"] {
        assert!(lines.contains(&line.to_owned()), "{line}");
    }
    assert!(lines.ends_with(&[String::new(), String::new()]), "the blank line is last");
}

#[test]
fn the_headers_of_the_handshake_cannot_be_overwritten() {
    for name in [
        "Host",
        "Connection",
        "Upgrade",
        "Sec-WebSocket-Key",
        "Sec-WebSocket-Version",
        "Sec-WebSocket-Protocol",
        "Sec-WebSocket-Extensions",
        "Content-Length",
        "Transfer-Encoding",
        "Expect",
    ] {
        assert!(
            matches!(request().with_header(name, "x"), Err(RequestError::Header(HeaderError::Owned { .. }))),
            "{name}"
        );
    }
}

#[test]
fn invalid_headers_are_refused() {
    assert_eq!(request().with_header("x y", "z"), Err(HeaderError::Name.into()));
    assert!(matches!(
        request().with_header("x", "y\r\nz: 1"),
        Err(RequestError::Header(HeaderError::Value { .. }))
    ));
}

#[test]
fn credentials_of_the_url_are_sent_as_http_basic() {
    // RFC 7617 §2 has this example.
    let request = Request::new("wss://Aladdin:open%20sesame@example.org/").unwrap();
    assert!(sent(&request).contains(&"Authorization: Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==".to_owned()));
    assert_eq!(request.with_header("authorization", "Bearer x"), Err(RequestError::Credentials));
}

proptest! {
    #[test]
    fn any_url_gives_a_clean_request_or_an_error(url in "(ws|wss)://\\PC{0,8}[a-z@:/?#\\[\\]%. ]{0,12}\\PC{0,8}") {
        if let Ok(request) = Request::new(&url) {
            let lines = sent(&request);
            prop_assert_eq!(lines.iter().filter(|line| line.is_empty()).count(), 2);
            prop_assert!(lines[0].is_ascii() && lines[0].split(' ').count() == 3, "{}", lines[0]);
            prop_assert!(lines[1].starts_with("Host: ") && lines[1].len() > 6);
        }
    }
}
