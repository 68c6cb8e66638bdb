//! The wire, byte by byte.

use super::*;
use crate::envelope::tests::resealed;
use alloc::vec;
use alloc::vec::Vec;
use bytes::Bytes;
use proptest::prelude::*;

const WINDOW: Window = Window { messages: 3, bytes: 4 };

fn encoded(frame: Frame) -> Bytes {
    frame.encode().into_bytes()
}

fn text(text: &str) -> Frame {
    Frame::Data(Data { number: Some(5), ack: 6, message: Message::text(text) })
}

fn resume() -> Resume {
    let (session, secret) = (SessionId::from_bytes([1; 16]), Secret::from_bytes([2; 16]));
    Resume { session, secret, epoch: 7, window: WINDOW, last: u64::MAX }
}

fn resumed() -> Resumed {
    let keep = Duration::from_secs(120);
    Resumed { epoch: 8, window: WINDOW, keep, secret: Secret::from_bytes([3; 16]), last: 9 }
}

fn some_frames() -> Vec<Frame> {
    vec![
        text("hello"),
        Frame::Data(Data { number: None, ack: 0, message: Message::binary(vec![0, 0xff]) }),
        Frame::Data(Data { number: Some(u64::MAX), ack: u64::MAX, message: Message::text("") }),
        Frame::Ack(77),
        Frame::Resume(resume()),
        Frame::Resumed(resumed()),
        Frame::NewSession { why: Why::Epoch, retry_after: Duration::from_millis(1500) },
        Frame::NewSession { why: Why::Other(99), retry_after: Duration::ZERO },
        Frame::Unsupported(0x5f),
    ]
}

#[test]
fn every_frame_survives_the_wire() {
    for frame in some_frames() {
        assert_eq!(decode(encoded(frame.clone())), Ok(frame));
    }
}

#[test]
fn frames_are_laid_out_as_documented() {
    let body = |frame| {
        let bytes = encoded(frame);
        bytes.slice(..bytes.len() - 4)
    };
    let expected = b"\x50\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x05\0\0\0\0\0\0\0\x06\x01\0\0\0\0\0\0\0\0\0\0\0hi";
    assert_eq!(body(text("hi")), &expected[..]);
    assert_eq!(body(Frame::Ack(1)), &b"\x51\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x01"[..]);
    let ends = [
        &b"\x52\0\0\0\0\0\0\0"[..],
        &[1; 16],
        &[2; 16],
        b"\0\0\0\x07\0\0\0\x03\0\0\0\x04\0\0\0\0",
        &[0xff; 8],
    ];
    assert_eq!(body(Frame::Resume(resume())), ends.concat());
    let ends =
        [&b"\x53\0\0\0\0\0\0\0\0\0\0\x08\0\0\0\x03\0\0\0\x04\0\0\0\x78"[..], &[3; 16], b"\0\0\0\0\0\0\0\x09"];
    assert_eq!(body(Frame::Resumed(resumed())), ends.concat());
    let new = Frame::NewSession { why: Why::Busy, retry_after: Duration::from_millis(258) };
    assert_eq!(body(new), &b"\x54\0\0\0\0\0\0\0\0\0\0\x06\0\0\x01\x02"[..]);
}

#[test]
fn every_reason_survives_the_round_trip() {
    for number in 0..50 {
        assert_eq!(Why::from_u32(number).to_u32(), number);
    }
}

/// Changes a frame and makes its checksum fit again.
fn tampered(frame: Frame, change: impl FnOnce(&mut Vec<u8>)) -> Result<Frame, Fault> {
    let mut bytes = encoded(frame).to_vec();
    bytes.truncate(bytes.len() - 4);
    change(&mut bytes);
    decode(resealed(bytes).into()).map_err(|error| error.fault)
}

fn set(at: usize, value: &[u8]) -> impl FnOnce(&mut Vec<u8>) {
    move |bytes| bytes[at..at + value.len()].copy_from_slice(value)
}

#[test]
fn the_rules_common_to_all_frames_hold() {
    assert_eq!(tampered(Frame::Ack(1), set(1, &[2])), Err(Fault::Flags(2)));
    assert_eq!(tampered(Frame::Ack(1), set(1, &[0x20])), Ok(Frame::Ack(1)));
    assert_eq!(tampered(Frame::Ack(1), |bytes| bytes.push(0)), Err(Fault::TooLong(21)));
    assert_eq!(tampered(Frame::Ack(1), |bytes| bytes.truncate(15)), Err(Fault::TooShort(19)));
    let unknown = |bytes: &mut Vec<u8>| {
        bytes[3] = 4;
        bytes.splice(16..16, [0x70, 0, 0, 0]);
    };
    assert_eq!(tampered(Frame::Ack(1), unknown), Err(Fault::UnknownTlv(0x7000)));
    let optional = |bytes: &mut Vec<u8>| {
        bytes[3] = 4;
        bytes.splice(16..16, [0xf0, 0, 0, 0]);
    };
    assert_eq!(tampered(Frame::Ack(1), optional), Ok(Frame::Ack(1)));
    assert_eq!(decode(Bytes::from_static(b"short")).map_err(|e| e.fault), Err(Fault::TooShort(5)));
}

/// Appends an ignorable field of this total length to the fixed part of a frame.
fn padded(fixed: usize, len: usize) -> impl FnOnce(&mut Vec<u8>) {
    move |bytes| {
        bytes[2..4].copy_from_slice(&(len as u16).to_be_bytes());
        let value = [&[0xf0, 0][..], &(len as u16 - 4).to_be_bytes(), &vec![0; len - 4]].concat();
        bytes.splice(8 + fixed..8 + fixed, value);
    }
}

#[test]
fn a_frame_without_a_payload_has_at_most_sixteen_kibibytes() {
    let most = 16 * 1024;
    assert_eq!(tampered(Frame::Ack(1), padded(8, most - 20)), Ok(Frame::Ack(1)));
    assert_eq!(tampered(Frame::Ack(1), padded(8, most - 19)), Err(Fault::TooLong(most + 1)));
}

#[test]
fn the_fields_of_a_message_may_take_sixteen_kibibytes_as_well() {
    let longest = || {
        let message = Message::binary(vec![0; MAX_MESSAGE]);
        Frame::Data(Data { number: Some(1), ack: 0, message })
    };
    let most = 16 * 1024;
    assert_eq!(tampered(longest(), padded(28, most)), Ok(longest()));
    let len = MAX_MESSAGE + OVERHEAD + most + 1;
    assert_eq!(tampered(longest(), padded(28, most + 1)), Err(Fault::TooLong(len)));
}

#[test]
fn nonsensical_values_are_refused_by_name() {
    let value = |name, value| Err(Fault::Value { name, value });
    assert_eq!(tampered(Frame::Ack(1), set(7, &[9])), value("the handle", 9));
    assert_eq!(tampered(text("x"), set(24, &[3])), value("the form of a message", 3));
    assert_eq!(tampered(text("x"), set(36, &[0xff])), Err(Fault::NotUtf8));
    let resume = || Frame::Resume(resume());
    assert_eq!(tampered(resume(), set(44, &[0; 4])), value("the window in messages", 0));
    assert_eq!(tampered(resume(), set(40, &[0; 4])), value("the last number of a new session", u64::MAX));
    assert_eq!(tampered(Frame::Resumed(resumed()), set(8, &[0; 4])), value("the epoch", 0));
}

#[test]
fn a_message_longer_than_a_megabyte_is_refused() {
    let long = |len: usize| {
        decode(encoded(Frame::Data(Data { number: Some(1), ack: 0, message: Message::binary(vec![0; len]) })))
    };
    assert!(long(MAX_MESSAGE).is_ok());
    assert_eq!(long(MAX_MESSAGE + 1).map_err(|e| e.fault), Err(Fault::TooLong(MAX_MESSAGE + 1)));
    assert_eq!(long(2 * MAX_MESSAGE).map_err(|e| e.fault), Err(Fault::TooLong(2 * MAX_MESSAGE + OVERHEAD)));
}

#[test]
fn a_payload_is_a_slice_of_its_message() {
    let message =
        encoded(Frame::Data(Data { number: Some(1), ack: 0, message: Message::binary(vec![7; 99]) }));
    let place = message[36..].as_ptr();
    let Ok(Frame::Data(data)) = decode(message) else { panic!("not a message") };
    assert_eq!(data.message.as_bytes().as_ptr(), place);
}

proptest! {
    #[test]
    fn no_message_with_a_good_checksum_panics(mut bytes in proptest::collection::vec(any::<u8>(), 8..120), kind in 0x50..0x57_u8) {
        bytes[0] = kind;
        for zero in [1, 2, 3, 4, 5, 6, 7] {
            bytes[zero] = 0;
        }
        if let Ok(frame) = decode(Bytes::from(resealed(bytes))) {
            let again = decode(encoded(frame.clone()));
            prop_assert!(matches!(frame, Frame::Unsupported(_)) || again == Ok(frame));
        }
    }

    #[test]
    fn any_flipped_bit_is_found(frame in 0..9_usize, bit in any::<prop::sample::Index>()) {
        let mut bytes = encoded(some_frames().remove(frame)).to_vec();
        let bit = bit.index(bytes.len() * 8);
        bytes[bit / 8] ^= 1 << (bit % 8);
        prop_assert_eq!(decode(bytes.into()).map_err(|e| e.fault), Err(Fault::Checksum));
    }
}
