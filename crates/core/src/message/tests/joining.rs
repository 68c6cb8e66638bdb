//! Where the fragments of a message are stored, and how much memory that takes.

use super::*;
use alloc::collections::{BTreeSet, VecDeque};
use std::sync::LazyLock;

/// Made once, because a loop over so many bytes takes long in an unoptimised program: each message begins at another
/// place in them.
static BYTES: LazyLock<Vec<u8>> =
    LazyLock::new(|| (0..300_010_usize).map(|at| (at / 251 + at) as u8).collect());

/// A message in fragments of at most this length, with a Ping between them.
fn in_fragments(message: &[u8], len: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    let count = message.chunks(len).count();
    for (n, fragment) in message.chunks(len).enumerate() {
        let opcode = if n == 0 { 2 } else { 0 };
        let fin = if n + 1 == count { 0x80 } else { 0 };
        bytes.extend([frame(opcode | fin, fragment), frame(0x89, b"there?")].concat());
    }
    bytes
}

/// An end of a stream that reads at most `most` bytes at once.
struct End {
    decoder: Decoder,
    assembler: Assembler,
    most: usize,
    /// Where the buffer began that was lent for each read of the last messages.
    places: Vec<usize>,
}

impl End {
    fn new(keeps_places: bool, most: usize) -> Self {
        let limits = Limits { frame: None, message: None, fragments: None };
        let mut decoder = Decoder::new(Role::Client, &limits);
        decoder.keep_places(keeps_places);
        Self { decoder, assembler: Assembler::new(limits), most, places: Vec::new() }
    }

    /// Reads once; returns how many bytes.
    fn read(&mut self, bytes: &[u8]) -> (usize, Vec<Message>) {
        let place = self.decoder.input();
        let n = bytes.len().min(place.capacity() - place.len()).min(self.most);
        assert!(n > 0, "a read of nothing would look like the end");
        place.extend_from_slice(&bytes[..n]);
        self.places.push(place.as_ptr() as usize);
        let mut messages = Vec::new();
        step(&mut self.decoder, &mut self.assembler, &mut messages).unwrap();
        (n, messages)
    }

    fn read_all(&mut self, mut bytes: &[u8]) -> Vec<Message> {
        let mut all = Vec::new();
        self.places.clear();
        while !bytes.is_empty() {
            let (n, messages) = self.read(bytes);
            all.extend(messages);
            bytes = &bytes[n..];
        }
        all
    }

    /// How many of the last reads went to another buffer than the one that holds this message.
    fn reads_elsewhere(&self, message: &Message) -> usize {
        let place = message.as_bytes().as_ptr() as usize;
        self.places.iter().filter(|&&lent| lent.abs_diff(place) > message.len()).count()
    }
}

#[test]
fn a_message_as_long_as_the_last_is_joined_in_the_buffer_it_arrived_in() {
    const LEN: usize = 500_000;
    for (keeps_places, most) in [(false, usize::MAX), (true, usize::MAX), (true, 65_483), (true, 10_000)] {
        let mut end = End::new(keeps_places, most);
        let mut last = Vec::new();
        for n in 0..20 {
            let message = vec![n; LEN];
            // Holding a message makes the next one go elsewhere.
            last = end.read_all(&in_fragments(&message, 180_000));
            assert_eq!(last, [Message::binary(message)]);
            assert!(n == 0 || end.reads_elsewhere(&last[0]) <= 1, "what brought a part of the first header");
        }
        assert_eq!(last.len(), 1);
    }
}

#[test]
fn longer_messages_are_soon_joined_in_buffers_of_their_own_length() {
    const LEN: usize = 524_316;
    for (keeps_places, most) in [(false, usize::MAX), (true, usize::MAX), (true, 65_483), (true, 10_000)] {
        let mut end = End::new(keeps_places, most);
        end.read_all(&in_fragments(&vec![1; 250_000], 180_000));
        for n in 0..20 {
            let message = vec![n; LEN];
            let found = end.read_all(&in_fragments(&message, 180_000));
            assert_eq!(found, [Message::binary(message)]);
            assert!(n == 0 || end.reads_elsewhere(&found[0]) <= 1, "what has come of {n} was moved");
            assert!(n < 2 || end.decoder.input().capacity() <= LEN + 1000, "a place of twice the length");
        }
    }
}

#[test]
fn messages_that_are_held_for_a_while_share_a_few_buffers() {
    const LEN: usize = 256 << 10;
    let mut end = End::new(true, 60_000);
    let (mut held, mut places) = (VecDeque::new(), BTreeSet::new());
    for n in 0..40 {
        held.extend(end.read_all(&in_fragments(&vec![n; LEN], 100_000)));
        places.insert(held.back().map_or(0, |message: &Message| message.as_bytes().as_ptr() as usize));
        if held.len() > 3 {
            let oldest = held.pop_front().unwrap();
            assert_eq!(oldest, Message::binary(vec![n - 3; LEN]), "what is held is left alone");
        }
    }
    assert!(places.len() <= 10, "{places:?}");
    assert!(end.decoder.memory() <= 6 * (LEN + 1000), "{} bytes", end.decoder.memory());
}

#[test]
fn a_fragmented_message_holds_bounded_memory_for_what_has_arrived() {
    const LEN: usize = 6 << 20;
    for (fragment, most) in
        [(10, 60_000), (1_000, 1_000), (60_000, 60_000), (300_000, 70_000), (3 << 20, usize::MAX)]
    {
        let mut end = End::new(true, most);
        let bytes = in_fragments(&vec![7; LEN], fragment);
        // The last message was long, and nobody knows how long this one will be.
        end.read_all(&in_fragments(&vec![7; 2 << 20], 300_000));
        let (mut rest, mut messages) = (&bytes[..], Vec::new());
        while !rest.is_empty() {
            end.decoder.input();
            let come = bytes.len() - rest.len();
            let held = end.decoder.memory();
            assert!(
                held <= (2 << 20).max(2 * come) + (5 << 20),
                "{held} for {come} in fragments of {fragment}"
            );
            let (n, some) = end.read(rest);
            messages.extend(some);
            rest = &rest[n..];
        }
        assert_eq!(messages, [Message::binary(vec![7; LEN])]);
        messages.clear();
        end.decoder.release();
        assert_eq!(end.decoder.memory(), 0);
    }
}

#[test]
fn a_buffer_truncated_within_a_message_does_no_harm() {
    let bytes = in_fragments(&[1; 5000], 2000);
    for len in [0, 1, 4, 5, 1000, 2004, 3000] {
        for behind in [0, 1, 700] {
            let mut end = End::new(false, usize::MAX);
            end.read(&bytes[..2004]);
            end.read(&bytes[2004..2020 + behind]);
            end.decoder.input().truncate(len);
            let mut messages = Vec::new();
            let _ = step(&mut end.decoder, &mut end.assembler, &mut messages);
            for piece in bytes[2020 + behind..].chunks(900) {
                end.decoder.push(piece);
                let _ = step(&mut end.decoder, &mut end.assembler, &mut messages);
            }
            let _ = (end.decoder.take(), end.decoder.buffered(), end.decoder.is_between_frames());
        }
    }
}

#[test]
fn joined_fragments_survive_when_memory_is_given_back() {
    let bytes = in_fragments(&[3; 5000], 4990);
    for cut in [5, 1000, 4994, 5000, 5005] {
        let mut end = End::new(true, usize::MAX);
        end.read_all(&bytes[..cut]);
        end.decoder.release();
        assert_eq!(end.read_all(&bytes[cut..]), [Message::binary(vec![3; 5000])], "{cut}");
    }
}

#[test]
fn after_a_pause_no_buffer_is_sized_for_the_last_message() {
    for keeps_places in [false, true] {
        let mut end = End::new(keeps_places, usize::MAX);
        end.read_all(&in_fragments(&vec![7; 1 << 20], 16 << 10));
        end.decoder.release();
        assert!(end.decoder.input().capacity() <= 8 << 10);
    }
}

proptest! {
    #[test]
    fn the_size_of_reads_changes_nothing(
        lens in prop::collection::vec((0..300_000_usize, 1..120_000_usize), 1..6),
        reads in prop::collection::vec((1..100_000_usize, any::<bool>()), 1..20),
        keeps_places in any::<bool>(),
    ) {
        let messages: Vec<Vec<u8>> =
            lens.iter().enumerate().map(|(n, (len, _))| BYTES[n..][..=*len].to_vec()).collect();
        let fragments = messages.iter().zip(&lens).map(|(message, (_, len))| in_fragments(message, *len));
        let bytes: Vec<u8> = fragments.flatten().collect();
        let mut end = End::new(keeps_places, usize::MAX);
        let (mut rest, mut found) = (&bytes[..], Vec::new());
        for (most, pushed) in reads.into_iter().cycle() {
            if rest.is_empty() {
                break;
            }
            end.most = most;
            let n = if pushed {
                let n = end.decoder.push_part(&rest[..most.min(rest.len())]);
                step(&mut end.decoder, &mut end.assembler, &mut found).unwrap();
                n
            } else {
                let (n, some) = end.read(rest);
                found.extend(some);
                n
            };
            rest = &rest[n..];
        }
        prop_assert_eq!(found.len(), messages.len());
        for (found, message) in found.iter().zip(messages) {
            prop_assert!(found.as_bytes() == message);
        }
    }
}
