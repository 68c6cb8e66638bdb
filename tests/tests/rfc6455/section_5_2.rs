//! §5.2, base framing: the bits of a header.
//!
//! Binds no endpoint of ours: what an extension has to define about its reserved bits, opcodes and extension data, for
//! we speak none (§9).

use crate::wire::{
    BINARY, CLOSE, CONTINUATION, Endpoint, FIN, Frame, KEY, PING, PONG, TEXT, fails, header, masked, peer_of,
};
use bowline_core::connection::Config;
use bowline_core::message::Delivery;
use bowline_core::{Message, Role};
use core::time::Duration;

/// The lengths at which the form of a length changes, and their neighbours.
const LENGTHS: [usize; 9] = [0, 1, 124, 125, 126, 127, 65_535, 65_536, 65_537];

/// A header as the peer of this endpoint writes it, with a length in this form whether it fits or not.
fn with_length(us: &Endpoint, first: u8, form: u8, length: &[u8]) -> Vec<u8> {
    let mask = if us.role == Role::Server { 0x80 } else { 0 };
    [&[first, mask | form], length].concat()
}

fn unlimited() -> Config {
    let mut config = Config::default();
    config.limits.frame = None;
    config.limits.message = None;
    config
}

#[test]
fn reserved_bits_are_refused_with_1002() {
    for opcode in [TEXT, BINARY, CLOSE, PING, PONG] {
        for reserved in 1..=7 {
            for us in Endpoint::both() {
                fails(us, &[FIN | reserved << 4 | opcode], 1002);
            }
        }
    }
}

#[test]
fn reserved_bits_of_a_later_fragment_are_refused_with_1002() {
    for reserved in 1..=7 {
        for mut us in Endpoint::both() {
            us.hears(TEXT, b"begun");
            fails(us, &[FIN | reserved << 4 | CONTINUATION], 1002);
        }
    }
}

#[test]
fn reserved_bits_are_never_set() {
    for mut us in Endpoint::both() {
        us.sends(Message::text("text"));
        us.sends(Message::binary(vec![1; 100_000]));
        us.hears(FIN | PING, b"ping");
        us.waits(Duration::from_secs(20));
        us.closes(1000, "");
        for frame in us.says() {
            assert_eq!(frame.first & 0x70, 0, "{frame:?}");
        }
    }
}

#[test]
fn reserved_opcodes_are_refused_with_1002() {
    for opcode in (3..=7).chain(0xb..=0xf) {
        for fin in [0, FIN] {
            for us in Endpoint::both() {
                fails(us, &[fin | opcode], 1002);
            }
        }
    }
}

#[test]
fn reserved_opcodes_between_fragments_are_refused_with_1002() {
    for opcode in (3..=7).chain(0xb..=0xf) {
        for mut us in Endpoint::both() {
            us.hears(BINARY, b"begun");
            fails(us, &[FIN | opcode], 1002);
        }
    }
}

#[test]
fn only_opcodes_of_the_standard_are_sent() {
    for mut us in Endpoint::both() {
        us.sends(Message::text(""));
        us.sends(Message::binary(vec![1; 100_000]));
        us.hears(FIN | PING, b"ping");
        us.waits(Duration::from_secs(20));
        us.closes(1000, "");
        let mut opcodes: Vec<u8> = us.says().iter().map(Frame::opcode).collect();
        opcodes.sort_unstable();
        opcodes.dedup();
        assert_eq!(opcodes, [CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG]);
    }
}

#[test]
fn the_first_fragment_may_be_the_last() {
    for mut us in Endpoint::both() {
        us.hears(FIN | TEXT, b"all of it");
        assert_eq!(us.messages(), [Message::text("all of it")]);
    }
}

#[test]
fn a_length_whose_highest_bit_is_set_is_refused_with_1002() {
    for length in [1 << 63, 1 << 63 | 1, u64::MAX] {
        for us in Endpoint::both_with(&unlimited()) {
            let bytes = with_length(&us, FIN | BINARY, 0x7f, &length.to_be_bytes());
            fails(us, &bytes, 1002);
        }
    }
}

#[test]
fn a_length_just_below_2_to_the_63_is_not_a_violation() {
    let mut in_pieces = unlimited();
    in_pieces.delivery = Delivery::Pieces;
    for mut us in Endpoint::both_with(&in_pieces) {
        us.hears_bytes(&header(peer_of(us.role), FIN | BINARY, (1 << 63) - 1));
        us.hears_bytes(&[0; 1000]);
        assert!(us.connection.is_open());
    }
}

#[test]
fn a_length_that_this_machine_cannot_hold_is_refused_with_1009() {
    for length in [(1 << 30) - 1, 1 << 30, 1 << 61, i64::MAX as u64] {
        for mut us in Endpoint::both_with(&unlimited()) {
            let bytes = with_length(&us, FIN | BINARY, 0x7f, &length.to_be_bytes());
            if length > isize::MAX as u64 / 2 {
                fails(us, &bytes, 1009);
                continue;
            }
            us.hears_bytes(&bytes);
            assert!(us.connection.is_open(), "{length} bytes");
        }
    }
}

#[test]
fn a_length_of_16_bits_that_fits_into_7_is_refused_with_1002() {
    for length in 0..=125_u16 {
        for us in Endpoint::both() {
            let bytes = with_length(&us, FIN | TEXT, 0x7e, &length.to_be_bytes());
            fails(us, &bytes, 1002);
        }
    }
}

#[test]
fn a_length_of_63_bits_that_fits_into_16_is_refused_with_1002() {
    for length in [0, 1, 125, 126, 127, 255, 256, 65_534, 65_535_u64] {
        for us in Endpoint::both() {
            let bytes = with_length(&us, FIN | TEXT, 0x7f, &length.to_be_bytes());
            fails(us, &bytes, 1002);
        }
    }
}

#[test]
fn every_length_is_sent_in_its_shortest_form() {
    let mut config = Config::default();
    config.fragment = Some(usize::MAX);
    for length in LENGTHS {
        for mut us in Endpoint::both_with(&config) {
            us.sends(Message::binary(vec![9; length]));
            let bytes = us.writes();
            let form = match length {
                0..126 => 2,
                126..65_536 => 4,
                _ => 10,
            };
            let key = if us.role == Role::Client { 4 } else { 0 };
            assert_eq!(bytes.len(), form + key + length, "{:?}, {length} bytes", us.role);
        }
    }
}

#[test]
fn every_form_of_length_is_read_in_network_byte_order() {
    for length in LENGTHS {
        let payload: Vec<u8> = (0..length).map(|i| i as u8).collect();
        for mut us in Endpoint::both() {
            us.hears(FIN | BINARY, &payload);
            us.hears(FIN | TEXT, b"and the next frame starts behind it");
            let [first, second] = &us.messages()[..] else { panic!("{length} bytes") };
            assert_eq!(first.as_bytes(), payload);
            assert_eq!(*second, Message::text("and the next frame starts behind it"));
        }
    }
}

#[test]
fn the_key_comes_between_length_and_payload() {
    let mut client = Endpoint::client();
    client.sends(Message::binary(vec![0; 300]));
    let bytes = client.writes();
    assert_eq!(bytes[..4], [FIN | BINARY, 0xfe, 1, 44]);
    // Zeros show the key itself.
    assert_eq!(bytes[8..12], bytes[4..8]);

    let mut server = Endpoint::server();
    server.hears_bytes(&[&[FIN | BINARY, 0x80 | 3], &KEY[..], &masked(b"abc", KEY)].concat());
    assert_eq!(server.messages(), [Message::binary("abc")]);
}
