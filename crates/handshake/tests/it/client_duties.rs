//! The duties of a client in RFC 6455 §4.1, one test each.

use crate::common::{ACCEPT, KEY, NOW, UPGRADE, answered, answered_to, client, lines, request};
use bowline_handshake::client::{Error, Request, RequestError};
use proptest::prelude::*;

/// The lines that a client sends for this request.
fn sent(request: &Request) -> Vec<String> {
    let nonce = *b"the sample nonce";
    let config = bowline_handshake::Config::default();
    lines(bowline_handshake::client::Handshake::new(request, nonce, config, NOW).output())
}

#[test]
fn the_request_is_a_get_in_http_1_1() {
    assert_eq!(sent(&request())[0], "GET /chat HTTP/1.1");
}

#[test]
fn the_request_asks_for_path_with_query() {
    let request = Request::new("ws://example.org/a/b?c=d&e").unwrap();
    assert_eq!(sent(&request)[0], "GET /a/b?c=d&e HTTP/1.1");
}

#[test]
fn host_leaves_out_the_default_port() {
    let host = |url| sent(&Request::new(url).unwrap())[1].clone();
    assert_eq!(host("ws://example.org:80/"), "Host: example.org");
    assert_eq!(host("wss://example.org:443/"), "Host: example.org");
    assert_eq!(host("ws://example.org:443/"), "Host: example.org:443");
    assert_eq!(host("wss://example.org:80/"), "Host: example.org:80");
    assert_eq!(host("wss://[::1]/"), "Host: [::1]");
    assert_eq!(host("wss://[::1]:9001/"), "Host: [::1]:9001");
}

#[test]
fn host_names_no_user() {
    assert_eq!(sent(&Request::new("ws://ann:pw@example.org/").unwrap())[1], "Host: example.org");
}

#[test]
fn upgrade_asks_for_websocket() {
    assert!(sent(&request()).contains(&"Upgrade: websocket".to_owned()));
}

#[test]
fn connection_says_upgrade() {
    assert!(sent(&request()).contains(&"Connection: Upgrade".to_owned()));
}

#[test]
fn the_key_is_the_nonce_in_base64() {
    assert!(sent(&request()).contains(&format!("Sec-WebSocket-Key: {KEY}")));
}

#[test]
fn the_version_is_13() {
    assert!(sent(&request()).contains(&"Sec-WebSocket-Version: 13".to_owned()));
}

#[test]
fn subprotocols_are_listed_in_order_of_preference() {
    let request = request().with_subprotocol("b.v2").unwrap().with_subprotocol("a").unwrap();
    assert!(sent(&request).contains(&"Sec-WebSocket-Protocol: b.v2, a".to_owned()));
    assert!(!sent(&crate::common::request()).iter().any(|line| line.contains("Protocol")));
}

#[test]
fn subprotocols_are_tokens() {
    for bad in ["", "a b", "a,b", "ä", "a\r\nX: y"] {
        assert!(matches!(request().with_subprotocol(bad), Err(RequestError::Subprotocol { .. })), "{bad:?}");
    }
}

#[test]
fn subprotocols_are_unique() {
    let twice = request().with_subprotocol("a").unwrap().with_subprotocol("a");
    assert_eq!(twice, Err(RequestError::Subprotocol { name: "a".into() }));
    assert!(request().with_subprotocol("a").unwrap().with_subprotocol("A").is_ok());
}

#[test]
fn no_extension_is_offered() {
    assert!(!sent(&request()).iter().any(|line| line.contains("Extensions")));
}

#[test]
fn further_headers_are_sent() {
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
        assert!(matches!(request().with_header(name, "x"), Err(RequestError::Owned { .. })), "{name}");
    }
}

#[test]
fn no_header_can_be_smuggled_in() {
    assert_eq!(request().with_header("x y", "z"), Err(RequestError::HeaderName));
    assert!(matches!(request().with_header("x", "y\r\nz: 1"), Err(RequestError::HeaderValue { .. })));
}

#[test]
fn credentials_of_the_url_are_sent_as_http_basic() {
    // RFC 7617 §2 has this example.
    let request = Request::new("wss://Aladdin:open%20sesame@example.org/").unwrap();
    assert!(sent(&request).contains(&"Authorization: Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==".to_owned()));
    assert_eq!(request.with_header("authorization", "Bearer x"), Err(RequestError::Credentials));
}

#[test]
fn an_answer_with_the_digest_of_the_key_upgrades() {
    let upgraded = answered(format!("{UPGRADE}\r\n")).unwrap();
    assert_eq!(upgraded.response.status(), 101);
    assert_eq!(upgraded.response.headers()["sec-websocket-accept"], ACCEPT);
    assert_eq!(upgraded.subprotocol, None);
    assert_eq!(upgraded.leftover, "");
}

#[test]
fn an_answer_with_another_status_is_handled_as_http() {
    let error = answered("HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n").unwrap_err();
    assert_eq!(error.status().unwrap(), 404);
}

/// The error after one line of a good answer was replaced.
fn flawed(line: &str, replacement: &str) -> Error {
    assert!(UPGRADE.contains(line));
    answered(format!("{}\r\n", UPGRADE.replace(line, replacement))).unwrap_err()
}

#[test]
fn an_answer_without_upgrade_websocket_fails() {
    let no_upgrade = flawed("Upgrade: websocket\r\n", "");
    assert_eq!(no_upgrade, Error::NotWebSocket { upgrade: String::new() });
    let other = flawed("Upgrade: websocket", "Upgrade: h2c");
    assert_eq!(other, Error::NotWebSocket { upgrade: "h2c".into() });
    let two = flawed("Upgrade: websocket", "Upgrade: websocket, h2c");
    assert_eq!(two, Error::NotWebSocket { upgrade: "websocket, h2c".into() });
}

#[test]
fn the_value_of_upgrade_may_have_any_case() {
    assert!(answered(format!("{}\r\n", UPGRADE.replace("websocket\r", "WebSocket\r"))).is_ok());
}

#[test]
fn an_answer_without_connection_upgrade_fails() {
    assert_eq!(flawed("Connection: Upgrade\r\n", ""), Error::NoConnectionUpgrade);
    assert_eq!(flawed("Connection: Upgrade", "Connection: Upgraded, close"), Error::NoConnectionUpgrade);
}

#[test]
fn connection_may_list_other_tokens() {
    for connection in ["Connection: keep-alive, upgrade", "Connection: keep-alive\r\nCONNECTION: UPGRADE"] {
        assert!(answered(format!("{}\r\n", UPGRADE.replace("Connection: Upgrade", connection))).is_ok());
    }
}

#[test]
fn an_answer_to_another_key_fails() {
    assert_eq!(flawed("s3pPL", "S3pPL"), Error::WrongAccept { missing: false });
}

#[test]
fn an_answer_without_accept_fails() {
    let line = format!("Sec-WebSocket-Accept: {ACCEPT}\r\n");
    assert_eq!(flawed(&line, ""), Error::WrongAccept { missing: true });
    assert_eq!(flawed(&line, &line.repeat(2)), Error::WrongAccept { missing: true });
}

#[test]
fn white_space_around_accept_does_not_count() {
    assert!(
        answered(format!("{}\r\n", UPGRADE.replace("Accept: ", "Accept: \t ").replace("=\r", "= \t\r")))
            .is_ok()
    );
}

#[test]
fn an_extension_that_was_not_offered_fails() {
    let error = answered(format!("{UPGRADE}Sec-WebSocket-Extensions: permessage-deflate; x=1\r\n\r\n"));
    let extension = "permessage-deflate; x=1".to_owned();
    assert_eq!(error.unwrap_err(), Error::UnexpectedExtension { extension });
}

#[test]
fn a_subprotocol_that_was_offered_is_taken() {
    let request = request().with_subprotocol("v2").unwrap().with_subprotocol("v1").unwrap();
    let upgraded = answered_to(&request, format!("{UPGRADE}Sec-WebSocket-Protocol: v1\r\n\r\n")).unwrap();
    assert_eq!(upgraded.subprotocol.as_deref(), Some("v1"));
}

#[test]
fn a_subprotocol_that_was_not_offered_fails() {
    let request = request().with_subprotocol("v2").unwrap().with_subprotocol("v1").unwrap();
    for chosen in ["v3", "V1", "v2, v1", "", "v1\r\nSec-WebSocket-Protocol: v1"] {
        let error = answered_to(&request, format!("{UPGRADE}Sec-WebSocket-Protocol: {chosen}\r\n\r\n"));
        assert!(matches!(error, Err(Error::UnexpectedSubprotocol { .. })), "{chosen:?}: {error:?}");
    }
    let error = answered(format!("{UPGRADE}Sec-WebSocket-Protocol: v1\r\n\r\n"));
    assert_eq!(error.unwrap_err(), Error::UnexpectedSubprotocol { subprotocol: "v1".into() });
}

#[test]
fn a_server_may_choose_no_subprotocol() {
    let request = request().with_subprotocol("v1").unwrap();
    assert_eq!(answered_to(&request, format!("{UPGRADE}\r\n")).unwrap().subprotocol, None);
}

#[test]
fn answers_before_the_answer_proper_are_skipped() {
    let early = "HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\nHTTP/1.1 100 Continue\r\n\r\n";
    assert!(answered(format!("{early}{UPGRADE}\r\n")).is_ok());
}

#[test]
fn frames_behind_the_answer_are_handed_on() {
    let mut client = client(&request());
    assert!(client.wants_input());
    client.handle_input(NOW, format!("{UPGRADE}\r\n\u{1}\r\n\r\n").as_bytes());
    assert!(!client.wants_input());
    client.handle_input(NOW, b"more");
    assert_eq!(client.poll_result().unwrap().unwrap().leftover, "\u{1}\r\n\r\nmore");
}

proptest! {
    #[test]
    fn any_url_is_a_clean_request_or_an_error(url in "(ws|wss)://\\PC{0,8}[a-z@:/?#\\[\\]%. ]{0,12}\\PC{0,8}") {
        if let Ok(request) = Request::new(&url) {
            let lines = sent(&request);
            prop_assert_eq!(lines.iter().filter(|line| line.is_empty()).count(), 2);
            prop_assert!(lines[0].is_ascii() && lines[0].split(' ').count() == 3, "{}", lines[0]);
            prop_assert!(lines[1].starts_with("Host: ") && lines[1].len() > 6);
        }
    }
}
