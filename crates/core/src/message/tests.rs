mod joining;

use super::*;
use crate::frame::{Decoder, FrameError, Header, Limits, MAX_HELD, Opcode, Role};
use crate::utf8::Utf8Error;
use alloc::format;
use alloc::vec;
use alloc::vec::Vec;
use proptest::prelude::*;

/// The messages in `bytes`, as a client sees them, fed in pieces of `size`.
fn assemble(limits: Limits, bytes: &[u8], size: usize) -> (Vec<Message>, Result<(), FrameError>, usize) {
    let mut decoder = Decoder::new(Role::Client, &limits);
    let mut assembler = Assembler::new(limits);
    let (mut messages, mut shown) = (Vec::new(), 0);
    for piece in bytes.chunks(size.max(1)) {
        decoder.push(piece);
        shown += piece.len();
        if let Err(error) = step(&mut decoder, &mut assembler, &mut messages) {
            return (messages, Err(error), shown);
        }
    }
    (messages, Ok(()), shown)
}

fn step(
    decoder: &mut Decoder,
    assembler: &mut Assembler,
    messages: &mut Vec<Message>,
) -> Result<(), FrameError> {
    while let Some(header) = decoder.decode()? {
        if !header.opcode.is_control() {
            messages.extend(assembler.handle_frame(&header, decoder)?);
        }
    }
    match decoder.header().copied() {
        Some(header) if !header.opcode.is_control() => assembler.handle_arrived(&header, decoder),
        _ => Ok(()),
    }
}

fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let opcode = Opcode::from_u8(first & 15).unwrap();
    let header = Header { fin: first & 0x80 != 0, ..Header::new(opcode, payload.len() as u64) };
    [&header.encode(), payload].concat()
}

#[test]
fn fragments_too_long_for_any_buffer_are_refused() {
    let begun = [frame(0x02, &[1; 1000]), frame(0x00, b"")].concat();
    let with_last = |len| [begun.clone(), Header::new(Opcode::Continuation, len).encode().to_vec()].concat();
    let (_, result, _) = assemble(Limits::none(), &with_last(MAX_HELD - 1000), usize::MAX);
    assert_eq!(result, Ok(()));
    let (_, result, _) = assemble(Limits::none(), &with_last(MAX_HELD - 999), usize::MAX);
    assert_eq!(result, Err(FrameError::MessageTooLong { len: MAX_HELD + 1, limit: MAX_HELD }));
}

#[test]
fn fragments_become_one_message_around_control_frames() {
    let bytes = [
        frame(0x01, "zw\u{f6}".as_bytes().split_at(3).0),
        frame(0x89, b"are you there"),
        frame(0x00, b""),
        frame(0x80, b"\xb6lf"),
        frame(0x02, b"a"),
        frame(0x80, b"b"),
        frame(0x81, b""),
        frame(0x82, b"c"),
    ];
    let expected =
        [Message::text("zw\u{f6}lf"), Message::binary("ab"), Message::text(""), Message::binary("c")];
    for size in 1..40 {
        assert_eq!(assemble(Limits::default(), &bytes.concat(), size).0, expected);
    }
}

#[test]
fn bad_text_is_refused_at_its_first_bad_byte() {
    let error = |at| Err(FrameError::Text(Utf8Error { at }));
    let cases = [
        // One frame whose end never arrives.
        (frame(0x81, b"ab\xff12345"), 2, 5),
        // The bad byte is in a later fragment.
        ([frame(0x01, b"ab\xc3"), frame(0x00, b"\xa4\xed\xa0zzz")].concat(), 4, 5 + 2 + 3),
        // The message ends inside a character.
        ([frame(0x01, b"ab"), frame(0x80, b"\xe2\x82")].concat(), 2, 8),
        (frame(0x81, b"ab\xe2\x82"), 2, 6),
    ];
    for (bytes, at, shown) in cases {
        assert_eq!(assemble(Limits::default(), &bytes, 1), (Vec::new(), error(at), shown), "{bytes:x?}");
        assert_eq!(assemble(Limits::default(), &bytes, 99).1, error(at), "{bytes:x?}");
    }
}

#[test]
fn binary_messages_may_hold_any_bytes() {
    let bytes = [frame(0x02, b"\xff"), frame(0x80, b"\xfe")].concat();
    assert_eq!(assemble(Limits::default(), &bytes, 1).0, [Message::binary(&b"\xff\xfe"[..])]);
}

#[test]
fn a_message_over_the_limit_is_refused_by_its_header() {
    let limits = Limits { message: Some(4), ..Limits::default() };
    let bytes = [frame(0x02, b"abc"), frame(0x80, b"de")].concat();
    let error = FrameError::MessageTooLong { len: 5, limit: 4 };
    assert_eq!(assemble(limits.clone(), &bytes, 1), (Vec::new(), Err(error), 5 + 2));
    assert_eq!((error.close_code().as_u16(), error.section()), (1009, "§10.4"));
    assert_eq!(assemble(limits.clone(), &frame(0x82, b"abcde"), 99).1, Err(error));
    assert_eq!(assemble(limits, &frame(0x82, b"abcd"), 1).0.len(), 1);
}

#[test]
fn empty_fragments_are_counted() {
    let limits = Limits { fragments: Some(3), ..Limits::default() };
    let three = [frame(0x02, b""), frame(0x00, b""), frame(0x80, b"a")].concat();
    assert_eq!(assemble(limits.clone(), &three.repeat(2), 1).0.len(), 2);
    let four = [frame(0x02, b""), frame(0x00, b""), frame(0x00, b""), frame(0x80, b"")].concat();
    assert_eq!(assemble(limits, &four, 1).1, Err(FrameError::TooManyFragments(3)));
    assert_eq!(FrameError::TooManyFragments(3).close_code().as_u16(), 1008);
}

#[test]
fn fragments_are_taken_as_they_arrive() {
    let bytes = [frame(0x02, &[1; 3000]), frame(0x80, &[2; 2000])].concat();
    let mut decoder = Decoder::new(Role::Client, &Limits::default());
    let (mut assembler, mut messages) = (Assembler::new(Limits::default()), Vec::new());
    let (start, rest) = bytes.split_at(2004);
    decoder.push(start);
    step(&mut decoder, &mut assembler, &mut messages).unwrap();
    assert_eq!((decoder.buffered(), assembler.arrived(), assembler.unfinished()), (0, Some(2000), Some(0)));
    decoder.push(rest);
    step(&mut decoder, &mut assembler, &mut messages).unwrap();
    assert_eq!(messages, [Message::binary([[1; 3000].as_slice(), &[2; 2000]].concat())]);
    assert_eq!(assembler.unfinished(), None);
}

#[test]
fn the_memory_of_a_dropped_message_is_reused_for_the_next() {
    let mut decoder = Decoder::new(Role::Client, &Limits::default());
    let mut assembler = Assembler::new(Limits::default());
    let mut next = |byte: u8| {
        let mut messages = Vec::new();
        decoder.push(&[frame(0x02, &[byte; 3000]), frame(0x80, &[byte; 2000])].concat());
        step(&mut decoder, &mut assembler, &mut messages).unwrap();
        messages.pop().unwrap()
    };
    let first = next(1);
    let place = first.as_bytes().as_ptr();
    drop(first);
    let second = next(2);
    assert_eq!(second.as_bytes().as_ptr(), place);
    let third = next(3);
    assert_ne!(third.as_bytes().as_ptr(), place);
    assert_eq!((second, third), (Message::binary(vec![2; 5000]), Message::binary(vec![3; 5000])));
}

#[test]
fn a_small_message_does_not_keep_the_memory_of_a_large_one() {
    let mut decoder = Decoder::new(Role::Client, &Limits::default());
    let mut assembler = Assembler::new(Limits::default());
    let mut next = |len: usize| {
        let mut messages = Vec::new();
        decoder.push(&[frame(0x02, &vec![7; len]), frame(0x80, &vec![7; len])].concat());
        step(&mut decoder, &mut assembler, &mut messages).unwrap();
        messages.pop().unwrap()
    };
    let place = next(20_000).as_bytes().as_ptr();
    let small = next(100);
    assert_ne!(small.as_bytes().as_ptr(), place);
    assert_eq!(next(20_000).as_bytes().as_ptr(), place, "which is free for the next one");
    assert_eq!(small, Message::binary(vec![7; 200]));
}

#[test]
fn parts_join_in_order() {
    let parts = |head, body, tail| Parts {
        head: Bytes::from_static(head),
        body: Bytes::from_static(body),
        tail: Bytes::from_static(tail),
    };
    assert_eq!(parts(b"a", b"b", b"c").into_bytes(), "abc");
    assert_eq!(parts(b"", b"b", b"c").into_bytes(), "bc");
    assert_eq!(parts(b"", b"", b"c").into_bytes(), "c");
    assert!(parts(b"", b"", b"").is_empty());
}

#[test]
fn debug_prints_lengths() {
    assert_eq!(format!("{:?}", Message::text("secret")), "Text(6 bytes)");
    assert_eq!(format!("{:?}", Message::binary("secret")), "Binary(6 bytes)");
    assert_eq!(format!("{:?}", Parts::from(Bytes::from("secret"))), "Parts(0 + 6 + 0 bytes)");
}

#[test]
fn the_bytes_of_a_text_are_shared_with_it() {
    let text = Text::from("shared");
    let bytes = text.clone().into_bytes();
    assert_eq!(bytes.as_ptr(), text.as_bytes().as_ptr());
}

proptest! {
    #[test]
    fn splitting_the_input_changes_nothing(
        fragments in prop::collection::vec((0..3_u8, any::<bool>(), "[a-z\u{e4}\u{20ac}]{0,9}"), 0..8),
        cut in any::<prop::sample::Index>(),
        size in 1..30_usize,
    ) {
        // Cut within characters too, so that some texts are bad.
        let mut bytes = Vec::new();
        for (opcode, fin, text) in fragments {
            let text = &text.as_bytes()[..cut.index(text.len() + 1)];
            bytes.extend(frame(opcode | u8::from(fin) << 7, text));
        }
        let (whole, cut) = (assemble(Limits::default(), &bytes, 999), assemble(Limits::default(), &bytes, size));
        prop_assert_eq!((whole.0, whole.1), (cut.0, cut.1));
    }
}
