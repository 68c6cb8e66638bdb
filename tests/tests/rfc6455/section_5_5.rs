//! §5.5, control frames.
//!
//! Binds no endpoint of ours: nothing.

use crate::wire::{CLOSE, Endpoint, FIN, PING, PONG, TEXT, body, fails, header, peer_of};
use bowline_core::Message;
use bowline_core::connection::Config;
use core::time::Duration;

#[test]
fn a_control_frame_of_more_than_125_bytes_is_refused_with_1002() {
    for opcode in [CLOSE, PING, PONG] {
        for length in [126, 127, 65_536] {
            for us in Endpoint::both() {
                // The short form of the length is enough to tell.
                let bytes = header(peer_of(us.role), FIN | opcode, length);
                fails(us, &bytes[..2], 1002);
            }
        }
    }
}

#[test]
fn a_control_frame_may_have_125_bytes() {
    for mut us in Endpoint::both() {
        us.hears(FIN | PING, &[b'p'; 125]);
        us.hears(FIN | PONG, &[b'p'; 125]);
        us.hears(FIN | CLOSE, &body(1000, &"r".repeat(123)));
        let [pong, close] = &us.says()[..] else { panic!("two answers") };
        assert_eq!(pong.payload, [b'p'; 125]);
        assert_eq!(close.close(), Some((1000, "r".repeat(123))));
    }
}

#[test]
fn a_fragmented_control_frame_is_refused_with_1002() {
    for opcode in [CLOSE, PING, PONG] {
        for us in Endpoint::both() {
            fails(us, &[opcode], 1002);
        }
    }
}

#[test]
fn a_fragmented_control_frame_inside_a_message_is_refused_with_1002() {
    for opcode in [CLOSE, PING, PONG] {
        for mut us in Endpoint::both() {
            us.hears(TEXT, b"begun");
            fails(us, &[opcode], 1002);
        }
    }
}

#[test]
fn control_frames_are_never_sent_in_fragments() {
    let mut config = Config::default();
    config.fragment = Some(1);
    for mut us in Endpoint::both_with(&config) {
        us.sends(Message::text("cut me"));
        us.hears(FIN | PING, &[1; 125]);
        us.waits(Duration::from_secs(20));
        us.closes(1000, &"r".repeat(123));
        let frames = us.says();
        let controls: Vec<_> = frames.iter().filter(|frame| frame.opcode() >= CLOSE).collect();
        assert_eq!(controls.len(), 3);
        assert!(controls.iter().all(|frame| frame.is_final()), "{controls:?}");
    }
}

#[test]
fn no_control_frame_of_more_than_125_bytes_is_sent() {
    for mut us in Endpoint::both() {
        assert!(bowline_core::Close::new(1000, "r".repeat(124)).is_err());
        us.hears(FIN | PING, &[1; 125]);
        // A reason that is too long is cut, at a character.
        us.connection.fail(us.now, crate::wire::code(1011), &format!("x{}", "\u{20ac}".repeat(100)));
        let frames = us.says();
        assert!(frames.iter().all(|frame| frame.payload.len() <= 125), "{frames:?}");
        assert_eq!(
            frames.last().and_then(crate::wire::Frame::close),
            Some((1011, format!("x{}", "\u{20ac}".repeat(40))))
        );
    }
}
