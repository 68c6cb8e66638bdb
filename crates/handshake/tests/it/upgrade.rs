//! If another library handles HTTP, the rules are the same.

use crate::common::{NOW, text};
use bowline_handshake::Config;
use bowline_handshake::server::{Accept, AnswerError, Error, Handshake, Upgrade};

const GOOD: &[(&str, &str)] = &[
    ("Host", "a"),
    ("Connection", "keep-alive, Upgrade"),
    ("Upgrade", "websocket"),
    ("Sec-WebSocket-Version", "13"),
    ("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="),
    ("Sec-WebSocket-Protocol", "one, two"),
    ("Cookie", "secret=1"),
];

/// The same request, as another server has read it and as bytes.
fn both(
    method: &str,
    version: http::Version,
    headers: &[(&str, &str)],
) -> (Result<Upgrade, Error>, Handshake) {
    let mut request = http::Request::builder().method(method).uri("/chat").version(version);
    let mut head = format!("{method} /chat {version:?}\r\n");
    for (name, value) in headers {
        request = request.header(*name, *value);
        head.extend([name, ": ", value, "\r\n"]);
    }
    let mut handshake = Handshake::new(Config::default(), NOW);
    handshake.handle_input(NOW, (head + "\r\n").as_bytes());
    (Upgrade::of(&request.body(7).unwrap()), handshake)
}

#[test]
fn both_handshakes_accept_a_request_alike() {
    let (upgrade, mut handshake) = both("GET", http::Version::HTTP_11, GOOD);
    let upgrade = upgrade.unwrap();
    assert_eq!(upgrade.subprotocols(), handshake.subprotocols());
    assert_eq!(upgrade.request().uri(), "/chat");
    assert!(upgrade.request().headers()["cookie"].is_sensitive());

    let accept = Accept::new().with_subprotocol("two").with_header("Set-Cookie", "seen=1").unwrap();
    handshake.accept(NOW, &accept).unwrap();
    let answer = upgrade.accept(&accept).unwrap();
    let mut lines: Vec<_> =
        text(handshake.output()).to_lowercase().split("\r\n").map(str::to_owned).collect();
    assert_eq!(lines.remove(0), format!("http/1.1 {}", answer.status()).to_lowercase());
    let headers = answer.headers().iter();
    let mut headers: Vec<_> =
        headers.map(|(name, value)| format!("{name}: {}", value.to_str().unwrap()).to_lowercase()).collect();
    lines.retain(|line| !line.is_empty());
    lines.sort();
    headers.sort();
    assert_eq!(headers, lines);

    let other = Accept::new().with_subprotocol("three");
    assert!(matches!(upgrade.accept(&other), Err(AnswerError::NotOffered { .. })));
}

#[test]
fn both_handshakes_refuse_a_request_alike() {
    let without = |name: &str| GOOD.iter().filter(|(n, _)| *n != name).copied().collect::<Vec<_>>();
    let mut cases =
        vec![("POST", http::Version::HTTP_11, GOOD.to_vec()), ("GET", http::Version::HTTP_10, GOOD.to_vec())];
    for name in ["Host", "Connection", "Upgrade", "Sec-WebSocket-Version", "Sec-WebSocket-Key"] {
        cases.push(("GET", http::Version::HTTP_11, without(name)));
    }
    cases.push(("GET", http::Version::HTTP_11, [GOOD, &[("Content-Length", "5")]].concat()));
    let twice = [("Authorization", "Bearer a"), ("Authorization", "Bearer b")];
    cases.push(("GET", http::Version::HTTP_11, [GOOD, &twice].concat()));
    for (method, version, headers) in cases {
        let (upgrade, mut handshake) = both(method, version, &headers);
        let error = upgrade.unwrap_err();
        let answer = error.response();
        let expected = text(handshake.output());
        assert!(expected.starts_with(&format!("HTTP/1.1 {} ", answer.status().as_u16())), "{expected}");
        assert!(expected.ends_with(answer.body().as_str()), "{expected}");
        for (name, value) in answer.headers().iter().filter(|(name, _)| *name != "connection") {
            let line = format!("{name}: {}", value.to_str().unwrap());
            assert!(expected.to_lowercase().contains(&line.to_lowercase()), "{line} in {expected}");
        }
        handshake.handle_written(NOW, handshake.output().len());
        let expected: Error = handshake.poll_result().unwrap().unwrap_err();
        assert_eq!(error, expected);
    }
}
