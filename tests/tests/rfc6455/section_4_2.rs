//! §4.2, the server's opening handshake.
//!
//! Binds no endpoint of ours, or not these machines:
//! - To shake hands for TLS first, if the port is one for `wss`: the host's part. The handshake takes any transport.
//! - Which origins, credentials, resources and versions of a service are accepted is for the application to decide,
//!   from the request it is given; what it can answer is below.

use crate::http::{
    ACCEPT, KEY, NOW, REQUEST, accepted, and, is_welcome, refusal, refused, served, status, values, with,
};
use bowline_handshake::server::{Accept, AnswerError, Error, negotiate};
use http::{Response, StatusCode};

/// Checks that [`REQUEST`] in which a part was replaced is answered with this error and this status.
fn flawed(part: &str, replacement: &str, error: &Error, code: u16) {
    let (found, answer) = refused(with(REQUEST, part, replacement));
    assert_eq!((&found, status(&answer)), (error, code), "{replacement:?}");
    // A client that was refused must not take what follows for frames.
    assert!(values(&answer, "connection")[0].starts_with("close"), "{answer:?}");
}

// §4.2.1, reading the client's opening handshake.

#[test]
fn a_request_that_fits_reaches_the_application() {
    let server = served(and(REQUEST, "Origin: https://example.org\r\n"));
    let request = server.request().unwrap();
    assert_eq!((request.method().as_str(), request.uri().path()), ("GET", "/chat"));
    assert_eq!(request.headers()["origin"], "https://example.org");
    assert_eq!(server.output(), b"");
}

#[test]
fn the_order_of_headers_does_not_matter() {
    let (first, headers) = REQUEST.split_once("\r\n").unwrap();
    let mut headers: Vec<_> = headers.trim_end().split("\r\n").collect();
    for _ in 0..headers.len() {
        headers.rotate_left(1);
        assert!(is_welcome(format!("{first}\r\n{}\r\n\r\n", headers.join("\r\n"))));
    }
}

#[test]
fn broken_http_is_answered_400() {
    for bad in
        ["GET /chat\r\n\r\n", "GET / HTTP/1.1\r\nno colon\r\n\r\n", "GET / HTTP/1.1\r\n folded: x\r\n\r\n"]
    {
        let (error, answer) = refused(bad);
        assert!(matches!(error, Error::Malformed { .. }), "{error}");
        assert_eq!(status(&answer), 400);
    }
}

#[test]
fn a_method_other_than_get_is_answered_405() {
    for method in ["POST", "HEAD", "get", "CONNECT"] {
        flawed("GET", method, &Error::Method { method: method.into() }, 405);
    }
}

#[test]
fn http_before_1_1_is_answered_426() {
    flawed("HTTP/1.1", "HTTP/1.0", &Error::OldHttp, 426);
}

#[test]
fn the_target_may_be_a_path_or_a_url() {
    assert!(is_welcome(with(REQUEST, "/chat", "/")));
    let server = served(with(REQUEST, "/chat", "http://example.org/chat"));
    assert_eq!(server.request().unwrap().uri().path(), "/chat");
}

#[test]
fn a_target_that_is_not_a_resource_is_answered_400() {
    for target in ["*", "example.org:80", "ftp://example.org/chat"] {
        flawed("/chat", target, &Error::Target, 400);
    }
}

#[test]
fn a_request_without_the_authority_in_host_is_answered_400() {
    let line = "Host: example.org\r\n";
    for replacement in
        ["", "Host:\r\n", "Host: a b\r\n", "Host: a/b\r\n", "Host: u@a\r\n", "Host: a\r\nHost: a\r\n"]
    {
        flawed(line, replacement, &Error::Host, 400);
    }
}

#[test]
fn the_authority_in_host_may_have_a_port() {
    for host in ["example.org:9001", "[::1]", "[::1]:9001", "127.0.0.1:80", "my_host"] {
        assert!(is_welcome(with(REQUEST, "Host: example.org", &format!("Host: {host}"))), "{host}");
    }
}

#[test]
fn a_request_without_upgrade_websocket_is_answered_426() {
    for replacement in ["", "Upgrade: h2c\r\n", "Upgrade: websockets\r\n"] {
        flawed("Upgrade: websocket\r\n", replacement, &Error::NoUpgrade, 426);
    }
}

#[test]
fn upgrade_may_list_websocket_in_any_case_among_others() {
    for upgrade in ["WebSocket", "h2c, WEBSOCKET", "h2c\r\nUpgrade: websocket"] {
        assert!(is_welcome(with(REQUEST, "Upgrade: websocket", &format!("Upgrade: {upgrade}"))), "{upgrade}");
    }
}

#[test]
fn a_request_without_connection_upgrade_is_answered_400() {
    for replacement in ["", "Connection: close\r\n", "Connection: Upgraded\r\n"] {
        flawed("Connection: Upgrade\r\n", replacement, &Error::NoConnectionUpgrade, 400);
    }
}

#[test]
fn connection_may_list_upgrade_in_any_case_among_others() {
    for connection in ["keep-alive, upgrade", "keep-alive\r\nConnection: UPGRADE"] {
        assert!(is_welcome(with(REQUEST, "Connection: Upgrade", &format!("Connection: {connection}"))));
    }
}

#[test]
fn a_key_that_is_not_16_bytes_in_base64_is_answered_400() {
    let line = format!("Sec-WebSocket-Key: {KEY}\r\n");
    for key in [
        "",
        "==",
        "dGhlIHNhbXBsZSBub25jZTEyMw==",
        "dGhlIHNhbXBsZSBub25jZTEy",
        "dGhlIHNhbXBsZSBub25j",
        "dGhlIHNhbXBsZSBub25jZQ!!",
        "dGhlIHNhbXBs_SBub25jZQ==",
        "dGhlIHNhbXBsZSBub25jZQ=",
        "dGhlIHNhbXBsZSBub25jZQ",
    ] {
        flawed(&line, &format!("Sec-WebSocket-Key: {key}\r\n"), &Error::Key, 400);
    }
    flawed(&line, "", &Error::Key, 400);
}

#[test]
fn duplicate_credentials_are_answered_400() {
    let line = "Authorization: Bearer a\r\n";
    assert!(is_welcome(and(REQUEST, line)));
    for other in [line, "Authorization: Bearer b\r\n", "authorization:\r\n"] {
        let (error, answer) = refused(and(REQUEST, &format!("{line}{other}")));
        assert_eq!((&error, status(&answer)), (&Error::Authorization, 400), "{other:?}");
        assert!(error.to_string().contains("`Authorization`"), "{error}");
    }
}

#[test]
fn an_origin_is_not_asked_for() {
    assert!(is_welcome(and(REQUEST, "")));
}

#[test]
fn subprotocols_are_seen_in_order_of_preference() {
    let server = served(and(REQUEST, "Sec-WebSocket-Protocol: b, a\r\nSec-WebSocket-Protocol: ,c,b\r\n"));
    assert_eq!(server.subprotocols(), ["b", "a", "c"]);
}

#[test]
fn subprotocols_that_are_not_a_list_of_tokens_are_answered_400() {
    for offer in ["a b", "a;q=1", "\"a\"", "a, \u{e9}", "", ","] {
        let (error, answer) = refused(and(REQUEST, &format!("Sec-WebSocket-Protocol: {offer}\r\n")));
        assert_eq!((error, status(&answer)), (Error::Subprotocols, 400), "{offer:?}");
    }
}

#[test]
fn unknown_headers_are_ignored() {
    assert!(is_welcome(and(REQUEST, "X-Unknown: \u{e9}\r\nSec-WebSocket-Unknown: x\r\n")));
}

#[test]
fn a_header_of_ours_that_is_not_utf_8_is_answered_400() {
    // The rule of §8.1 for the opening handshake.
    for name in ["Sec-WebSocket-Protocol", "Sec-WebSocket-Extensions"] {
        let (_, answer) = refused([REQUEST.as_bytes(), name.as_bytes(), b": a\xff\r\n\r\n"].concat());
        assert_eq!(status(&answer), 400, "{name}");
    }
}

// §4.2.2, sending the server's opening handshake.

#[test]
fn a_server_may_ask_for_credentials() {
    let mut server = served(and(REQUEST, ""));
    let response = Response::builder().status(401).header("www-authenticate", "Basic").body("who are you?");
    server.reject(NOW, &response.unwrap()).unwrap();
    let (error, answer) = refusal(server);
    let rejected = Error::Rejected { status: StatusCode::UNAUTHORIZED, text: "who are you?".into() };
    assert_eq!((error, status(&answer)), (rejected, 401));
    assert_eq!(values(&answer, "www-authenticate"), ["Basic"]);
}

#[test]
fn a_server_may_redirect() {
    let mut server = served(and(REQUEST, ""));
    let response = Response::builder().status(307).header("location", "wss://example.org/new").body("");
    server.reject(NOW, &response.unwrap()).unwrap();
    let (_, answer) = refusal(server);
    assert_eq!((status(&answer), values(&answer, "location")), (307, vec!["wss://example.org/new"]));
}

#[test]
fn a_request_that_is_not_welcome_is_answered_with_an_error_of_http() {
    for code in [403, 404, 503] {
        let mut server = served(and(REQUEST, ""));
        server.reject(NOW, &Response::builder().status(code).body("").unwrap()).unwrap();
        let (_, answer) = refusal(server);
        assert_eq!(status(&answer), code);
    }
}

#[test]
fn the_answer_is_101_in_http_1_1() {
    let answer = accepted(&and(REQUEST, ""), &Accept::new());
    assert_eq!(answer[0], "HTTP/1.1 101 Switching Protocols");
    assert_eq!(answer[4..], ["", ""], "three headers, and no body");
}

#[test]
fn the_answer_upgrades_to_websocket() {
    let answer = accepted(&and(REQUEST, ""), &Accept::new());
    assert_eq!(values(&answer, "upgrade"), ["websocket"]);
    assert_eq!(values(&answer, "connection"), ["Upgrade"]);
}

#[test]
fn the_answer_carries_the_digest_of_the_key() {
    let answer = accepted(&and(REQUEST, ""), &Accept::new());
    assert_eq!(values(&answer, "sec-websocket-accept"), [ACCEPT]);
    // The key counts as written, not by the bytes that it stands for.
    let other = with(REQUEST, KEY, "dGhlIHNhbXBsZSBub25jZR==");
    assert_ne!(values(&accepted(&other, &Accept::new()), "sec-websocket-accept"), [ACCEPT]);
}

#[test]
fn white_space_around_the_key_does_not_count() {
    let padded = with(REQUEST, KEY, &format!("  {KEY}\t "));
    assert_eq!(values(&accepted(&padded, &Accept::new()), "sec-websocket-accept"), [ACCEPT]);
}

#[test]
fn the_chosen_subprotocol_is_in_the_answer() {
    let request = and(REQUEST, "Sec-WebSocket-Protocol: b, a\r\n");
    let answer = accepted(&request, &Accept::new().with_subprotocol("a"));
    assert_eq!(values(&answer, "sec-websocket-protocol"), ["a"]);
}

#[test]
fn no_subprotocol_is_in_the_answer_if_none_was_chosen() {
    let request = and(REQUEST, "Sec-WebSocket-Protocol: b, a\r\n");
    assert_eq!(values(&accepted(&request, &Accept::new()), "sec-websocket-protocol"), [""; 0]);
}

#[test]
fn a_subprotocol_that_was_not_asked_for_cannot_be_chosen() {
    for (offer, chosen) in
        [("Sec-WebSocket-Protocol: a\r\n", "A"), ("Sec-WebSocket-Protocol: a\r\n", ""), ("", "a")]
    {
        let mut server = served(and(REQUEST, offer));
        let error = server.accept(NOW, &Accept::new().with_subprotocol(chosen)).unwrap_err();
        assert_eq!(error, AnswerError::NotOffered { subprotocol: chosen.into() });
        assert_eq!(server.output(), b"");
        assert_eq!(server.accept(NOW, &Accept::new()), Ok(()), "the request still waits");
    }
}

#[test]
fn the_subprotocol_is_one_that_both_speak() {
    let offered = ["a".to_owned(), "b".to_owned()];
    assert_eq!(negotiate(&["c", "b", "a"], &offered), Some("b"));
    assert_eq!(negotiate(&["c"], &offered), None);
    assert_eq!(negotiate(&["a"], &[]), None);
}

#[test]
fn a_server_may_send_as_soon_as_its_answer_has_left() {
    let mut server = served(and(REQUEST, ""));
    server.accept(NOW, &Accept::new()).unwrap();
    let length = server.output().len();
    server.handle_written(NOW, length - 1);
    assert!(server.poll_result().is_none());
    server.handle_written(NOW, 1);
    assert!(server.poll_result().unwrap().is_ok());
}

#[test]
fn bytes_after_the_request_are_handed_on() {
    let mut server = served([and(REQUEST, "").as_bytes(), b"\x81\x80"].concat());
    assert!(!server.wants_input());
    server.accept(NOW, &Accept::new()).unwrap();
    server.handle_input(NOW, b"\0\0\0\0");
    server.handle_written(NOW, server.output().len());
    assert_eq!(server.poll_result().unwrap().unwrap().leftover, &b"\x81\x80\0\0\0\0"[..]);
}
