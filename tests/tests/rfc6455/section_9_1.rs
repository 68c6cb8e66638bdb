//! §9, extensions, and §9.1, how they are negotiated. We speak none.
//!
//! Binds no endpoint of ours: the choice of parameters, and the order in which extensions apply; that only registered
//! names are used.

use crate::http::{
    ANSWER, NOW, REQUEST, accepted, and, answered, asked, is_welcome, refused, request, served, status,
    values,
};
use crate::wire::{Endpoint, FIN, TEXT, fails};
use bowline_handshake::server::{Accept, AnswerError, Error};
use bowline_handshake::{HeaderError, client};

/// Lists that §9.1 allows, and lists that it does not.
const WELL_FORMED: [&str; 9] = [
    "deflate-stream",
    "foo, bar; baz=2",
    "foo\r\nSec-WebSocket-Extensions: bar; baz=2",
    "mux; max-channels=4; flow-control, deflate-stream",
    "permessage-deflate; client_max_window_bits",
    "permessage-deflate ; server_max_window_bits = 10 ,x",
    "a; b=\"c\"",
    "a; b=\"\\c\"",
    ", a, ,b",
];
const MALFORMED: [&str; 14] = [
    "",
    ",",
    ";",
    "a;",
    "a; ;b",
    "a b",
    "a; b=",
    "a; =c",
    "a; b=\"\"",
    "a; b=\"c d\"",
    "a; b=\"c",
    "a; b=c d",
    "\"a\"",
    "a/b",
];

#[test]
fn a_client_asks_for_no_extension() {
    assert_eq!(values(&asked(&request()), "sec-websocket-extensions"), [""; 0]);
    let own = request().with_header("sec-websocket-extensions", "x");
    assert!(matches!(own, Err(client::RequestError::Header(HeaderError::Owned { .. }))));
}

#[test]
fn a_server_answers_with_no_extension() {
    for extensions in WELL_FORMED {
        let request = and(REQUEST, &format!("Sec-WebSocket-Extensions: {extensions}\r\n"));
        assert_eq!(values(&accepted(&request, &Accept::new()), "sec-websocket-extensions"), [""; 0]);
    }
    let own = Accept::new().with_header("sec-websocket-extensions", "x");
    assert!(matches!(own, Err(AnswerError::Header(HeaderError::Owned { .. }))));
}

#[test]
fn a_server_takes_any_well_formed_list() {
    for extensions in WELL_FORMED {
        assert!(
            is_welcome(and(REQUEST, &format!("Sec-WebSocket-Extensions: {extensions}\r\n"))),
            "{extensions:?}"
        );
    }
}

#[test]
fn a_server_answers_a_malformed_list_with_400() {
    for extensions in MALFORMED {
        let (error, answer) = refused(and(REQUEST, &format!("Sec-WebSocket-Extensions: {extensions}\r\n")));
        assert_eq!((error, status(&answer)), (Error::Extensions, 400), "{extensions:?}");
    }
}

#[test]
fn a_client_fails_over_any_list() {
    // A well-formed one names what was not asked for.
    for extensions in WELL_FORMED.into_iter().chain(MALFORMED) {
        let error =
            answered(&and(ANSWER, &format!("Sec-WebSocket-Extensions: {extensions}\r\n"))).unwrap_err();
        assert!(matches!(error, client::Error::UnexpectedExtension { .. }), "{extensions:?}: {error}");
    }
}

#[test]
fn an_extension_that_was_not_agreed_on_is_not_used() {
    let mut server = served(and(REQUEST, "Sec-WebSocket-Extensions: permessage-deflate\r\n"));
    server.accept(NOW, &Accept::new()).unwrap();
    for mut us in Endpoint::both() {
        us.sends(bowline_core::Message::text("a".repeat(1000)));
        assert_eq!(us.says_one().first, FIN | TEXT);
        // ... nor is the peer to use it: this is how a compressed message begins.
        fails(us, &[FIN | 0x40 | TEXT], 1002);
    }
}
