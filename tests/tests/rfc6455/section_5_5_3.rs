//! §5.5.3, the Pong frame.
//!
//! Binds no endpoint of ours: nothing.

use crate::wire::{Endpoint, FIN, PING, PONG, TEXT};
use bowline_core::Message;
use core::time::Duration;

#[test]
fn a_pong_has_the_payload_of_its_ping() {
    let all: Vec<u8> = (0..=255).collect();
    for payload in [&b""[..], b"\0", b"\xff\xfe", b"Hello", &all[..125], &all[131..]] {
        for mut us in Endpoint::both() {
            us.hears(FIN | PING, payload);
            assert_eq!(us.says_one().payload, payload);
        }
    }
}

#[test]
fn pings_are_answered_in_order() {
    for mut us in Endpoint::both() {
        for number in 0..16 {
            us.hears(FIN | PING, &[number]);
        }
        let answered: Vec<u8> = us.says().iter().flat_map(|pong| pong.payload.clone()).collect();
        assert_eq!(answered, (0..16).collect::<Vec<_>>());
    }
}

#[test]
fn the_latest_of_more_pings_than_can_wait_is_answered() {
    for mut us in Endpoint::both() {
        for number in 0..100 {
            us.hears(FIN | PING, &[number]);
        }
        let answered: Vec<u8> = us.says().iter().flat_map(|pong| pong.payload.clone()).collect();
        assert_eq!(answered, (0..15).chain([99]).collect::<Vec<_>>());
    }
}

#[test]
fn an_unsolicited_pong_is_accepted_without_an_answer() {
    for mut us in Endpoint::both() {
        us.hears(FIN | PONG, b"");
        us.hears(FIN | PONG, b"I am alive");
        us.hears(FIN | TEXT, b"and go on");
        assert_eq!(us.writes(), b"");
        assert_eq!(us.messages(), [Message::text("and go on")]);
    }
}

#[test]
fn a_pong_may_be_sent_unsolicited() {
    for mut us in Endpoint::both() {
        // Only the peer has something to say: after 25 s we give a sign of life.
        for _ in 0..25 {
            us.waits(Duration::from_secs(1));
            us.hears(FIN | TEXT, b"one-way traffic");
        }
        let pong = us.says_one();
        assert_eq!((pong.first, &pong.payload[..]), (FIN | PONG, &b""[..]));
    }
}
