//! Bytes to frames. Nothing from a peer is trusted before it has been checked here.

use super::{AGAIN, DATA_OVERHEAD, MAX_LENGTH, kind};
use super::{
    Accept, Ack, Cancel, Data, Frame, Handle, Have, Hello, Mode, Offer, Pause, Phase, Request, Resume,
    Rewind, Whole,
};
use crate::envelope::{self, Content, DecodeError, Envelope, Fault, lossy, peek, tlv};
use crate::transfer::{
    Batch, Code, Digest, Kind, NameError, SafeName, TransferId, UnixMode, Validator, What,
};
use bytes::{Buf, Bytes};
use core::time::Duration;

/// Decodes one message as a frame. The payload of DATA is a slice of the message, not a copy.
///
/// # Errors
/// What is wrong with it; the checksum is checked first.
pub fn decode(message: Bytes) -> Result<Frame, DecodeError> {
    let (kind, handle) = peek(&message);
    parse(message).map_err(|fault| DecodeError { kind, handle, fault })
}

fn parse(message: Bytes) -> Result<Frame, Fault> {
    let envelope = envelope::open(message)?;
    let Envelope { kind, flags, handle, .. } = envelope;
    let Some(fixed) = fixed_len(kind) else {
        return Ok(if kind >= kind::OPTIONAL {
            Frame::Ignored(kind)
        } else {
            Frame::Unsupported(handle, kind)
        });
    };
    // The only flag defined for DATA is a hint that may be ignored.
    let is_data = kind == kind::DATA;
    let Content { mut fixed, ext, payload } = envelope.split(fixed, u8::from(is_data), is_data)?;
    read_body((kind, flags), handle, &mut fixed, &ext, payload)
}

/// The place in its file that a chunk claims to have, unchecked.
#[derive(Clone, Copy, Debug)]
pub(in crate::transfer) struct Place {
    pub(in crate::transfer) offset: u64,
    pub(in crate::transfer) len: u64,
}

impl Place {
    pub(in crate::transfer) fn end(self) -> u64 {
        self.offset.saturating_add(self.len)
    }
}

/// Where the payload belongs, if this is a chunk: the only usable part of one with a wrong checksum.
pub(in crate::transfer) fn peek_place(message: &[u8]) -> Place {
    let offset = message.get(8..16).and_then(|bytes| bytes.try_into().ok()).map_or(0, u64::from_be_bytes);
    Place { offset, len: message.len().saturating_sub(DATA_OVERHEAD) as u64 }
}

/// How many bytes there are between the common header and the fields.
fn fixed_len(kind: u8) -> Option<usize> {
    Some(match kind {
        kind::HELLO => 48,
        kind::GOAWAY => 16,
        kind::ERROR | kind::PROBE | kind::PROBE_ACK | kind::FINISHING => 8,
        kind::OFFER | kind::ACCEPT => 72,
        kind::REQUEST => 64,
        kind::DATA => DATA_OVERHEAD - 12,
        kind::FIN | kind::DONE => 44,
        kind::ACK => 36,
        kind::PAUSE | kind::RESUME => 12,
        kind::CANCEL => 20,
        _ => return None,
    })
}

fn read_body(
    (kind, flags): (u8, u8),
    handle: Handle,
    body: &mut Bytes,
    ext: &[u8],
    payload: Bytes,
) -> Result<Frame, Fault> {
    Ok(match kind {
        kind::HELLO => Frame::Hello(read_hello(body, ext)?),
        kind::GOAWAY => {
            tlv::read(ext, [])?;
            Frame::GoAway { code: Code::from_u32(body.get_u32()), retry_after: millis(body) }
        }
        kind::ERROR => {
            let [text] = tlv::read(ext, [tlv::TEXT])?;
            Frame::Error { code: Code::from_u32(body.get_u32()), text: lossy(text) }
        }
        kind::PROBE => {
            tlv::read(ext, [])?;
            Frame::Probe(body.get_u64())
        }
        kind::PROBE_ACK => {
            tlv::read(ext, [])?;
            Frame::ProbeAck(body.get_u64())
        }
        kind::OFFER => Frame::Offer(handle, read_offer(body, ext)?),
        kind::REQUEST => Frame::Request(handle, read_request(flags, body, ext)?),
        kind::ACCEPT => Frame::Accept(handle, read_accept(body, ext)?),
        kind::DATA => {
            tlv::read(ext, [])?;
            if payload.is_empty() {
                return Err(Fault::EmptyChunk);
            }
            Frame::Data(handle, Data { offset: body.get_u64(), seq: body.get_u32(), payload })
        }
        kind::FIN => Frame::Fin(handle, read_whole(body, ext)?),
        kind::DONE => Frame::Done(handle, read_whole(body, ext)?),
        kind::ACK => Frame::Ack(handle, read_ack(body, ext)?),
        kind::FINISHING => {
            tlv::read(ext, [])?;
            let phase = match body.get_u32() {
                1 => Phase::Verify,
                2 => Phase::Sync,
                3 => Phase::Commit,
                4 => Phase::Source,
                other => Phase::Other(other),
            };
            Frame::Finishing(handle, phase)
        }
        kind::PAUSE => {
            tlv::read(ext, [])?;
            Frame::Pause(handle, Pause { offset: body.get_u64(), answer: body.get_u32() & 1 != 0 })
        }
        kind::RESUME => {
            tlv::read(ext, [])?;
            Frame::Resume(handle, Resume { offset: body.get_u64(), pauses: body.get_u32() })
        }
        kind::CANCEL => {
            let [text] = tlv::read(ext, [tlv::TEXT])?;
            let code = Code::from_u32(body.get_u32());
            let (retry_after, durable, flags) = (millis(body), body.get_u64(), body.get_u32());
            Frame::Cancel(
                handle,
                Cancel { code, retry_after, durable, discard: flags & 1 != 0, text: lossy(text) },
            )
        }
        other => Frame::Unsupported(handle, other),
    })
}

fn read_hello(body: &mut Bytes, ext: &[u8]) -> Result<Hello, Fault> {
    let [agent] = tlv::read(ext, [tlv::AGENT])?;
    let (min_version, max_version) = (body.get_u8(), body.get_u8());
    body.advance(2);
    let mut hello = Hello {
        min_version,
        max_version,
        max_chunk: body.get_u32(),
        max_transfers: body.get_u32(),
        max_offers_per_second: body.get_u32(),
        credit: body.get_u64(),
        features: body.get_u64(),
        instance: [0; 16],
        agent: lossy(agent),
    };
    body.copy_to_slice(&mut hello.instance);
    if !super::CHUNK_LIMITS.contains(&hello.max_chunk) {
        return Err(Fault::Value { name: "max_chunk", value: hello.max_chunk.into() });
    }
    Ok(hello)
}

fn read_offer(body: &mut Bytes, ext: &[u8]) -> Result<Offer, Fault> {
    let [name, validator, kind, batch, unix_mode] =
        tlv::read(ext, [tlv::NAME, tlv::VALIDATOR, tlv::KIND, tlv::BATCH, tlv::UNIX_MODE])?;
    let id = read_id(body);
    let (length, mtime_ms) = (body.get_u64(), body.get_i64());
    let (algorithm, mode) = (body.get_u8(), body.get_u8());
    let (priority, epoch_seen) = (body.get_u16(), body.get_u32());
    let digest = read_digest(body);
    if algorithm != 1 {
        return Err(Fault::Value { name: "the digest algorithm", value: algorithm.into() });
    }
    let mode = match mode {
        0 => Mode::AttachOrCreate,
        1 => Mode::Create,
        2 => Mode::Attach,
        3 => Mode::Restart,
        other => return Err(Fault::Value { name: "mode", value: other.into() }),
    };
    let length = match length {
        u64::MAX => None,
        // Lengths that no file system supports.
        length if length > MAX_LENGTH => return Err(Fault::Value { name: "length", value: length }),
        length => Some(length),
    };
    let kind = kind.map_or(Ok(Kind::File), read_kind)?;
    if kind == Kind::Folder && length != Some(0) {
        return Err(Fault::Value { name: "the length of a folder", value: length.unwrap_or(u64::MAX) });
    }
    let validator = validator
        .map(|v| {
            Validator::from_bytes(v)
                .map_err(|e| Fault::Value { name: "the validator's length", value: e.0 as u64 })
        })
        .transpose()?;
    Ok(Offer {
        id,
        name: read_name(name)?,
        kind,
        length,
        mtime_ms,
        unix_mode: unix_mode.map(read_unix_mode).transpose()?,
        validator,
        batch: batch.map(read_batch).transpose()?,
        mode,
        priority,
        epoch_seen,
        digest,
    })
}

fn read_kind(value: &[u8]) -> Result<Kind, Fault> {
    match value {
        [1] => Ok(Kind::Folder),
        [2] => Ok(Kind::Listing),
        [other] => Err(Fault::Value { name: "kind", value: (*other).into() }),
        other => Err(Fault::Value { name: "the length of a kind", value: other.len() as u64 }),
    }
}

fn read_unix_mode(value: &[u8]) -> Result<UnixMode, Fault> {
    let bits = value
        .try_into()
        .map_err(|_| Fault::Value { name: "the length of a unix mode", value: value.len() as u64 })?;
    Ok(UnixMode::from_bits(u32::from_be_bytes(bits)))
}

fn read_batch(mut value: &[u8]) -> Result<Batch, Fault> {
    if value.len() != 24 {
        return Err(Fault::Value { name: "the length of a batch", value: value.len() as u64 });
    }
    let mut id = [0; 16];
    value.copy_to_slice(&mut id);
    Ok(Batch { id, index: value.get_u32(), count: value.get_u32() })
}

fn read_request(flags: u8, body: &mut Bytes, ext: &[u8]) -> Result<Request, Fault> {
    let [name, kind] = tlv::read(ext, [tlv::NAME, tlv::KIND])?;
    let (id, from, to) = (read_id(body), body.get_u64(), body.get_u64());
    let what = match kind.map_or(Ok(Kind::File), read_kind)? {
        Kind::File => What::Named(read_name(name)?),
        Kind::Listing => What::Listing(name.map(|name| read_name(Some(name))).transpose()?),
        Kind::Folder => return Err(Fault::Value { name: "the kind that is asked for", value: 1 }),
    };
    let again = flags & AGAIN != 0;
    Ok(Request { id, what, from, to, if_digest: read_digest(body), again })
}

fn read_accept(body: &mut Bytes, ext: &[u8]) -> Result<Accept, Fault> {
    tlv::read(ext, [])?;
    let (resume, credit, max_chunk) = (body.get_u64(), body.get_u64(), body.get_u32());
    let (epoch, expires, ack_ms) = (body.get_u32(), body.get_u64(), body.get_u32());
    let have = match body.get_u8() {
        0 => Have::Part,
        1 => Have::Complete,
        2 => Have::Present,
        other => return Err(Fault::Value { name: "what the receiver has", value: other.into() }),
    };
    body.advance(3);
    if !super::CHUNK_LIMITS.contains(&max_chunk) {
        return Err(Fault::Value { name: "max_chunk", value: max_chunk.into() });
    }
    Ok(Accept { resume, credit, max_chunk, epoch, expires, ack_ms, have, prefix: read_digest(body) })
}

fn read_whole(body: &mut Bytes, ext: &[u8]) -> Result<Whole, Fault> {
    tlv::read(ext, [])?;
    let length = body.get_u64();
    let mut digest = [0; 32];
    body.copy_to_slice(&mut digest);
    Ok(Whole { length, digest: Digest::from_bytes(digest), deduplicated: body.get_u32() & 1 != 0 })
}

fn read_ack(body: &mut Bytes, ext: &[u8]) -> Result<Ack, Fault> {
    tlv::read(ext, [])?;
    let (received, durable, credit) = (body.get_u64(), body.get_u64(), body.get_u64());
    let (last_seq, hold_us) = (body.get_u32(), body.get_u32());
    let rewind = match body.get_u32() & 3 {
        0 => None,
        1 => Some(Rewind::Gap),
        _ => Some(Rewind::Corrupt),
    };
    Ok(Ack { received, durable, credit, last_seq, hold_us, rewind })
}

fn read_id(body: &mut Bytes) -> TransferId {
    let mut id = [0; 16];
    body.copy_to_slice(&mut id);
    TransferId::from_bytes(id)
}

/// A digest of zeros means none.
fn read_digest(body: &mut Bytes) -> Option<Digest> {
    let mut digest = [0; 32];
    body.copy_to_slice(&mut digest);
    (digest != [0; 32]).then_some(Digest::from_bytes(digest))
}

fn read_name(value: Option<&[u8]>) -> Result<SafeName, Fault> {
    let name = value.ok_or(Fault::MissingTlv(tlv::NAME))?;
    let name = core::str::from_utf8(name).map_err(|_| Fault::Name(NameError::NotUtf8))?;
    SafeName::parse(name).map_err(Fault::Name)
}

fn millis(body: &mut Bytes) -> Duration {
    Duration::from_millis(body.get_u32().into())
}
