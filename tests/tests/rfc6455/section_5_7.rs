//! §5.7, examples: the bytes that the standard prints.
//!
//! Binds no endpoint of ours: nothing; and what binds is said elsewhere. They are read, and written where we may.

use crate::wire::{Endpoint, FIN, PONG, masked, parse};
use bowline_core::Message;
use bowline_core::connection::Config;

const MASKED_HELLO: [u8; 9] = [0x37, 0xfa, 0x21, 0x3d, 0x7f, 0x9f, 0x4d, 0x51, 0x58];

#[test]
fn a_text_in_one_unmasked_frame() {
    let mut client = Endpoint::client();
    client.hears_bytes(b"\x81\x05Hello");
    assert_eq!(client.messages(), [Message::text("Hello")]);
    let mut server = Endpoint::server();
    server.sends(Message::text("Hello"));
    assert_eq!(server.writes(), b"\x81\x05Hello");
}

#[test]
fn a_text_in_one_masked_frame() {
    let mut server = Endpoint::server();
    server.hears_bytes(&[&[0x81, 0x85], &MASKED_HELLO[..]].concat());
    assert_eq!(server.messages(), [Message::text("Hello")]);
    let mut client = Endpoint::client();
    client.sends(Message::text("Hello"));
    let bytes = client.writes();
    assert_eq!((bytes.len(), &bytes[..2]), (11, &[0x81, 0x85][..]));
    assert_eq!(masked(&bytes[6..], bytes[2..6].try_into().unwrap()), b"Hello");
}

#[test]
fn a_text_in_two_fragments() {
    let mut client = Endpoint::client();
    client.hears_bytes(b"\x01\x03Hel");
    client.hears_bytes(b"\x80\x02lo");
    assert_eq!(client.messages(), [Message::text("Hello")]);
    let mut config = Config::default();
    config.fragment = Some(3);
    let mut server = Endpoint::with(bowline_core::Role::Server, config);
    server.sends(Message::text("Hello"));
    assert_eq!(server.writes(), b"\x01\x03Hel\x80\x02lo");
}

#[test]
fn a_ping_and_its_masked_pong() {
    let mut client = Endpoint::client();
    client.hears_bytes(b"\x89\x05Hello");
    let [pong] = &parse(&client.writes())[..] else { panic!("one pong") };
    assert_eq!((pong.first, &pong.payload[..], pong.key.is_some()), (FIN | PONG, &b"Hello"[..], true));
    let mut server = Endpoint::server();
    server.hears_bytes(&[&[0x8a, 0x85], &MASKED_HELLO[..]].concat());
    assert!(server.connection.is_open());
}

#[test]
fn a_message_of_256_bytes() {
    let bytes = [&b"\x82\x7e\x01\x00"[..], &[3; 256]].concat();
    let mut client = Endpoint::client();
    client.hears_bytes(&bytes);
    assert_eq!(client.messages(), [Message::binary(vec![3; 256])]);
    let mut server = Endpoint::server();
    server.sends(Message::binary(vec![3; 256]));
    assert_eq!(server.writes(), bytes);
}

#[test]
fn a_message_of_64_kib() {
    let bytes = [&b"\x82\x7f\x00\x00\x00\x00\x00\x01\x00\x00"[..], &vec![3; 1 << 16]].concat();
    let mut client = Endpoint::client();
    client.hears_bytes(&bytes);
    assert_eq!(client.messages(), [Message::binary(vec![3; 1 << 16])]);
    let mut config = Config::default();
    config.fragment = Some(usize::MAX);
    let mut server = Endpoint::with(bowline_core::Role::Server, config);
    server.sends(Message::binary(vec![3; 1 << 16]));
    assert_eq!(server.writes(), bytes);
}
