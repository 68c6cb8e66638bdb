//! The frames of the transfer protocol.

use bowline_core::transfer::wire;
use bytes::Bytes;

/// Bytes as a frame of the transfer protocol: what can be decoded survives encoding.
pub fn wire(data: &[u8]) {
    // As they are, and with a checksum that fits: no fuzzer guesses one.
    for message in [Bytes::copy_from_slice(data), with_checksum(data)] {
        let Ok(frame) = wire::decode(message) else { continue };
        if let wire::Frame::Ignored(_) | wire::Frame::Unsupported(..) = frame {
            continue;
        }
        let encoded = frame.clone().encode().into_bytes();
        assert_eq!(wire::decode(encoded), Ok(frame));
    }
}

/// A message of the transfer protocol with the checksum that belongs to it.
pub(super) fn with_checksum(body: &[u8]) -> Bytes {
    [body, &crc32c::crc32c(body).to_be_bytes()].concat().into()
}
