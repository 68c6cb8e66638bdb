//! §4.1, the client's opening handshake.
//!
//! Binds no endpoint of ours, or not these machines:
//! - To have one connection at most in the state of connecting to a host: a [`Reconnect`](bowline_core::Reconnect) has
//!   one dial under way, and there is one per client; how many clients there are is for the program to decide.
//! - To connect, by way of a proxy if one is configured, and to fail if the connection cannot be opened; to shake hands
//!   for TLS, with the server's name in it, before anything else: the adapter's part. The handshake takes any transport.
//! - That a browser sends `Origin`.
//! - The nonce is random and new for each connection: the handshake takes it from its host, who has to see to that. The
//!   tokio adapter draws it from the operating system.

use crate::http::{
    ACCEPT, ANSWER, KEY, NONCE, NOW, and, answered, answered_to, asked, request, values, with,
};
use bowline_handshake::Config;
use bowline_handshake::client::{Error, Handshake, Request, RequestError};

/// The error that a client makes of [`ANSWER`] in which a part was replaced.
fn flawed(part: &str, replacement: &str) -> Error {
    answered(&with(ANSWER, part, replacement)).expect_err(replacement)
}

// The URL.

#[test]
fn a_url_that_is_not_valid_is_not_asked_for() {
    for url in [
        "example.org",
        "http://a/",
        "ws://",
        "ws:///x",
        "ws://a:0/",
        "ws://a:65536/",
        "ws://a b/",
        "ws://[::1/",
    ] {
        assert!(Request::new(url).is_err(), "{url}");
    }
}

// The request, points 1 to 12.

#[test]
fn the_request_is_valid_http() {
    let lines = asked(&Request::new("ws://example.org/gr\u{fc}n und blau?\"x\"").unwrap());
    assert_eq!(lines[0], "GET /gr%C3%BCn%20und%20blau?%22x%22 HTTP/1.1");
    assert_eq!(lines[lines.len() - 2..], ["", ""], "one blank line, at the end, and nothing behind it");
    for line in &lines[1..lines.len() - 2] {
        assert!(line.is_ascii() && line.contains(": "), "{line}");
    }
}

#[test]
fn the_method_is_get_in_http_1_1() {
    assert_eq!(asked(&request())[0], "GET /chat HTTP/1.1");
}

#[test]
fn the_request_asks_for_the_resource_of_the_url() {
    let request = Request::new("ws://example.org/a/b?c=d&e").unwrap();
    assert_eq!(asked(&request)[0], "GET /a/b?c=d&e HTTP/1.1");
}

#[test]
fn host_names_the_host() {
    let host = |url| values(&asked(&Request::new(url).unwrap()), "host").join(" and ");
    assert_eq!(host("ws://example.org/"), "example.org");
    assert_eq!(host("ws://ann:pw@example.org/"), "example.org");
    assert_eq!(host("wss://[::1]/"), "[::1]");
}

#[test]
fn host_names_the_port_unless_it_is_the_default() {
    let host = |url| values(&asked(&Request::new(url).unwrap()), "host").join(" and ");
    assert_eq!(host("ws://example.org:80/"), "example.org");
    assert_eq!(host("wss://example.org:443/"), "example.org");
    assert_eq!(host("ws://example.org:443/"), "example.org:443");
    assert_eq!(host("wss://example.org:80/"), "example.org:80");
    assert_eq!(host("wss://[::1]:9001/"), "[::1]:9001");
}

#[test]
fn upgrade_asks_for_websocket() {
    assert_eq!(values(&asked(&request()), "upgrade"), ["websocket"]);
}

#[test]
fn connection_says_upgrade() {
    assert_eq!(values(&asked(&request()), "connection"), ["Upgrade"]);
}

#[test]
fn the_key_is_16_bytes_in_base64() {
    assert_eq!(values(&asked(&request()), "sec-websocket-key"), [KEY]);
    let with_nonce =
        |nonce| crate::http::lines(Handshake::new(&request(), nonce, Config::default(), NOW).output());
    assert_eq!(values(&with_nonce([0xff; 16]), "sec-websocket-key"), ["/////////////////////w=="]);
}

#[test]
fn an_origin_may_be_sent() {
    let request = request().with_header("origin", "https://example.org").unwrap();
    assert_eq!(values(&asked(&request), "origin"), ["https://example.org"]);
    assert_eq!(values(&asked(&crate::http::request()), "origin"), [""; 0]);
}

#[test]
fn the_version_is_13() {
    assert_eq!(values(&asked(&request()), "sec-websocket-version"), ["13"]);
}

#[test]
fn subprotocols_are_listed_in_order_of_preference() {
    let request = request().with_subprotocol("b.v2").unwrap().with_subprotocol("a").unwrap();
    assert_eq!(values(&asked(&request), "sec-websocket-protocol"), ["b.v2, a"]);
    assert_eq!(values(&asked(&crate::http::request()), "sec-websocket-protocol"), [""; 0]);
}

#[test]
fn subprotocols_are_tokens() {
    let separators = "()<>@,;:\\\"/[]?={} \t".chars().map(|separator| format!("a{separator}b"));
    let others = ["", "\u{e4}", "a\u{7f}", "a\r\nX: y"].map(str::to_owned);
    for bad in separators.chain(others) {
        assert!(matches!(request().with_subprotocol(&bad), Err(RequestError::Subprotocol { .. })), "{bad:?}");
    }
}

#[test]
fn subprotocols_are_unique() {
    let twice = request().with_subprotocol("a").unwrap().with_subprotocol("a");
    assert_eq!(twice, Err(RequestError::Subprotocol { name: "a".into() }));
    assert!(request().with_subprotocol("a").unwrap().with_subprotocol("A").is_ok());
}

#[test]
fn no_extension_is_asked_for() {
    assert_eq!(values(&asked(&request()), "sec-websocket-extensions"), [""; 0]);
}

#[test]
fn other_headers_may_be_sent() {
    let request = request().with_header("authorization", "Bearer x").unwrap();
    let request = request.with_header("cookie", "a=1").unwrap().with_header("cookie", "b=2").unwrap();
    let lines = asked(&request);
    assert_eq!(values(&lines, "authorization"), ["Bearer x"]);
    assert_eq!(values(&lines, "cookie"), ["a=1", "b=2"]);
}

// The answer.

#[test]
fn nothing_is_sent_before_the_answer_has_come() {
    let mut client = Handshake::new(&request(), NONCE, Config::default(), NOW);
    client.handle_written(NOW, client.output().len());
    assert_eq!(client.output(), b"");
    assert!(client.poll_result().is_none());
    let answer = and(ANSWER, "");
    client.handle_input(NOW, &answer.as_bytes()[..answer.len() - 1]);
    assert_eq!(client.output(), b"");
    assert!(client.poll_result().is_none(), "the answer is not complete");
    client.handle_input(NOW, b"\n");
    assert!(client.poll_result().expect("the way is free").is_ok());
}

#[test]
fn an_answer_that_fits_opens_the_websocket() {
    let upgraded = answered(&and(ANSWER, "")).unwrap();
    assert_eq!(upgraded.response.status(), 101);
    assert_eq!((upgraded.subprotocol, upgraded.leftover.len()), (None, 0));
}

#[test]
fn another_status_is_handled_as_http() {
    for status in [200, 301, 401, 404, 426, 503] {
        let error = answered(&format!("HTTP/1.1 {status} X\r\nContent-Length: 0\r\n\r\n")).unwrap_err();
        assert_eq!(error.status().unwrap(), status);
    }
}

#[test]
fn a_demand_for_credentials_is_handed_to_the_application() {
    let error =
        answered("HTTP/1.1 401 X\r\nWWW-Authenticate: Basic\r\nContent-Length: 0\r\n\r\n").unwrap_err();
    let Error::Refused(refusal) = error else { panic!("{error}") };
    assert_eq!(refusal.headers["www-authenticate"], "Basic");
}

#[test]
fn a_redirect_is_handed_to_the_application() {
    let error =
        answered("HTTP/1.1 307 X\r\nLocation: ws://b.example/\r\nContent-Length: 0\r\n\r\n").unwrap_err();
    let Error::Refused(refusal) = error else { panic!("{error}") };
    assert_eq!(refusal.location(), Some("ws://b.example/"));
}

#[test]
fn answers_before_the_answer_proper_are_skipped() {
    let early = "HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\nHTTP/1.1 100 Continue\r\n\r\n";
    assert!(answered(&and(&format!("{early}{ANSWER}"), "")).is_ok());
}

#[test]
fn an_answer_without_upgrade_fails() {
    assert_eq!(flawed("Upgrade: websocket\r\n", ""), Error::NotWebSocket { upgrade: String::new() });
}

#[test]
fn an_answer_that_upgrades_to_something_else_fails() {
    for other in ["h2c", "websockets", "websocket, h2c", "websocket/13"] {
        let error = flawed("Upgrade: websocket", &format!("Upgrade: {other}"));
        assert_eq!(error, Error::NotWebSocket { upgrade: other.to_owned() });
    }
}

#[test]
fn upgrade_may_have_any_case() {
    assert!(answered(&with(ANSWER, "Upgrade: websocket", "UPGRADE: WebSocket")).is_ok());
}

#[test]
fn an_answer_without_connection_fails() {
    assert_eq!(flawed("Connection: Upgrade\r\n", ""), Error::NoConnectionUpgrade);
}

#[test]
fn an_answer_whose_connection_has_no_token_upgrade_fails() {
    for other in ["close", "Upgraded", "keep-alive, Up-grade", "\"Upgrade\""] {
        let error = flawed("Connection: Upgrade", &format!("Connection: {other}"));
        assert_eq!(error, Error::NoConnectionUpgrade, "{other}");
    }
}

#[test]
fn connection_may_list_upgrade_in_any_case_among_other_tokens() {
    for other in ["keep-alive, upgrade", "keep-alive\r\nCONNECTION: UPGRADE", "Upgrade,"] {
        assert!(
            answered(&with(ANSWER, "Connection: Upgrade", &format!("Connection: {other}"))).is_ok(),
            "{other}"
        );
    }
}

#[test]
fn an_answer_without_accept_fails() {
    let line = format!("Sec-WebSocket-Accept: {ACCEPT}\r\n");
    assert_eq!(flawed(&line, ""), Error::WrongAccept { missing: true });
}

#[test]
fn an_answer_to_another_key_fails() {
    // Another digest, another case, one digit more or less, and the key itself.
    for accept in [
        "S3pPLMBiTxaQ9kYGzzhZRbK+xOo=",
        "s3pplmbitxaq9kygzzhzrbk+xoo=",
        "s3pPLMBiTxaQ9kYGzzhZRbK+xOo",
        "s3pPLMBiTxaQ9kYGzzhZRbK+xOo==",
        KEY,
        "",
    ] {
        assert_eq!(flawed(ACCEPT, accept), Error::WrongAccept { missing: false }, "{accept}");
    }
}

#[test]
fn white_space_around_accept_does_not_count() {
    assert!(answered(&with(ANSWER, ACCEPT, &format!(" \t{ACCEPT} \t"))).is_ok());
}

#[test]
fn an_answer_with_an_extension_that_was_not_asked_for_fails() {
    for extension in ["permessage-deflate", "x; y=1", "permessage-deflate, x"] {
        let error =
            answered(&and(ANSWER, &format!("Sec-WebSocket-Extensions: {extension}\r\n"))).unwrap_err();
        assert_eq!(error, Error::UnexpectedExtension { extension: extension.to_owned() });
    }
}

#[test]
fn a_subprotocol_that_was_asked_for_is_taken() {
    let request = request().with_subprotocol("v2").unwrap().with_subprotocol("v1").unwrap();
    let upgraded = answered_to(&request, &and(ANSWER, "Sec-WebSocket-Protocol: v1\r\n")).unwrap();
    assert_eq!(upgraded.subprotocol.as_deref(), Some("v1"));
}

#[test]
fn a_server_may_choose_no_subprotocol() {
    let request = request().with_subprotocol("v1").unwrap();
    assert_eq!(answered_to(&request, &and(ANSWER, "")).unwrap().subprotocol, None);
}

#[test]
fn an_answer_with_a_subprotocol_that_was_not_asked_for_fails() {
    let request = request().with_subprotocol("v2").unwrap().with_subprotocol("v1").unwrap();
    for chosen in ["v3", "V1", "v2, v1", ""] {
        let error = answered_to(&request, &and(ANSWER, &format!("Sec-WebSocket-Protocol: {chosen}\r\n")));
        assert!(matches!(error, Err(Error::UnexpectedSubprotocol { .. })), "{chosen:?}: {error:?}");
    }
    let error = answered(&and(ANSWER, "Sec-WebSocket-Protocol: v1\r\n")).unwrap_err();
    assert_eq!(error, Error::UnexpectedSubprotocol { subprotocol: "v1".into() });
}

#[test]
fn an_answer_that_is_not_http_1_1_fails() {
    assert_eq!(flawed("HTTP/1.1", "HTTP/1.0"), Error::OldHttp);
    assert!(matches!(flawed("HTTP/1.1", "HTTP/2.0"), Error::NotHttp { .. } | Error::Malformed { .. }));
    assert!(matches!(flawed("Connection: Upgrade", "no colon"), Error::Malformed { .. }));
}

#[test]
fn bytes_after_the_answer_are_handed_on() {
    let mut client = Handshake::new(&request(), NONCE, Config::default(), NOW);
    client.handle_written(NOW, client.output().len());
    assert!(client.wants_input());
    client.handle_input(NOW, &[and(ANSWER, "").as_bytes(), b"\x81\x05Hel"].concat());
    assert!(!client.wants_input());
    client.handle_input(NOW, b"lo");
    assert_eq!(client.poll_result().unwrap().unwrap().leftover, &b"\x81\x05Hello"[..]);
}
