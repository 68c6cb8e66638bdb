//! Masking: every byte a client sends is XORed with a key that is new for each frame (RFC 6455 §5.3).
//!
//! The loops work on whole words, which the compiler turns into vector instructions. If the processor has wider ones
//! than every processor of its kind, long payloads are masked with those: faster than a copy.

#[cfg(all(feature = "std", target_arch = "x86_64"))]
mod wide;
#[cfg(not(all(feature = "std", target_arch = "x86_64")))]
mod wide {
    pub(super) use super::{append_words as append, apply_words as apply, copy_words as copy};
}

use crate::Rng;
use bytes::BytesMut;
use core::fmt;

/// A masking key.
pub type Key = [u8; 4];

/// A key that is in a word twice, its first byte lowest.
type Word = u64;
const WORD: usize = size_of::<Word>();
/// From this length on, wide instructions gain more than they cost to start with.
const LONG: usize = 1 << 10;
/// How many bytes the widest instruction that we use processes at once.
const VECTOR: usize = 32;
/// Appended bytes are masked in pieces of this length, most of which never leave the registers.
const PIECE: usize = 8 * VECTOR;

/// Masks `bytes` in place, or unmasks them: it is the same operation.
///
/// `phase` is the position of `bytes[0]` within its frame's payload, so that a payload can be masked as it arrives.
///
/// ```
/// use bowline_core::mask;
/// let mut hello = *b"Hello";
/// mask::apply(&mut hello, [0x37, 0xfa, 0x21, 0x3d], 0);
/// assert_eq!(hello, [0x7f, 0x9f, 0x4d, 0x51, 0x58]); // RFC 6455 §5.7
/// ```
#[inline]
pub fn apply(bytes: &mut [u8], key: Key, phase: usize) {
    let key = turned(doubled(key), phase);
    if bytes.len() < LONG { apply_words(bytes, key) } else { apply_long(bytes, key) }
}

/// Copies `from` to `to` and masks it on the way, in one pass. The shorter one ends the copy.
///
/// `phase` is the position of `from[0]` within its frame's payload.
#[inline]
pub fn copy(to: &mut [u8], from: &[u8], key: Key, phase: usize) {
    let key = turned(doubled(key), phase);
    let len = to.len().min(from.len());
    let (to, from) = (&mut to[..len], &from[..len]);
    if len < LONG { copy_words(to, from, key) } else { copy_long(to, from, key) }
}

/// Appends `from` to `to` and masks it on the way, as [`copy`] does.
pub(crate) fn append(to: &mut BytesMut, from: &[u8], key: Key, phase: usize) {
    let key = turned(doubled(key), phase);
    if from.len() < LONG { append_words(to, from, key) } else { append_long(to, from, key) }
}

fn apply_long(bytes: &mut [u8], key: Word) {
    let (head, rest) = bytes.split_at_mut(before_vectors(bytes));
    apply_words(head, key);
    wide::apply(rest, turned(key, head.len()));
}

fn copy_long(to: &mut [u8], from: &[u8], key: Word) {
    let at = before_vectors(to);
    let ((head, to), (from_head, from)) = (to.split_at_mut(at), from.split_at(at));
    copy_words(head, from_head, key);
    wide::copy(to, from, turned(key, at));
}

fn append_long(to: &mut BytesMut, from: &[u8], key: Word) {
    to.reserve(from.len());
    let (head, rest) = from.split_at(before_vectors(&to.spare_capacity_mut()[..from.len()]));
    append_words(to, head, key);
    wide::append(to, rest, turned(key, head.len()));
}

/// How many bytes come before the first place at which no vector crosses a line of the cache: writing one that does
/// takes twice as long.
fn before_vectors<Byte>(bytes: &[Byte]) -> usize {
    bytes.as_ptr().align_offset(VECTOR).min(bytes.len())
}

// What is inlined is compiled for the processor of its caller.
#[allow(clippy::inline_always)]
#[inline(always)]
fn apply_words(bytes: &mut [u8], mut key: Word) {
    let mut words = bytes.chunks_exact_mut(WORD);
    for word in &mut words {
        if let Ok(array) = <&mut [u8; WORD]>::try_from(word) {
            *array = (Word::from_le_bytes(*array) ^ key).to_le_bytes();
        }
    }
    for byte in words.into_remainder() {
        *byte ^= key as u8;
        key >>= u8::BITS;
    }
}

/// Both have the same length.
#[allow(clippy::inline_always)]
#[inline(always)]
fn copy_words(to: &mut [u8], from: &[u8], mut key: Word) {
    let (mut words, mut from_words) = (to.chunks_exact_mut(WORD), from.chunks_exact(WORD));
    for (to, from) in (&mut words).zip(&mut from_words) {
        if let (Ok(to), Ok(from)) = (to.try_into(), from.try_into()) {
            copy_word(to, from, key);
        }
    }
    let rest = from_words.remainder();
    if rest.is_empty() {
        return;
    }
    if let (Some(to), Some(from)) = (to.last_chunk_mut(), from.last_chunk()) {
        // One more word, some bytes of which are there already.
        copy_word(to, from, turned(key, rest.len()));
        return;
    }
    for (to, from) in to.iter_mut().zip(rest) {
        *to = from ^ key as u8;
        key >>= u8::BITS;
    }
}

#[allow(clippy::inline_always)]
#[inline(always)]
fn copy_word(to: &mut [u8; WORD], from: &[u8; WORD], key: Word) {
    *to = (Word::from_le_bytes(*from) ^ key).to_le_bytes();
}

/// Without unsafe code, uninitialised memory can be filled only from a slice.
#[allow(clippy::inline_always)]
#[inline(always)]
fn append_words(to: &mut BytesMut, from: &[u8], key: Word) {
    let pieces = from.chunks_exact(PIECE);
    let rest = pieces.remainder();
    for from in pieces {
        let mut piece = [0; PIECE];
        copy_words(&mut piece, from, key);
        to.extend_from_slice(&piece);
    }
    let start = to.len();
    to.extend_from_slice(rest);
    apply_words(&mut to[start..], key);
}

fn doubled(key: Key) -> Word {
    let key = Word::from(u32::from_le_bytes(key));
    key << u32::BITS | key
}

/// The key, `phase` bytes further on.
fn turned(key: Word, phase: usize) -> Word {
    key.rotate_right((phase % WORD) as u32 * u8::BITS)
}

/// A source of masking keys that nobody can predict without knowing the seed.
///
/// The keys come from a ChaCha stream that is computed in blocks, so a key costs little more than a load.
#[derive(Clone)]
pub struct Keys(Rng);

impl Keys {
    /// Keys drawn from a generator of their own.
    pub fn new(rng: Rng) -> Self {
        Self(rng)
    }

    /// The key for the next frame.
    pub fn next_key(&mut self) -> Key {
        self.0.next_u32().to_le_bytes()
    }
}

impl fmt::Debug for Keys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Keys { .. }")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Rng;
    use alloc::vec;
    use alloc::vec::Vec;
    use proptest::prelude::*;

    fn slowly(bytes: &[u8], key: Key, phase: usize) -> Vec<u8> {
        bytes.iter().enumerate().map(|(i, byte)| byte ^ key[(i + phase) % 4]).collect()
    }

    proptest! {
        #[test]
        fn wide_and_narrow_loops_agree(
            bytes in prop_oneof![
                prop::collection::vec(any::<u8>(), 0..100),
                prop::collection::vec(any::<u8>(), LONG - 2 * VECTOR..LONG + 4 * VECTOR),
                prop::collection::vec(any::<u8>(), LONG..LONG + 3 * PIECE),
            ],
            key in any::<Key>(),
            phase in 0..9_usize,
            start in 0..2 * VECTOR,
        ) {
            let start = start.min(bytes.len());
            let mut masked = bytes.clone();
            apply(&mut masked[start..], key, phase);
            let mut copied = vec![0; bytes.len() - start];
            copy(&mut copied, &bytes[start..], key, phase);
            let mut appended = BytesMut::from(&bytes[..start]);
            append(&mut appended, &bytes[start..], key, phase);
            prop_assert_eq!(&masked[start..], slowly(&bytes[start..], key, phase));
            prop_assert_eq!(&masked[..start], &bytes[..start]);
            prop_assert_eq!(copied, slowly(&bytes[start..], key, phase));
            prop_assert_eq!(appended, masked);
        }
    }

    #[test]
    fn wide_instructions_match_the_loop_over_words() {
        let key = doubled([0x37, 0xfa, 0x21, 0x3d]);
        let bytes: Vec<_> = (0..PIECE + 5 * VECTOR).map(|n| n as u8).collect();
        for start in 0..VECTOR {
            for len in 0..bytes.len() - start {
                let from = &bytes[start..start + len];
                let (mut by_words, mut by_vectors) = (from.to_vec(), bytes.clone());
                apply_words(&mut by_words, key);
                wide::apply(&mut by_vectors[start..start + len], key);
                assert_eq!(by_vectors[start..start + len], by_words, "{len} bytes from {start} on");
                assert_eq!(by_vectors[..start], bytes[..start]);
                assert_eq!(by_vectors[start + len..], bytes[start + len..]);
                let mut copied = vec![0; len];
                wide::copy(&mut copied, from, key);
                assert_eq!(copied, by_words, "{len} bytes from {start} on");
                let mut appended = BytesMut::new();
                wide::append(&mut appended, from, key);
                assert_eq!(appended, by_words, "{len} bytes from {start} on");
            }
        }
    }

    #[test]
    fn a_copy_ends_with_the_shorter_side() {
        let mut to = [9; 3];
        copy(&mut to, &[1, 2], [1; 4], 0);
        assert_eq!(to, [0, 3, 9]);
        copy(&mut to, &[1; 20], [1; 4], 0);
        assert_eq!(to, [0; 3]);
    }

    #[test]
    fn keys_do_not_repeat() {
        let mut keys = Keys::new(Rng::from_seed([1; 32]));
        let mut drawn: Vec<_> = (0..1000).map(|_| keys.next_key()).collect();
        drawn.sort_unstable();
        drawn.dedup();
        assert_eq!(drawn.len(), 1000);
    }
}
