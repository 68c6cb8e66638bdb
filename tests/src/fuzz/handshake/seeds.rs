//! Meetings to start from.

use super::SECRET;
use super::choices::{Answer, Ask, Change, Head, Header, Meeting, Terms};
use crate::fuzz::choice::{Blob, Many, Seed, ms};

/// What a server and a client receive, and how they deal with each other.
pub(in crate::fuzz) fn seeds() -> Vec<(&'static str, Vec<u8>)> {
    let terms = || Terms {
        head_bytes: None,
        headers: None,
        cuts: Blob::from(b"\x01\x14"),
        rest: "\u{81}".into(),
        waits: ms(0),
    };
    let header = |name: &str, value: &str| Header { name: name.into(), value: value.into() };
    let ask = || Ask {
        url: None,
        subprotocols: Many(vec!["chat.v1".into(), "chat.v2".into()]),
        headers: Many(vec![header("Origin", "https://example.org"), header("x", "a\r\nInjected: b")]),
        write_fails: false,
    };
    let accept = || Answer {
        rejects: None,
        subprotocol: None,
        headers: Many(vec![header("Set-Cookie", "a=b")]),
        body: "no".into(),
    };
    let head = |changes: &[Change]| Head { changes: Many(changes.to_vec()), bare: false };
    let asked = |changes: &[Change]| Meeting::Asked(head(changes), accept(), terms()).seed();
    let answered = |changes: &[Change]| Meeting::Answered(ask(), head(changes), terms()).seed();
    let refused = |rest: &str| {
        let changes = [Change::Replaced(0, "HTTP/1.1 404 Not Found".into()), Change::Missing(3)];
        Meeting::Answered(ask(), head(&changes), Terms { rest: rest.into(), ..terms() }).seed()
    };
    let both = |answer, terms| Meeting::Both(ask(), answer, terms).seed();
    vec![
        ("asked", asked(&[])),
        (
            "asked_with_bare_lines",
            Meeting::Asked(Head { changes: Many(Vec::new()), bare: true }, accept(), terms()).seed(),
        ),
        ("asked_without_a_key", asked(&[Change::Missing(5)])),
        ("asked_by_post", asked(&[Change::Replaced(0, "POST / HTTP/1.1".into())])),
        ("asked_in_old_http", asked(&[Change::Replaced(0, "GET / HTTP/1.0".into())])),
        ("asked_with_a_body", asked(&[Change::Added(2, "Content-Length: 5".into())])),
        ("asked_twice_for_a_host", asked(&[Change::Repeated(1)])),
        ("asked_in_tls", asked(&[Change::Inserted(0, Blob::from(b"\x16\x03\x01\x02\0\x01"))])),
        ("asked_for_subprotocols", asked(&[Change::Added(1, "Sec-WebSocket-Protocol: a, b,,c".into())])),
        (
            "asked_too_much",
            Meeting::Asked(head(&[]), accept(), Terms { head_bytes: Some(50), ..terms() }).seed(),
        ),
        (
            "asked_with_too_many_headers",
            Meeting::Asked(head(&[]), accept(), Terms { headers: Some(3), ..terms() }).seed(),
        ),
        (
            "asked_slowly",
            Meeting::Asked(head(&[Change::Cut(60)]), accept(), Terms { waits: ms(20_000), ..terms() }).seed(),
        ),
        ("rejected", Meeting::Asked(head(&[]), Answer { rejects: Some(403), ..accept() }, terms()).seed()),
        ("answered", answered(&[])),
        ("answered_with_a_wrong_key", answered(&[Change::Byte(100, b'x')])),
        ("answered_with_an_extension", answered(&[Change::Added(1, "Sec-WebSocket-Extensions: x".into())])),
        ("answered_with_two_subprotocols", answered(&[Change::Repeated(4)])),
        ("answered_by_ssh", answered(&[Change::Inserted(0, "SSH-2.0-x\n".into())])),
        ("answered_after_100", answered(&[Change::Inserted(0, "HTTP/1.1 100 Continue\r\n\r\n".into())])),
        ("refused", refused("\r\nbody")),
        ("refused_with_our_secret", refused(&format!("you said Bearer {SECRET}\u{1b}[2J"))),
        (
            "redirected",
            answered(&[
                Change::Replaced(0, "HTTP/1.1 302 x".into()),
                Change::Added(1, "Location: /\u{7f}a?b".into()),
            ]),
        ),
        ("write_fails", Meeting::Answered(Ask { write_fails: true, ..ask() }, head(&[]), terms()).seed()),
        ("both", both(accept(), terms())),
        (
            "both_with_a_subprotocol",
            both(Answer { subprotocol: Some("chat.v2".into()), ..accept() }, terms()),
        ),
        (
            "both_and_a_rejection",
            both(
                Answer { rejects: Some(503), headers: Many(vec![header("retry-after", "9")]), ..accept() },
                terms(),
            ),
        ),
        (
            "a_strange_url",
            Meeting::Both(Ask { url: Some("u:p@[::1]:99/a b\u{e9}?x#".into()), ..ask() }, accept(), terms())
                .seed(),
        ),
    ]
}
