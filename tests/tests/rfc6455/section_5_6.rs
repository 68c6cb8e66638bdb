//! §5.6, data frames.
//!
//! Binds no endpoint of ours: what extensions may put into data frames (§9).

use crate::wire::{BINARY, CONTINUATION, Endpoint, FIN, TEXT};
use bowline_core::Message;
use bowline_core::connection::Config;

#[test]
fn text_is_utf_8() {
    // A character of each length, and the last one of all.
    let text = "a\u{e9}\u{20ac}\u{1f600}\u{10ffff}\0";
    for mut us in Endpoint::both() {
        us.hears(FIN | TEXT, text.as_bytes());
        assert_eq!(us.messages(), [Message::text(text)]);
        us.sends(Message::text(text));
        let frame = us.says_one();
        assert_eq!((frame.first, &frame.payload[..]), (FIN | TEXT, text.as_bytes()));
    }
}

#[test]
fn a_fragment_of_text_may_end_inside_a_character() {
    let text = "\u{e9}\u{20ac}\u{1f600}";
    for mut us in Endpoint::both() {
        us.hears(TEXT, b"");
        for byte in text.as_bytes() {
            us.hears(CONTINUATION, &[*byte]);
        }
        us.hears(FIN | CONTINUATION, b"");
        assert_eq!(us.messages(), [Message::text(text)]);
    }
}

#[test]
fn a_text_of_ours_may_be_cut_inside_a_character() {
    let mut config = Config::default();
    config.fragment = Some(1);
    for mut us in Endpoint::both_with(&config) {
        us.sends(Message::text("\u{20ac}"));
        let frames = us.says();
        assert_eq!(frames.iter().map(|frame| frame.payload[0]).collect::<Vec<_>>(), "\u{20ac}".as_bytes());
    }
}

#[test]
fn binary_data_may_be_any_bytes() {
    let bytes: Vec<u8> = (0..=255).collect();
    for mut us in Endpoint::both() {
        us.hears(FIN | BINARY, &bytes);
        assert_eq!(us.messages(), [Message::binary(bytes.clone())]);
        us.sends(Message::binary(bytes.clone()));
        let frame = us.says_one();
        assert_eq!((frame.first, &frame.payload), (FIN | BINARY, &bytes));
    }
}
