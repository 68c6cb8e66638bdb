//! §5.5.2, the Ping frame.
//!
//! Binds no endpoint of ours: nothing.

use crate::wire::{CLOSE, Endpoint, FIN, PING, PONG, body};
use bowline_core::Message;
use bowline_core::connection::Config;
use core::time::Duration;

#[test]
fn a_ping_is_answered_by_a_pong() {
    for mut us in Endpoint::both() {
        us.hears(FIN | PING, b"");
        assert_eq!(us.says_one().first, FIN | PONG);
    }
}

#[test]
fn a_ping_is_answered_before_data_that_waits() {
    let mut config = Config::default();
    config.fragment = Some(1000);
    for mut us in Endpoint::both_with(&config) {
        us.sends(Message::binary(vec![1; 50_000]));
        us.hears(FIN | PING, b"now");
        assert_eq!(us.says()[0].first, FIN | PONG);
    }
}

#[test]
fn a_ping_is_answered_whether_or_not_the_application_takes_its_messages() {
    for mut us in Endpoint::both() {
        // Not by way of `hears`, which takes the events.
        let peer = crate::wire::peer_of(us.role);
        us.connection.handle_input(us.now, &crate::wire::frame(peer, FIN | 2, b"left lying"));
        us.connection.handle_input(us.now, &crate::wire::frame(peer, FIN | PING, b"now"));
        assert!(!us.connection.output().is_empty());
        assert_eq!(us.says_one().first, FIN | PONG);
    }
}

#[test]
fn a_ping_after_our_close_is_answered() {
    for mut us in Endpoint::both() {
        us.closes(1000, "");
        us.says();
        us.hears(FIN | PING, b"still there?");
        let pong = us.says_one();
        assert_eq!((pong.first, &pong.payload[..]), (FIN | PONG, &b"still there?"[..]));
    }
}

#[test]
fn a_ping_after_the_close_of_the_peer_is_not_answered() {
    for mut us in Endpoint::both() {
        us.hears(FIN | CLOSE, &body(1000, ""));
        us.hears(FIN | PING, b"late");
        assert_eq!(us.says_one().first, FIN | CLOSE);
    }
}

#[test]
fn a_ping_may_be_sent_at_any_time() {
    for mut us in Endpoint::both() {
        us.waits(Duration::from_secs(20));
        let ping = us.says_one();
        assert_eq!(ping.first, FIN | PING);
    }
}

#[test]
fn a_ping_may_carry_data() {
    for mut us in Endpoint::both() {
        us.waits(Duration::from_secs(20));
        assert_eq!(us.says_one().payload.len(), 8, "a number that nobody can guess");
    }
}

#[test]
fn no_ping_is_sent_after_our_close() {
    for mut us in Endpoint::both() {
        us.closes(1000, "");
        us.says();
        us.waits(Duration::from_secs(60));
        assert_eq!(us.writes(), b"");
    }
}
