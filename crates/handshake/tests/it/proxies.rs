//! The way through a proxy: what is requested, what is understood, and what is reported about proxies that refuse.

use std::time::Duration;

use bowline_core::{End, Instant, Retry};
use bowline_handshake::Config;
use bowline_handshake::proxy::{Error, Proxy, ProxyError, Tunnel};
use proptest::prelude::*;

use crate::common::{NOW, text};

fn tunnel(proxy: &str, host: &str) -> Tunnel {
    Tunnel::new(&proxy.parse().unwrap(), host, 443, &Config::default(), NOW)
}

/// What the tunnel sends now; it leaves.
fn say(tunnel: &mut Tunnel) -> Vec<u8> {
    let said = tunnel.output().to_vec();
    tunnel.handle_written(NOW, said.len());
    said
}

/// The result of these answers, each to what is sent after the previous one, however they are split.
fn outcome(proxy: &str, answers: &[&[u8]]) -> Option<Result<(), Error>> {
    let whole = talk(proxy, answers, usize::MAX);
    assert_eq!(talk(proxy, answers, 1), whole, "byte by byte");
    whole
}

fn talk(proxy: &str, answers: &[&[u8]], piece: usize) -> Option<Result<(), Error>> {
    let mut tunnel = tunnel(proxy, "example.org");
    for answer in answers {
        say(&mut tunnel);
        for piece in answer.chunks(piece) {
            tunnel.handle_input(NOW, piece);
        }
    }
    tunnel.poll_result()
}

fn error(proxy: &str, answers: &[&[u8]]) -> Error {
    outcome(proxy, answers).expect("it was complete").expect_err("it is no way")
}

const HTTP: &str = "http://p:1";
const HTTP_LOGIN: &str = "http://ann:s%3Acret@p:1";
const SOCKS: &str = "socks5://p:1";
const SOCKS_LOGIN: &str = "socks5h://ann:s%3Acret@p:1";

#[test]
fn connect_names_the_server_and_carries_the_credentials() {
    let said = say(&mut tunnel(HTTP, "example.org"));
    assert_eq!(text(&said), "CONNECT example.org:443 HTTP/1.1\r\nHost: example.org:443\r\n\r\n");
    let said = text(&say(&mut tunnel(HTTP_LOGIN, "::1")));
    assert!(said.starts_with("CONNECT [::1]:443 HTTP/1.1\r\nHost: [::1]:443\r\n"), "{said}");
    assert!(said.ends_with("\r\nProxy-Authorization: Basic YW5uOnM6Y3JldA==\r\n\r\n"), "{said}");
}

#[test]
fn any_success_opens_the_tunnel_and_interim_answers_do_not_count() {
    assert_eq!(outcome(HTTP, &[b"HTTP/1.1 200 Connection established\r\nVia: x\r\n\r\n"]), Some(Ok(())));
    assert_eq!(outcome(HTTP, &[b"HTTP/1.0 200 OK\r\nContent-Length: 7\r\n\r\n"]), Some(Ok(())));
    assert_eq!(outcome(HTTP, &[b"HTTP/1.1 103 X\r\n\r\nHTTP/1.1 201 Y\r\n\r\n"]), Some(Ok(())));
    assert_eq!(outcome(HTTP, &[b"HTTP/1.1 200 OK\r\n"]), None, "the head is not complete");
}

#[test]
fn socks_requests_a_name_or_an_address() {
    let mut by_name = tunnel(SOCKS, "example.org");
    assert_eq!(say(&mut by_name), [5, 1, 0]);
    by_name.handle_input(NOW, &[5, 0]);
    assert_eq!(say(&mut by_name), b"\x05\x01\x00\x03\x0bexample.org\x01\xbb");
    by_name.handle_input(NOW, &[5, 0, 0, 1, 127, 0, 0, 1, 0, 80]);
    assert_eq!(by_name.poll_result(), Some(Ok(())));

    for (host, address) in
        [("10.1.2.3", &[1, 10, 1, 2, 3][..]), ("::1", &[4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1])]
    {
        let mut by_address = tunnel(SOCKS, host);
        say(&mut by_address);
        by_address.handle_input(NOW, &[5, 0]);
        assert_eq!(say(&mut by_address), [&[5, 1, 0][..], address, &[1, 0xbb]].concat());
    }
}

#[test]
fn socks_logs_in_if_required() {
    let mut tunnel = tunnel(SOCKS_LOGIN, "h");
    assert_eq!(say(&mut tunnel), [5, 2, 0, 2]);
    tunnel.handle_input(NOW, &[5, 2]);
    assert_eq!(say(&mut tunnel), b"\x01\x03ann\x06s:cret");
    tunnel.handle_input(NOW, &[1, 0]);
    assert_eq!(say(&mut tunnel), b"\x05\x01\x00\x03\x01h\x01\xbb");
    let name = &[5, 0, 0, 3, 2, b'a', b'b', 0, 1];
    assert_eq!(outcome(SOCKS_LOGIN, &[&[5, 2], &[1, 0], name]), Some(Ok(())));
    assert_eq!(outcome(SOCKS_LOGIN, &[&[5, 0], name]), Some(Ok(())), "it may want no login");
    let six = [&[5, 0, 0, 4][..], &[0; 18]].concat();
    assert_eq!(outcome(SOCKS, &[&[5, 0], &six]), Some(Ok(())));
    assert_eq!(outcome(SOCKS, &[&[5, 0], &six[..21]]), None, "the reply is not complete");
}

#[test]
fn the_refusal_of_a_proxy_is_explained_in_words() {
    let cases: &[(&str, &[&[u8]], &str, bool)] = &[
        (
            HTTP,
            &[b"HTTP/1.1 407 X\r\n\r\n"],
            "answered 407 Proxy Authentication Required: it wants a user and a password; write them before its host, as USER:PASSWORD@",
            false,
        ),
        (
            HTTP_LOGIN,
            &[b"HTTP/1.1 407 X\r\n\r\n"],
            "answered 407 Proxy Authentication Required: it does not accept the user and the password",
            false,
        ),
        (
            HTTP,
            &[b"HTTP/1.1 403 X\r\n\r\n"],
            "answered 403 Forbidden: it does not allow connections to this server",
            false,
        ),
        (HTTP, &[b"HTTP/1.1 502 X\r\n\r\n"], "answered 502 Bad Gateway: it cannot reach the server", true),
        (HTTP, &[b"HTTP/1.1 404 X\r\n\r\n"], "answered 404 Not Found", false),
        (
            HTTP,
            &[b"SSH-2.0-x\r\n"],
            "does not speak HTTP: it said \"SSH-2.0-x\" (an SSH server or client)",
            false,
        ),
        (HTTP, &[b"HTTP/1.1 2oo X\r\n\r\n"], "sent a broken answer: ", false),
        (HTTP, &[b"HTTP/1.1 200 X\r\n\r\nhi"], "sent 2 bytes that nobody had asked for", false),
        (
            SOCKS,
            &[b"HTTP/1.1 400 X\r\n\r\n"],
            "does not speak SOCKS 5: its answer begins with the byte 72, as HTTP does",
            false,
        ),
        (SOCKS, &[&[4, 0]], "does not speak SOCKS 5: its answer begins with the byte 4", false),
        (SOCKS, &[&[5, 0xff]], "wants a user and a password; ", false),
        (SOCKS, &[&[5, 2]], "wants a user and a password; ", false),
        (SOCKS_LOGIN, &[&[5, 0xff]], "wants a way of logging in that is not supported here", false),
        (SOCKS_LOGIN, &[&[5, 2], &[1, 1]], "does not accept the user and the password", false),
        (SOCKS, &[&[5, 0], &[5, 2]], "says: connections to this server are not allowed", false),
        (SOCKS, &[&[5, 0], &[5, 5]], "says: nothing is listening there (connection refused)", true),
        (SOCKS, &[&[5, 0], &[5, 99]], "says: no, for the unknown reason 99", true),
        (SOCKS, &[&[5, 0], &[5, 0, 0, 9, 1]], "sent a broken answer: an address of type 9", false),
    ];
    for (proxy, answers, words, is_worth_a_try) in cases {
        // What follows the end of an answer is seen only if it arrives with it.
        let error = talk(proxy, answers, usize::MAX).expect("it was complete").expect_err(words);
        assert!(error.to_string().starts_with(words), "{error}");
        assert_eq!(error.retry() == Retry::Backoff, *is_worth_a_try, "{error}");
    }
}

#[test]
fn a_proxy_that_asks_for_time_gets_it() {
    let asked = |status: u16, header: &str| {
        let error = error(HTTP, &[format!("HTTP/1.1 {status} X\r\n{header}\r\n\r\n").as_bytes()]);
        (error.retry(), error.to_string())
    };
    let (retry, words) = asked(503, "Retry-After: 7");
    assert_eq!(retry, Retry::BackoffAfter(Duration::from_secs(7)));
    assert_eq!(words, "answered 503 Service Unavailable and asks us to wait 7 s: it cannot reach the server");
    let dates = "Date: Wed, 28 Feb 2024 23:59:50 GMT\r\nRetry-After: Thu, 29 Feb 2024 00:00:05 GMT";
    assert_eq!(asked(429, dates).0, Retry::BackoffAfter(Duration::from_secs(15)));
    let (retry, words) = asked(407, "Retry-After: 9");
    assert_eq!(retry.to_string(), "no (status 407)", "waiting does not help");
    let login = "it wants a user and a password; write them before its host, as USER:PASSWORD@";
    assert_eq!(words, format!("answered 407 Proxy Authentication Required and asks us to wait 9 s: {login}"));
}

#[test]
fn surplus_bytes_are_noticed_however_they_arrive() {
    let mut tunnel = tunnel(HTTP, "h");
    say(&mut tunnel);
    tunnel.handle_input(NOW, b"HTTP/1.1 200 X\r\n\r\n");
    tunnel.handle_input(NOW, b"x");
    assert_eq!(tunnel.poll_result(), Some(Err(Error::Surplus { bytes: 1 })));
    assert_eq!(talk(SOCKS, &[&[5, 0, 7]], 3), Some(Err(Error::Surplus { bytes: 1 })));
}

#[test]
fn an_endless_answer_is_bounded() {
    let head = [b"HTTP/1.1 200 X\r\nA: ".to_vec(), vec![b'a'; 17_000]].concat();
    assert_eq!(error(HTTP, &[&head]), Error::TooLarge { limit: 16 * 1024 });
    let head = [b"HTTP/1.1 200 X\r\n".to_vec(), b"a: b\r\n".repeat(101)].concat();
    assert_eq!(error(HTTP, &[&head]), Error::TooManyHeaders { limit: 100 });
    let long = "a".repeat(256);
    let mut tunnel = tunnel(SOCKS, &long);
    assert_eq!(tunnel.poll_result(), Some(Err(Error::LongName { length: 256 })));
}

#[test]
fn silence_and_ends_are_reported_with_what_had_arrived() {
    let mut silent = tunnel(HTTP, "h");
    silent.handle_input(NOW, b"HTTP");
    let due = silent.poll_timeout().expect("it does not wait for ever");
    assert_eq!(due, Instant::from_secs(10));
    silent.handle_timeout(Instant::from_millis(9_999));
    assert_eq!(silent.poll_result(), None);
    silent.handle_timeout(due);
    let after = Duration::from_secs(10);
    assert_eq!(silent.poll_result(), Some(Err(Error::TimedOut { after, received: 4 })));

    let mut gone = tunnel(SOCKS, "h");
    gone.handle_input(NOW, &[5]);
    gone.handle_end(NOW, End::Eof);
    assert_eq!(gone.poll_result(), Some(Err(Error::Closed { end: End::Eof, received: 1 })));

    let mut foreign = tunnel(HTTP, "h");
    foreign.handle_input(NOW, b"220 mail");
    foreign.handle_end(NOW, End::Eof);
    let Some(Err(Error::NotHttp { start })) = foreign.poll_result() else { panic!("it has said something") };
    assert_eq!(start, "220 mail");
}

#[test]
fn a_proxy_that_takes_nothing_is_still_read_for_a_while() {
    for failed in [End::WriteFailed, End::WriteReset, End::WriteTimedOut] {
        let mut tunnel = tunnel(HTTP, "h");
        tunnel.handle_end(NOW, failed);
        assert!(tunnel.output().is_empty() && tunnel.wants_input());
        assert_eq!(tunnel.poll_timeout(), Some(Instant::from_secs(1)));
        tunnel.handle_input(NOW, b"HTTP/1.1 407 X\r\n\r\n");
        assert!(matches!(tunnel.poll_result(), Some(Err(Error::Refused { .. }))));
    }

    let mut silent = tunnel(HTTP, "h");
    silent.handle_end(NOW, End::WriteFailed);
    silent.handle_timeout(Instant::from_secs(1));
    assert_eq!(silent.poll_result(), Some(Err(Error::Closed { end: End::WriteFailed, received: 0 })));
}

#[test]
fn a_password_is_never_shown_even_if_the_proxy_repeats_it() {
    let proxy: Proxy = "http://ann:pass%20word@p:1".parse().unwrap();
    assert_eq!((proxy.to_string(), format!("{proxy:?}")), ("http://p:1".into(), "Proxy(http://p:1)".into()));
    let mut tunnel = Tunnel::new(&proxy, "h", 1, &Config::default(), NOW);
    assert!(!format!("{tunnel:?}").contains("YW5u"), "{tunnel:?}");
    tunnel.handle_input(NOW, b"no: pass word or YW5uOnBhc3Mgd29yZA==\r\n");
    let error = tunnel.poll_result().unwrap().unwrap_err();
    let shown = format!("{error} {error:?}");
    assert!(!shown.contains("word") && !shown.contains("YW5uOnBhc3Mgd29yZA"), "{shown}");
}

#[test]
fn errors_about_a_proxy_url_do_not_show_its_password() {
    for url in [
        "ann:hunter2://b@p:1",
        "http://ann:hunter2/b@p:1",
        "http://ann:hunter2%0a@p:1",
        "http://ann:hunter2@p:x",
    ] {
        let error = url.parse::<Proxy>().unwrap_err();
        assert!(!format!("{error} {error:?}").contains("hunter2"), "{error}");
    }
}

#[test]
fn a_proxy_is_written_as_for_curl() {
    let shown = |url: &str| url.parse::<Proxy>().map(|proxy| proxy.to_string());
    assert_eq!(shown("p.example:3128"), Ok("http://p.example:3128".into()));
    assert_eq!(shown("HTTP://p/"), Ok("http://p:1080".into()));
    assert_eq!(shown("socks5h://u:p@[::1]:9"), Ok("socks5://[::1]:9".into()));
    for scheme in ["https", "socks4", "ws"] {
        assert_eq!(shown(&format!("{scheme}://p:1")), Err(ProxyError::Scheme { scheme: scheme.into() }));
    }
    for (url, error) in [
        ("", ProxyError::Host),
        ("http://", ProxyError::Host),
        ("http://p:1/x", ProxyError::Host),
        ("http://p:0", ProxyError::Port),
        ("http://p:65536", ProxyError::Port),
        ("http://p:+1", ProxyError::Port),
        ("http://u%0a:p@p:1", ProxyError::Userinfo),
        ("socks5://:p@p:1", ProxyError::Login),
        ("socks5://u@p:1", ProxyError::Login),
    ] {
        assert_eq!(shown(url), Err(error), "{url}");
    }
    assert!(shown("http://u@p:1").is_ok(), "HTTP takes an empty password");
    assert_eq!(shown(&format!("socks5://u:{}@p:1", "x".repeat(256))), Err(ProxyError::Login));
}

proptest! {
    #[test]
    fn any_answer_leads_to_a_result(bytes in proptest::collection::vec(any::<u8>(), 0..300), socks: bool) {
        let start: &[u8] = if socks { &[5, 2, 1, 0, 5, 0, 0] } else { b"HTTP/1.1 " };
        for start in [&[][..], &start[..start.len() / 2], start] {
            let mut tunnel = tunnel(if socks { SOCKS_LOGIN } else { HTTP_LOGIN }, "h");
            for byte in [start, &bytes].concat() {
                tunnel.handle_input(NOW, &[byte]);
            }
            tunnel.handle_end(NOW, End::Eof);
            prop_assert!(tunnel.poll_result().is_some());
        }
    }
}
