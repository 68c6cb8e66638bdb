//! The wire, byte by byte.

use super::*;
use crate::envelope::tests::resealed;
use crate::transfer::NameError;
use alloc::string::ToString as _;
use alloc::vec;
use alloc::vec::Vec;
use proptest::prelude::*;

fn name() -> SafeName {
    SafeName::parse("a b/文.bin").expect("a safe name")
}

fn encoded(frame: Frame) -> Bytes {
    frame.encode().into_bytes()
}

fn some_frames() -> Vec<Frame> {
    let id = TransferId::from_bytes([9; 16]);
    let digest = Digest::of(b"x");
    let whole = Whole { length: 7, digest, deduplicated: true };
    vec![
        Frame::Hello(Hello {
            min_version: 1,
            max_version: 2,
            max_chunk: 1 << 20,
            max_transfers: 3,
            max_offers_per_second: 4,
            credit: 5,
            features: 6,
            instance: [7; 16],
            agent: "test 1".into(),
        }),
        Frame::GoAway { code: Code::ShuttingDown, retry_after: Duration::from_secs(3) },
        Frame::Error { code: Code::Protocol, text: "because".into() },
        Frame::Probe(1),
        Frame::ProbeAck(u64::MAX),
        Frame::Offer(
            1,
            Offer {
                id,
                name: name(),
                kind: Kind::Listing,
                length: Some(1 << 40),
                mtime_ms: -5,
                unix_mode: Some(UnixMode::from_bits(0o640)),
                validator: Some(Validator::from_bytes(b"v1").expect("short")),
                batch: Some(Batch { id: [3; 16], index: 4, count: 5 }),
                mode: Mode::Attach,
                priority: 8,
                epoch_seen: 9,
                digest: Some(digest),
            },
        ),
        Frame::Request(
            3,
            Request { id, what: What::Named(name()), from: 0, to: u64::MAX, if_digest: None, again: false },
        ),
        Frame::Accept(
            1,
            Accept {
                resume: 1,
                credit: 2,
                max_chunk: 65_536,
                epoch: 3,
                expires: 4,
                ack_ms: 25,
                have: Have::Present,
                prefix: Some(digest),
            },
        ),
        Frame::Data(1, Data { offset: 1 << 33, seq: 3, payload: Bytes::from_static(b"payload") }),
        Frame::Fin(1, whole),
        Frame::Done(1, whole),
        Frame::Ack(
            1,
            Ack {
                received: 3,
                durable: 2,
                credit: 9,
                last_seq: 1,
                hold_us: 77,
                rewind: Some(Rewind::Corrupt),
            },
        ),
        Frame::Finishing(1, Phase::Sync),
        Frame::Pause(1, Pause { offset: 5, answer: true }),
        Frame::Resume(1, Resume { offset: 6, pauses: 7 }),
        Frame::Cancel(
            1,
            Cancel {
                code: Code::NoSpace,
                retry_after: Duration::from_millis(1500),
                durable: 64,
                discard: true,
                text: "full".into(),
            },
        ),
        Frame::Request(
            5,
            Request {
                id,
                what: What::Named(name()),
                from: 1 << 33,
                to: 1 << 34,
                if_digest: None,
                again: true,
            },
        ),
        Frame::Finishing(1, Phase::Source),
        list(None),
        list(Some(name())),
    ]
}

/// A REQUEST for a listing.
fn list(name: Option<SafeName>) -> Frame {
    let (id, what) = (TransferId::from_bytes([1; 16]), What::Listing(name));
    Frame::Request(7, Request { id, what, from: 0, to: u64::MAX, if_digest: None, again: false })
}

#[test]
fn every_frame_survives_the_wire() {
    for frame in some_frames() {
        assert_eq!(decode(encoded(frame.clone())), Ok(frame));
    }
}

#[test]
fn sizes_are_those_of_the_protocol_document() {
    let size = |frame| encoded(frame).len();
    let whole = Whole { length: 0, digest: Digest::of(b""), deduplicated: false };
    assert_eq!(size(Frame::Fin(1, whole)), 52 + 4);
    assert_eq!(
        size(Frame::Data(1, Data { offset: 0, seq: 0, payload: Bytes::from_static(b"abc") })),
        20 + 3 + 4
    );
    let ack = Ack { received: 0, durable: 0, credit: 0, last_seq: 0, hold_us: 0, rewind: None };
    assert_eq!(size(Frame::Ack(1, ack)), 44 + 4);
    assert_eq!(size(Frame::Pause(1, Pause { offset: 0, answer: false })), 20 + 4);
    assert_eq!(size(Frame::Resume(1, Resume { offset: 0, pauses: 0 })), 20 + 4);
}

#[test]
fn a_chunk_is_laid_out_as_documented() {
    let bytes =
        encoded(Frame::Data(0x0102_0304, Data { offset: 5, seq: 6, payload: Bytes::from_static(b"hi") }));
    let (body, crc) = bytes.split_at(bytes.len() - 4);
    assert_eq!(body, b"\x20\0\0\0\x01\x02\x03\x04\0\0\0\0\0\0\0\x05\0\0\0\x06hi");
    assert_eq!(resealed(body.to_vec()), [body, crc].concat());
}

#[test]
fn a_payload_is_a_slice_of_its_message() {
    let message =
        encoded(Frame::Data(1, Data { offset: 0, seq: 0, payload: Bytes::from_static(b"payload") }));
    let place = message[20..].as_ptr();
    let Ok(Frame::Data(_, data)) = decode(message) else { panic!("not a chunk") };
    assert_eq!(data.payload.as_ptr(), place);
}

/// Changes a frame and makes its checksum fit again.
fn tampered(frame: Frame, change: impl FnOnce(&mut Vec<u8>)) -> Result<Frame, Fault> {
    let mut bytes = encoded(frame).to_vec();
    bytes.truncate(bytes.len() - 4);
    change(&mut bytes);
    decode(resealed(bytes).into()).map_err(|error| error.fault)
}

fn add_tlv(bytes: &mut Vec<u8>, kind: u16, value: &[u8]) {
    bytes.extend(kind.to_be_bytes());
    bytes.extend((value.len() as u16).to_be_bytes());
    bytes.extend(value);
    let ext = u16::from_be_bytes([bytes[2], bytes[3]]) + 4 + value.len() as u16;
    bytes[2..4].copy_from_slice(&ext.to_be_bytes());
}

#[test]
fn unknown_critical_types_are_named_and_optional_ones_ignored() {
    assert_eq!(tampered(Frame::Probe(1), |b| b[0] = 0x7f), Ok(Frame::Unsupported(0, 0x7f)));
    assert_eq!(tampered(Frame::Probe(1), |b| b[0] = 0x80), Ok(Frame::Ignored(0x80)));
}

#[test]
fn unknown_critical_fields_are_refused_and_optional_ones_ignored() {
    let offer = some_frames().remove(5);
    assert_eq!(tampered(offer.clone(), |b| add_tlv(b, 0x7000, b"?")), Err(Fault::UnknownTlv(0x7000)));
    assert_eq!(tampered(offer.clone(), |b| add_tlv(b, 0xf000, b"?")), Ok(offer.clone()));
    assert_eq!(tampered(offer, |b| add_tlv(b, 0x0020, b"again")), Err(Fault::DuplicateTlv(0x20)));
}

#[test]
fn unknown_flags_are_errors_only_in_the_low_nibble() {
    assert_eq!(tampered(Frame::Probe(1), |b| b[1] = 0x02), Err(Fault::Flags(2)));
    assert_eq!(tampered(Frame::Probe(1), |b| b[1] = 0x20), Ok(Frame::Probe(1)));
}

#[test]
fn lengths_that_do_not_fit_are_refused() {
    assert_eq!(tampered(Frame::Probe(1), |b| b.push(0)), Err(Fault::TooLong(21)));
    assert_eq!(tampered(Frame::Probe(1), |b| b.truncate(15)), Err(Fault::TooShort(19)));
    assert_eq!(tampered(Frame::Probe(1), |b| b[3] = 1), Err(Fault::TooShort(20)));
    assert_eq!(decode(Bytes::from_static(b"short")).map_err(|e| e.fault), Err(Fault::TooShort(5)));
    let empty = Frame::Data(1, Data { offset: 0, seq: 0, payload: Bytes::new() });
    assert_eq!(tampered(empty, |_| ()), Err(Fault::EmptyChunk));
    let big = Frame::Error { code: Code::Internal, text: String::new() };
    assert!(matches!(tampered(big, |b| add_tlv(b, 0x8fff, &vec![0; 17_000])), Err(Fault::TooLong(_))));
}

#[test]
fn absurd_numbers_are_refused_by_name() {
    let offer = some_frames().remove(5);
    for value in [u64::MAX - 1, 1 << 63] {
        let length = |b: &mut Vec<u8>| b[24..32].copy_from_slice(&value.to_be_bytes());
        assert_eq!(tampered(offer.clone(), length), Err(Fault::Value { name: "length", value }));
    }
    let hello = some_frames().remove(0);
    let tiny = |b: &mut Vec<u8>| b[12..16].copy_from_slice(&1_u32.to_be_bytes());
    assert_eq!(tampered(hello, tiny), Err(Fault::Value { name: "max_chunk", value: 1 }));
}

/// An OFFER without any of the fields that may be left out.
fn plain_offer(kind: Kind, length: u64) -> Frame {
    let Frame::Offer(handle, offer) = some_frames().remove(5) else { panic!("not an offer") };
    let (unix_mode, validator, batch) = (None, None, None);
    Frame::Offer(handle, Offer { kind, length: Some(length), unix_mode, validator, batch, ..offer })
}

#[test]
fn a_plain_file_carries_no_kind_field() {
    let tlv = |frame| encoded(frame).len();
    assert_eq!(tlv(plain_offer(Kind::Folder, 0)), tlv(plain_offer(Kind::File, 0)) + 5);
    for kind in [Kind::File, Kind::Folder, Kind::Listing] {
        assert_eq!(decode(encoded(plain_offer(kind, 0))), Ok(plain_offer(kind, 0)));
    }
}

#[test]
fn the_greatest_number_means_an_unknown_length() {
    let Frame::Offer(handle, offer) = plain_offer(Kind::File, 0) else { panic!("not an offer") };
    let unknown = Frame::Offer(handle, Offer { length: None, ..offer.clone() });
    assert_eq!(encoded(unknown.clone())[24..32], [255; 8]);
    assert_eq!(decode(encoded(unknown.clone())), Ok(unknown));
    let folder = Frame::Offer(handle, Offer { length: None, kind: Kind::Folder, ..offer });
    let fault = Fault::Value { name: "the length of a folder", value: u64::MAX };
    assert_eq!(decode(encoded(folder)).map_err(|error| error.fault), Err(fault));
}

#[test]
fn a_long_text_is_cut_between_characters() {
    for (text, len) in
        [("x".repeat(512), 512), ("x".repeat(513), 512), ("x".to_string() + &"ä".repeat(300), 511)]
    {
        let error = Frame::Error { code: Code::Internal, text: text.clone() };
        let Ok(Frame::Error { text: read, .. }) = decode(encoded(error)) else { panic!("not an error") };
        assert_eq!(read, text[..len]);
    }
}

#[test]
fn only_the_beginning_of_a_text_that_is_too_long_is_read() {
    let (code, text) = (Code::Internal, String::new());
    let cancel = Cancel { code, retry_after: Duration::ZERO, durable: 0, discard: false, text: text.clone() };
    for frame in [Frame::Error { code, text }, Frame::Cancel(1, cancel)] {
        let read = tampered(frame, |b| add_tlv(b, 0x8010, "\u{7}".repeat(5000).as_bytes()));
        let Ok(Frame::Error { text, .. } | Frame::Cancel(_, Cancel { text, .. })) = read else {
            panic!("{read:?}")
        };
        assert_eq!(text.chars().count(), 512);
    }
}

#[test]
fn a_file_may_be_as_long_as_the_greatest_signed_number() {
    for (length, known) in [(MAX_LENGTH, true), (MAX_LENGTH + 1, false)] {
        let offer = plain_offer(Kind::File, length);
        assert_eq!(decode(encoded(offer.clone())).ok(), known.then_some(offer), "{length}");
    }
}

#[test]
fn contradictory_or_malformed_offer_fields_are_refused() {
    let with = |kind: u16, value: &[u8]| tampered(plain_offer(Kind::File, 7), |b| add_tlv(b, kind, value));
    let fault = |name, value| Err(Fault::Value { name, value });
    for kind in [0, 3, 255] {
        assert_eq!(with(0x2a, &[kind]), fault("kind", kind.into()));
    }
    assert_eq!(with(0x2a, &[]), fault("the length of a kind", 0));
    assert_eq!(with(0x2a, &[0, 1]), fault("the length of a kind", 2));
    assert_eq!(with(0x2a, &[1]), fault("the length of a folder", 7));
    assert_eq!(with(0x24, &[0; 23]), fault("the length of a batch", 23));
    assert_eq!(with(0x24, &[0; 25]), fault("the length of a batch", 25));
    assert_eq!(with(0x8028, &[0; 3]), fault("the length of a unix mode", 3));
    assert_eq!(with(0x8028, &[0; 8]), fault("the length of a unix mode", 8));
}

#[test]
fn only_the_permission_bits_of_a_mode_are_kept() {
    let Ok(Frame::Offer(_, offer)) =
        tampered(plain_offer(Kind::File, 7), |b| add_tlv(b, 0x8028, &[0xff, 0xff, 0x0f, 0xff]))
    else {
        panic!("it is an offer")
    };
    assert_eq!(offer.unix_mode, Some(UnixMode::from_bits(0o777)));
    assert_eq!(UnixMode::from_bits(0o7777).bits(), 0o777);
}

#[test]
fn text_from_a_peer_cannot_move_the_cursor_of_a_terminal() {
    let frame = Frame::Error { code: Code::Internal, text: "a\x1b[2Jb\u{202e}c\u{2028}d".into() };
    let Ok(Frame::Error { text, .. }) = decode(encoded(frame)) else { panic!("not an error") };
    assert_eq!(text, "a\u{fffd}[2Jb\u{fffd}c\u{fffd}d");
}

proptest! {
    #[test]
    fn no_message_panics(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let _ = decode(Bytes::from(bytes));
    }

    #[test]
    fn no_message_with_a_good_checksum_panics(mut bytes in proptest::collection::vec(any::<u8>(), 8..200), kind in 0..18_usize) {
        bytes[0] = [1, 2, 3, 4, 5, 0x10, 0x11, 0x12, 0x20, 0x21, 0x30, 0x31, 0x32, 0x40, 0x41, 0x42, 0x43, 0x90][kind];
        bytes[1] = 0;
        bytes[2] = 0;
        if let Ok(frame) = decode(Bytes::from(resealed(bytes))) {
            let again = decode(encoded(frame.clone()));
            prop_assert!(matches!(frame, Frame::Ignored(_) | Frame::Unsupported(..)) || again == Ok(frame));
        }
    }

    #[test]
    fn any_flipped_bit_is_found(frame in 0..16_usize, bit in any::<prop::sample::Index>()) {
        let mut bytes = encoded(some_frames().remove(frame)).to_vec();
        let bit = bit.index(bytes.len() * 8);
        bytes[bit / 8] ^= 1 << (bit % 8);
        prop_assert_eq!(decode(bytes.into()).map_err(|e| e.fault), Err(Fault::Checksum));
    }
}

#[test]
fn only_a_listing_can_be_requested_by_kind_and_without_a_name() {
    let Frame::Request(handle, named) = some_frames().remove(6) else { panic!("not a request") };
    let with = |kind: &[u8]| tampered(Frame::Request(handle, named.clone()), |b| add_tlv(b, 0x2a, kind));
    let listing = Request { what: What::Listing(Some(name())), ..named.clone() };
    assert_eq!(with(&[2]), Ok(Frame::Request(handle, listing)));
    let kind = |name, value| Err(Fault::Value { name, value });
    assert_eq!(with(&[1]), kind("the kind that is asked for", 1));
    assert_eq!(with(&[3]), kind("kind", 3));
    let nameless = |b: &mut Vec<u8>| {
        b.truncate(72);
        b[2..4].copy_from_slice(&[0, 0]);
    };
    assert_eq!(tampered(Frame::Request(handle, named.clone()), nameless), Err(Fault::MissingTlv(0x20)));
    let empty = tampered(list(None), |b| add_tlv(b, 0x20, b""));
    assert_eq!(empty, Err(Fault::Name(NameError::Empty)), "everything has no name, and not an empty one");
}
