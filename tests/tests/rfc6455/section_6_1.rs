//! §6.1, sending data. That frames are formed as §5 says is tested there.
//!
//! Binds no endpoint of ours: what extensions add to it (step 6).

use crate::wire::{BINARY, CLOSE, CONTINUATION, Endpoint, FIN, Frame, TEXT, body};
use bowline_core::connection::{Config, SendError};
use bowline_core::{End, Message};
use std::time::Duration;

fn refuses_to_send(us: &mut Endpoint) {
    let refused = us.connection.send(us.now, Message::text("late"));
    assert_eq!(refused, Err(SendError::Closing(Message::text("late"))), "{:?}", us.role);
}

#[test]
fn nothing_is_sent_unless_the_connection_is_open() {
    for mut us in Endpoint::both() {
        us.closes(1000, "");
        refuses_to_send(&mut us);
    }
    for mut us in Endpoint::both() {
        us.hears(FIN | CLOSE, &body(1000, ""));
        refuses_to_send(&mut us);
    }
    for mut us in Endpoint::both() {
        us.hears_bytes(&[0xff]);
        refuses_to_send(&mut us);
    }
    for mut us in Endpoint::both() {
        us.ends();
        refuses_to_send(&mut us);
    }
}

#[test]
fn a_message_is_abandoned_when_the_peer_has_closed_a_second_ago() {
    let mut config = Config::default();
    config.fragment = Some(100);
    for mut us in Endpoint::both_with(&config) {
        us.sends(Message::binary(vec![1; 1000]));
        us.sends(Message::text("behind it"));
        us.hears(FIN | CLOSE, &body(1000, ""));
        us.now += Duration::from_secs(1);
        us.connection.handle_timeout(us.now);
        assert_eq!(us.says().iter().map(Frame::opcode).collect::<Vec<_>>(), [CLOSE]);
    }
}

#[test]
fn a_message_is_abandoned_when_the_transport_fails() {
    for mut us in Endpoint::both() {
        us.sends(Message::binary(vec![1; 1000]));
        us.connection.handle_end(us.now, End::WriteFailed);
        assert_eq!(us.writes(), b"");
    }
}

#[test]
fn the_opcode_of_the_first_frame_tells_text_from_binary() {
    let mut config = Config::default();
    config.fragment = Some(3);
    for mut us in Endpoint::both_with(&config) {
        us.sends(Message::text("text"));
        us.sends(Message::binary("data"));
        let opcodes: Vec<_> = us.says().iter().map(Frame::opcode).collect();
        assert_eq!(opcodes, [TEXT, CONTINUATION, BINARY, CONTINUATION]);
    }
}

#[test]
fn fin_is_set_on_the_last_frame_and_on_no_other() {
    let mut config = Config::default();
    config.fragment = Some(3);
    for mut us in Endpoint::both_with(&config) {
        for len in 0..10 {
            us.sends(Message::binary(vec![1; len]));
            let frames = us.says();
            let (last, before) = frames.split_last().expect("at least one frame");
            assert!(last.is_final() && !before.iter().any(Frame::is_final), "{frames:?}");
        }
    }
}

#[test]
fn messages_are_transmitted_whole_in_the_order_they_were_sent() {
    for mut us in Endpoint::both() {
        let mut payloads = Vec::new();
        for len in [0, 1, 5000, 3, 4095, 4096, 20_000, 2] {
            let payload = vec![len as u8; len];
            us.sends(Message::binary(payload.clone()));
            payloads.push(payload);
        }
        let mut seen: Vec<Vec<u8>> = Vec::new();
        for frame in us.says() {
            match frame.opcode() {
                BINARY => seen.push(frame.payload),
                _ => seen.last_mut().expect("a first fragment").extend(frame.payload),
            }
        }
        assert_eq!(seen, payloads);
    }
}
