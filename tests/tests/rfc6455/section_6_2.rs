//! §6.2, receiving data. How frames are parsed, unmasked and joined is tested with §5.
//!
//! Binds no endpoint of ours: what extensions may change about it.

use crate::wire::{BINARY, CONTINUATION, Endpoint, FIN, PING, TEXT, frame, peer_of};
use bowline_core::Message;

#[test]
fn a_message_has_the_type_of_its_first_frame() {
    for mut us in Endpoint::both() {
        us.hears(TEXT, b"te");
        us.hears(FIN | CONTINUATION, b"xt");
        us.hears(BINARY, b"te");
        us.hears(FIN | CONTINUATION, b"xt");
        assert_eq!(us.messages(), [Message::text("text"), Message::binary("text")]);
    }
}

#[test]
fn the_frame_after_the_last_fragment_begins_a_new_message() {
    for mut us in Endpoint::both() {
        us.hears(TEXT, b"a");
        us.hears(FIN | CONTINUATION, b"b");
        us.hears(FIN | BINARY, b"c");
        us.hears(TEXT, b"d");
        us.hears(FIN | CONTINUATION, b"e");
        assert_eq!(us.messages(), [Message::text("ab"), Message::binary("c"), Message::text("de")]);
    }
}

#[test]
fn a_message_is_delivered_when_its_last_byte_has_come() {
    for mut us in Endpoint::both() {
        let bytes = frame(peer_of(us.role), FIN | BINARY, &[7; 300]);
        let (last, before) = bytes.split_last().unwrap();
        us.hears_bytes(before);
        assert_eq!(us.messages(), []);
        us.hears_bytes(&[*last]);
        assert_eq!(us.messages(), [Message::binary(vec![7; 300])]);
    }
}

#[test]
fn an_empty_message_is_delivered_when_its_header_has_come() {
    for mut us in Endpoint::both() {
        us.hears(FIN | TEXT, b"");
        assert_eq!(us.messages(), [Message::text("")]);
    }
}

#[test]
fn frames_that_come_together_are_all_handled() {
    for mut us in Endpoint::both() {
        let peer = peer_of(us.role);
        let bytes =
            [frame(peer, FIN | TEXT, b"a"), frame(peer, FIN | PING, b"p"), frame(peer, FIN | TEXT, b"b")];
        us.hears_bytes(&bytes.concat());
        assert_eq!(us.messages(), [Message::text("a"), Message::text("b")]);
        assert_eq!(us.says_one().payload, b"p");
    }
}
