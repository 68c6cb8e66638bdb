//! What is particular to TLS. What happens to files over it, and how clients are told apart, is tested over all
//! adapters, in the tests of the workspace.

use std::net::TcpListener;
use std::time::{Duration, Instant};

use bowline_blocking::{DialError, Stage, WebSocket, dial};

use crate::common::{Over, dialing, fails_in_time, streams};

#[test]
fn both_ends_know_what_is_below_a_websocket() {
    let (dialed, accepted) = streams(Over::Tls);
    for stream in [&dialed.stream, &accepted.stream] {
        assert_eq!(stream.tls_version(), Some("TLSv1_3"));
    }
    let address = dialed.stream.tcp().unwrap().local_addr().unwrap();
    assert_eq!(address, accepted.stream.tcp().unwrap().peer_addr().unwrap());
    let (dialed, accepted) = streams(Over::Tcp);
    assert_eq!((dialed.stream.tls_version(), accepted.stream.tls_version()), (None, None));
}

#[test]
fn a_server_that_says_nothing_to_tls_is_given_up() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let (url, mut config) = dialing(Over::Tls, listener.local_addr().unwrap());
    config.connect_timeout = Duration::from_millis(300);
    let connect = || {
        let start = Instant::now();
        let error = dial::connect(&url, &config).unwrap_err();
        assert!(start.elapsed() >= config.connect_timeout);
        error
    };
    fails_in_time(connect, |error| matches!(error, DialError::TimedOut { stage: Stage::Tls, .. }));
}

#[test]
fn a_server_with_an_unknown_certificate_is_not_trusted_by_default() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let (url, _) = dialing(Over::Tls, listener.local_addr().unwrap());
    let server = std::thread::spawn(move || {
        let tls = &crate::common::papers().server;
        bowline_blocking::tls::TlsStream::accept(listener.accept().unwrap().0, tls, crate::common::LIMIT)
            .map(drop)
    });
    // A system without any roots says so instead.
    let error = WebSocket::connect(&url).unwrap_err();
    assert!(matches!(&error, DialError::Tls { .. }), "{error}");
    assert!(server.join().unwrap().is_err());
}
