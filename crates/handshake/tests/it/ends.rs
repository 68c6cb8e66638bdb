//! Ends and timeouts, each in every state.

use std::time::Duration;

use bowline_core::closing::Why;
use bowline_core::{End, Instant, Retry};
use bowline_handshake::client::Error;
use bowline_handshake::server::{self, Accept};
use bowline_handshake::{Config, client as client_role};

use crate::common::{NOW, REQUEST, UPGRADE, asked, client, request, text};

const SECOND: Duration = Duration::from_secs(1);

fn after(seconds: u64) -> Instant {
    Instant::from_secs(seconds)
}

/// What the client reports after this input and this end.
fn ended(input: &str, end: End) -> Error {
    let mut client = client(&request());
    client.handle_input(NOW, input.as_bytes());
    client.handle_end(NOW, end);
    client.poll_result().unwrap().unwrap_err()
}

#[test]
fn a_connection_that_ends_without_an_answer_is_retried() {
    let closed = ended("", End::Eof);
    assert_eq!(closed.to_string(), "the connection was closed before the server said anything");
    assert_eq!(closed.retry(), Retry::Backoff);
    let reset = ended("HTTP/1.1 101", End::Reset);
    assert_eq!(
        reset.to_string(),
        "the connection broke before the server finished its answer, after 12 bytes"
    );
    assert_eq!(ended("", End::LocalAbort).retry(), Retry::No(Why::Asked));
}

#[test]
fn the_end_completes_a_body_without_a_length() {
    let error = ended("HTTP/1.1 503 X\r\n\r\nback soon", End::Eof);
    assert!(error.to_string().ends_with(": \"back soon\""), "{error}");
}

#[test]
fn the_end_completes_the_greeting_of_another_protocol() {
    let mut client = client(&request());
    client.handle_input(NOW, &[0x15, 3, 3, 0, 2]);
    client.handle_input(NOW, &[2, 40]);
    assert!(client.poll_result().is_none());
    client.handle_end(NOW, End::Eof);
    let error = client.poll_result().unwrap().unwrap_err();
    assert_eq!(
        error.to_string(),
        "the server does not speak HTTP: it said \"\\x15\\x03\\x03\\x00\\x02\\x02(\" \
         (a TLS alert: the port expects TLS, or refuses this kind of TLS)"
    );
}

#[test]
fn an_end_after_the_upgrade_does_not_undo_it() {
    let mut client = client(&request());
    client.handle_input(NOW, format!("{UPGRADE}\r\n\u{8}last words").as_bytes());
    client.handle_end(NOW, End::Eof);
    client.handle_timeout(after(100));
    assert_eq!(client.poll_result().unwrap().unwrap().leftover, "\u{8}last words");
    assert!(client.poll_result().is_none());
}

#[test]
fn debug_output_of_an_upgrade_shows_no_possible_secrets() {
    let mut client = client(&request());
    client.handle_input(NOW, format!("{UPGRADE}X-Key: secret\r\n\r\nsecret").as_bytes());
    let upgraded = client.poll_result().unwrap().unwrap();
    assert_eq!(format!("{upgraded:?}"), "Upgraded { status: 101, subprotocol: None, leftover: 6, .. }");

    let head = REQUEST.replace("/chat", "/chat?token=secret");
    let mut server = server::Handshake::new(Config::default(), NOW);
    server.handle_input(NOW, format!("{head}\r\nsecret").as_bytes());
    server.accept(NOW, &Accept::new()).unwrap();
    server.handle_written(NOW, server.output().len());
    let upgraded = server.poll_result().unwrap().unwrap();
    assert_eq!(format!("{upgraded:?}"), "Upgraded { path: \"/chat\", subprotocol: None, leftover: 6, .. }");
}

#[test]
fn an_upgrade_waits_for_the_rest_of_the_request() {
    let mut client = client_role::Handshake::new(&request(), *b"the sample nonce", Config::default(), NOW);
    let request = client.output().len();
    client.handle_written(NOW, request - 1);
    client.handle_input(NOW, format!("{UPGRADE}\r\n").as_bytes());
    assert!(client.poll_result().is_none());
    assert_eq!(client.poll_timeout(), Some(after(10)));
    client.handle_written(NOW, 1);
    assert_eq!(client.poll_timeout(), None);
    assert!(client.poll_result().unwrap().is_ok());
}

#[test]
fn an_upgrade_does_not_succeed_if_its_request_cannot_leave() {
    let mut ended = client_role::Handshake::new(&request(), *b"the sample nonce", Config::default(), NOW);
    ended.handle_input(NOW, format!("{UPGRADE}\r\n").as_bytes());
    ended.handle_end(NOW, End::Reset);
    assert!(matches!(ended.poll_result().unwrap().unwrap_err(), Error::Closed { end: End::Reset, .. }));

    let mut late = client_role::Handshake::new(&request(), *b"the sample nonce", Config::default(), NOW);
    late.handle_input(NOW, format!("{UPGRADE}\r\n").as_bytes());
    late.handle_timeout(after(10));
    assert!(matches!(late.poll_result().unwrap().unwrap_err(), Error::TimedOut { .. }));
}

#[test]
fn a_refusal_need_not_wait_for_the_rest_of_the_request() {
    let mut client = client_role::Handshake::new(&request(), [0; 16], Config::default(), NOW);
    client.handle_input(NOW, b"HTTP/1.1 431 X\r\nContent-Length: 0\r\n\r\n");
    assert_eq!(client.output(), b"");
    assert_eq!(client.poll_result().unwrap().unwrap_err().status().unwrap(), 431);
}

#[test]
fn a_refusal_is_read_even_if_writing_the_request_failed() {
    for failed in [End::WriteFailed, End::WriteReset, End::WriteTimedOut] {
        let mut client = client_role::Handshake::new(&request(), [0; 16], Config::default(), NOW);
        client.handle_end(after(1), failed);
        assert_eq!(client.output(), b"");
        assert_eq!(client.poll_timeout(), Some(after(2)));
        client.handle_input(after(1), b"HTTP/1.1 503 X\r\nContent-Length: 0\r\n\r\n");
        assert_eq!(client.poll_result().unwrap().unwrap_err().status().unwrap(), 503);
        let error = Error::Closed { end: failed, received: 0 };
        assert_eq!(error.to_string(), "the connection broke before the request had left");
    }
}

#[test]
fn a_failed_write_is_the_end_unless_the_server_says_more() {
    let broken = Error::Closed { end: End::WriteFailed, received: 0 };
    let mut client = client_role::Handshake::new(&request(), *b"the sample nonce", Config::default(), NOW);
    client.handle_end(NOW, End::WriteFailed);
    client.handle_timeout(after(1));
    assert_eq!(client.poll_result().unwrap().unwrap_err(), broken);

    // A failure is reported once: the reading side sees an ordinary end, as from a socket that was never connected.
    let mut client = client_role::Handshake::new(&request(), *b"the sample nonce", Config::default(), NOW);
    client.handle_end(NOW, End::WriteFailed);
    client.handle_end(NOW, End::Eof);
    let error = client.poll_result().unwrap().unwrap_err();
    assert_eq!(error, broken);
    assert_eq!(error.to_string(), "the connection broke before the request had left");

    // An upgrade does not help then. It is counted up to its end, whatever arrived with it.
    let upgrade = format!("{UPGRADE}\r\n");
    for rest in ["", "frames"] {
        let mut client =
            client_role::Handshake::new(&request(), *b"the sample nonce", Config::default(), NOW);
        client.handle_end(NOW, End::WriteFailed);
        client.handle_input(NOW, format!("{upgrade}{rest}").as_bytes());
        let broken = Error::Closed { end: End::WriteFailed, received: upgrade.len() };
        assert_eq!(client.poll_result().unwrap().unwrap_err(), broken);
    }
}

#[test]
fn a_silent_server_times_out() {
    let mut client = client(&request());
    client.handle_input(after(9), b"HTTP/1.1 ");
    assert_eq!(client.poll_timeout(), Some(after(10)));
    client.handle_timeout(after(10));
    let error = client.poll_result().unwrap().unwrap_err();
    assert_eq!(error, Error::TimedOut { after: 10 * SECOND, received: 9 });
    assert_eq!(error.to_string(), "the server did not answer within 10 s; 9 bytes came");
    assert_eq!(error.retry(), Retry::Backoff);
    assert_eq!(client.poll_timeout(), None);
}

#[test]
fn a_client_waits_one_second_for_a_missing_body() {
    let mut client = client(&request());
    client.handle_input(after(3), b"HTTP/1.1 500 X\r\nContent-Length: 99\r\n\r\nst");
    client.handle_input(after(3), b"art");
    assert_eq!(client.poll_timeout(), Some(after(4)));
    client.handle_timeout(after(4));
    assert!(client.poll_result().unwrap().unwrap_err().to_string().ends_with(": \"start\""));
}

#[test]
fn both_ends_wait_one_second_for_the_end_of_a_greeting() {
    let mut client = client(&request());
    let mut server = server::Handshake::new(Config::default(), NOW);
    client.handle_input(after(3), b"hel");
    server.handle_input(after(3), b"\0hel");
    let later = Instant::from_millis(3_500);
    client.handle_input(later, b"lo");
    server.handle_input(later, b"lo");
    assert_eq!((client.poll_timeout(), server.poll_timeout()), (Some(after(4)), Some(after(4))));
    client.handle_timeout(after(4));
    server.handle_timeout(after(4));
    assert!(client.poll_result().unwrap().unwrap_err().to_string().ends_with("\"hello\""));
    assert!(text(server.output()).ends_with("\\x00hello\"\n"), "{}", text(server.output()));
}

#[test]
fn waiting_for_more_to_show_never_exceeds_the_time_limit() {
    for input in ["hello", "HTTP/1.1 500 X\r\n\r\n"] {
        let mut client = client(&request());
        client.handle_input(Instant::from_millis(9_500), input.as_bytes());
        assert_eq!(client.poll_timeout(), Some(after(10)));
    }
    let mut server = server::Handshake::new(Config::default(), NOW);
    server.handle_input(Instant::from_millis(9_500), b"\0hello");
    assert_eq!(server.poll_timeout(), Some(after(10)));
}

#[test]
fn early_timeouts_change_nothing() {
    let mut client = client(&request());
    let mut server = server::Handshake::new(Config::default(), NOW);
    for millis in 0..10_000 {
        client.handle_timeout(Instant::from_millis(millis));
        server.handle_timeout(Instant::from_millis(millis));
    }
    assert!(client.poll_result().is_none() && server.poll_result().is_none());
    assert_eq!((client.poll_timeout(), server.poll_timeout()), (Some(after(10)), Some(after(10))));
}

#[test]
fn a_clock_that_steps_back_stands_still() {
    let mut client = client(&request());
    client.handle_input(after(5), b"");
    client.handle_input(NOW, b"hello");
    assert_eq!(client.poll_timeout(), Some(after(6)));
    let mut server = asked("");
    server.handle_input(after(5), b"");
    server.accept(NOW, &Accept::new()).unwrap();
    assert_eq!(server.poll_timeout(), Some(after(15)));
}

#[test]
fn a_silent_client_is_answered_with_408() {
    let mut server = server::Handshake::new(Config::default(), NOW);
    server.handle_input(after(1), b"GET /");
    server.handle_timeout(after(10));
    assert!(server.output().starts_with(b"HTTP/1.1 408 Request Timeout\r\n"));
    assert!(server.wants_input(), "what else it sends is read and forgotten");
    server.handle_input(after(10), b" HTTP/1.1\r\n\r\n");
    server.handle_written(after(10), server.output().len());
    let error = server.poll_result().unwrap().unwrap_err();
    assert_eq!(error, server::Error::TimedOut { after: 10 * SECOND, received: 5 });
}

#[test]
fn an_answer_that_the_client_does_not_take_times_out() {
    let mut server = server::Handshake::new(Config::default(), NOW);
    server.handle_timeout(after(10));
    assert_eq!(server.poll_timeout(), Some(after(20)));
    server.handle_timeout(after(20));
    assert_eq!((server.output(), server.poll_timeout()), (&b""[..], None));
    assert!(matches!(server.poll_result().unwrap().unwrap_err(), server::Error::TimedOut { .. }));

    let mut server = asked("");
    server.accept(after(60), &Accept::new()).unwrap();
    server.handle_timeout(after(70));
    assert_eq!(server.output(), b"", "an upgrade that is given up must not leave");
    assert_eq!(server.poll_result().unwrap().unwrap_err(), server::Error::Stuck { after: 10 * SECOND });

    let mut server = asked("");
    server.accept(NOW, &Accept::new()).unwrap();
    server.handle_end(NOW, End::Reset);
    assert_eq!(server.output(), b"");
}

#[test]
fn the_application_may_take_its_time() {
    let mut server = asked("");
    assert_eq!(server.poll_timeout(), None);
    server.handle_timeout(after(1000));
    assert!(server.request().is_some());
}

#[test]
fn a_timeout_of_zero_is_a_limit_too() {
    let mut config = Config::default();
    config.timeout = Duration::ZERO;
    let mut server = server::Handshake::new(config, NOW);
    server.handle_timeout(NOW);
    assert_eq!(server.poll_timeout(), None);
    assert!(server.poll_result().unwrap().is_err());
}

#[test]
fn a_client_that_disconnects_ends_the_handshake() {
    let mut reading = server::Handshake::new(Config::default(), NOW);
    reading.handle_input(NOW, b"GET /");
    let mut answering = asked("");
    answering.accept(NOW, &Accept::new()).unwrap();
    for (mut server, received) in [(reading, 5), (asked(""), 0), (answering, 0)] {
        server.handle_end(NOW, End::Eof);
        assert!(server.request().is_none());
        let error = server.poll_result().unwrap().unwrap_err();
        assert_eq!(error, server::Error::Closed { end: End::Eof, received });
        assert_eq!((error.status(), server.output()), (None, &b""[..]));
    }
}

#[test]
fn a_client_that_only_ended_its_side_still_gets_its_answer() {
    let mut server = crate::common::server("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    assert!(server.wants_input());
    server.handle_end(NOW, End::Eof);
    assert!(!server.wants_input(), "a host would read the end again and again");
    assert!(text(server.output()).starts_with("HTTP/1.1 426 "));
    server.handle_end(NOW, End::WriteFailed);
    assert_eq!(server.poll_result().unwrap().unwrap_err(), server::Error::NoUpgrade);
}

#[test]
fn a_greeting_at_a_server_ends_with_the_connection() {
    for (end, answered) in [(End::Eof, true), (End::Reset, false)] {
        let mut server = crate::common::server([0x16, 3, 1]);
        assert_eq!(server.poll_timeout(), Some(after(1)));
        server.handle_end(NOW, end);
        assert_eq!(!server.output().is_empty(), answered);
    }
    let mut server = crate::common::server([0x16, 3, 1]);
    server.handle_timeout(after(1));
    assert!(server.output().starts_with(b"HTTP/1.1 400 "));
}
