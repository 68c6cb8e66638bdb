//! §5.3, masking, client to server.
//!
//! Binds no endpoint of ours: nothing; but "a strong source of entropy" is the seed, which the core takes from its host.
//! The tokio adapter draws it from the operating system for each connection.

use crate::wire::{BINARY, CONTINUATION, Endpoint, FIN, Frame, PING, TEXT, header, masked};
use bowline_core::connection::Config;
use bowline_core::{Message, Role};
use std::collections::BTreeSet;

fn key(frame: &Frame) -> [u8; 4] {
    frame.key.expect("a masked frame")
}

/// The keys of the frames for `n` messages.
fn keys(seed: [u8; 32], n: usize) -> Vec<[u8; 4]> {
    let mut client = Endpoint::seeded(Role::Client, Config::default(), seed);
    let frames = (0..n).flat_map(|_| {
        client.sends(Message::binary("payload"));
        client.says()
    });
    frames.map(|frame| key(&frame)).collect()
}

#[test]
fn every_frame_has_a_fresh_key() {
    let keys = keys([7; 32], 1000);
    let different: BTreeSet<_> = keys.iter().collect();
    assert_eq!(different.len(), keys.len());
}

#[test]
fn the_fragments_of_a_message_have_keys_of_their_own() {
    let mut config = Config::default();
    config.fragment = Some(10);
    let mut client = Endpoint::with(Role::Client, config);
    client.sends(Message::binary(vec![0; 1000]));
    let frames = client.says();
    let different: BTreeSet<_> = frames.iter().map(key).collect();
    assert_eq!((frames.len(), different.len()), (100, 100));
}

#[test]
fn control_frames_have_keys_of_their_own() {
    let mut client = Endpoint::client();
    client.hears(FIN | PING, b"a");
    client.hears(FIN | PING, b"b");
    client.closes(1000, "");
    let frames = client.says();
    let different: BTreeSet<_> = frames.iter().map(key).collect();
    assert_eq!((frames.len(), different.len()), (3, 3));
}

#[test]
fn keys_cannot_be_foreseen_without_the_seed() {
    // Seeds that differ in one bit have nothing in common.
    let (a, b) = (keys([0; 32], 100), keys([[0; 31].as_slice(), &[1]].concat().try_into().unwrap(), 100));
    assert!(a.iter().zip(&b).all(|(a, b)| a != b));
    assert_eq!(a, keys([0; 32], 100), "the same seed tells the same keys");
}

#[test]
fn a_key_does_not_tell_the_next_one() {
    // Neither by a fixed distance nor by fixed bits: every difference is another one.
    let keys: Vec<u32> = keys([7; 32], 1000).into_iter().map(u32::from_be_bytes).collect();
    let distances: BTreeSet<_> = keys.windows(2).map(|pair| pair[1].wrapping_sub(pair[0])).collect();
    let flips: BTreeSet<_> = keys.windows(2).map(|pair| pair[1] ^ pair[0]).collect();
    assert_eq!((distances.len(), flips.len()), (999, 999));
}

#[test]
fn all_32_bits_of_a_key_are_used() {
    let keys = keys([7; 32], 4096);
    for position in 0..4 {
        let values: BTreeSet<_> = keys.iter().map(|key| key[position]).collect();
        assert_eq!(values.len(), 256, "byte {position}");
    }
}

#[test]
fn byte_i_is_masked_by_byte_i_mod_4_of_the_key() {
    for length in (0..=40).chain([1000, 16_383, 16_384]) {
        let payload: Vec<u8> = (0..length).map(|i| (i * 7) as u8).collect();
        let mut client = Endpoint::client();
        client.sends(Message::binary(payload.clone()));
        let bytes = client.writes();
        let (before, wire) = bytes.split_at(bytes.len() - payload.len());
        let key: &[u8; 4] = before.last_chunk().expect("a key");
        for (i, (byte, plain)) in wire.iter().zip(&payload).enumerate() {
            assert_eq!(*byte, plain ^ key[i % 4], "byte {i} of {length}");
        }
    }
}

#[test]
fn a_server_unmasks_by_the_key_of_each_frame() {
    for length in (0..=40).chain([1000, 16_383, 70_000]) {
        let payload: Vec<u8> = (0..length).map(|i| (i * 7) as u8).collect();
        for key in [[0; 4], [1, 2, 3, 4], [0xff; 4], [0, 0, 0, 0x80]] {
            let mut bytes = header(Role::Client, FIN | BINARY, length as u64);
            bytes.truncate(bytes.len() - 4);
            bytes.extend(key);
            bytes.extend(masked(&payload, key));
            let mut server = Endpoint::server();
            server.hears_bytes(&bytes);
            assert_eq!(server.messages(), [Message::binary(payload.clone())]);
        }
    }
}

#[test]
fn a_server_unmasks_alike_however_a_frame_is_cut() {
    let payload: Vec<u8> = (0..50).collect();
    let bytes = [header(Role::Client, FIN | BINARY, 50), masked(&payload, crate::wire::KEY)].concat();
    for cut in 0..=bytes.len() {
        for step in [1, 3, 100] {
            let mut server = Endpoint::server();
            server.hears_bytes(&bytes[..cut]);
            bytes[cut..].chunks(step).for_each(|piece| server.hears_bytes(piece));
            assert_eq!(server.messages(), [Message::binary(payload.clone())], "cut at {cut}, then by {step}");
        }
    }
}

#[test]
fn each_fragment_is_unmasked_from_the_start_of_its_key() {
    let mut server = Endpoint::server();
    for (first, payload) in
        [(TEXT, "a"), (CONTINUATION, "bc"), (CONTINUATION, ""), (FIN | CONTINUATION, "defgh")]
    {
        server.hears(first, payload.as_bytes());
    }
    assert_eq!(server.messages(), [Message::text("abcdefgh")]);
}

#[test]
fn masking_does_not_change_the_length() {
    for length in [0, 1, 125, 126, 70_000] {
        let mut config = Config::default();
        config.fragment = Some(usize::MAX);
        let mut client = Endpoint::with(Role::Client, config);
        client.sends(Message::binary(vec![3; length]));
        assert_eq!(client.says_one().payload, vec![3; length]);
    }
}
