//! Bytes to frames. Nothing from a peer is trusted before it has been checked here.

use super::{Data, Frame, MAX_MESSAGE, OVERHEAD, Why};
use super::{DecodeError, Fault, Resume, Resumed, kind};
use crate::Message;
use crate::envelope::{self, Content, Envelope, peek, tlv};
use crate::messages::{Secret, SessionId};
use crate::replay::Window;
use bytes::{Buf, Bytes};
use core::time::Duration;

/// Decodes a message as a frame. The payload of a binary message is a slice of the input, not a copy.
///
/// # Errors
/// What is wrong with it; the checksum is checked first.
pub fn decode(message: Bytes) -> Result<Frame, DecodeError> {
    let (kind, handle) = peek(&message);
    parse(message).map_err(|fault| DecodeError { kind, handle, fault })
}

fn parse(message: Bytes) -> Result<Frame, Fault> {
    if message.len() > MAX_MESSAGE + OVERHEAD + envelope::MAX_CONTROL {
        return Err(Fault::TooLong(message.len()));
    }
    let envelope = envelope::open(message)?;
    let Envelope { kind, handle, .. } = envelope;
    let Some(fixed) = fixed_len(kind) else { return Ok(Frame::Unsupported(kind)) };
    if handle != 0 {
        return Err(Fault::Value { name: "the handle", value: handle.into() });
    }
    let Content { mut fixed, ext, payload } = envelope.split(fixed, 0, kind == kind::DATA)?;
    tlv::read(&ext, [])?;
    let body = &mut fixed;
    Ok(match kind {
        kind::DATA => Frame::Data(read_data(body, payload)?),
        kind::ACK => Frame::Ack(body.get_u64()),
        kind::RESUME => Frame::Resume(read_resume(body)?),
        kind::RESUMED => Frame::Resumed(read_resumed(body)?),
        _ => Frame::NewSession {
            why: Why::from_u32(body.get_u32()),
            retry_after: Duration::from_millis(body.get_u32().into()),
        },
    })
}

/// How many bytes there are between the common header and the fields.
fn fixed_len(kind: u8) -> Option<usize> {
    Some(match kind {
        kind::DATA => OVERHEAD - envelope::OVERHEAD,
        kind::ACK | kind::NEW_SESSION => 8,
        kind::RESUME => 56,
        kind::RESUMED => 40,
        _ => return None,
    })
}

fn read_data(body: &mut Bytes, payload: Bytes) -> Result<Data, Fault> {
    let (number, ack, form) = (body.get_u64(), body.get_u64(), body.get_u8());
    if payload.len() > MAX_MESSAGE {
        return Err(Fault::TooLong(payload.len()));
    }
    let message = match form {
        1 => Message::text(core::str::from_utf8(&payload).map_err(|_| Fault::NotUtf8)?),
        2 => Message::Binary(payload),
        other => return Err(Fault::Value { name: "the form of a message", value: other.into() }),
    };
    Ok(Data { number: (number != 0).then_some(number), ack, message })
}

fn read_resume(body: &mut Bytes) -> Result<Resume, Fault> {
    let (session, secret) = (SessionId::from_bytes(take(body)), Secret::from_bytes(take(body)));
    let (epoch, window) = (body.get_u32(), read_window(body)?);
    body.advance(4);
    let last = body.get_u64();
    if epoch == 0 && last != 0 {
        return Err(Fault::Value { name: "the last number of a new session", value: last });
    }
    Ok(Resume { session, secret, epoch, window, last })
}

fn read_resumed(body: &mut Bytes) -> Result<Resumed, Fault> {
    let (epoch, window) = (body.get_u32(), read_window(body)?);
    let keep = Duration::from_secs(body.get_u32().into());
    let (secret, last) = (Secret::from_bytes(take(body)), body.get_u64());
    if epoch == 0 {
        return Err(Fault::Value { name: "the epoch", value: 0 });
    }
    Ok(Resumed { epoch, window, keep, secret, last })
}

fn read_window(body: &mut Bytes) -> Result<Window, Fault> {
    let window = Window { messages: body.get_u32(), bytes: body.get_u32() };
    if window.messages == 0 {
        return Err(Fault::Value { name: "the window in messages", value: 0 });
    }
    Ok(window)
}

fn take(body: &mut Bytes) -> [u8; 16] {
    let mut bytes = [0; 16];
    body.copy_to_slice(&mut bytes);
    bytes
}
