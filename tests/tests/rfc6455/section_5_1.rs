//! §5.1, overview: who masks and who does not.
//!
//! Binds no endpoint of ours: that a later version may relax the rule of the closed connection ("these rules might be
//! relaxed") is a note to authors of later standards.

use crate::wire::{BINARY, CLOSE, CONTINUATION, Endpoint, FIN, Frame, KEY, PING, PONG, TEXT, fails, header};
use bowline_core::connection::Config;
use bowline_core::{Message, Role};
use core::time::Duration;

/// Frames of every kind that an endpoint can be made to send: messages of one frame and of several, a Ping, a Pong and
/// a Close.
fn frames_of_every_kind(role: Role) -> Vec<Frame> {
    let mut config = Config::default();
    config.fragment = Some(1000);
    let mut us = Endpoint::with(role, config);
    us.sends(Message::text("text"));
    us.sends(Message::binary(""));
    us.sends(Message::binary(vec![5; 10_000]));
    us.sends(Message::text("t".repeat(2500)));
    us.hears(FIN | PING, b"answer me");
    let mut frames = us.says();
    us.waits(Duration::from_secs(20));
    frames.extend(us.says());
    us.closes(1000, "bye");
    frames.extend(us.says());
    for opcode in [CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG] {
        assert!(frames.iter().any(|frame| frame.opcode() == opcode), "no frame with opcode {opcode}");
    }
    frames
}

#[test]
fn a_client_masks_every_frame_it_sends() {
    for frame in frames_of_every_kind(Role::Client) {
        assert!(frame.key.is_some(), "{frame:?}");
    }
}

#[test]
fn a_server_masks_no_frame_it_sends() {
    for frame in frames_of_every_kind(Role::Server) {
        assert!(frame.key.is_none(), "{frame:?}");
    }
}

#[test]
fn an_unmasked_frame_from_a_client_is_refused_with_1002() {
    for opcode in [TEXT, BINARY, CLOSE, PING, PONG] {
        fails(Endpoint::server(), &header(Role::Server, FIN | opcode, 0), 1002);
        fails(Endpoint::server(), &header(Role::Server, FIN | opcode, 5), 1002);
    }
}

#[test]
fn an_unmasked_fragment_from_a_client_is_refused_with_1002() {
    let mut us = Endpoint::server();
    us.hears(TEXT, b"begun");
    fails(us, &header(Role::Server, FIN | CONTINUATION, 3), 1002);
}

#[test]
fn a_masked_frame_from_a_server_is_refused_with_1002() {
    for opcode in [TEXT, BINARY, CLOSE, PING, PONG] {
        for len in [0, 5] {
            // The bit alone decides, before any key has come.
            let bytes = header(Role::Client, FIN | opcode, len);
            fails(Endpoint::client(), &bytes[..bytes.len() - KEY.len()], 1002);
        }
    }
}

#[test]
fn a_masked_fragment_from_a_server_is_refused_with_1002() {
    let mut us = Endpoint::client();
    us.hears(BINARY, b"begun");
    fails(us, &header(Role::Client, CONTINUATION, 3)[..2], 1002);
}

#[test]
fn data_may_be_sent_before_any_has_come() {
    for mut us in Endpoint::both() {
        us.sends(Message::text("first"));
        assert_eq!(us.says_one().payload, b"first");
    }
}
