//! All kinds of bad names, as they arrive over the wire.

use super::*;

/// The answer to a frame with this name.
fn answer(victim: &mut Victim, template: Frame, bytes: &[u8]) -> (Code, String) {
    let mut message = template.encode().into_bytes().to_vec();
    // The name is the last field: "name" with its type and length before it.
    let end = message.len() - 4;
    message.truncate(end - 4 - 2);
    message.extend((bytes.len() as u16).to_be_bytes());
    message.extend(bytes);
    let ext = (bytes.len() + 4) as u16;
    message[2..4].copy_from_slice(&ext.to_be_bytes());
    message.extend([0; 4]);
    let said = victim.hear_bytes(resealed(message));
    let (code, text) = cancelled_because(&said).expect("a refusal");
    (code, text.into())
}

#[test]
fn every_name_rule_applies_to_offers_and_requests() {
    let long = "x".repeat(256);
    let deep = "a/".repeat(64) + "a";
    let huge = ("x".repeat(200) + "/").repeat(25) + "x";
    let empty = "a name needs at least one character between slashes and at both ends";
    let parent = "a part of the name is '.' or '..'";
    let ending = "a part of the name ends in a dot or a space";
    let device = "a part of the name is a device name on Windows";
    let cases: &[(&[u8], &str)] = &[
        (b"", empty),
        (b"/etc/passwd", empty),
        (b"a//b", empty),
        (b"a/", empty),
        (b".", parent),
        (b"..", parent),
        (b"a/../../b", parent),
        (b"a/./b", parent),
        (b"C:\\x", "the name holds the character ':'"),
        (b"a\\b", "the name holds the character '\\\\'"),
        (b"a*", "the name holds the character '*'"),
        (b"a?", "the name holds the character '?'"),
        (b"a\"", "the name holds the character '\"'"),
        (b"a<b", "the name holds the character '<'"),
        (b"a>b", "the name holds the character '>'"),
        (b"a|b", "the name holds the character '|'"),
        (b"a\0b", "the name holds the character '\\0'"),
        (b"a\nb", "the name holds the character '\\n'"),
        (b"a\x1b[2J", "the name holds the character '\\u{1b}'"),
        ("a\u{85}b".as_bytes(), "the name holds the character '\\u{85}'"),
        (b"a.", ending),
        (b"a /b", ending),
        (b"NUL", device),
        (b"aux.txt", device),
        (b"x/com1.log", device),
        (b"lpt9", device),
        ("COM\u{b9}".as_bytes(), device),
        (b"a\xff", "the name is not UTF-8"),
        (b"\xed\xa0\x80", "the name is not UTF-8"),
        (long.as_bytes(), "a part of the name has 256 bytes, 255 are allowed"),
        (deep.as_bytes(), "the name is nested 65 deep, 64 are allowed"),
        (huge.as_bytes(), "the name has 5026 bytes, 4096 are allowed"),
    ];
    let mut victim = Victim::with_transfer(1000);
    let mut handle = 1;
    for (bytes, why) in cases {
        handle += 2;
        let offer = Frame::Offer(handle, plain_offer(id(50), "name", 1));
        let text = std::format!("frame type 0x10, handle {handle}: {why}");
        assert_eq!(answer(&mut victim, offer, bytes), (Code::NameInvalid, text));
        handle += 2;
        let request = asked(id(50), name("name"));
        let text = std::format!("frame type 0x11, handle {handle}: {why}");
        assert_eq!(answer(&mut victim, Frame::Request(handle, request), bytes), (Code::NameInvalid, text));
    }
    assert_eq!(cancelled(&victim.data(0, 100)), None, "the others go on");
}
