//! Frames to bytes.

use super::{AGAIN, kind};
use super::{
    Accept, Ack, Cancel, Data, Frame, Handle, Have, Hello, Mode, Offer, Pause, Phase, Request, Resume,
    Rewind, Whole,
};
use crate::envelope::{self, MAX_TEXT, header, tlv, with_tlvs};
use crate::message::Parts;
use crate::transfer::{Batch, Kind, What};
use bytes::{BufMut, Bytes, BytesMut};
use core::time::Duration;

impl Frame {
    /// The frame as the parts of one binary message; a payload is moved, not copied.
    pub fn encode(self) -> Parts {
        match self {
            Self::Data(handle, data) => encode_data(handle, data),
            other => Parts::from(encode_control(&other)),
        }
    }
}

fn encode_data(handle: Handle, data: Data) -> Parts {
    let mut head = header(kind::DATA, handle);
    head.put_u64(data.offset);
    head.put_u32(data.seq);
    envelope::seal_with(head, data.payload)
}

fn encode_control(frame: &Frame) -> Bytes {
    let out = match frame {
        Frame::Hello(hello) => encode_hello(hello),
        Frame::GoAway { code, retry_after } => {
            let mut out = header(kind::GOAWAY, 0);
            out.put_u32(code.to_u32());
            out.put_u32(millis(*retry_after));
            out.put_bytes(0, 8);
            out
        }
        Frame::Error { code, text } => {
            let mut out = header(kind::ERROR, 0);
            out.put_u32(code.to_u32());
            out.put_u32(0);
            put_text(&mut out, text);
            out
        }
        Frame::Probe(opaque) => probe(kind::PROBE, *opaque),
        Frame::ProbeAck(opaque) => probe(kind::PROBE_ACK, *opaque),
        Frame::Offer(handle, offer) => encode_offer(*handle, offer),
        Frame::Request(handle, request) => encode_request(*handle, request),
        Frame::Accept(handle, accept) => encode_accept(*handle, accept),
        Frame::Fin(handle, whole) => encode_whole(kind::FIN, *handle, whole),
        Frame::Done(handle, whole) => encode_whole(kind::DONE, *handle, whole),
        Frame::Ack(handle, ack) => encode_ack(*handle, ack),
        Frame::Finishing(handle, phase) => {
            let mut out = header(kind::FINISHING, *handle);
            out.put_u32(match phase {
                Phase::Verify => 1,
                Phase::Sync => 2,
                Phase::Commit => 3,
                Phase::Source => 4,
                Phase::Other(other) => *other,
            });
            out.put_u32(0);
            out
        }
        Frame::Pause(handle, Pause { offset, answer }) => {
            encode_halt(kind::PAUSE, *handle, *offset, u32::from(*answer))
        }
        Frame::Resume(handle, Resume { offset, pauses }) => {
            encode_halt(kind::RESUME, *handle, *offset, *pauses)
        }
        Frame::Cancel(handle, cancel) => encode_cancel(*handle, cancel),
        Frame::Ignored(kind) => header(*kind, 0),
        Frame::Unsupported(handle, kind) => header(*kind, *handle),
        Frame::Data(..) => BytesMut::new(), // encoded separately
    };
    envelope::seal(out)
}

fn encode_hello(hello: &Hello) -> BytesMut {
    let mut out = header(kind::HELLO, 0);
    out.put_u8(hello.min_version);
    out.put_u8(hello.max_version);
    out.put_u16(0);
    out.put_u32(hello.max_chunk);
    out.put_u32(hello.max_transfers);
    out.put_u32(hello.max_offers_per_second);
    out.put_u64(hello.credit);
    out.put_u64(hello.features);
    out.put_slice(&hello.instance);
    with_tlvs(&mut out, |out| tlv::put(out, tlv::AGENT, cut(&hello.agent, 64).as_bytes()));
    out
}

fn encode_offer(handle: Handle, offer: &Offer) -> BytesMut {
    let mut out = header(kind::OFFER, handle);
    out.put_slice(offer.id.as_bytes());
    out.put_u64(offer.length.unwrap_or(u64::MAX));
    out.put_i64(offer.mtime_ms);
    out.put_u8(1); // BLAKE3
    out.put_u8(match offer.mode {
        Mode::AttachOrCreate => 0,
        Mode::Create => 1,
        Mode::Attach => 2,
        Mode::Restart => 3,
    });
    out.put_u16(offer.priority);
    out.put_u32(offer.epoch_seen);
    out.put_slice(offer.digest.as_ref().map_or(&[0; 32], |digest| digest.as_bytes()));
    with_tlvs(&mut out, |out| {
        tlv::put(out, tlv::NAME, offer.name.as_str().as_bytes());
        if let Some(validator) = &offer.validator {
            tlv::put(out, tlv::VALIDATOR, validator.as_bytes());
        }
        put_kind(out, offer.kind);
        if let Some(Batch { id, index, count }) = &offer.batch {
            let mut value = [0; 24];
            value[..16].copy_from_slice(id);
            value[16..20].copy_from_slice(&index.to_be_bytes());
            value[20..].copy_from_slice(&count.to_be_bytes());
            tlv::put(out, tlv::BATCH, &value);
        }
        if let Some(mode) = offer.unix_mode {
            tlv::put(out, tlv::UNIX_MODE, &mode.bits().to_be_bytes());
        }
    });
    out
}

fn put_kind(out: &mut BytesMut, kind: Kind) {
    match kind {
        // Absent, so that peers that know only files understand everything.
        Kind::File => {}
        Kind::Folder => tlv::put(out, tlv::KIND, &[1]),
        Kind::Listing => tlv::put(out, tlv::KIND, &[2]),
    }
}

fn encode_request(handle: Handle, request: &Request) -> BytesMut {
    let mut out = header(kind::REQUEST, handle);
    out.put_slice(request.id.as_bytes());
    out.put_u64(request.from);
    out.put_u64(request.to);
    out.put_slice(request.if_digest.as_ref().map_or(&[0; 32], |digest| digest.as_bytes()));
    out[1] = if request.again { AGAIN } else { 0 };
    let (kind, name) = match &request.what {
        What::Named(name) => (Kind::File, Some(name)),
        What::Listing(name) => (Kind::Listing, name.as_ref()),
    };
    with_tlvs(&mut out, |out| {
        if let Some(name) = name {
            tlv::put(out, tlv::NAME, name.as_str().as_bytes());
        }
        put_kind(out, kind);
    });
    out
}

fn encode_accept(handle: Handle, accept: &Accept) -> BytesMut {
    let mut out = header(kind::ACCEPT, handle);
    out.put_u64(accept.resume);
    out.put_u64(accept.credit);
    out.put_u32(accept.max_chunk);
    out.put_u32(accept.epoch);
    out.put_u64(accept.expires);
    out.put_u32(accept.ack_ms);
    out.put_u8(match accept.have {
        Have::Part => 0,
        Have::Complete => 1,
        Have::Present => 2,
    });
    out.put_bytes(0, 3);
    out.put_slice(accept.prefix.as_ref().map_or(&[0; 32], |digest| digest.as_bytes()));
    out
}

fn encode_whole(kind: u8, handle: Handle, whole: &Whole) -> BytesMut {
    let mut out = header(kind, handle);
    out.put_u64(whole.length);
    out.put_slice(whole.digest.as_bytes());
    out.put_u32(u32::from(whole.deduplicated));
    out
}

fn encode_ack(handle: Handle, ack: &Ack) -> BytesMut {
    let mut out = header(kind::ACK, handle);
    out.put_u64(ack.received);
    out.put_u64(ack.durable);
    out.put_u64(ack.credit);
    out.put_u32(ack.last_seq);
    out.put_u32(ack.hold_us);
    out.put_u32(match ack.rewind {
        None => 0,
        Some(Rewind::Gap) => 1,
        Some(Rewind::Corrupt) => 2,
    });
    out
}

fn encode_halt(kind: u8, handle: Handle, offset: u64, number: u32) -> BytesMut {
    let mut out = header(kind, handle);
    out.put_u64(offset);
    out.put_u32(number);
    out
}

fn encode_cancel(handle: Handle, cancel: &Cancel) -> BytesMut {
    let mut out = header(kind::CANCEL, handle);
    out.put_u32(cancel.code.to_u32());
    out.put_u32(millis(cancel.retry_after));
    out.put_u64(cancel.durable);
    out.put_u32(u32::from(cancel.discard));
    put_text(&mut out, &cancel.text);
    out
}

fn probe(kind: u8, opaque: u64) -> BytesMut {
    let mut out = header(kind, 0);
    out.put_u64(opaque);
    out
}

fn put_text(out: &mut BytesMut, text: &str) {
    if !text.is_empty() {
        with_tlvs(out, |out| tlv::put(out, tlv::TEXT, cut(text, MAX_TEXT).as_bytes()));
    }
}

fn millis(duration: Duration) -> u32 {
    duration.as_millis().try_into().unwrap_or(u32::MAX)
}

/// The beginning of a text, at most `max` bytes, cut at a character boundary.
fn cut(text: &str, max: usize) -> &str {
    let mut end = text.len().min(max);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}
