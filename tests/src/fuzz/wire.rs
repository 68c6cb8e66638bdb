//! The frames of the transfer protocol.

use bowline_core::transfer::wire::{self, Frame, Mode};
use bowline_core::transfer::{Batch, Kind, SafeName, TransferId, UnixMode, Validator, What};
use bytes::Bytes;

/// Bytes as a frame of the transfer protocol: what can be decoded survives encoding.
pub fn wire(data: &[u8]) {
    // Unchanged, and with a matching checksum, which no fuzzer guesses.
    for message in [Bytes::copy_from_slice(data), with_checksum(data)] {
        let Ok(frame) = wire::decode(message) else { continue };
        if let Frame::Ignored(_) | Frame::Unsupported(..) = frame {
            continue;
        }
        let encoded = frame.clone().encode().into_bytes();
        assert_eq!(wire::decode(encoded), Ok(frame));
    }
}

/// A message of the transfer protocol with a correct checksum.
pub(super) fn with_checksum(body: &[u8]) -> Bytes {
    [body, &crc32c::crc32c(body).to_be_bytes()].concat().into()
}

/// Offers with everything that they can contain, requests for listings, and pauses. Seeds for the other frames are in
/// files of their own.
pub(super) fn seeds() -> Vec<(&'static str, Vec<u8>)> {
    let offer = |kind, length| {
        let offer = wire::Offer {
            id: TransferId::from_bytes([9; 16]),
            name: SafeName::parse("a b/文.bin").expect("a safe name"),
            kind,
            length,
            mtime_ms: 1_767_225_600_000,
            unix_mode: Some(UnixMode::from_bits(0o750)),
            validator: Validator::from_bytes(b"v1").ok(),
            batch: Some(Batch { id: [3; 16], index: 4, count: 5 }),
            mode: Mode::AttachOrCreate,
            priority: 0,
            epoch_seen: 0,
            digest: None,
        };
        body(Frame::Offer(1, offer))
    };
    let list = |name| {
        let (id, what) = (TransferId::from_bytes([9; 16]), What::Listing(name));
        body(Frame::Request(
            1,
            wire::Request { id, what, from: 0, to: u64::MAX, if_digest: None, again: false },
        ))
    };
    vec![
        ("offer_of_a_file", offer(Kind::File, Some(7))),
        ("offer_of_a_file_without_a_length", offer(Kind::File, None)),
        ("offer_of_a_folder", offer(Kind::Folder, Some(0))),
        ("offer_of_a_folder_with_a_length", offer(Kind::Folder, Some(7))),
        ("offer_of_a_listing", offer(Kind::Listing, Some(1 << 20))),
        ("request_of_a_listing", list(SafeName::parse("a b/文").ok())),
        ("request_of_a_listing_of_everything", list(None)),
        ("pause", body(Frame::Pause(1, wire::Pause { offset: 70_000, answer: false }))),
        ("pause_answered", body(Frame::Pause(2, wire::Pause { offset: 70_000, answer: true }))),
        ("resume", body(Frame::Resume(1, wire::Resume { offset: 70_000, pauses: 1 }))),
    ]
}

/// A frame without its checksum.
fn body(frame: Frame) -> Vec<u8> {
    let bytes = frame.encode().into_bytes();
    bytes[..bytes.len() - 4].to_vec()
}
