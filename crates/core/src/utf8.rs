//! UTF-8 checked piece by piece, so that bad text is refused at its first bad byte (RFC 6455 §8.1).

use alloc::string::String;
use thiserror::Error;

/// Text that is not UTF-8.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("invalid UTF-8 at byte {at}")]
#[non_exhaustive]
pub struct Utf8Error {
    /// How many bytes before the first bad character were good, counted from the start of the text.
    pub at: u64,
}

/// Checks a text that arrives in pieces, cut anywhere.
///
/// ```
/// use bowline_core::utf8::Validator;
/// let mut utf8 = Validator::new();
/// utf8.push(b"gr\xc3")?; // half of an umlaut
/// assert!(!utf8.is_complete());
/// utf8.push(b"\xbcn")?;
/// assert!(utf8.is_complete());
/// assert_eq!(utf8.push(b"\xed\xa0").unwrap_err().at, 5); // no third byte can make this good
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct Validator {
    /// Bytes in whole characters so far.
    good: u64,
    /// The character that is not complete yet.
    begun: [u8; 4],
    begun_len: u8,
}

impl Validator {
    /// A validator at the start of a text.
    pub fn new() -> Self {
        Self::default()
    }

    /// Checks the next piece of the text.
    ///
    /// # Errors
    /// If no text could continue like this. The validator cannot be used afterwards.
    pub fn push(&mut self, bytes: &[u8]) -> Result<(), Utf8Error> {
        let mut rest = bytes;
        while !self.is_complete() {
            let Some((&byte, after)) = rest.split_first() else { return Ok(()) };
            self.take(byte)?;
            rest = after;
        }
        let (whole, begun) = rest.split_at(rest.len() - begun_character(rest));
        if simdutf8::basic::from_utf8(whole).is_err() {
            let good = simdutf8::compat::from_utf8(whole).map_or_else(|error| error.valid_up_to(), str::len);
            return Err(Utf8Error { at: self.good + good as u64 });
        }
        self.good += whole.len() as u64;
        begun.iter().try_for_each(|&byte| self.take(byte))
    }

    /// Checks the next piece of the text as [`push`](Self::push) does, and appends to `text` the characters that are whole
    /// by now. They are appended up to the first bad one even if there is one.
    ///
    /// # Errors
    /// If no text could continue like this. The validator cannot be used afterwards.
    pub fn decode(&mut self, bytes: &[u8], text: &mut String) -> Result<(), Utf8Error> {
        let mut rest = bytes;
        while !self.is_complete() {
            let Some((&byte, after)) = rest.split_first() else { return Ok(()) };
            let len = usize::from(self.begun_len);
            self.take(byte)?;
            if self.is_complete() {
                text.push_str(core::str::from_utf8(&self.begun[..=len]).unwrap_or_default());
            }
            rest = after;
        }
        let (whole, begun) = rest.split_at(rest.len() - begun_character(rest));
        let good = match simdutf8::compat::from_utf8(whole) {
            Ok(good) => good,
            Err(error) => {
                let good = &whole[..error.valid_up_to()];
                text.push_str(core::str::from_utf8(good).unwrap_or_default());
                return Err(Utf8Error { at: self.good + good.len() as u64 });
            }
        };
        text.push_str(good);
        self.good += good.len() as u64;
        begun.iter().try_for_each(|&byte| self.take(byte))
    }

    /// Whether the text could end here.
    pub fn is_complete(&self) -> bool {
        self.begun_len == 0
    }

    /// Ends the text and makes ready for the next one.
    ///
    /// # Errors
    /// If the last character is not complete.
    pub fn finish(&mut self) -> Result<(), Utf8Error> {
        let ended = core::mem::take(self);
        if ended.is_complete() { Ok(()) } else { Err(Utf8Error { at: ended.good }) }
    }

    /// Adds a byte to the character that is begun, or begins one.
    fn take(&mut self, byte: u8) -> Result<(), Utf8Error> {
        let len = usize::from(self.begun_len);
        self.begun[len] = byte;
        match core::str::from_utf8(&self.begun[..=len]) {
            Ok(character) => {
                self.good += character.len() as u64;
                self.begun_len = 0;
                Ok(())
            }
            // Not wrong, only cut short: the character may still become whole.
            Err(error) if error.error_len().is_none() => {
                self.begun_len += 1;
                Ok(())
            }
            Err(_) => Err(Utf8Error { at: self.good }),
        }
    }
}

/// How many bytes at the end look like the beginning of a character that needs more bytes than there are.
fn begun_character(bytes: &[u8]) -> usize {
    let leads = bytes.iter().rev().take(3).zip(1..);
    for (&byte, distance) in leads {
        let needed = match byte {
            0x80..=0xbf => continue,
            0xc0..=0xdf => 2,
            0xe0..=0xef => 3,
            0xf0..=0xff => 4,
            _ => 1,
        };
        return if needed > distance { distance } else { 0 };
    }
    0
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec::Vec;
    use proptest::prelude::*;

    /// Where the standard library sees the first bad character; `None` if the text is good or only cut short.
    fn first_bad(bytes: &[u8]) -> Option<u64> {
        let error = core::str::from_utf8(bytes).err()?;
        error.error_len().map(|_| error.valid_up_to() as u64)
    }

    /// Feeds in pieces of `size`; returns where it failed and how many bytes it had been shown.
    fn in_pieces(bytes: &[u8], size: usize) -> (Result<(), Utf8Error>, usize) {
        let mut utf8 = Validator::new();
        let mut shown = 0;
        for piece in bytes.chunks(size) {
            shown += piece.len();
            if let Err(error) = utf8.push(piece) {
                return (Err(error), shown);
            }
        }
        (utf8.finish(), shown)
    }

    #[test]
    fn bad_text_fails_at_its_first_bad_byte() {
        let cases: [(&[u8], u64, usize); 9] = [
            (b"a\xff", 1, 2),
            (b"ab\x80", 2, 3),
            (b"\xc0\x80", 0, 1),
            (b"\xe0\x80\x80", 0, 2),
            (b"\xed\xa0\x80", 0, 2),
            (b"\xf0\x80\x80\x80", 0, 2),
            (b"\xf4\x90\x80\x80", 0, 2),
            (b"\xf5\x80", 0, 1),
            (b"\xe2\x82a", 0, 3),
        ];
        for (bytes, at, shown) in cases {
            assert_eq!(in_pieces(bytes, 1), (Err(Utf8Error { at }), shown), "{bytes:x?}");
            assert_eq!(in_pieces(bytes, 9).0, Err(Utf8Error { at }), "{bytes:x?}");
        }
    }

    #[test]
    fn a_text_must_not_end_inside_a_character() {
        let mut utf8 = Validator::new();
        utf8.push(b"ab\xe2\x82").unwrap();
        assert_eq!(utf8.finish(), Err(Utf8Error { at: 2 }));
        utf8.push(b"ready for the next").unwrap();
        assert_eq!(utf8.finish(), Ok(()));
    }

    /// A text in which fewer than `most` bytes were overwritten.
    fn damaged(most: usize) -> impl Strategy<Value = Vec<u8>> {
        let noise = prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..most);
        (".{0,80}", noise).prop_map(|(text, noise)| {
            let mut bytes = text.into_bytes();
            if !bytes.is_empty() {
                for (index, byte) in noise {
                    let index = index.index(bytes.len());
                    bytes[index] = byte;
                }
            }
            bytes
        })
    }

    proptest! {
        #[test]
        fn pieces_agree_with_the_standard_library(
            bytes in damaged(3), size in 1..9_usize
        ) {
            let (result, shown) = in_pieces(&bytes, size);
            if let Some(at) = first_bad(&bytes) {
                prop_assert_eq!(result, Err(Utf8Error { at }));
                // No piece before the one that holds the first bad byte was refused.
                prop_assert!(first_bad(&bytes[..shown]).is_some());
                prop_assert!(first_bad(&bytes[..(shown - 1) / size * size]).is_none());
            } else {
                prop_assert_eq!(result.is_ok(), core::str::from_utf8(&bytes).is_ok());
            }
        }

        #[test]
        fn only_valid_text_is_handed_out(
            bytes in damaged(2), size in 1..9_usize
        ) {
            let (mut checked, mut decoded, mut text) = (Validator::new(), Validator::new(), String::new());
            let mut end = Ok(());
            for piece in bytes.chunks(size) {
                end = decoded.decode(piece, &mut text);
                prop_assert_eq!(end, checked.push(piece));
                if end.is_err() {
                    break;
                }
            }
            let good = core::str::from_utf8(&bytes).map_or_else(|error| error.valid_up_to(), str::len);
            prop_assert_eq!(text.as_bytes(), &bytes[..good]);
            if end.is_ok() {
                prop_assert_eq!(decoded.finish(), checked.finish());
            }
        }

        #[test]
        fn any_bytes_agree_with_the_standard_library(
            bytes in prop::collection::vec(any::<u8>(), 0..200),
            size in 1..100_usize,
        ) {
            prop_assert_eq!(in_pieces(&bytes, size).0.is_ok(), core::str::from_utf8(&bytes).is_ok());
        }
    }
}
