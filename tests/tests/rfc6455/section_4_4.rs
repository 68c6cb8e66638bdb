//! §4.4, more than one version.
//!
//! Binds no endpoint of ours: to ask again in another version, since our client speaks only one; it tells what the
//! server said.

use crate::http::{REQUEST, answered, refused, status, values, with};
use bowline_handshake::client;
use bowline_handshake::server::Error;

const LINE: &str = "Sec-WebSocket-Version: 13\r\n";

#[test]
fn another_version_is_answered_426() {
    for version in ["8", "12", "14", "013", "13.0", "13, 8", "x"] {
        let (error, answer) = refused(with(REQUEST, LINE, &format!("Sec-WebSocket-Version: {version}\r\n")));
        assert_eq!((error, status(&answer)), (Error::Version { version: version.into() }, 426));
    }
    let (error, answer) = refused(with(REQUEST, LINE, ""));
    assert_eq!((error, status(&answer)), (Error::Version { version: String::new() }, 426));
}

#[test]
fn a_server_that_refuses_a_version_tells_the_one_it_speaks() {
    let (_, answer) = refused(with(REQUEST, LINE, "Sec-WebSocket-Version: 8\r\n"));
    assert_eq!(values(&answer, "sec-websocket-version"), ["13"]);
}

#[test]
fn a_client_hands_on_the_versions_that_a_server_speaks() {
    let answer = "HTTP/1.1 426 X\r\nSec-WebSocket-Version: 25\r\nSec-WebSocket-Version: 8, 7\r\nContent-Length: 0\r\n\r\n";
    let client::Error::Refused(refusal) = answered(answer).unwrap_err() else { panic!("no refusal") };
    let versions: Vec<_> = refusal.headers.get_all("sec-websocket-version").iter().collect();
    assert_eq!(versions, ["25", "8, 7"]);
}
