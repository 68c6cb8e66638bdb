//! §8.1, errors in UTF-8. The same rule for the opening handshake is tested with §4.2, for the reason of a Close with
//! §5.5.1.
//!
//! Binds no endpoint of ours: nothing.

use crate::wire::{BINARY, CONTINUATION, Endpoint, FIN, PING, TEXT, fails, frame, masked, peer_of};
use bowline_core::Message;

/// Bytes that are not UTF-8, and the first of them that no UTF-8 could have there.
const INVALID: [(&[u8], usize); 19] = [
    (b"\xff", 0),
    (b"\xfe", 0),
    (b"\x80", 0),                 // a continuation of nothing
    (b"\xbf", 0),
    (b"ok\xc0\x80", 2),           // two bytes for what fits into one
    (b"\xc1\xbf", 0),
    (b"\xe0\x80\x80", 1),         // three for what fits into two
    (b"\xe0\x9f\xbf", 1),
    (b"\xf0\x80\x80\x80", 1),     // four for what fits into three
    (b"\xf0\x8f\xbf\xbf", 1),
    (b"\xed\xa0\x80", 1),         // surrogates
    (b"\xed\xbf\xbf", 1),
    (b"\xf4\x90\x80\x80", 1),     // beyond the last character
    (b"\xf5\x80\x80\x80", 0),
    (b"\xc3(", 1),                // characters that are cut short
    (b"\xe2\x82(", 2),
    (b"\xf0\x9f\x98(", 3),
    (b"\xe2(\x82", 1),
    ("a text that is sound for a while, longer than any vector of any processor, \u{e9}\u{20ac}\u{1f600}\u{ff}".as_bytes(), usize::MAX),
];

/// All of them but the last, which is sound.
fn invalid() -> impl Iterator<Item = (Vec<u8>, usize)> {
    let long = INVALID.last().expect("a text").0;
    let short = INVALID.iter().filter(|(_, at)| *at != usize::MAX);
    short.flat_map(move |(bytes, at)| [(bytes.to_vec(), *at), ([long, bytes].concat(), long.len() + at)])
}

#[test]
fn text_that_is_not_utf_8_is_refused_with_1007() {
    for (bytes, _) in invalid() {
        for mut us in Endpoint::both() {
            us.hears(FIN | TEXT, &bytes);
            assert_eq!(us.says_one().close().map(|(code, _)| code), Some(1007), "{bytes:02x?}");
            assert_eq!(us.messages(), []);
        }
    }
}

#[test]
fn invalid_utf_8_is_refused_at_the_first_impossible_byte() {
    for (bytes, at) in invalid() {
        for us in Endpoint::both() {
            // The frame is far from complete: more is announced than ever arrives.
            let whole = frame(peer_of(us.role), FIN | TEXT, &[&bytes[..], &[b' '; 1000]].concat());
            let header = whole.len() - bytes.len() - 1000;
            fails(us, &whole[..=header + at], 1007);
        }
    }
}

#[test]
fn invalid_utf_8_is_refused_across_fragments() {
    for (bytes, at) in invalid() {
        for cut in [at / 2, at, at + 1] {
            for mut us in Endpoint::both() {
                let (first, second) = bytes.split_at(cut.min(bytes.len()));
                us.hears(TEXT, first);
                us.hears(FIN | PING, b"between");
                us.hears(FIN | CONTINUATION, second);
                let close = us.says().pop().expect("a Close");
                assert_eq!(close.close().map(|(code, _)| code), Some(1007), "{bytes:02x?} cut at {cut}");
            }
        }
    }
}

#[test]
fn invalid_utf_8_is_refused_in_the_fragment_that_holds_it() {
    for (bytes, at) in invalid() {
        for mut us in Endpoint::both() {
            us.hears(TEXT, &bytes[..at]);
            let fragment = frame(peer_of(us.role), CONTINUATION, &bytes[at..]);
            let header = fragment.len() - (bytes.len() - at);
            fails(us, &fragment[..=header], 1007);
        }
    }
}

#[test]
fn text_that_ends_inside_a_character_is_refused_with_1007() {
    for text in ["\u{e9}", "\u{20ac}", "\u{1f600}"] {
        for cut in 1..text.len() {
            for us in Endpoint::both() {
                let bytes = frame(peer_of(us.role), FIN | TEXT, &text.as_bytes()[..cut]);
                fails(us, &bytes, 1007);
            }
            for mut us in Endpoint::both() {
                us.hears(TEXT, &text.as_bytes()[..cut]);
                let bytes = frame(peer_of(us.role), FIN | CONTINUATION, b"");
                fails(us, &bytes, 1007);
            }
        }
    }
}

#[test]
fn all_characters_are_taken() {
    let text: String =
        ('\0'..=char::MAX).step_by(7).chain([char::MAX, '\u{d7ff}', '\u{e000}', '\u{fffe}']).collect();
    for mut us in Endpoint::both() {
        us.hears(FIN | TEXT, text.as_bytes());
        assert_eq!(us.messages(), [Message::text(text.clone())]);
    }
}

#[test]
fn each_message_begins_a_new_stream_of_utf_8() {
    for mut us in Endpoint::both() {
        us.hears(FIN | BINARY, b"\xe2\x82");
        us.hears(FIN | TEXT, b"sound");
        assert_eq!(us.messages(), [Message::binary(&b"\xe2\x82"[..]), Message::text("sound")]);
        let bytes = frame(peer_of(us.role), FIN | TEXT, b"\xac");
        fails(us, &bytes, 1007);
    }
}

#[test]
fn binary_data_and_control_frames_need_not_be_utf_8() {
    for mut us in Endpoint::both() {
        us.hears(BINARY, b"\xff");
        us.hears(FIN | PING, b"\xff");
        us.hears(FIN | CONTINUATION, b"\xc0");
        assert_eq!(us.messages(), [Message::binary(&b"\xff\xc0"[..])]);
        assert_eq!(us.says_one().payload, b"\xff");
    }
}

#[test]
fn it_is_the_unmasked_text_that_counts() {
    // Under this mask the sound text is not UTF-8 on the wire, and the other way round.
    let key = [0xff; 4];
    for (payload, is_sound) in [(&b"text"[..], true), (b"\x8b\x9a\x87\x8b", false)] {
        let mut server = Endpoint::server();
        server.hears_bytes(&[&[FIN | TEXT, 0x84], &key[..], &masked(payload, key)].concat());
        assert_eq!(server.connection.is_open(), is_sound);
    }
}
