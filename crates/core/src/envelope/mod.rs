//! What all frames of `bowline.v1` have in common: header, fields and checksum.

mod checksum;
mod fault;
pub(crate) mod tlv;

pub use fault::{DecodeError, Fault};

use crate::message::Parts;
use crate::words::plain;
use alloc::string::String;
use bytes::{Buf, BufMut, Bytes, BytesMut};

/// The number of a transfer on one link. Odd if the client opened it, even if the server did; 0 is the connection
/// itself.
pub type Handle = u32;

/// The most bytes that a frame without a payload may have.
pub const MAX_CONTROL: usize = 16 * 1024;
/// The longest text for people, in bytes.
pub(crate) const MAX_TEXT: usize = 512;
/// The bytes of the header and of the checksum.
pub(crate) const OVERHEAD: usize = HEADER + CHECKSUM;

const HEADER: usize = 8;
const CHECKSUM: usize = 4;
/// As many bytes as most frames have besides a payload: this much is allocated at once.
const ROOM: usize = 64;

// ----- writing -----

/// The header of a frame.
pub(crate) fn header(kind: u8, handle: Handle) -> BytesMut {
    let mut out = BytesMut::with_capacity(ROOM);
    out.put_u8(kind);
    out.put_u8(0); // flags
    out.put_u16(0); // length of the TLVs
    out.put_u32(handle);
    out
}

/// Appends fields to the fixed part, and writes their length into the header.
pub(crate) fn with_tlvs(out: &mut BytesMut, write: impl FnOnce(&mut BytesMut)) {
    let fixed = out.len();
    write(out);
    let length = (out.len() - fixed) as u16;
    out[2..4].copy_from_slice(&length.to_be_bytes());
}

/// Appends the checksum, which is all that the frame lacks.
pub(crate) fn seal(mut frame: BytesMut) -> Bytes {
    let crc = checksum::append(0, &frame);
    frame.put_u32(crc);
    frame.freeze()
}

/// Appends a payload and the checksum; the payload is shared, not copied.
pub(crate) fn seal_with(mut head: BytesMut, payload: Bytes) -> Parts {
    let crc = checksum::append(checksum::append(0, &head), &payload);
    let tail = head.len();
    head.put_u32(crc);
    let tail = head.split_off(tail);
    Parts { head: head.freeze(), body: payload, tail: tail.freeze() }
}

// ----- reading -----

/// A frame with a correct checksum, of which only the header has been parsed.
#[derive(Debug)]
pub(crate) struct Envelope {
    pub(crate) kind: u8,
    pub(crate) flags: u8,
    pub(crate) handle: Handle,
    ext_len: usize,
    /// Everything between header and checksum.
    rest: Bytes,
}

/// The parts between header and checksum.
#[derive(Debug)]
pub(crate) struct Content {
    pub(crate) fixed: Bytes,
    /// The TLVs.
    pub(crate) ext: Bytes,
    pub(crate) payload: Bytes,
}

/// The type and the handle that a message claims to have, unchecked.
pub fn peek(message: &[u8]) -> (u8, Handle) {
    match message {
        [kind, _, _, _, a, b, c, d, ..] => (*kind, u32::from_be_bytes([*a, *b, *c, *d])),
        [kind, ..] => (*kind, 0),
        [] => (0, 0),
    }
}

/// Checks a message and reads its header.
pub(crate) fn open(mut message: Bytes) -> Result<Envelope, Fault> {
    let len = message.len();
    if len < OVERHEAD {
        return Err(Fault::TooShort(len));
    }
    let crc = message.split_off(len - CHECKSUM).get_u32();
    if checksum::append(0, &message) != crc {
        return Err(Fault::Checksum);
    }
    let (kind, flags) = (message.get_u8(), message.get_u8());
    let (ext_len, handle) = (usize::from(message.get_u16()), message.get_u32());
    Ok(Envelope { kind, flags, handle, ext_len, rest: message })
}

impl Envelope {
    /// Splits it into its parts, if it has at least this many bytes in the fixed part, only these flags, and no payload
    /// if there must be none.
    pub(crate) fn split(self, fixed: usize, flags: u8, payload: bool) -> Result<Content, Fault> {
        let Self { flags: set, ext_len, mut rest, .. } = self;
        let len = rest.len() + OVERHEAD;
        if !payload && len > MAX_CONTROL {
            return Err(Fault::TooLong(len));
        }
        if rest.len() < fixed + ext_len {
            return Err(Fault::TooShort(len));
        }
        if !payload && rest.len() > fixed + ext_len {
            return Err(Fault::TooLong(len));
        }
        // The low nibble must be understood.
        if set & 0x0f & !flags != 0 {
            return Err(Fault::Flags(set));
        }
        let fixed = rest.split_to(fixed);
        let ext = rest.split_to(ext_len);
        Ok(Content { fixed, ext, payload: rest })
    }
}

/// Text for people: invalid UTF-8 is replaced, and so is what a terminal would obey or hide. A text that is too long is
/// cut, because it goes into events and errors, many of which may be queued.
pub(crate) fn lossy(value: Option<&[u8]>) -> String {
    let value = value.unwrap_or_default();
    plain(&String::from_utf8_lossy(&value[..value.len().min(MAX_TEXT)])).into_owned()
}

#[cfg(test)]
pub(crate) mod tests {
    use super::checksum;
    use alloc::vec::Vec;

    /// A frame that was tampered with, with a matching checksum.
    pub(crate) fn resealed(mut bytes: Vec<u8>) -> Vec<u8> {
        let crc = checksum::append(0, &bytes);
        bytes.extend(crc.to_be_bytes());
        bytes
    }
}
