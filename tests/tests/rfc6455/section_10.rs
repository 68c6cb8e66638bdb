//! §10, security.
//!
//! Binds no endpoint of ours, or not these machines:
//! - §10.1: that the server must not assume that a client is a browser is for its application.
//! - §10.2: which origins are expected is for the application to say; it sees `Origin`, and can answer 403.
//! - §10.5: nothing is asked; credentials travel in headers (§4.1, §4.2).
//! - §10.6: TLS. The adapters take any stream, so it is put below them; the core has no part in it.
//! - §10.8: nothing is required.

use crate::http::{NOW, REQUEST, and, refusal, served, status};
use crate::wire::{BINARY, CONTINUATION, Endpoint, FIN, TEXT, fails, frame, header, peer_of};
use bowline_core::Message;
use bowline_core::connection::Config;
use bowline_handshake::server::Origins;
use http::Response;
use std::collections::BTreeSet;

// §10.2, origins.

#[test]
fn an_origin_that_is_not_expected_can_be_answered_403() {
    let mut server = served(and(REQUEST, "Origin: https://evil.example\r\n"));
    let foreign = Origins::own().check(server.request().unwrap().headers(), false).unwrap_err();
    assert_eq!(foreign.origin, "https://evil.example");
    server.reject(NOW, &Response::builder().status(403).body("").unwrap()).unwrap();
    assert_eq!(status(&refusal(server).1), 403);
}

// §10.3, masks. See also §5.3.

#[test]
fn the_application_cannot_choose_the_bytes_on_the_wire() {
    // The same message, again and again, never looks the same.
    let mut client = Endpoint::client();
    let wires: BTreeSet<Vec<u8>> = (0..100)
        .map(|_| {
            client.sends(Message::text("GET / HTTP/1.1"));
            client.writes().split_off(6)
        })
        .collect();
    assert_eq!(wires.len(), 100);
}

#[test]
fn a_frame_that_has_begun_to_leave_cannot_be_changed() {
    for len in [100, 10_000] {
        let mut client = Endpoint::client();
        client.sends(Message::binary(vec![0; len]));
        let whole = client.connection.outputs().collect::<Vec<_>>().concat();
        let mut left = Vec::new();
        while !client.connection.output().is_empty() {
            left.push(client.connection.output()[0]);
            client.connection.handle_written(client.now, 1);
            // What else is sent and received does not affect it.
            if left.len() == 50 {
                client.sends(Message::binary(vec![0xff; 10]));
                client.hears(FIN | crate::wire::PING, b"ping");
            }
        }
        assert_eq!(left[..whole.len()], whole);
    }
}

#[test]
fn new_data_goes_in_a_new_frame_with_a_new_key() {
    let mut client = Endpoint::client();
    client.sends(Message::binary("a"));
    client.connection.handle_written(client.now, 1);
    client.sends(Message::binary("b"));
    let rest = client.writes();
    let second = &crate::wire::parse(&rest[6..])[0];
    assert_eq!(second.payload, b"b");
    assert_ne!(second.key.expect("a key")[..], rest[1..5]);
}

// §10.4, limits.

fn limited() -> Config {
    let mut config = Config::default();
    config.limits.frame = Some(1000);
    config.limits.message = Some(1500);
    config.limits.fragments = Some(10);
    config
}

#[test]
fn there_are_limits_unless_they_are_lifted() {
    let limits = Config::default().limits;
    assert!(limits.frame.is_some() && limits.message.is_some() && limits.fragments.is_some());
}

#[test]
fn a_frame_over_the_limit_is_refused_with_1009() {
    for len in [1001, 1 << 20, 1 << 60] {
        for us in Endpoint::both_with(&limited()) {
            // As soon as its length is known: a server need not even wait for the key.
            let key = if us.role == bowline_core::Role::Server { 4 } else { 0 };
            let bytes = header(peer_of(us.role), FIN | BINARY, len);
            fails(us, &bytes[..bytes.len() - key], 1009);
        }
    }
}

#[test]
fn a_frame_at_the_limit_is_taken() {
    for mut us in Endpoint::both_with(&limited()) {
        us.hears(FIN | BINARY, &[1; 1000]);
        assert_eq!(us.messages(), [Message::binary(vec![1; 1000])]);
    }
}

#[test]
fn a_message_over_the_limit_is_refused_with_1009() {
    for mut us in Endpoint::both_with(&limited()) {
        us.hears(BINARY, &[1; 1000]);
        let bytes = header(peer_of(us.role), FIN | CONTINUATION, 501);
        fails(us, &bytes, 1009);
    }
}

#[test]
fn a_message_at_the_limit_is_taken() {
    for mut us in Endpoint::both_with(&limited()) {
        us.hears(BINARY, &[1; 1000]);
        us.hears(FIN | CONTINUATION, &[1; 500]);
        assert_eq!(us.messages(), [Message::binary(vec![1; 1500])]);
    }
}

#[test]
fn a_message_in_too_many_fragments_is_refused_with_1008() {
    for mut us in Endpoint::both_with(&limited()) {
        us.hears(BINARY, b"");
        for _ in 1..10 {
            us.hears(CONTINUATION, b"");
        }
        let bytes = frame(peer_of(us.role), CONTINUATION, b"");
        fails(us, &bytes, 1008);
    }
}

#[test]
fn untaken_messages_stop_the_reading() {
    let mut config = Config::default();
    config.receive_buffer = 10_000;
    for mut us in Endpoint::both_with(&config) {
        let bytes = frame(peer_of(us.role), FIN | BINARY, &[1; 1000]);
        let mut taken = 0;
        while us.connection.wants_input() && taken < 100 {
            us.connection.handle_input(us.now, &bytes);
            taken += 1;
        }
        assert!((5..=10).contains(&taken), "{taken}");
    }
}

// §10.7, invalid data. See also §5.2, §7.4 and §8.1.

#[test]
fn invalid_data_is_answered_by_a_close() {
    for us in Endpoint::both() {
        let bytes = frame(peer_of(us.role), FIN | TEXT, b"\xff");
        fails(us, &bytes, 1007);
    }
}

#[test]
fn an_invalid_handshake_is_answered_by_a_status_of_http() {
    let (_, answer) = crate::http::refused("\x16\x03\x01\x02\x00\x01\x00\x01\n");
    assert_eq!(status(&answer), 400);
}

#[test]
fn no_bytes_make_an_endpoint_panic() {
    // All headers with a length of each form, with something after them.
    for first in 0..=255 {
        for second in [0, 1, 2, 0x7d, 0x7e, 0x7f, 0x80, 0x81, 0x82, 0xfd, 0xfe, 0xff] {
            for mut us in Endpoint::both() {
                us.hears_bytes(&[first, second, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff]);
                us.says();
            }
        }
    }
}
