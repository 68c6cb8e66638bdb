//! What is sent, however long: positions in a pattern, which needs no memory and reveals every byte that is not where
//! it belongs.

use bytes::Bytes;
use std::sync::OnceLock;

/// A prime, so that nothing that is cut or masked by powers of two matches by chance.
const PERIOD: usize = 89;
/// Longer than any part of a message, wherever it begins.
const LEN: usize = (2 << 20) + 256;

/// All of it: letters and signs, so that it is text as well.
fn pattern() -> &'static Bytes {
    static PATTERN: OnceLock<Bytes> = OnceLock::new();
    PATTERN.get_or_init(|| (0..LEN).map(|at| b'!' + (at % PERIOD) as u8).collect())
}

/// Part of the pattern.
#[derive(Clone, Copy, Debug)]
pub(super) struct Part {
    pub(super) from: usize,
    pub(super) len: usize,
}

impl Part {
    /// The bytes, shared with the pattern.
    pub(super) fn shared(self) -> Bytes {
        pattern().slice(self.from..self.from + self.len)
    }

    /// The bytes in memory of their own, not always at its start.
    pub(super) fn owned(self) -> Bytes {
        let before = self.from % 16;
        let mut bytes = vec![0; before];
        bytes.extend(self.as_slice());
        Bytes::from(bytes).slice(before..)
    }

    pub(super) fn as_slice(&self) -> &'static [u8] {
        &pattern()[self.from..self.from + self.len]
    }
}

/// A message, or what there is of it.
#[derive(Clone, Debug)]
pub(super) struct Message {
    pub(super) is_text: bool,
    parts: Vec<Part>,
    /// Whether this is all of it.
    pub(super) is_whole: bool,
}

impl Message {
    pub(super) fn new(is_text: bool, parts: &[Part]) -> Self {
        Self { is_text, parts: parts.to_vec(), is_whole: true }
    }

    pub(super) fn begun(is_text: bool) -> Self {
        Self { is_text, parts: Vec::new(), is_whole: false }
    }

    pub(super) fn push(&mut self, part: Part, is_last: bool) {
        self.parts.push(part);
        self.is_whole = is_last;
    }

    pub(super) fn len(&self) -> usize {
        self.parts.iter().map(|part| part.len).sum()
    }

    /// These bytes are at this position in it.
    pub(super) fn check(&self, mut at: usize, mut bytes: &[u8]) {
        for part in &self.parts {
            let expected = part.as_slice().get(at..).unwrap_or_default();
            let (now, later) = bytes.split_at(bytes.len().min(expected.len()));
            assert!(now == &expected[..now.len()], "not what was sent, within {} bytes", now.len());
            bytes = later;
            at = at.saturating_sub(part.len);
        }
        assert!(bytes.is_empty(), "{} bytes more than were sent", bytes.len());
    }

    /// This is all of it.
    pub(super) fn check_whole(&self, is_text: bool, bytes: &[u8]) {
        assert!(self.is_whole && self.len() == bytes.len() && self.is_text == is_text);
        self.check(0, bytes);
    }
}
