//! What a person reads if there is no WebSocket, and what a program does about it.

use std::time::Duration;

use bowline_core::Retry;
use bowline_core::closing::Why;
use bowline_handshake::client::{Error, Request};
use http::HeaderValue;

use crate::common::{UPGRADE, answered, answered_to, client, request};

/// The sentence about an answer.
fn said(answer: impl AsRef<[u8]>) -> String {
    answered(answer).unwrap_err().to_string()
}

/// An answer with these lines and this body.
fn http(head: &str, body: &str) -> String {
    format!("HTTP/1.1 {head}\r\nContent-Length: {}\r\n\r\n{body}", body.len())
}

#[test]
fn a_web_page_is_shown_with_its_type_and_its_beginning() {
    assert_eq!(
        said(http(
            "200 OK\r\nContent-Type: text/html; charset=utf-8",
            "<!doctype html>\n\t<title>Hi</title>"
        )),
        r#"the server answered 200 OK (text/html) instead of a WebSocket upgrade: "<!doctype html> <title>Hi</title>""#
    );
}

#[test]
fn a_status_without_type_or_body_stands_alone() {
    assert_eq!(
        said(http("404 Not Found", "")),
        "the server answered 404 Not Found instead of a WebSocket upgrade"
    );
    assert_eq!(said(http("599 Whatever", "")), "the server answered 599 instead of a WebSocket upgrade");
}

#[test]
fn a_long_body_is_cut_for_display_and_kept_for_the_program() {
    let error = answered(http("500 X", &"x".repeat(1000))).unwrap_err();
    assert!(error.to_string().ends_with(&format!(": \"{}...\"", "x".repeat(120))), "{error}");
    let Error::Refused(refusal) = error else { panic!("{error}") };
    assert_eq!(refusal.body.len(), 256);
}

#[test]
fn no_terminal_control_characters_are_shown() {
    let hostile = "\u{1b}[2J\u{7}\u{202e}\r\n\0";
    let sentences = [
        said(http("500 X\r\nContent-Type: a\u{1b}b", hostile)),
        said(http("500 X\r\nContent-Type: a\u{202e}b", hostile)),
        said(http("301 X\r\nLocation: ws://\u{202e}x/", "")),
        said(format!("\u{1b}[2J{hostile}\n")),
        said(format!("{}\r\n", UPGRADE.replace("websocket\r", "a\u{202e}b\r"))),
        said(format!("{UPGRADE}Sec-WebSocket-Extensions: a\u{202e}b\r\n\r\n")),
        said(format!("{UPGRADE}Sec-WebSocket-Protocol: a\u{202e}b\r\n\r\n")),
    ];
    for sentence in sentences {
        assert!(!sentence.contains(|c: char| c.is_control() || c == '\u{202e}'), "{sentence:?}");
    }
}

#[test]
fn a_redirect_names_its_target() {
    for status in ["301 Moved Permanently", "302 Found", "307 Temporary Redirect", "308 Permanent Redirect"] {
        let error = answered(http(&format!("{status}\r\nLocation: wss://b.example/x?token=abc"), "moved"))
            .unwrap_err();
        assert_eq!(
            error.to_string(),
            format!("the server redirects to \"wss://b.example/x?...\" ({status})")
        );
        assert!(matches!(error.retry(), Retry::No(Why::Status(_))));
        let Error::Refused(refusal) = error else { panic!("{error}") };
        assert_eq!(refusal.location(), Some("wss://b.example/x?token=abc"));
    }
    let long = format!("301 X\r\nLocation: {}", "x".repeat(9999));
    assert!(said(http(&long, "")).len() < 200);
    assert!(said(http("201 Created\r\nLocation: /x", "")).starts_with("the server answered 201 Created"));
}

#[test]
fn missing_credentials_are_distinguished_from_wrong_ones() {
    let answer = http("401 Unauthorized", "");
    assert_eq!(said(&answer), "the server wants credentials, and none were given (401 Unauthorized)");
    let request = Request::new("ws://ann:pw@example.org/").unwrap();
    let error = answered_to(&request, &answer).unwrap_err();
    assert_eq!(error.to_string(), "the server does not accept the credentials (401 Unauthorized)");
    let error = answered_to(&request, http("403 Forbidden", "no")).unwrap_err();
    let sentence =
        "the server forbids access with these credentials, or from this origin (403 Forbidden): \"no\"";
    assert_eq!(error.to_string(), sentence);
}

#[test]
fn an_overloaded_server_says_how_long_to_wait() {
    assert_eq!(
        said(http("503 Service Unavailable\r\nRetry-After: 30", "")),
        "the server is overloaded or down for maintenance (503 Service Unavailable) and asks us to wait 30 s"
    );
    assert_eq!(
        said(http("429 Too Many Requests\r\nRetry-After: 7", "slow down")),
        "the server gets too many requests from here (429 Too Many Requests) and asks us to wait 7 s: \"slow down\""
    );
}

#[test]
fn the_retry_follows_the_status() {
    let retry = |head: &str| answered(http(head, "")).unwrap_err().retry();
    for status in [408, 425, 429, 500, 502, 503, 504, 519, 520, 525, 529] {
        assert_eq!(retry(&format!("{status} X")), Retry::Backoff, "{status}");
    }
    for status in [200, 204, 301, 400, 401, 403, 404, 426, 501, 505, 511] {
        assert_eq!(
            retry(&format!("{status} X\r\nRetry-After: 5")),
            Retry::No(Why::Status(status)),
            "{status}"
        );
    }
}

#[test]
fn retry_after_is_the_minimum_wait() {
    let retry = |headers: &str| answered(http(&format!("503 X\r\n{headers}"), "")).unwrap_err().retry();
    assert_eq!(retry("Retry-After: 120"), Retry::BackoffAfter(Duration::from_secs(120)));
    let dates = "Date: Wed, 28 Feb 2024 23:59:50 GMT\r\nRetry-After: Thu, 29 Feb 2024 00:00:05 GMT";
    assert_eq!(retry(dates), Retry::BackoffAfter(Duration::from_secs(15)));
    assert_eq!(retry("Retry-After: soon"), Retry::Backoff);
}

#[test]
fn an_answer_that_breaks_the_handshake_is_not_retried() {
    let wrong_key = answered(format!("{}\r\n", UPGRADE.replace("s3p", "S3P"))).unwrap_err();
    assert_eq!(wrong_key.retry(), Retry::No(Why::Invalid));
    assert_eq!(
        wrong_key.to_string(),
        "the server's `Sec-WebSocket-Accept` does not fit the key: a cache or a proxy may have answered"
    );
}

#[test]
fn another_protocol_is_shown_with_a_guess_at_its_name() {
    assert_eq!(
        said("SSH-2.0-OpenSSH_9.6\r\n"),
        "the server does not speak HTTP: it said \"SSH-2.0-OpenSSH_9.6\" (an SSH server or client)"
    );
    assert_eq!(
        said("220 mail.example ESMTP\r\n"),
        "the server does not speak HTTP: it said \"220 mail.example ESMTP\" (a mail or FTP server)"
    );
    assert!(said("HTTP/2 200\r\n").contains("(HTTP/2)"));
    assert!(said("garbage\n").ends_with("\"garbage\""));
}

#[test]
fn broken_http_is_distinguished_from_another_protocol() {
    assert_eq!(said("HTTP/1.1 abc\r\n\r\n"), "the server's answer is broken HTTP: invalid response status");
    assert_eq!(
        said("HTTP/1.1 101 X\r\nno colon\r\n\r\n"),
        "the server's answer is broken HTTP: invalid header name"
    );
}

#[test]
fn an_http_1_0_answer_is_understood_unless_it_upgrades() {
    let old = "HTTP/1.0 404 File not found\r\nContent-Length: 0\r\n\r\n";
    assert_eq!(said(old), "the server answered 404 Not Found instead of a WebSocket upgrade");
    assert_eq!(answered(format!("{}\r\n", UPGRADE.replace("1.1", "1.0"))).unwrap_err(), Error::OldHttp);
}

#[test]
fn a_chunked_body_is_shown_without_its_sizes() {
    let answer = "HTTP/1.1 502 X\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nbad \r\n7\r\ngateway\r\n0\r\n\r\n";
    assert!(said(answer).ends_with(": \"bad gateway\""));
}

#[test]
fn secrets_are_never_shown_even_if_the_server_sends_them_back() {
    let mut marked = HeaderValue::from_static("drink me");
    marked.set_sensitive(true);
    let request = Request::new("wss://example.org/x?a=1&token=swordfish").unwrap();
    let request = request.with_header("authorization", "Bearer hunter2").unwrap();
    let request = request.with_header("cookie", "session=opensesame; other=abracadabra").unwrap();
    let request = request.with_header("x-api-key", marked).unwrap();
    let secrets = ["swordfish", "hunter2", "opensesame", "abracadabra", "drink"];

    let echo = "GET /x?token=swordfish: Bearer hunter2, {session: opensesame, other: abracadabra}, drink me";
    let refused = answered_to(&request, http("404 Not Found", echo)).unwrap_err();
    let echoed = answered_to(&request, "\u{1}GET /x?token=swordfish\r\n").unwrap_err();
    let invalid = request.clone().with_header("x", "hunter2\n").unwrap_err();
    let shown =
        format!("{refused} {refused:?} {echoed} {echoed:?} {invalid} {request:?} {:?}", client(&request));
    for secret in secrets {
        assert!(!shown.contains(secret), "{shown}");
    }
    let Error::Refused(refusal) = refused else { panic!("{refused}") };
    let body = "GET /x?token=*********: Bearer *******, {session: **********, other: ***********}, ********";
    assert_eq!(refusal.body, body);
}

#[test]
fn a_secret_that_is_echoed_in_a_header_is_not_shown() {
    let request = Request::new("wss://example.org/x?token=swordfish").unwrap();
    let request = request.with_header("authorization", "Bearer hunter2").unwrap();
    for answer in [
        http("302 Found\r\nLocation: /login/hunter2/swordfish", ""),
        http("302 Found\r\nLocation: /login#token=swordfish", ""),
        http("302 Found\r\nLocation: /login?token=swordfish", ""),
        http("404 Not Found\r\nContent-Type: text/hunter2", ""),
        format!("{}\r\n", UPGRADE.replace("websocket\r", "websocket-hunter2\r")),
        format!("{UPGRADE}Sec-WebSocket-Protocol: bearer, hunter2\r\n\r\n"),
        format!("{UPGRADE}Sec-WebSocket-Extensions: for; hunter2\r\n\r\n"),
    ] {
        let error = answered_to(&request, answer).unwrap_err();
        let shown = format!("{error} {error:?}");
        assert!(!shown.contains("hunter2") && !shown.contains("swordfish"), "{shown}");
    }
    let error = answered_to(&request, http("302 Found\r\nLocation: /login/hunter2", "")).unwrap_err();
    assert_eq!(error.to_string(), "the server redirects to \"/login/*******\" (302 Found)");
    let Error::Refused(refusal) = error else { panic!("{error}") };
    assert_eq!(refusal.location(), Some("/login/hunter2"), "a program may have to go there");
}

#[test]
fn a_secret_that_is_echoed_decoded_is_not_shown() {
    let request = Request::new("ws://ann:p%40ssword@example.org/x?key=open%20sesame&q=%zz").unwrap();
    for echo in ["ann:p@ssword", "no p@ssword", "the key is open sesame", "or open%20sesame", "q is %zz"] {
        let error = answered_to(&request, http("401 Unauthorized", echo)).unwrap_err();
        let shown = error.to_string();
        assert!(!shown.contains("p@ssword") && !shown.contains("sesame"), "{shown}");
    }
}

#[test]
fn a_user_name_without_a_password_is_no_secret() {
    // "somebody", and no colon.
    let request = request().with_header("authorization", "Basic c29tZWJvZHk=").unwrap();
    let error = answered_to(&request, http("401 Unauthorized", "not somebody")).unwrap_err();
    assert!(error.to_string().contains("not somebody"), "{error}");
}

#[test]
fn cookies_of_an_answer_stay_out_of_debug_output() {
    let upgraded = answered(format!("{UPGRADE}Set-Cookie: session=hunter2\r\n\r\n")).unwrap();
    assert!(!format!("{upgraded:?}").contains("hunter2"));
    assert_eq!(upgraded.response.headers()["set-cookie"], "session=hunter2");
}

#[test]
fn an_error_about_a_url_does_not_show_its_password() {
    for url in [
        "https://ann:hunter2@a/",
        "ws://ann:hunter2@a b/",
        "ws://ann:hunter2@/",
        "ws://a%zz:hunter2@a/",
        // With a character that should have been percent-encoded.
        "ws://ann%40corp:hunter2/3@a/",
        "ws://ann:hunter2:b?c@a/",
        "ann:hunter2://b@a/",
    ] {
        let error = Request::new(url).unwrap_err();
        assert!(!format!("{error} {error:?}").contains("hunter2"), "{error}");
    }
}

#[test]
fn a_request_shows_its_url_without_the_query() {
    let request = request().with_subprotocol("v1").unwrap().with_header("x-y", "z").unwrap();
    let debug = r#"Request { url: ws://example.org/chat, subprotocols: ["v1"], headers: ["x-y"], .. }"#;
    assert_eq!(format!("{request:?}"), debug);
}
