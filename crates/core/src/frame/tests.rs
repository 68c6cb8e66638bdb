mod encode;
mod memory;
mod pushing;

use super::*;
use alloc::vec;
use alloc::vec::Vec;
use bytes::Bytes;
use proptest::prelude::*;

type Frames = Vec<(Header, Bytes)>;
type Decoded = (Frames, Result<(), FrameError>);

fn decoder(role: Role) -> Decoder {
    Decoder::new(role, &Limits::default())
}

/// Everything the decoder finds, fed in pieces of `size`.
fn decode(role: Role, bytes: &[u8], size: usize) -> Decoded {
    let mut decoder = decoder(role);
    let mut frames = Vec::new();
    for piece in bytes.chunks(size.max(1)) {
        decoder.push(piece);
        loop {
            match decoder.decode() {
                Ok(Some(header)) => frames.push((header, decoder.take())),
                Ok(None) => break,
                Err(error) => return (frames, Err(error)),
            }
        }
    }
    (frames, Ok(()))
}

fn encode(header: Header, payload: &[u8]) -> Vec<u8> {
    let mut bytes = header.encode().to_vec();
    let start = bytes.len();
    bytes.extend_from_slice(payload);
    if let Some(key) = header.mask {
        crate::mask::apply(&mut bytes[start..], key, 0);
    }
    bytes
}

#[test]
fn the_examples_of_the_rfc_decode() {
    // RFC 6455 §5.7
    let hello = |opcode, fin, mask, payload: &'static str| {
        (Header { fin, rsv1: false, opcode, mask, len: payload.len() as u64 }, Bytes::from(payload))
    };
    let key = Some([0x37, 0xfa, 0x21, 0x3d]);
    let cases: [(Role, &[u8], Frames); 4] = [
        (Role::Client, b"\x81\x05Hello", vec![hello(Opcode::Text, true, None, "Hello")]),
        (
            Role::Server,
            b"\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58",
            vec![hello(Opcode::Text, true, key, "Hello")],
        ),
        (
            Role::Client,
            b"\x01\x03Hel\x80\x02lo",
            vec![hello(Opcode::Text, false, None, "Hel"), hello(Opcode::Continuation, true, None, "lo")],
        ),
        (
            Role::Server,
            b"\x8a\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58",
            vec![hello(Opcode::Pong, true, key, "Hello")],
        ),
    ];
    for (role, bytes, frames) in cases {
        for size in 1..=bytes.len() {
            assert_eq!(decode(role, bytes, size), (frames.clone(), Ok(())));
        }
    }
}

#[test]
fn each_bit_of_a_header_is_in_its_place() {
    let first = |fin, rsv1| Header { fin, rsv1, ..Header::new(Opcode::Pong, 0) }.encode()[0];
    assert_eq!(first(true, false), 0b1000_1010);
    assert_eq!(first(false, true), 0b0100_1010);
}

#[test]
fn frames_that_the_rfc_forbids_are_refused_with_the_right_code() {
    use FrameError as E;
    let (client, server) = (Role::Client, Role::Server);
    let cases: [(Role, &[u8], FrameError, u16, &str); 21] = [
        (client, b"\xc1", E::ReservedBits(4), 1002, "§5.2"),
        (client, b"\xa1", E::ReservedBits(2), 1002, "§5.2"),
        (client, b"\x91", E::ReservedBits(1), 1002, "§5.2"),
        (client, b"\x83", E::ReservedOpcode(3), 1002, "§5.2"),
        (client, b"\x87", E::ReservedOpcode(7), 1002, "§5.2"),
        (client, b"\x8b", E::ReservedOpcode(11), 1002, "§5.2"),
        (client, b"\x8f", E::ReservedOpcode(15), 1002, "§5.2"),
        (client, b"\x09", E::FragmentedControl, 1002, "§5.5"),
        (client, b"\x08", E::FragmentedControl, 1002, "§5.5"),
        (client, b"\x89\x7e", E::LongControl, 1002, "§5.5"),
        (client, b"\x88\x7f", E::LongControl, 1002, "§5.5"),
        (client, b"\x80", E::LooseContinuation, 1002, "§5.4"),
        (client, b"\x01\x00\x89\x00\x82", E::Interleaved, 1002, "§5.4"),
        (client, b"\x82\x80", E::Masked, 1002, "§5.1"),
        (server, b"\x82\x00", E::Unmasked, 1002, "§5.1"),
        (server, b"\x8a\x00", E::Unmasked, 1002, "§5.1"),
        (client, b"\x82\x7e\x00\x7d", E::PaddedLength(125), 1002, "§5.2"),
        (client, b"\x82\x7f\0\0\0\0\0\0\xff\xff", E::PaddedLength(65535), 1002, "§5.2"),
        (client, b"\x82\x7f\x80\0\0\0\0\0\0\0", E::HugeLength, 1002, "§5.2"),
        (client, b"\x82\x7f\xff\xff\xff\xff\xff\xff\xff\xff", E::HugeLength, 1002, "§5.2"),
        (
            client,
            b"\x82\x7f\0\0\0\0\x01\0\0\x01",
            E::FrameTooLong { len: (16 << 20) + 1, limit: 16 << 20 },
            1009,
            "§10.4",
        ),
    ];
    for (role, bytes, error, code, section) in cases {
        // The same however it was cut, and not before the last byte.
        for size in 1..=bytes.len() {
            assert_eq!(decode(role, bytes, size).1, Err(error), "{bytes:x?}");
        }
        assert_eq!(decode(role, &bytes[..bytes.len() - 1], 1).1, Ok(()), "{bytes:x?}");
        assert_eq!((error.close_code().as_u16(), error.section()), (code, section));
    }
}

#[test]
fn the_longest_allowed_lengths_pass() {
    let limits = Limits { frame: Some(70_000), ..Limits::default() };
    for len in [0, 1, 125, 126, 127, 65_535, 65_536, 70_000] {
        let bytes = encode(Header::new(Opcode::Binary, len as u64), &vec![7; len]);
        let mut decoder = Decoder::new(Role::Client, &limits);
        decoder.push(&bytes);
        assert_eq!(decoder.decode().unwrap().map(|header| header.len), Some(len as u64));
        assert_eq!(decoder.take(), vec![7; len]);
        assert!(decoder.is_between_frames());
    }
}

#[test]
fn a_decoding_error_is_permanent() {
    let mut decoder = decoder(Role::Client);
    decoder.push(b"\xff");
    assert_eq!(decoder.decode(), Err(FrameError::ReservedBits(7)));
    decoder.push(b"\x81\x01a");
    assert_eq!(decoder.decode(), Err(FrameError::ReservedBits(7)));
    decoder.release();
    assert_eq!(decoder.decode(), Err(FrameError::ReservedBits(7)));
}

#[test]
fn an_incomplete_frame_shows_what_has_arrived() {
    let key = [1, 2, 3, 4];
    let bytes = encode(Header::new(Opcode::Text, 200).masked(key), &[b'x'; 200]);
    let mut decoder = decoder(Role::Server);
    decoder.push(&bytes[..7]);
    assert_eq!((decoder.decode(), decoder.header()), (Ok(None), None));
    decoder.push(&bytes[7..20]);
    assert_eq!(decoder.decode(), Ok(None));
    assert_eq!(decoder.header().map(|header| header.len), Some(200));
    assert_eq!(decoder.payload(), [b'x'; 12]);
    assert!(decoder.take().is_empty());
    decoder.push(&bytes[20..]);
    assert!(decoder.decode().unwrap().is_some());
    assert_eq!(decoder.payload(), [b'x'; 200]);
}

#[test]
fn a_frame_that_is_not_taken_is_skipped() {
    let mut decoder = decoder(Role::Client);
    decoder.push(b"\x82\x01a\x82\x00\x82\x01b");
    assert_eq!(decoder.decode().unwrap().unwrap().len, 1);
    assert_eq!(decoder.decode().unwrap().unwrap().len, 0);
    decoder.decode().unwrap().unwrap();
    assert_eq!(decoder.take(), "b");
    assert_eq!(decoder.take(), "");
}

#[test]
fn debug_output_keeps_the_key_secret() {
    let header = Header::new(Opcode::Text, 5).masked([0xab, 0xcd, 0xef, 0x99]);
    let printed = alloc::format!(
        "{header:?} {:?} {:?}",
        header.encode(),
        crate::mask::Keys::new(crate::Rng::from_seed([7; 32]))
    );
    assert_eq!(
        printed,
        "Header { fin: true, rsv1: false, opcode: Text, masked: true, len: 5 } EncodedHeader(6 bytes) Keys { .. }"
    );
}

#[test]
fn a_cleared_decoder_takes_a_new_stream() {
    let mut decoder = decoder(Role::Client);
    for before in [&b"\x01\x05He"[..], b"\x01\x00\x80", b"\xff"] {
        decoder.push(before);
        while let Ok(Some(_)) = decoder.decode() {}
        decoder.clear();
        assert_eq!(decoder.memory(), 0);
        decoder.push(b"\x81\x01a");
        assert_eq!(decoder.decode().unwrap().map(|header| header.opcode), Some(Opcode::Text));
        assert_eq!(decoder.take(), "a");
    }
}

#[test]
fn the_payload_holds_only_the_rest_of_a_frame_that_was_partly_taken() {
    let mut decoder = Decoder::in_pieces(Role::Client, &Limits::default());
    decoder.push(b"\x82\x03ab");
    assert_eq!(decoder.decode(), Ok(None));
    assert_eq!(decoder.take_arrived(), "ab");
    decoder.push(b"c\x81\x01d");
    assert_eq!(decoder.decode().unwrap().map(|header| header.len), Some(3));
    assert_eq!((decoder.arrived(), decoder.payload()), (3, &b"c"[..]));
    // Not taken, so it is skipped.
    assert_eq!(decoder.decode().unwrap().map(|header| header.opcode), Some(Opcode::Text));
    assert_eq!(decoder.take(), "d");
}

fn frames() -> impl Strategy<Value = Vec<(Header, Vec<u8>)>> {
    let control = (8..=10_u8, prop::collection::vec(any::<u8>(), 0..=125));
    let data = (1..=2_u8, prop::collection::vec(any::<u8>(), 0..3000));
    let frame = (prop_oneof![control, data], any::<[u8; 4]>(), any::<bool>());
    prop::collection::vec(frame, 0..12).prop_map(|frames| {
        let mut in_message = false;
        let legal = frames.into_iter().map(|((number, payload), key, fin)| {
            let mut opcode = Opcode::from_u8(number).unwrap();
            let control = opcode.is_control();
            if !control {
                opcode = if in_message { Opcode::Continuation } else { opcode };
                in_message = !fin;
            }
            let header = Header::new(opcode, payload.len() as u64).masked(key);
            (Header { fin: fin || control, ..header }, payload)
        });
        legal.collect()
    })
}

proptest! {
    #[test]
    fn encoded_frames_decode_unchanged(frames in frames(), size in 1..4000_usize) {
        let bytes: Vec<u8> = frames.iter().flat_map(|(header, payload)| encode(*header, payload)).collect();
        let expected: Vec<_> = frames.into_iter().map(|(header, payload)| (header, Bytes::from(payload))).collect();
        prop_assert_eq!(decode(Role::Server, &bytes, size), (expected, Ok(())));
    }

    #[test]
    fn any_bytes_decode_the_same_however_they_are_split(
        bytes in prop::collection::vec(any::<u8>(), 0..300),
        size in 1..20_usize,
        client in any::<bool>(),
    ) {
        let role = if client { Role::Client } else { Role::Server };
        prop_assert_eq!(decode(role, &bytes, size), decode(role, &bytes, usize::MAX));
    }
}
