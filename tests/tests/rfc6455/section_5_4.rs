//! §5.4, fragmentation.
//!
//! Binds no endpoint of ours: what intermediaries must not do to the fragments of others (four rules), for we are none;
//! and interleaving that an extension has negotiated.

use crate::wire::{BINARY, CLOSE, CONTINUATION, Endpoint, FIN, Frame, PING, PONG, TEXT, body, fails};
use bowline_core::Message;
use bowline_core::connection::Config;

fn in_fragments_of(bytes: usize) -> Config {
    let mut config = Config::default();
    config.fragment = Some(bytes);
    config
}

/// The frames without control frames, as their first bytes and payloads.
fn data(frames: &[Frame]) -> Vec<(u8, &[u8])> {
    let data = frames.iter().filter(|frame| frame.opcode() < CLOSE);
    data.map(|frame| (frame.first, &frame.payload[..])).collect()
}

#[test]
fn a_message_in_one_frame_is_received() {
    for mut us in Endpoint::both() {
        us.hears(FIN | TEXT, b"text");
        us.hears(FIN | BINARY, b"bytes");
        us.hears(FIN | TEXT, b"");
        us.hears(FIN | BINARY, b"");
        assert_eq!(
            us.messages(),
            [Message::text("text"), Message::binary("bytes"), Message::text(""), Message::binary("")]
        );
    }
}

#[test]
fn a_message_in_fragments_is_the_same_as_in_one_frame() {
    // Every way to cut a text of six bytes, with an empty fragment at each end and in the middle.
    let text = "Gr\u{fc}\u{df}e";
    for cuts in 0..1_u32 << (text.len() - 1) {
        for mut us in Endpoint::both() {
            us.hears(TEXT, b"");
            let mut start = 0;
            for end in (1..text.len()).filter(|end| cuts >> (end - 1) & 1 == 1) {
                us.hears(CONTINUATION, &text.as_bytes()[start..end]);
                us.hears(CONTINUATION, b"");
                start = end;
            }
            us.hears(CONTINUATION, &text.as_bytes()[start..]);
            assert_eq!(us.messages(), [], "the message is not finished");
            us.hears(FIN | CONTINUATION, b"");
            assert_eq!(us.messages(), [Message::text(text)]);
        }
    }
}

#[test]
fn a_message_may_consist_of_empty_fragments() {
    for mut us in Endpoint::both() {
        us.hears(BINARY, b"");
        us.hears(CONTINUATION, b"");
        us.hears(FIN | CONTINUATION, b"");
        assert_eq!(us.messages(), [Message::binary("")]);
    }
}

#[test]
fn the_first_fragment_has_the_type_and_the_last_has_fin() {
    for mut us in Endpoint::both_with(&in_fragments_of(4)) {
        us.sends(Message::text("one to three"));
        assert_eq!(
            data(&us.says()),
            [(TEXT, &b"one "[..]), (CONTINUATION, b"to t"), (FIN | CONTINUATION, b"hree")]
        );
        us.sends(Message::binary("12345"));
        assert_eq!(data(&us.says()), [(BINARY, &b"1234"[..]), (FIN | CONTINUATION, b"5")]);
        us.sends(Message::text("1234"));
        assert_eq!(data(&us.says()), [(FIN | TEXT, &b"1234"[..])]);
    }
}

#[test]
fn fragments_are_sent_in_order() {
    let payload: Vec<u8> = (0..10_000_u32).flat_map(u32::to_be_bytes).collect();
    for size in [1, 7, 1000, 4096, 39_999, 40_000] {
        for mut us in Endpoint::both_with(&in_fragments_of(size)) {
            us.sends(Message::binary(payload.clone()));
            let frames = us.says();
            assert_eq!(frames.iter().flat_map(|frame| frame.payload.clone()).collect::<Vec<_>>(), payload);
            assert!(frames.iter().all(|frame| frame.payload.len() <= size));
        }
    }
}

#[test]
fn fragments_are_delivered_in_order() {
    for mut us in Endpoint::both() {
        for byte in 0..=254 {
            us.hears(if byte == 0 { BINARY } else { CONTINUATION }, &[byte]);
        }
        us.hears(FIN | CONTINUATION, &[255]);
        assert_eq!(us.messages(), [Message::binary((0..=255).collect::<Vec<u8>>())]);
    }
}

#[test]
fn messages_of_ours_are_not_interleaved() {
    for mut us in Endpoint::both_with(&in_fragments_of(10)) {
        us.sends(Message::binary(vec![b'a'; 25]));
        us.sends(Message::text("b".repeat(25)));
        us.sends(Message::text("c"));
        let frames = us.says();
        let first: Vec<u8> = data(&frames).iter().map(|(first, _)| *first).collect();
        let last = FIN | CONTINUATION;
        assert_eq!(first, [BINARY, CONTINUATION, last, TEXT, CONTINUATION, last, FIN | TEXT]);
    }
}

#[test]
fn a_new_message_inside_a_fragmented_one_is_refused_with_1002() {
    for begun in [TEXT, BINARY] {
        for next in [TEXT, BINARY, FIN | TEXT, FIN | BINARY] {
            for mut us in Endpoint::both() {
                us.hears(begun, b"begun");
                us.hears(CONTINUATION, b"and gone on");
                fails(us, &[next], 1002);
            }
        }
    }
}

#[test]
fn a_continuation_of_nothing_is_refused_with_1002() {
    for first in [CONTINUATION, FIN | CONTINUATION] {
        for us in Endpoint::both() {
            fails(us, &[first], 1002);
        }
    }
}

#[test]
fn a_continuation_after_the_last_fragment_is_refused_with_1002() {
    for first in [CONTINUATION, FIN | CONTINUATION] {
        for mut us in Endpoint::both() {
            us.hears(BINARY, b"first");
            us.hears(FIN | CONTINUATION, b"last");
            fails(us, &[first], 1002);
        }
    }
}

#[test]
fn control_frames_between_fragments_are_handled() {
    for mut us in Endpoint::both() {
        us.hears(TEXT, b"one ");
        us.hears(FIN | PING, b"now?");
        let pong = us.says_one();
        assert_eq!(
            (pong.first, &pong.payload[..]),
            (FIN | PONG, &b"now?"[..]),
            "before the message is whole"
        );
        us.hears(CONTINUATION, b"message");
        us.hears(FIN | PONG, b"");
        us.hears(FIN | CONTINUATION, b"");
        assert_eq!(us.messages(), [Message::text("one message")]);
    }
}

#[test]
fn a_close_between_fragments_is_a_close() {
    for mut us in Endpoint::both() {
        us.hears(TEXT, b"never finished");
        us.hears(FIN | CLOSE, &body(1000, ""));
        assert_eq!(us.says_one().close(), Some((1000, String::new())));
        assert_eq!(us.messages(), []);
    }
}

#[test]
fn control_frames_of_ours_go_between_fragments() {
    for mut us in Endpoint::both_with(&in_fragments_of(1000)) {
        us.sends(Message::binary(vec![1; 20_000]));
        us.connection.handle_written(us.now, 1);
        us.hears(FIN | PING, b"ping");
        let first_byte = if us.role == bowline_core::Role::Client { 8 } else { 4 };
        // The fragment that has begun to leave is finished first.
        let rest = us.writes();
        let pong = &crate::wire::parse(&rest[first_byte - 1 + 1000..])[0];
        assert_eq!((pong.first, &pong.payload[..]), (FIN | PONG, &b"ping"[..]));
    }
}

#[test]
fn the_bounds_of_frames_mean_nothing() {
    // However the same bytes are framed and however the frames arrive, the application sees the same messages.
    for mut us in Endpoint::both() {
        for size in [1, 2, 3, 5, 8] {
            let pieces: Vec<&[u8]> = b"one message".chunks(size).collect();
            let peer = crate::wire::peer_of(us.role);
            let bytes: Vec<u8> = pieces
                .iter()
                .enumerate()
                .flat_map(|(i, piece)| {
                    let opcode = if i == 0 { BINARY } else { CONTINUATION };
                    let fin = if i + 1 == pieces.len() { FIN } else { 0 };
                    crate::wire::frame(peer, fin | opcode, piece)
                })
                .collect();
            for arrives in [1, 4, 1000] {
                bytes.chunks(arrives).for_each(|piece| us.hears_bytes(piece));
                assert_eq!(us.messages(), [Message::binary("one message")]);
            }
        }
    }
}
