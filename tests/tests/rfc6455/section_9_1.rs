//! §9, extensions, and §9.1, how they are negotiated. We support none.
//!
//! Binds no endpoint of ours: the choice of parameters, and the order in which extensions apply; that only registered
//! names are used. That nothing is used that was not negotiated is told with §5.8.

use crate::http::{
    ANSWER, REQUEST, accepted, and, answered, asked, is_welcome, refused, request, status, values,
};
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
    // A well-formed one names an extension that was not requested.
    for extensions in WELL_FORMED.into_iter().chain(MALFORMED) {
        let error =
            answered(&and(ANSWER, &format!("Sec-WebSocket-Extensions: {extensions}\r\n"))).unwrap_err();
        assert!(matches!(error, client::Error::UnexpectedExtension { .. }), "{extensions:?}: {error}");
    }
}
