//! What the fuzzers do with arbitrary bytes. The same functions replay the corpora in the ordinary tests, so that
//! nothing that was found once comes back unseen.
//!
//! Each takes any bytes at all and panics if a machine misbehaves.

mod choice;
mod closing;
mod connection;
mod differential;
mod feed;
mod oracle;
mod reader;
mod stream;
mod transfers;

pub use closing::closing;
pub use connection::connection;
pub use differential::{conversation, differential, nearly_valid};
pub use transfers::transfers;

use bowline_core::frame::{Decoder, FrameError, Header, Limits};
use bowline_core::transfer::wire;
use bowline_core::{Role, mask};
use bytes::Bytes;
use feed::Feed;

/// What is done with the bytes.
pub type Target = fn(&[u8]);

/// All targets, by the names that their corpora have.
pub const TARGETS: [(&str, Target); 6] = [
    ("decode", decode),
    ("wire", wire),
    ("connection", connection),
    ("transfers", transfers),
    ("closing", closing),
    ("differential", differential),
];

/// Bytes through the frame decoder, whole and in pieces: the frames are the same, and encode to the same bytes.
pub fn decode(data: &[u8]) {
    let mut feed = Feed::new(data);
    let role = feed.role();
    let mut limits = Limits::default();
    if feed.byte() % 2 == 0 {
        limits.frame = Some(1000);
    }
    let pieces = feed.slice(4).to_vec();
    let bytes = feed.rest();
    let (whole, consumed) = frames(role, &limits, &[bytes]);
    let (split, _) = frames(role, &limits, &cut(bytes, &pieces));
    assert_eq!(whole, split, "splitting changes nothing");
    assert!(bytes.starts_with(&consumed), "a frame encodes to the bytes that it came from");
}

/// A header and its payload, or what is wrong.
type Decoded = Result<(Header, Vec<u8>), FrameError>;

/// The frames in these bytes, and the bytes that they encode to.
fn frames(role: Role, limits: &Limits, pieces: &[&[u8]]) -> (Vec<Decoded>, Vec<u8>) {
    let mut decoder = Decoder::new(role, limits);
    let (mut decoded, mut encoded) = (Vec::new(), Vec::new());
    for piece in pieces {
        decoder.push(piece);
        loop {
            match decoder.decode() {
                Ok(None) => break,
                Ok(Some(header)) => {
                    let mut payload = decoder.payload().to_vec();
                    assert_eq!(payload.len() as u64, header.len);
                    decoded.push(Ok((header, payload.clone())));
                    if let Some(key) = header.mask {
                        mask::apply(&mut payload, key, 0);
                    }
                    encoded.extend_from_slice(&header.encode());
                    encoded.extend_from_slice(&payload);
                }
                Err(error) => {
                    assert_eq!(decoder.decode(), Err(error), "an error stays");
                    decoded.push(Err(error));
                    return (decoded, encoded);
                }
            }
        }
    }
    (decoded, encoded)
}

/// The bytes in pieces of these sizes, again and again.
fn cut<'a>(bytes: &'a [u8], sizes: &[u8]) -> Vec<&'a [u8]> {
    let mut sizes = sizes.iter().map(|size| usize::from(*size).max(1)).cycle();
    let mut rest = bytes;
    let mut pieces = Vec::new();
    while !rest.is_empty() {
        let (piece, after) = rest.split_at(sizes.next().unwrap_or(1).min(rest.len()));
        pieces.push(piece);
        rest = after;
    }
    pieces
}

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
fn with_checksum(body: &[u8]) -> Bytes {
    [body, &crc32c::crc32c(body).to_be_bytes()].concat().into()
}
