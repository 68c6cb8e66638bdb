//! Makes bytes from a peer fit for an error message: one short line, with nothing that a terminal would obey.

use bowline_core::closing::plain;

/// How many characters of a text are shown.
const SHOWN: usize = 120;
/// Shorter secrets cannot be distinguished from other words.
pub(crate) const SHORTEST_SECRET: usize = 4;

/// The start of a text on one line: runs of white space become one space, and everything that controls a terminal or
/// the direction of writing becomes U+FFFD.
pub(crate) fn text(bytes: &[u8]) -> String {
    let lossy = String::from_utf8_lossy(bytes);
    let line = lossy.split_whitespace().collect::<Vec<_>>().join(" ");
    let mut shown: String = plain(&line).chars().take(SHOWN).collect();
    if line.chars().nth(SHOWN).is_some() {
        shown.push_str("...");
    }
    shown
}

/// Any bytes, with escapes for what is not printable ASCII.
pub(crate) fn raw(bytes: &[u8]) -> String {
    bytes.trim_ascii_end().escape_ascii().to_string()
}

/// A guess at the protocol of the peer, from the first bytes.
pub(crate) fn speaker(bytes: &[u8]) -> &'static str {
    match bytes {
        [0x15, 3, ..] => " (a TLS alert: the port expects TLS, or refuses this kind of TLS)",
        [0x16, 3, ..] => " (a TLS handshake, on a port without TLS)",
        [b'S', b'S', b'H', b'-', ..] => " (an SSH server or client)",
        [b'2', b'2', b'0', b' ' | b'-', ..] => " (a mail or FTP server)",
        [b'H', b'T', b'T', b'P', b'/', b'2', ..] | [0, 0, _, 4, ..] => " (HTTP/2)",
        [0, b'\r'] => " (a proxy that announces its client by the PROXY protocol)",
        _ => "",
    }
}

/// Overwrites each secret in `text`, even one that is cut off at the end of `text` after its first few bytes.
pub(crate) fn redact(text: &mut [u8], secrets: &[Vec<u8>]) {
    for secret in secrets {
        for start in 0..text.len() {
            let length = secret.len().min(text.len() - start);
            if length >= SHORTEST_SECRET && text[start..start + length] == secret[..length] {
                text[start..start + length].fill(b'*');
            }
        }
    }
}

/// The same for a copy, as text.
pub(crate) fn redacted(bytes: &[u8], secrets: &[Vec<u8>]) -> String {
    let mut copy = bytes.to_vec();
    redact(&mut copy, secrets);
    String::from_utf8_lossy(&copy).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_becomes_one_clean_line() {
        assert_eq!(text(b"<html>\r\n\t<b>no</b>\x1b[31m\x07\n"), "<html> <b>no</b>\u{fffd}[31m\u{fffd}");
        assert_eq!(text("a\u{202e}b\u{2028}c\u{85}d".as_bytes()), "a\u{fffd}b c d");
        assert_eq!(text("a\u{61c}b".as_bytes()), "a\u{fffd}b");
        assert_eq!(text(b"\xff!"), "\u{fffd}!");
    }

    #[test]
    fn a_long_text_is_cut() {
        assert_eq!(text(&[b'x'; SHOWN]), "x".repeat(SHOWN));
        assert_eq!(text(&[b'x'; SHOWN + 1]), "x".repeat(SHOWN) + "...");
    }

    #[test]
    fn secrets_are_overwritten_wherever_they_appear() {
        let redacted = |text: &str, secrets: &[&[u8]]| {
            let mut text = text.as_bytes().to_vec();
            redact(&mut text, &secrets.iter().map(|secret| secret.to_vec()).collect::<Vec<_>>());
            String::from_utf8(text).unwrap()
        };
        assert_eq!(redacted("a hunter2b, hunter2", &[b"hunter2"]), "a *******b, *******");
        assert_eq!(redacted("abcdefgh", &[b"efgh", b"abcd"]), "********");
        assert_eq!(redacted("cut off: hunt", &[b"hunter2"]), "cut off: ****");
        assert_eq!(redacted("too little to matter: hun", &[b"hunter2"]), "too little to matter: hun");
    }

    #[test]
    fn raw_bytes_are_escaped() {
        assert_eq!(raw(b"\x15\x03\x03\x00\x02\x02(\"\xff\r"), r#"\x15\x03\x03\x00\x02\x02(\"\xff"#);
    }
}
