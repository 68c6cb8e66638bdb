//! What a server answers. The requirements of RFC 6455 are tested by section, together with those for frames.

use crate::common::{NOW, REQUEST, asked, finish, lines, refused, server};
use bowline_handshake::server::{Accept, AnswerError, Error};
use http::{Response, StatusCode};

/// The answer to [`REQUEST`] after one line of it was replaced.
fn flawed(line: &str, replacement: &str) -> (Error, String) {
    assert!(REQUEST.contains(line));
    refused(format!("{}\r\n", REQUEST.replace(line, replacement)))
}

/// The status of the answer to a request that is refused; checks what all such answers share.
fn status(answer: &str) -> u16 {
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    assert!(head.contains("\r\nConnection: close"), "{head}");
    assert!(head.contains(&format!("\r\nContent-Length: {}", body.len())), "{head}");
    assert!(head.contains("\r\nContent-Type: text/plain; charset=utf-8"), "{head}");
    assert!(body.ends_with('\n') && body.lines().count() == 1 && body.len() > 10, "{body}");
    head.strip_prefix("HTTP/1.1 ").unwrap()[..3].parse().unwrap()
}

#[test]
fn a_405_names_the_method_to_use() {
    let (error, answer) = flawed("GET", "POST");
    assert_eq!(error, Error::Method { method: "POST".into() });
    assert_eq!(status(&answer), 405);
    assert!(answer.contains("\r\nAllow: GET\r\n"));
}

#[test]
fn a_head_request_gets_no_body() {
    let long = format!("HEAD /{} HTTP/1.1\r\n", "a".repeat(1 << 20));
    let many = format!("HEAD / HTTP/1.1\r\n{}\r\n", "X: y\r\n".repeat(1000));
    for (request, status) in [
        (REQUEST.replace("GET", "HEAD") + "\r\n", 405),
        ("\r\nHEAD / HTTP/1.0\r\n\r\n".to_owned(), 405),
        ("HEAD / HTTP/1.1\r\nbroken\r\n\r\n".to_owned(), 400),
        (long, 431),
        (many, 431),
    ] {
        let (_, answer) = refused(request);
        let head = answer.strip_suffix("\r\n\r\n").expect("nothing behind the head");
        assert!(head.starts_with(&format!("HTTP/1.1 {status} ")), "{head}");
        // RFC 9110 §9.3.2: as if it had been a GET.
        assert!(head.contains("\r\nContent-Type: ") && !head.contains("\r\nContent-Length: 0"), "{head}");
    }
}

#[test]
fn http_2_is_answered_with_400() {
    let (error, answer) = refused("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
    assert!(matches!(error, Error::Malformed { .. }), "{error}");
    assert_eq!(status(&answer), 400);
}

#[test]
fn a_426_names_the_required_upgrade() {
    for replacement in ["", "Upgrade: h2c\r\n"] {
        let (error, answer) = flawed("Upgrade: websocket\r\n", replacement);
        assert_eq!((error, status(&answer)), (Error::NoUpgrade, 426));
        assert!(answer.contains("\r\nUpgrade: websocket\r\n"));
        assert!(answer.contains("\r\nConnection: close, Upgrade\r\n"));
        assert!(answer.contains("\r\nSec-WebSocket-Version: 13\r\n"));
    }
}

#[test]
fn a_request_with_a_body_is_answered_with_400() {
    for body in ["Content-Length: 5\r\n", "Transfer-Encoding: chunked\r\n", "Content-Length: 0, 5\r\n"] {
        let (error, answer) = refused(format!("{REQUEST}{body}\r\n"));
        assert_eq!((error, status(&answer)), (Error::Body, 400));
    }
    asked("Content-Length: 0\r\n");
}

#[test]
fn another_protocol_is_answered_with_400() {
    let (error, answer) = refused([&[0x16, 3, 1, 2, 0, 1, 0, 1, 0xfc, 3, 3][..], &[7; 60]].concat());
    assert!(error.to_string().ends_with("(a TLS handshake, on a port without TLS)"), "{error}");
    assert_eq!(status(&answer), 400);
}

#[test]
fn a_proxy_that_announces_its_client_is_recognized() {
    let (error, _) = refused(b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c");
    assert!(error.to_string().contains("PROXY protocol"), "{error}");
}

#[test]
fn the_answer_carries_headers_of_the_application() {
    let mut server = asked("");
    let accept =
        Accept::new().with_header("set-cookie", "a=1").unwrap().with_header("set-cookie", "b=2").unwrap();
    server.accept(NOW, &accept).unwrap();
    let lines = lines(server.output());
    assert!(lines.contains(&"Set-Cookie: a=1".to_owned()) && lines.contains(&"Set-Cookie: b=2".to_owned()));
}

#[test]
fn a_request_may_be_rejected() {
    let mut server = asked("");
    let response =
        Response::builder().status(401).header("www-authenticate", "Basic").header("connection", "x");
    let response = response.header("content-length", 99).header("transfer-encoding", "chunked");
    server.reject(NOW, &response.body("who are you?\n").unwrap()).unwrap();
    let (error, answer) = finish(&mut server);
    assert_eq!(error, Error::Rejected { status: StatusCode::UNAUTHORIZED, text: "who are you?".into() });
    assert_eq!(error.to_string(), "the request was rejected with 401 Unauthorized: who are you?");
    assert_eq!(status(&answer), 401);
    assert!(answer.contains("\r\nWww-Authenticate: Basic\r\n") && answer.ends_with("\r\n\r\nwho are you?\n"));
    assert!(!answer.contains("chunked") && !answer.contains("99") && !answer.contains("Connection: x"));
}

#[test]
fn a_request_may_be_redirected() {
    let mut server = asked("");
    let response =
        Response::builder().status(307).header("location", "wss://example.org/new").body("").unwrap();
    server.reject(NOW, &response).unwrap();
    let (error, answer) = finish(&mut server);
    assert_eq!(error.to_string(), "the request was rejected with 307 Temporary Redirect");
    assert!(answer.starts_with("HTTP/1.1 307 Temporary Redirect\r\n"), "{answer}");
    assert!(answer.contains("\r\nLocation: wss://example.org/new\r\n"));
    assert!(answer.contains("\r\nContent-Length: 0\r\n") && !answer.contains("Content-Type"));
}

#[test]
fn a_rejection_may_have_a_content_type_of_its_own() {
    let mut server = asked("");
    let response =
        Response::builder().status(400).header("content-type", "application/json").body("{}").unwrap();
    server.reject(NOW, &response).unwrap();
    let (_, answer) = finish(&mut server);
    assert!(answer.contains("\r\nContent-Type: application/json\r\n"), "{answer}");
}

#[test]
fn a_304_has_no_body() {
    let mut server = asked("");
    server.reject(NOW, &Response::builder().status(304).body("body").unwrap()).unwrap();
    let (_, answer) = finish(&mut server);
    assert!(answer.ends_with("\r\n\r\n"), "{answer}");
}

#[test]
fn the_error_waits_until_the_answer_has_left() {
    let mut server = server("GET / HTTP/1.1\r\n\r\n");
    let length = server.output().len();
    server.handle_written(NOW, length - 1);
    assert!(server.poll_result().is_none());
    server.handle_written(NOW, 1);
    assert_eq!(server.poll_result().unwrap().unwrap_err(), Error::Host);
}

#[test]
fn a_rejection_may_not_have_a_success_status() {
    for status in [101, 200, 204, 600] {
        let mut server = asked("");
        let response = Response::builder().status(status).body("").unwrap();
        assert!(matches!(server.reject(NOW, &response), Err(AnswerError::Status { .. })), "{status}");
        assert!(server.request().is_some());
    }
}

#[test]
fn only_one_answer_is_given() {
    let mut server = asked("");
    server.accept(NOW, &Accept::new()).unwrap();
    assert_eq!(server.accept(NOW, &Accept::new()), Err(AnswerError::NoRequest));
    let response = Response::builder().status(500).body("").unwrap();
    assert_eq!(server.reject(NOW, &response), Err(AnswerError::NoRequest));
    assert_eq!(crate::common::server("GET").accept(NOW, &Accept::new()), Err(AnswerError::NoRequest));
}

#[test]
fn credentials_stay_out_of_debug_output() {
    let server = asked("Authorization: Bearer hunter2\r\nCookie: session=hunter2\r\n");
    assert!(!format!("{:?} {server:?}", server.request().unwrap()).contains("hunter2"));
    let accept = Accept::new().with_header("set-cookie", "session=hunter2").unwrap();
    assert!(!format!("{accept:?}").contains("hunter2"));
}
