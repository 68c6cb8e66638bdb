//! What an encoder writes and what it refuses to write.

use super::*;
use crate::Rng;
use crate::mask::Keys;
use alloc::string::ToString;

const ROLES: [Role; 2] = [Role::Client, Role::Server];
const OPCODES: [Opcode; 6] =
    [Opcode::Continuation, Opcode::Text, Opcode::Binary, Opcode::Close, Opcode::Ping, Opcode::Pong];

/// A frame: its opcode, whether it is the last of its message, and how many bytes it has.
type Written = (Opcode, bool, usize);

fn keys() -> Keys {
    Keys::new(Rng::from_seed([9; 32]))
}

fn encoder(role: Role) -> Encoder {
    match role {
        Role::Client => Encoder::client(keys()),
        Role::Server => Encoder::server(),
    }
}

/// The end that reads what `role` writes.
fn peer(role: Role) -> Role {
    match role {
        Role::Client => Role::Server,
        Role::Server => Role::Client,
    }
}

fn write(encoder: &mut Encoder, opcode: Opcode, fin: bool, payload: &[u8]) -> Result<(), EncodeError> {
    if fin { encoder.encode(opcode, payload) } else { encoder.encode_fragment(opcode, payload) }
}

/// Takes the first `n` queued bytes, or as many as there are.
fn take(encoder: &mut Encoder, n: usize) -> Vec<u8> {
    let taken = encoder.output()[..n.min(encoder.output().len())].to_vec();
    encoder.handle_written(taken.len());
    taken
}

#[test]
fn a_server_writes_the_examples_of_the_rfc() {
    // RFC 6455 §5.7
    let bytes_256 = [&b"\x82\x7e\x01\x00"[..], &[5; 256]].concat();
    let long = vec![6; 65_536];
    let bytes_64_kib = [&b"\x82\x7f\0\0\0\0\0\x01\0\0"[..], &long].concat();
    let cases: [(Opcode, bool, &[u8], &[u8]); 6] = [
        (Opcode::Text, true, b"Hello", b"\x81\x05Hello"),
        (Opcode::Text, false, b"Hel", b"\x01\x03Hel"),
        (Opcode::Ping, true, b"Hello", b"\x89\x05Hello"),
        (Opcode::Continuation, true, b"lo", b"\x80\x02lo"),
        (Opcode::Binary, true, &[5; 256], &bytes_256),
        (Opcode::Binary, true, &long, &bytes_64_kib),
    ];
    let mut encoder = Encoder::server();
    for (opcode, fin, payload, bytes) in cases {
        write(&mut encoder, opcode, fin, payload).unwrap();
        assert_eq!(take(&mut encoder, usize::MAX), bytes);
    }
}

#[test]
fn a_client_masks_each_frame_with_the_next_key() {
    let mut encoder = Encoder::client(keys());
    encoder.encode(Opcode::Text, b"Hello").unwrap();
    encoder.encode(Opcode::Pong, b"").unwrap();
    let mut drawn = keys();
    let (first, second) = (drawn.next_key(), drawn.next_key());
    let mut hello = *b"Hello";
    crate::mask::apply(&mut hello, first, 0);
    assert_eq!(encoder.output(), [b"\x81\x85", &first[..], &hello, b"\x8a\x80", &second].concat());
}

#[test]
fn the_length_field_takes_as_few_bytes_as_possible() {
    for (len, header) in [(0, 2), (125, 2), (126, 4), (65_535, 4), (65_536, 10)] {
        for (role, key) in [(Role::Client, 4), (Role::Server, 0)] {
            let mut encoder = encoder(role);
            encoder.encode(Opcode::Binary, &vec![1; len]).unwrap();
            assert_eq!(encoder.output().len(), header + key + len);
            let (frames, _) = decode(peer(role), encoder.output(), usize::MAX);
            assert_eq!(frames[0].1, vec![1; len]);
        }
    }
}

#[test]
fn frames_that_the_rfc_forbids_are_not_written() {
    use EncodeError as E;
    let cases: [(&[Written], EncodeError, &str); 6] = [
        (&[(Opcode::Ping, false, 0)], E::FragmentedControl(Opcode::Ping), "fragmented ping"),
        (&[(Opcode::Close, false, 200)], E::FragmentedControl(Opcode::Close), "fragmented close"),
        (&[(Opcode::Pong, true, 126)], E::LongControl(126), "control frame of 126 bytes is longer than 125"),
        (&[(Opcode::Continuation, true, 1)], E::LooseContinuation, "continuation without a message"),
        (
            &[(Opcode::Text, false, 1), (Opcode::Continuation, true, 1), (Opcode::Continuation, false, 1)],
            E::LooseContinuation,
            "continuation without a message",
        ),
        (
            &[(Opcode::Text, false, 1), (Opcode::Ping, true, 125), (Opcode::Binary, true, 1)],
            E::Interleaved,
            "new message inside a fragmented one",
        ),
    ];
    for (frames, error, message) in cases {
        let mut encoder = Encoder::server();
        let ((opcode, fin, len), before) = frames.split_last().unwrap();
        for (opcode, fin, len) in before {
            write(&mut encoder, *opcode, *fin, &vec![1; *len]).unwrap();
        }
        let (output, between) = (encoder.output().to_vec(), encoder.is_between_messages());
        assert_eq!(write(&mut encoder, *opcode, *fin, &vec![1; *len]), Err(error));
        assert_eq!(error.to_string(), message);
        assert_eq!((encoder.output(), encoder.is_between_messages()), (&output[..], between));
    }
}

#[test]
fn written_bytes_take_no_memory() {
    let mut encoder = Encoder::server();
    let mut sent = Vec::new();
    for _ in 0..10_000 {
        // Never empty: a transport that is always slightly behind.
        encoder.encode(Opcode::Binary, &[7; 98]).unwrap();
        let n = encoder.output().len().saturating_sub(50);
        sent.extend(take(&mut encoder, n));
    }
    sent.extend(take(&mut encoder, usize::MAX));
    assert_eq!(sent, [&[0x82, 98][..], &[7; 98]].concat().repeat(10_000));
    assert!(encoder.memory() < 2000, "{}", encoder.memory());
}

#[test]
fn memory_is_freed_once_nothing_waits() {
    let mut encoder = Encoder::server();
    encoder.encode(Opcode::Binary, &[7; 1000]).unwrap();
    encoder.handle_written(500);
    encoder.release();
    assert_eq!(encoder.output(), [7; 504]);
    encoder.handle_written(504);
    assert!(encoder.memory() > 0);
    encoder.release();
    assert_eq!(encoder.memory(), 0);
}

#[test]
fn reporting_more_written_than_was_waiting_does_no_harm() {
    let mut encoder = Encoder::server();
    encoder.handle_written(1);
    encoder.encode(Opcode::Ping, b"a").unwrap();
    encoder.handle_written(usize::MAX);
    encoder.encode(Opcode::Ping, b"b").unwrap();
    assert_eq!(encoder.output(), b"\x89\x01b");
}

#[test]
fn debug_output_of_an_encoder_keeps_keys_and_payloads_secret() {
    let mut encoder = Encoder::client(keys());
    encoder.encode_fragment(Opcode::Text, b"secret").unwrap();
    assert_eq!(
        alloc::format!("{encoder:?}"),
        "Encoder { masks: true, waiting: 12, capacity: 22, in_message: true, .. }"
    );
}

proptest! {
    /// Legal or not, and however the transport accepts it: what a decoder would refuse is refused here, and the decoder
    /// accepts every other frame.
    #[test]
    fn an_encoder_writes_exactly_what_a_decoder_accepts(
        frames in prop::collection::vec((0..6_usize, any::<bool>(), 0..300_usize, 0..400_usize), 0..20),
        role in (0..2_usize).prop_map(|n| ROLES[n]),
    ) {
        let mut encoder = encoder(role);
        let (mut bytes, mut expected) = (Vec::new(), Vec::new());
        for (n, (opcode, fin, len, taken)) in frames.into_iter().enumerate() {
            let (opcode, payload) = (OPCODES[opcode], vec![n as u8; len]);
            let mut reader = decoder(Role::Client);
            let frame = |opcode, fin, payload: &[u8]| {
                encode(Header { fin, ..Header::new(opcode, payload.len() as u64) }, payload)
            };
            if !encoder.is_between_messages() {
                reader.push(&frame(Opcode::Text, false, b""));
            }
            reader.push(&frame(opcode, fin, &payload));
            while let Ok(Some(_)) = reader.decode() {}
            let is_legal = reader.decode() == Ok(None);
            prop_assert_eq!(write(&mut encoder, opcode, fin, &payload).is_ok(), is_legal);
            if is_legal {
                expected.push((fin, opcode, Bytes::from(payload)));
            }
            bytes.extend(take(&mut encoder, taken));
        }
        bytes.extend(take(&mut encoder, usize::MAX));
        let (found, result) = decode(peer(role), &bytes, usize::MAX);
        let found: Vec<_> = found.into_iter().map(|(header, payload)| (header.fin, header.opcode, payload)).collect();
        prop_assert_eq!((found, result), (expected, Ok(())));
    }
}
